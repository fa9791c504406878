//! Messages to a service manager, in the protocol of `sd_notify`: that the service is ready, its
//! status, that it is alive, that it stops.
//!
//! The watchdog is fed where there is progress, never by a timer: by the schedule while it waits,
//! and by a cycle between its batches. If the service hangs, nothing feeds the watchdog, and the
//! manager restarts the service. Messages are sent by a thread of their own, so that a manager that
//! does not answer blocks nothing. Without a manager all of this does nothing.

use std::io::{self, Write};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use crate::telemetry::Console;
use crate::text::escaped;

/// How often the watchdog is fed within its limit.
const SHARE: u32 = 4;

/// The manager that started this process, if it takes messages.
#[derive(Clone, Default)]
pub struct Manager(Option<Arc<ManagerState>>);

struct ManagerState {
    /// One variant for each message.
    messages: Console,
    watchdog: Option<Duration>,
    state: Mutex<ManagerReport>,
}

#[derive(Default)]
struct ManagerReport {
    ready: bool,
    status: String,
    fed: Option<Instant>,
}

impl Manager {
    /// The manager that the environment names. `step` is the longest step of a cycle: a shorter
    /// watchdog would end a healthy service, so the manager is asked for a longer one.
    pub fn of_environment(step: Duration) -> Self {
        let Some((sender, watchdog)) = system::manager() else { return Self::default() };
        match Self::over(sender, watchdog) {
            Ok(manager) => {
                manager.lengthen(step);
                manager
            }
            Err(error) => {
                tracing::warn!("the service manager gets no messages: {error}");
                Self::default()
            }
        }
    }

    /// A manager that takes each message in one write.
    ///
    /// # Errors
    /// There is no thread.
    pub fn over(sender: impl Write + Send + 'static, watchdog: Option<Duration>) -> io::Result<Self> {
        let messages = Console::over(sender, |_| Vec::new())?;
        Ok(Self(Some(Arc::new(ManagerState { messages, watchdog, state: Mutex::default() }))))
    }

    fn lengthen(&self, step: Duration) {
        let Some(told) = &self.0 else { return };
        if told.watchdog.is_some_and(|watchdog| watchdog < step) {
            tracing::info!(
                "the watchdog of the service is set to {}, as one step may take so long by the configuration",
                humantime::format_duration(step)
            );
            told.say(&format!("WATCHDOG_USEC={}", step.as_micros()));
        }
    }

    /// All that is needed is there, or is being waited for. Only the first call sends a message.
    pub fn ready(&self) {
        if let Some(told) = &self.0 {
            let mut state = told.state();
            if !std::mem::replace(&mut state.ready, true) {
                told.say("READY=1");
            }
        }
    }

    /// The status, in one line.
    pub fn status(&self, line: &str) {
        if let Some(told) = &self.0 {
            let mut state = told.state();
            if state.status != line {
                line.clone_into(&mut state.status);
                told.say(&format!("STATUS={}", escaped(line)));
            }
        }
    }

    /// Progress was made. Cheap: it sends a message only as often as the watchdog needs it.
    pub fn alive(&self) {
        let Some(told) = &self.0 else { return };
        let Some(watchdog) = told.watchdog else { return };
        let mut state = told.state();
        if state.fed.is_none_or(|fed| fed.elapsed() >= watchdog / SHARE) {
            state.fed = Some(Instant::now());
            told.say("WATCHDOG=1");
        }
    }

    /// Work that the manager requested as a reload: its begin and its end are sent, once the
    /// service is ready.
    pub async fn reloading<T>(&self, work: impl Future<Output = T>) -> T {
        let Some(told) = self.0.as_ref().filter(|told| told.state().ready) else { return work.await };
        // systemd recognises by the time that it is this reload, and not one before.
        told.say(&format!("RELOADING=1\n{}", system::monotonic()));
        let done = work.await;
        told.say("READY=1");
        done
    }

    /// The service stops, and needs the time of the current batch.
    pub fn stopping(&self) {
        if let Some(told) = &self.0 {
            told.say("STOPPING=1");
            told.messages.finish();
        }
    }

    /// Waits for something before which nothing else can happen, such as the next tick, and feeds
    /// the watchdog meanwhile.
    pub async fn waiting<T>(&self, wait: impl Future<Output = T>) -> T {
        let Some(watchdog) = self.0.as_ref().and_then(|told| told.watchdog) else { return wait.await };
        let mut wait = std::pin::pin!(wait);
        loop {
            self.alive();
            if let Ok(done) = tokio::time::timeout(watchdog / SHARE, &mut wait).await {
                return done;
            }
        }
    }
}

impl ManagerState {
    fn state(&self) -> MutexGuard<'_, ManagerReport> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn say(&self, message: &str) {
        self.messages.line(message.as_bytes());
    }
}

#[cfg(target_os = "linux")]
mod system {
    use std::io::{self, Write};
    use std::time::Duration;

    use sd_notify::NotifyState;

    /// To the socket that the environment names.
    pub(super) struct Sender;

