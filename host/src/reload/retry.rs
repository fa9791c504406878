//! When refused files are tried again although they have not changed: what took too long on a busy
//! machine may succeed an hour later. The pause grows with each try, like that of variables that
//! were set aside because of a deadline.

use std::sync::{Arc, LazyLock};
use std::time::{Duration, Instant};

use crate::retry_pause::retry_pause;

/// Time since some fixed moment.
pub type RetryClock = Arc<dyn Fn() -> Duration + Send + Sync>;

/// When the next try is due.
pub(super) struct Retry {
    clock: RetryClock,
    next: Option<NextAttempt>,
}

#[derive(Clone, Copy)]
struct NextAttempt {
    at: Duration,
    pause: Duration,
}

impl Retry {
    pub(super) fn by(clock: RetryClock) -> Self {
        Self { clock, next: None }
    }

    /// Whether it is time to try again.
    pub(super) fn is_due(&self) -> bool {
        self.next.is_some_and(|next| (self.clock)() >= next.at)
    }

    /// A try failed: the first of these files, or a repeated one (`again`).
    pub(super) fn failed(&mut self, again: bool) {
        let pause = retry_pause(self.next.filter(|_| again).map(|before| before.pause));
        self.next = Some(NextAttempt { at: (self.clock)().saturating_add(pause), pause });
    }

    /// Nothing is to be tried again.
    pub(super) fn over(&mut self) {
        self.next = None;
    }
}

/// The monotonic clock of the system, which nobody can set back.
pub(super) fn system() -> RetryClock {
    static START: LazyLock<Instant> = LazyLock::new(Instant::now);
    Arc::new(|| START.elapsed())
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU64, Ordering};

    use super::*;

    #[test]
    fn pauses_grow_to_a_day() {
        let now = Arc::new(AtomicU64::new(1000));
        let read = Arc::clone(&now);
        let mut retry = Retry::by(Arc::new(move || Duration::from_secs(read.load(Ordering::Relaxed))));
        assert!(!retry.is_due(), "nothing was refused");
        for round in 0..2 {
            for (again, minutes) in [15, 30, 60, 120, 240, 480, 960, 1440, 1440].into_iter().enumerate() {
                retry.failed(again > 0);
                now.fetch_add(60 * minutes - 1, Ordering::Relaxed);
                assert!(!retry.is_due(), "{round}: {minutes}");
                now.fetch_add(1, Ordering::Relaxed);
                assert!(retry.is_due(), "{round}: {minutes}");
            }
        }
        retry.over();
        assert!(!retry.is_due());
    }
}
