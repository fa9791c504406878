//! A database that cannot be reached: it is tried again with growing pauses. One line is logged
//! when that begins and one when it ends.

use std::time::{Duration, Instant};

use backon::{BackoffBuilder, ExponentialBuilder};

use super::error::CycleError;

/// The longest pause between two tries to reach the database.
const LONGEST_PAUSE: Duration = Duration::from_secs(60);

/// The pauses between the tries, without an end.
pub fn pauses() -> impl Iterator<Item = Duration> + Send {
    ExponentialBuilder::default()
        .with_jitter()
        .with_min_delay(Duration::from_secs(1))
        // Jitter adds up to as much again.
        .with_max_delay(LONGEST_PAUSE / 2)
        .without_max_times()
        .build()
}

/// Whether the database is out of reach, and how long to wait before the next try.
#[derive(Default)]
pub(super) struct Outage {
    pauses: Option<Box<dyn Iterator<Item = Duration> + Send>>,
    began: Option<Instant>,
}

impl Outage {
    /// Whether the database is out of reach.
    pub(super) fn is_on(&self) -> bool {
        self.pauses.is_some()
    }

    /// How long to wait before the next try.
    pub(super) fn pause(&mut self) -> Option<Duration> {
        self.pauses.as_mut().and_then(Iterator::next)
    }

    pub(super) fn failed(&mut self, error: &CycleError) {
        if !error.is_connection() {
            tracing::error!("{error}; the next cycle tries again");
            return;
        }
        if self.pauses.is_none() {
            self.pauses = Some(Box::new(pauses()));
            self.began = Some(Instant::now());
            tracing::error!("the database is out of reach, trying again until it is back: {error}");
        }
    }

    pub(super) fn over(&mut self) {
        if let (Some(_), Some(began)) = (self.pauses.take(), self.began.take()) {
            let lasted = Duration::from_secs(began.elapsed().as_secs());
            tracing::info!("the database is back after {}", humantime::format_duration(lasted));
        }
    }
}
