//! Detects that reading hangs: on a share that is gone, a read returns neither data nor an error
//! for hours.
//!
//! A thread in such a call cannot be ended, only abandoned. So the files that were read are
//! counted. If the count stops, the caller continues without that work. Abandoned threads are
//! counted too, so that a share which is gone for a week does not take a thread a minute.

use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// The most reads that hang at a time. With these no further one is started: each holds a few
/// threads.
const MOST_LEFT: usize = 8;

/// Counts the steps of one piece of work.
#[derive(Clone, Debug, Default)]
pub(super) struct StepCounter(Arc<AtomicU64>);

impl StepCounter {
    /// A step is done.
    pub(super) fn add_one(&self) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }

    /// Waits for the work as long as it makes steps. None: it made no step for `limit`.
    pub(super) async fn patiently<T>(&self, limit: Duration, work: impl Future<Output = T>) -> Option<T> {
        let mut work = pin!(work);
        loop {
            let before = self.0.load(Ordering::Relaxed);
            if let Ok(done) = tokio::time::timeout(limit, &mut work).await {
                return Some(done);
            }
            if self.0.load(Ordering::Relaxed) == before {
                return None;
            }
        }
    }
}

/// Held by each thread that may hang.
#[derive(Clone, Debug, Default)]
pub(super) struct Left(Arc<()>);

impl Left {
    /// For one more thread; None if too many hang.
    pub(super) fn one_more(&self) -> Option<Self> {
        (Arc::strong_count(&self.0) <= MOST_LEFT).then(|| self.clone())
    }
}

#[cfg(test)]
mod tests {
    use std::future::pending;

    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    #[tokio::test(start_paused = true)]
    async fn work_is_waited_for_while_it_makes_steps() {
        let steps = StepCounter::default();
        let working = async |number: u32, pause: Duration| {
            for _ in 0..number {
                tokio::time::sleep(pause).await;
                steps.add_one();
            }
            "done"
        };
        assert_eq!(steps.patiently(10 * SECOND, working(100, 9 * SECOND)).await, Some("done"));
        assert_eq!(steps.patiently(10 * SECOND, working(0, SECOND)).await, Some("done"));
        assert_eq!(steps.patiently(10 * SECOND, working(1, 30 * SECOND)).await, None);
        let stops = async {
            working(5, SECOND).await;
            pending::<()>().await;
        };
        let begun = tokio::time::Instant::now();
        assert_eq!(steps.patiently(10 * SECOND, stops).await, None);
        assert!(begun.elapsed() <= 20 * SECOND);
    }

    #[test]
    fn no_more_threads_are_left_than_so_many() {
        let left = Left::default();
        let mut hanging: Vec<_> = (0..MOST_LEFT).filter_map(|_| left.one_more()).collect();
        assert_eq!(hanging.len(), MOST_LEFT);
        assert!(left.one_more().is_none());
        hanging.pop();
        assert!(left.one_more().is_some());
    }
}
