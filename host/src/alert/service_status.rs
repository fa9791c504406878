//! What the channels know of the worker: whether it is active, its clock, and the events of the
//! service itself. The schedule writes it, and the channels read it.
//!
//! Events of the service do not go through the outbox, because the most important one is that the
//! database cannot be reached. They are sent directly, and again after a restart if they still
//! hold.

use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::Notify;

use super::event::{AlertEvent, EventDetail};
use super::service_watch::{CycleEnd, ServiceWatch};
use crate::datetime::Datetime;

/// The most events that are kept for slow channels.
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
    /// The plant's time when it was last read, and when that was.
    clock: Option<(Datetime, Instant)>,
    /// The number of the first event that is kept.
    first: u64,
    told: VecDeque<AlertEvent>,
    trouble: Option<AlertEvent>,
}

impl ServiceStatus {
    /// For a worker that starts now.
    pub fn new(worker: String, interval: Duration) -> Self {
        let started = Some(Instant::now());
        let watch = Some(ServiceWatch::new(worker, interval, Duration::ZERO));
        Self { inner: Mutex::new(Inner { watch, started, ..Inner::default() }), changed: Notify::new() }
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A cycle has ended. `plant` is the database's time, if it is known.
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
            // Unique for process and event, and the same at each attempt.
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

    /// The plant's time, extrapolated from when it was last read.
    pub fn now(&self) -> Datetime {
        plant_now(self.lock().clock, Instant::now())
    }

    /// The events of the service from this number on, and the next number.
    pub fn told_since(&self, number: u64) -> (Vec<AlertEvent>, u64) {
        let inner = self.lock();
        let skipped = usize::try_from(number.saturating_sub(inner.first)).unwrap_or(usize::MAX);
        let told: Vec<_> = inner.told.iter().skip(skipped).cloned().collect();
        (told, inner.first + inner.told.len() as u64)
    }

    /// The event that cycles fail, while they do.
    pub fn trouble(&self) -> Option<AlertEvent> {
        self.lock().trouble.clone()
    }

    /// Completes when a cycle has ended.
    pub async fn changed(&self) {
        self.changed.notified().await;
    }
}

/// The machine's clock if the plant's was never read.
fn plant_now(clock: Option<(Datetime, Instant)>, now: Instant) -> Datetime {
    match clock {
        Some((plant, asked)) => plant.later(now.duration_since(asked)),
        None => Datetime::from_micros(chrono::Local::now().naive_local().and_utc().timestamp_micros()),
    }
}
