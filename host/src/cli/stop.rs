//! Ctrl+C during a long command: the first ends it after the batch in hand, the second at once.

use std::future::{Future, pending};
use std::io;
use std::pin::Pin;

use tokio::sync::watch;

use crate::signal;

/// Listens from its making on.
pub(super) struct Stop {
    asked: watch::Receiver<u8>,
}

impl Stop {
    /// # Errors
    /// The system does not let this process listen.
    pub(super) fn listen() -> io::Result<Self> {
        let (tell, asked) = watch::channel(0);
        let mut next: Pin<Box<dyn Future<Output = _> + Send>> = Box::pin(signal::shutdown()?);
        tokio::spawn(async move {
            for times in 1..=2 {
                let name = next.await;
                if times == 1 {
                    tracing::info!("{name}: stopping after the batch in hand; once more stops at once");
                }
                if tell.send(times).is_err() {
                    return;
                }
                match signal::shutdown() {
                    Ok(again) => next = Box::pin(again),
                    Err(_) => return,
                }
            }
        });
        Ok(Self { asked })
    }

    /// Whether it was asked to end.
    pub(super) fn asked(&self) -> bool {
        *self.asked.borrow() > 0
    }

    /// Runs work to its end; None if it was given up, which a transaction does not survive.
    pub(super) async fn unless_at_once<T>(&self, work: impl Future<Output = T>) -> Option<T> {
        tokio::select! {
            biased;
            done = work => Some(done),
            () = self.asked_times(2) => None,
        }
    }

    /// Runs work of which nothing is lost; None if it was asked to end before.
    pub(super) async fn unless_asked<T>(&self, work: impl Future<Output = T>) -> Option<T> {
        tokio::select! {
            biased;
            () = self.asked_times(1) => None,
            done = work => Some(done),
        }
    }

    /// Ends when it was asked so many times.
    async fn asked_times(&self, times: u8) {
        let mut asked = self.asked.clone();
        if asked.wait_for(|found| *found >= times).await.is_err() {
            pending::<()>().await;
        }
    }
}
