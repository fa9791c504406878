//! What those who tell people know of the worker: whether it is active, its clock, and what there
//! is to tell of the service itself. Shared between the schedule, which says it, and the channels.
//!
//! What is told of the service does not go through the outbox, because a database that cannot be
//! reached is the first thing to tell. It is told directly, and again after a restart if it still
//! is so.

use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::Notify;

use super::event::{AlertEvent, EventDetail};
use super::service_watch::{CycleEnd, ServiceWatch};
use crate::datetime::Datetime;

/// What is kept for channels that do not keep up.
const MOST: usize = 50;

/// See the module.
#[derive(Debug, Default)]
pub struct ServiceStatus {
    inner: Mutex<Inner>,
    changed: Notify,
}

#[derive(Debug, Default)]
struct Inner {
    watch: Option<ServiceWatch>,
    started: Option<Instant>,
    is_active: bool,
    /// The plant's time when it was asked last.
    clock: Option<(Datetime, Instant)>,
    /// The number of the first that is kept, and those from there on.
    first: u64,
    told: VecDeque<AlertEvent>,
    trouble: Option<AlertEvent>,
}

impl ServiceStatus {
    /// Of a worker that starts now.
    pub fn new(worker: String, interval: Duration) -> Self {
        let started = Some(Instant::now());
        let watch = Some(ServiceWatch::new(worker, interval, Duration::ZERO));
        Self { inner: Mutex::new(Inner { watch, started, ..Inner::default() }), changed: Notify::new() }
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A cycle has ended; `plant` is the database's time where that is known.
    pub fn cycle_ended(&self, end: &CycleEnd, refused: Option<&str>, plant: Option<Datetime>) {
        let mut inner = self.lock();
        let now = Instant::now();
        inner.clock = plant.map(|plant| (plant, now)).or(inner.clock);
        match end {
            CycleEnd::Success { .. } => inner.is_active = true,
            CycleEnd::Standby => inner.is_active = false,
            CycleEnd::Failure { .. } => {}
        }
        let since = inner.started.map_or(Duration::ZERO, |started| now.duration_since(started));
        let told = inner.watch.as_mut().map(|watch| watch.ended(end, refused, since)).unwrap_or_default();
        let at = plant_now(inner.clock, now);
        for (number, service) in told.into_iter().enumerate() {
            // Of this process and this moment: told again it is the same.
            let id = format!("service-{}-{}-{number}", std::process::id(), at.micros());
            let event = AlertEvent { id, at, what: EventDetail::Service(service) };
            if event.is_end() {
                inner.trouble = None;
            } else if inner.watch.as_ref().is_some_and(ServiceWatch::is_in_trouble) {
                inner.trouble = Some(event.clone());
            }
            inner.told.push_back(event);
            if inner.told.len() > MOST {
                inner.told.pop_front();
                inner.first += 1;
            }
        }
        drop(inner);
        self.changed.notify_waiters();
    }

    /// Whether this worker is the active one of its name.
    pub fn is_active(&self) -> bool {
        self.lock().is_active
    }

    /// The plant's time, as far as it is known.
    pub fn now(&self) -> Datetime {
        plant_now(self.lock().clock, Instant::now())
    }

    /// What was told of the service from this number on, and the next number.
    pub fn told_since(&self, number: u64) -> (Vec<AlertEvent>, u64) {
        let inner = self.lock();
        let skipped = usize::try_from(number.saturating_sub(inner.first)).unwrap_or(usize::MAX);
        let told: Vec<_> = inner.told.iter().skip(skipped).cloned().collect();
        (told, inner.first + inner.told.len() as u64)
    }

    /// That the service does not succeed, while it does not.
    pub fn trouble(&self) -> Option<AlertEvent> {
        self.lock().trouble.clone()
    }

    /// Completes when a cycle has ended.
    pub async fn changed(&self) {
        self.changed.notified().await;
    }
}

/// The machine's clock where the plant's was never seen.
fn plant_now(clock: Option<(Datetime, Instant)>, now: Instant) -> Datetime {
    match clock {
        Some((plant, asked)) => plant.later(now.duration_since(asked)),
        None => Datetime::from_micros(chrono::Local::now().naive_local().and_utc().timestamp_micros()),
    }
}
