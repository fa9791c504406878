//! The time that a cycle may spend on a detector that fails, or that wants to see readings before
//! it judges: a budget, which a stop or a new set that is ready ends early.
//!
//! Only the calls that count against the budget are measured, so that a long cycle of good batches
//! uses none of it. The clock is a parameter: tests set it.

use std::sync::LazyLock;
use std::time::{Duration, Instant};

/// Time since some fixed moment.
pub(super) type Elapsed<'a> = &'a (dyn Fn() -> Duration + Sync);

/// A condition that may change while the detector computes.
pub(super) type StopCheck<'a> = &'a (dyn Fn() -> bool + Sync);

/// A budget of time.
pub(super) struct Patience<'a> {
    left: Duration,
    clock: Elapsed<'a>,
    stop: StopCheck<'a>,
    ready: StopCheck<'a>,
}

/// See [`Patience::mark`].
#[derive(Clone, Copy)]
pub(super) struct SpentMark {
    at: Duration,
    left: Duration,
}

/// Why a piece of work was ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ended {
    /// The budget is spent.
    Time,
    /// A stop was asked for.
    Stop,
    /// A new set waits to be used.
    Ready,
}

impl<'a> Patience<'a> {
    pub(super) fn new(
        budget: Duration,
        clock: Elapsed<'a>,
        stop: StopCheck<'a>,
        ready: StopCheck<'a>,
    ) -> Self {
        Self { left: budget, clock, stop, ready }
    }

    /// Whether to end now. A stop comes first.
    pub(super) fn ended(&self) -> Option<Ended> {
        if (self.stop)() {
            Some(Ended::Stop)
        } else if (self.ready)() {
            Some(Ended::Ready)
        } else if self.left.is_zero() {
            Some(Ended::Time)
        } else {
            None
        }
    }

    /// Runs something whose time counts against the budget.
    pub(super) async fn spend<T>(&mut self, work: impl Future<Output = T>) -> T {
        let mark = self.mark();
        let done = work.await;
        self.settle(mark);
        done
    }

    /// Marks the begin of work that counts against the budget and may itself measure parts of it.
    pub(super) fn mark(&self) -> SpentMark {
        SpentMark { at: (self.clock)(), left: self.left }
    }

    /// The marked work is over.
    pub(super) fn settle(&mut self, begun: SpentMark) {
        self.left = begun.left.saturating_sub((self.clock)().saturating_sub(begun.at));
    }
}

/// The monotonic clock of the system, which nobody can set back.
pub(super) fn system() -> Duration {
    static START: LazyLock<Instant> = LazyLock::new(Instant::now);
    START.elapsed()
}
