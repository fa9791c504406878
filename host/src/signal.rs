//! The requests of the operating system to the service: to stop, or to look again at its files.
//!
//! Listening begins when a function here is called, not when its answer is awaited, so nothing is
//! missed in between. From then on these signals no longer end the process by themselves.

#[cfg(unix)]
mod system {
    use std::future::Future;
    use std::io;

    use tokio::signal::unix::{Signal, SignalKind, signal};

    /// Ends with the name of the first signal that asks the service to stop.
    ///
    /// # Errors
    /// The system does not let this process handle signals. Needs a runtime with I/O.
    pub fn shutdown() -> io::Result<impl Future<Output = &'static str>> {
        let (mut interrupt, mut terminate) =
            (signal(SignalKind::interrupt())?, signal(SignalKind::terminate())?);
        Ok(async move {
            tokio::select! {
                _ = interrupt.recv() => "SIGINT",
                _ = terminate.recv() => "SIGTERM",
            }
        })
    }

    /// While this is kept, a file that reaches the limit of the system (`ulimit -f`) does not end
    /// the process: the write fails.
    pub fn outlive_file_limit() -> Option<Signal> {
        signal(SignalKind::from_raw(rustix::process::Signal::XFSZ.as_raw())).ok()
    }

    /// SIGHUP: a hint that module, models or settings changed.
    pub struct Hangups(Signal);

    impl Hangups {
        /// # Errors
        /// As [`shutdown`].
        pub fn listen() -> io::Result<Self> {
            signal(SignalKind::hangup()).map(Self)
        }

        /// The next hint; several that came meanwhile count as one.
        pub async fn next(&mut self) {
            self.0.recv().await;
        }
    }
}

#[cfg(windows)]
mod system {
    use std::future::Future;
    use std::io;

    use tokio::signal::windows::{ctrl_break, ctrl_c, ctrl_close, ctrl_shutdown};
    use tokio::sync::Notify;

    /// The service manager's requests; kept until they are handled.
    static STOP: Notify = Notify::const_new();
    static HINT: Notify = Notify::const_new();

    /// The service manager asks the service to stop.
    pub(crate) fn ask_to_stop() {
        STOP.notify_one();
    }

    /// It requests a look at the files.
    pub(crate) fn hint() {
        HINT.notify_one();
    }

    /// Ends with the name of the first event that asks the service to stop. After a closed window
    /// or a shutdown Windows leaves a few seconds.
    ///
    /// # Errors
    /// The system does not let this process handle signals.
    pub fn shutdown() -> io::Result<impl Future<Output = &'static str>> {
        let (mut interrupt, mut stop) = (ctrl_c()?, ctrl_break()?);
        let (mut close, mut shutdown) = (ctrl_close()?, ctrl_shutdown()?);
        Ok(async move {
            tokio::select! {
                _ = interrupt.recv() => "Ctrl+C",
                _ = stop.recv() => "Ctrl+Break",
                _ = close.recv() => "closed console",
                _ = shutdown.recv() => "system shutdown",
                () = STOP.notified() => "the service manager",
            }
        })
    }

    /// There is no such limit.
    pub fn outlive_file_limit() -> Option<()> {
        None
    }

    /// A service gets a control code; elsewhere file events and the timer are used.
    pub struct Hangups;

    impl Hangups {
        /// # Errors
        /// None here.
        pub fn listen() -> io::Result<Self> {
            Ok(Self)
        }

        /// The next hint; several that came meanwhile count as one.
        pub async fn next(&mut self) {
            HINT.notified().await;
        }
    }
}

pub use system::{Hangups, outlive_file_limit, shutdown};
#[cfg(windows)]
pub(crate) use system::{ask_to_stop, hint};

#[cfg(all(test, unix))]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test may stop at what it did not expect")]

    use rustix::process::{Signal, getpid, kill_process};

    use super::*;

    fn send(signal: Signal) {
        kill_process(getpid(), signal).unwrap();
    }

    /// One test for all of them: signals go to the whole process.
    #[tokio::test]
    async fn a_signal_is_told_even_if_it_comes_before_the_wait() {
        let mut hangups = Hangups::listen().unwrap();
        for (signal, name) in [(Signal::TERM, "SIGTERM"), (Signal::INT, "SIGINT")] {
            let stopped = shutdown().unwrap();
            send(signal);
            assert_eq!(stopped.await, name);
        }
        send(Signal::HUP);
        hangups.next().await;
    }
}
