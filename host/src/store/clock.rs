//! What a store without a server takes for the server's clock.
//!
//! A SQLite file has no clock of its own. The wall clock of this machine, as local time without a zone, is the plant's as long
//! as both stand in one place; tests and the demo bring their own. Never fails; lives as long as whoever holds it.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use crate::datetime::Datetime;

/// Tells the time on the database's clock.
#[derive(Clone)]
pub struct Clock(Arc<dyn Fn() -> Datetime + Send + Sync>);

/// Sets the time that a [`Clock::settable`] tells.
#[derive(Clone, Debug)]
pub struct Hand(Arc<AtomicI64>);

impl Clock {
    /// This machine's wall clock, local time.
    pub fn system() -> Self {
        Self::new(|| Datetime::from_micros(chrono::Local::now().naive_local().and_utc().timestamp_micros()))
    }

    /// Always the same time.
    pub fn fixed(at: Datetime) -> Self {
        Self::new(move || at)
    }

    /// Stands at `at` until the hand moves it.
    pub fn settable(at: Datetime) -> (Self, Hand) {
        let micros = Arc::new(AtomicI64::new(at.micros()));
        let hand = Hand(Arc::clone(&micros));
        (Self::new(move || Datetime::from_micros(micros.load(Ordering::Relaxed))), hand)
    }

    /// Tells whatever `tell` says.
    pub fn new(tell: impl Fn() -> Datetime + Send + Sync + 'static) -> Self {
        Self(Arc::new(tell))
    }

    /// The time now.
    pub fn now(&self) -> Datetime {
        (self.0)()
    }
}

impl Hand {
    /// From now on it is `at`; backwards is allowed, as clocks are.
    pub fn set(&self, at: Datetime) {
        self.0.store(at.micros(), Ordering::Relaxed);
    }
}

impl fmt::Debug for Clock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Clock({})", self.now())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_settable_clock_stands_where_its_hand_puts_it() {
        let (clock, hand) = Clock::settable(Datetime::from_micros(1));
        assert_eq!(clock.now(), Datetime::from_micros(1));
        hand.set(Datetime::from_micros(-5));
        assert_eq!(clock.clone().now(), Datetime::from_micros(-5));
    }
}
