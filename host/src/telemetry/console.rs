//! Writes lines to a target that may block for hours: a console, a pipe, the journal. A thread of
//! its own writes, so that the threads that log never wait.
//!
//! A console blocks while its user holds it: Ctrl+S, a selection in the window, a reader of the
//! pipe that hangs. Lines then wait, up to [`MOST`]; further lines are lost, and their number is
//! reported once there is room again. At its end the process waits for the thread for a limited
//! time. It is our own, because tracing-appender panics if no thread can be started, and does not
//! report what it lost.

use std::io::{self, Write};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel};
use std::time::Duration;

use tracing_subscriber::fmt::MakeWriter;

/// The most lines that wait: some megabytes, and a day of an idle worker.
const MOST: usize = 10_000;

/// How long the end of the process waits until the last lines are written.
const PATIENCE: Duration = Duration::from_secs(1);

/// Takes lines, from any thread, and never waits.
#[derive(Clone)]
pub struct Console {
    queue: SyncSender<ConsoleItem>,
    lost: Arc<AtomicU64>,
    /// How the loss of this many lines is reported.
    notice: fn(u64) -> Vec<u8>,
}

enum ConsoleItem {
    Line(Vec<u8>),
    /// A request to report that everything before it is written.
    Mark(SyncSender<()>),
}

impl Console {
    /// Lines go to `sink`, each in one `write_all`; one that it refuses is lost.
    ///
    /// # Errors
    /// There is no thread.
    pub fn over(sink: impl Write + Send + 'static, notice: fn(u64) -> Vec<u8>) -> io::Result<Self> {
        Self::with_room(MOST, sink, notice)
    }

    fn with_room(
        most: usize,
        sink: impl Write + Send + 'static,
        notice: fn(u64) -> Vec<u8>,
    ) -> io::Result<Self> {
        let (queue, told) = sync_channel(most);
        std::thread::Builder::new().name("console".into()).spawn(move || write(&told, sink))?;
        Ok(Self { queue, lost: Arc::default(), notice })
    }

    /// Passes a line to the thread.
    pub fn line(&self, line: &[u8]) {
        let lost = self.lost.swap(0, Ordering::Relaxed);
        let mut told = if lost > 0 { (self.notice)(lost) } else { Vec::new() };
        told.extend_from_slice(line);
        if let Err(TrySendError::Full(_) | TrySendError::Disconnected(_)) =
            self.queue.try_send(ConsoleItem::Line(told))
        {
            self.lost.fetch_add(lost + 1, Ordering::Relaxed);
        }
    }

    /// Waits until all lines so far are written, up to a limit.
    pub fn finish(&self) {
        self.finish_within(PATIENCE);
    }

    /// The same with another limit: a test waits as long as a busy machine needs.
    pub(crate) fn finish_within(&self, limit: Duration) {
        let (mark, reached) = sync_channel(1);
        if self.queue.try_send(ConsoleItem::Mark(mark)).is_ok() {
            let _ = reached.recv_timeout(limit);
        }
    }
}

fn write(told: &Receiver<ConsoleItem>, mut sink: impl Write) {
    for told in told {
        match told {
            // The console may be gone.
            ConsoleItem::Line(line) => drop(sink.write_all(&line).and_then(|()| sink.flush())),
            ConsoleItem::Mark(mark) => drop(mark.try_send(())),
        }
    }
}

impl<'a> MakeWriter<'a> for Console {
    type Writer = &'a Self;

    fn make_writer(&'a self) -> Self::Writer {
        self
    }
}

/// Takes whole lines.
impl Write for &Console {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        self.line(line);
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test may stop at what it did not expect")]

    use std::sync::mpsc::channel;
    use std::sync::{Mutex, PoisonError};

    use super::*;

    const LONG: Duration = Duration::from_secs(60);

    /// Keeps what is written, but writes nothing before it is told to.
    struct Held {
        shown: Arc<Mutex<String>>,
        let_go: Receiver<()>,
    }

    impl Write for Held {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            // Once the other end is dropped it no longer waits.
            let _ = self.let_go.recv();
            self.shown
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .push_str(&String::from_utf8_lossy(bytes));
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    fn notice(lost: u64) -> Vec<u8> {
        format!("{lost} lost\n").into_bytes()
    }

    #[test]
    fn a_console_that_takes_nothing_holds_nobody_and_says_what_it_lost() {
        let (let_go, held) = channel();
        let shown = Arc::new(Mutex::new(String::new()));
        let sink = Held { shown: Arc::clone(&shown), let_go: held };
        let console = Console::with_room(3, sink, notice).unwrap();
        // The thread may hold one line already; three wait.
        (0..10).for_each(|line| console.line(format!("{line}\n").as_bytes()));
        console.finish();
        assert_eq!(*shown.lock().unwrap(), "");
        drop(let_go);
        // Once nothing waits there is room again: the next line first reports what is missing
        // before it.
        let (mark, reached) = sync_channel(1);
        while console.queue.try_send(ConsoleItem::Mark(mark.clone())).is_err() {
            std::thread::yield_now();
        }
        reached.recv_timeout(LONG).unwrap();
        console.line(b"again\n");
        console.finish_within(LONG);
        let shown = shown.lock().unwrap();
        let kept = shown.lines().take_while(|line| line.len() == 1).count();
        assert!((3..=4).contains(&kept), "{shown}");
        let expected: String = (0..kept).map(|line| format!("{line}\n")).collect();
        assert_eq!(*shown, format!("{expected}{} lost\nagain\n", 10 - kept));
    }

    #[test]
    fn lines_are_written_by_the_time_it_is_finished_with() {
        let shown = Arc::new(Mutex::new(String::new()));
        let (let_go, held) = channel();
        drop(let_go);
        let console = Console::over(Held { shown: Arc::clone(&shown), let_go: held }, notice).unwrap();
        (0..100).for_each(|line| console.line(format!("{line}\n").as_bytes()));
        console.finish_within(LONG);
        assert_eq!(shown.lock().unwrap().lines().count(), 100);
    }
}