    pub(super) fn manager() -> Option<(Sender, Option<Duration>)> {
        std::env::var_os("NOTIFY_SOCKET").filter(|socket| !socket.is_empty())?;
        Some((Sender, sd_notify::watchdog_enabled()))
    }

    /// The time by the clock that the manager uses.
    pub(super) fn monotonic() -> String {
        // That clock always exists.
        NotifyState::monotonic_usec_now().map_or_else(|_| String::new(), |now| now.to_string())
    }

    impl Write for Sender {
        fn write(&mut self, message: &[u8]) -> io::Result<usize> {
            sd_notify::notify(&[NotifyState::Custom(&String::from_utf8_lossy(message))])?;
            Ok(message.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }
}

/// The service manager of Windows is told that the service is ready; a stop is its own request.
#[cfg(windows)]
mod system {
    use std::io::{self, Write};
    use std::time::Duration;

    use crate::service::windows::serve;

    pub(super) struct Sender;

    pub(super) fn manager() -> Option<(Sender, Option<Duration>)> {
        serve::name().map(|_| (Sender, None))
    }

    pub(super) fn monotonic() -> String {
        String::new()
    }

    impl Write for Sender {
        fn write(&mut self, message: &[u8]) -> io::Result<usize> {
            if message == b"READY=1" {
                serve::ready();
            }
            Ok(message.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }
}

/// No other system has this protocol.
#[cfg(not(any(target_os = "linux", windows)))]
mod system {
    use std::time::Duration;

    pub(super) fn manager() -> Option<(std::io::Sink, Option<Duration>)> {
        None
    }

    pub(super) fn monotonic() -> String {
        String::new()
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test stops at the first surprise")]

    use std::sync::mpsc::{Receiver, channel};

    use super::*;

    struct Heard(std::sync::mpsc::Sender<String>);

    impl Write for Heard {
        fn write(&mut self, message: &[u8]) -> io::Result<usize> {
            let _ = self.0.send(String::from_utf8_lossy(message).into_owned());
            Ok(message.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    fn manager(watchdog: Option<Duration>) -> (Manager, Receiver<String>) {
        let (tell, heard) = channel();
        (Manager::over(Heard(tell), watchdog).unwrap(), heard)
    }

    fn said(manager: &Manager, heard: &Receiver<String>) -> Vec<String> {
        manager.0.as_ref().unwrap().messages.finish_within(Duration::from_secs(60));
        heard.try_iter().collect()
    }

    #[test]
    fn each_thing_is_told_once() {
        let (manager, heard) = manager(None);
        manager.ready();
        manager.status("cycle 1\nREADY=0");
        manager.ready();
        manager.status("cycle 1\nREADY=0");
        manager.alive();
        manager.status("cycle 2");
        manager.stopping();
        let expected = ["READY=1", r"STATUS=cycle 1\nREADY=0", "STATUS=cycle 2", "STOPPING=1"];
        assert_eq!(said(&manager, &heard), expected);
    }

    #[tokio::test]
    async fn a_reload_has_a_beginning_and_an_end() {
        let (manager, heard) = manager(None);
        assert_eq!(manager.reloading(async { 1 }).await, 1);
        assert_eq!(said(&manager, &heard), [""; 0], "not while it starts");
        manager.ready();
        assert_eq!(manager.reloading(async { 2 }).await, 2);
        let messages = said(&manager, &heard);
        let [ready, reloading, ready_again] = messages.as_slice() else { unreachable!("{messages:?}") };
        assert_eq!([ready, ready_again], ["READY=1"; 2]);
        let time = reloading.strip_prefix("RELOADING=1\n").unwrap();
        if cfg!(target_os = "linux") {
            assert!(time.strip_prefix("MONOTONIC_USEC=").unwrap().parse::<u64>().unwrap() > 0, "{time}");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn who_waits_is_alive_and_who_hangs_is_not() {
        let watchdog = Duration::from_millis(4);
        let (manager, heard) = manager(Some(watchdog));
        // Time in the runtime passes at once; the watchdog goes by the system's.
        manager.waiting(async { std::thread::sleep(2 * watchdog) }).await;
        manager.alive();
        assert_eq!(said(&manager, &heard), ["WATCHDOG=1", "WATCHDOG=1"]);
        let nothing = std::future::pending::<()>();
        assert!(tokio::time::timeout(100 * watchdog, nothing).await.is_err());
        assert_eq!(said(&manager, &heard), [""; 0]);
    }

    #[test]
    fn a_watchdog_shorter_than_a_step_is_lengthened() {
        let second = Duration::from_secs(1);
        for (watchdog, step, expected) in [
            (Some(60 * second), 90 * second, vec!["WATCHDOG_USEC=90000000"]),
            (Some(60 * second), 60 * second, vec![]),
            (None, 60 * second, vec![]),
        ] {
            let (manager, heard) = manager(watchdog);
            manager.lengthen(step);
            assert_eq!(said(&manager, &heard), expected);
        }
    }
}
