//! The engine's clock: a thread that advances the epoch, so that a guest that never returns is
//! interrupted.
//!
//! It lives as long as the engine; dropping it stops and joins the thread.

use std::sync::mpsc::{RecvTimeoutError, Sender, channel};
use std::thread::JoinHandle;
use std::time::Duration;

/// Deadlines are accurate to one tick. Ten ticks a second cost nothing measurable, and an idle
/// service hardly wakes.
pub(super) const TICK: Duration = Duration::from_millis(100);

/// The thread, and the end of the channel whose drop stops it.
pub(super) struct Ticker {
    stop: Option<Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Ticker {
    /// Starts ticking for this engine. The engine itself is held weakly: a forgotten ticker cannot
    /// keep it alive.
    pub(super) fn start(engine: &wasmtime::Engine) -> std::io::Result<Self> {
        let (stop, stopped) = channel::<()>();
        let engine = engine.weak();
        let thread = std::thread::Builder::new().name("detector-epoch".into()).spawn(move || {
            while let Err(RecvTimeoutError::Timeout) = stopped.recv_timeout(TICK) {
                let Some(engine) = engine.upgrade() else { return };
                engine.increment_epoch();
            }
        })?;
        Ok(Self { stop: Some(stop), thread: Some(thread) })
    }

    /// How many ticks a call may last: at least the deadline, at most one tick more.
    pub(super) fn ticks(deadline: Duration) -> u64 {
        u64::try_from(deadline.as_nanos().div_ceil(TICK.as_nanos())).unwrap_or(u64::MAX / 2).saturating_add(1)
    }
}

impl Drop for Ticker {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take() {
            // The thread cannot panic; if it did, there is nothing left to stop.
            let _ = thread.join();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_deadline_is_never_cut_short() {
        for (deadline, ticks) in [(0, 1), (1, 2), (100, 2), (101, 3), (30_000, 301)] {
            assert_eq!(Ticker::ticks(Duration::from_millis(deadline)), ticks);
        }
    }
}
