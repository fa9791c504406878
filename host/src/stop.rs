//! A requested stop: nothing new is started, and current work is finished. At a second request, a
//! command abandons its current work.

use std::io;
use std::pin::pin;
use std::time::Duration;

use tokio_util::sync::CancellationToken;

use crate::signal;

/// How long current work may take after a stop was requested. Service managers kill after 90 s.
pub const GRACE: Duration = Duration::from_secs(20);

/// Why work was not finished.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unfinished {
    /// There was no current work that is worth waiting for.
    NothingInHand,
    /// It took longer than [`GRACE`].
    TooLong,
}

/// Shared by everything that ends together; no stop is requested yet.
#[derive(Clone, Debug, Default)]
pub struct Stop {
    asked: CancellationToken,
    at_once: CancellationToken,
}

impl Stop {
    /// Handles the system's signals from now on. At the first one the log says what follows.
    ///
    /// # Errors
    /// The system does not let this process handle signals.
    pub fn on_signals(follows: &'static str) -> io::Result<Self> {
        let stop = Self::default();
        let (first, asker) = (signal::shutdown()?, stop.clone());
        tokio::spawn(async move {
            let name = first.await;
            tracing::info!("{name}: {follows}");
            let second = signal::shutdown();
            asker.ask();
            if let Ok(second) = second {
                second.await;
                asker.ask();
            }
        });
        Ok(stop)
    }

    /// Requests a stop; a second request is one to stop at once.
    pub fn ask(&self) {
        if self.asked.is_cancelled() {
            self.at_once.cancel();
        }
        self.asked.cancel();
    }

    pub fn is_asked(&self) -> bool {
        self.asked.is_cancelled()
    }

    /// Ends when a stop is requested.
    pub async fn asked(&self) {
        self.asked.cancelled().await;
    }

    /// Runs work that loses nothing if it is dropped; None if a stop is requested before its end.
    pub async fn unless_asked<T>(&self, work: impl Future<Output = T>) -> Option<T> {
        tokio::select! {
            biased;
            () = self.asked() => None,
            done = work => Some(done),
        }
    }

    /// Runs work to its end; None if it was abandoned, which rolls its transaction back.
    pub async fn unless_at_once<T>(&self, work: impl Future<Output = T>) -> Option<T> {
        tokio::select! {
            biased;
            done = work => Some(done),
            () = self.at_once.cancelled() => None,
        }
    }

    /// Runs work to its end, for no longer than [`GRACE`] once a stop is requested. `is_in_hand` is
    /// called at that moment, and tells whether there is current work to wait for.
    ///
    /// # Errors
    /// Why it was not finished.
    pub async fn within_grace<T>(
        &self,
        work: impl Future<Output = T>,
        is_in_hand: impl FnOnce() -> bool,
    ) -> Result<T, Unfinished> {
        let mut work = pin!(work);
        tokio::select! {
            biased;
            done = &mut work => return Ok(done),
            () = self.asked() => {}
        }
        if !is_in_hand() {
            return Err(Unfinished::NothingInHand);
        }
        tokio::time::timeout(GRACE, work).await.map_err(|_| Unfinished::TooLong)
    }
}

#[cfg(test)]
mod tests {
    use std::future::{pending, ready};

    use super::*;

    async fn seconds(seconds: u64) -> &'static str {
        tokio::time::sleep(Duration::from_secs(seconds)).await;
        "done"
    }

    fn asked(times: usize) -> Stop {
        let stop = Stop::default();
        (0..times).for_each(|_| stop.ask());
        stop
    }

    #[tokio::test(start_paused = true)]
    async fn work_ends_by_itself_or_as_it_was_asked_to() {
        for (times, unless_asked, unless_at_once) in
            [(0, Some("done"), Some("done")), (1, None, Some("done")), (2, None, None)]
        {
            let stop = asked(times);
            assert_eq!(stop.is_asked(), times > 0);
            assert_eq!(stop.unless_asked(seconds(1)).await, unless_asked, "{times}");
            assert_eq!(stop.unless_at_once(seconds(1)).await, unless_at_once, "{times}");
            assert_eq!(
                stop.unless_at_once(ready("done")).await,
                Some("done"),
                "{times}: its end comes first"
            );
        }
    }

    #[tokio::test(start_paused = true)]
    async fn work_in_hand_is_waited_for_and_not_for_ever() {
        for (why, takes, in_hand, expected) in [
            ("it ends before the stop", 1, false, Ok("done")),
            ("nothing in hand", 60, false, Err(Unfinished::NothingInHand)),
            ("it ends within the grace", 29, true, Ok("done")),
            ("it does not", 31, true, Err(Unfinished::TooLong)),
        ] {
            let stop = Stop::default();
            let asks = async {
                tokio::time::sleep(Duration::from_secs(10)).await;
                stop.ask();
                pending::<()>().await;
            };
            let ended = tokio::select! {
                ended = stop.within_grace(seconds(takes), || in_hand) => ended,
                () = asks => Err(Unfinished::TooLong),
            };
            assert_eq!(ended, expected, "{why}");
        }
    }
}
