//! What a cycle may spend on a detector that fails, or that wants to see readings before it judges:
//! a budget of time, which a stop and a new set that is ready end early.
//!
//! Time is spent by what is measured, so that a long cycle of good batches costs nothing of it. The
//! clock is a parameter: tests set it.

use std::sync::LazyLock;
use std::time::{Duration, Instant};

/// Time since some moment before.
pub(super) type Elapsed<'a> = &'a (dyn Fn() -> Duration + Sync);

/// A question with an answer that may change while the detector computes.
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

/// Why something is not gone on with.
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

    /// Whether to end now. A stop comes before all else.
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

    /// Does something on account of the budget.
    pub(super) async fn spend<T>(&mut self, work: impl Future<Output = T>) -> T {
        let mark = self.mark();
        let done = work.await;
        self.settle(mark);
        done
    }

    /// Where something begins that is on account of the budget, and may spend of it itself.
    pub(super) fn mark(&self) -> SpentMark {
        SpentMark { at: (self.clock)(), left: self.left }
    }

    /// It is over.
    pub(super) fn settle(&mut self, begun: SpentMark) {
        self.left = begun.left.saturating_sub((self.clock)().saturating_sub(begun.at));
    }
}

/// The clock of the system, which no administrator sets back.
pub(super) fn system() -> Duration {
    static START: LazyLock<Instant> = LazyLock::new(Instant::now);
    START.elapsed()
}
