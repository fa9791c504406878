//! What commands print. The one place that writes to a terminal besides the log, so that everything
//! from outside (names from a database, a module's words, paths) is escaped on its way there as it
//! is in the log.
//!
//! A reader that closes the pipe (`host status | head`) does not end the command: the rest is
//! discarded. Any other error, such as a full disk, is kept, and the command ends with it
//! ([`trouble`]).

use std::fmt::Arguments;
use std::io::{self, ErrorKind, Write};
use std::sync::mpsc::sync_channel;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use crate::text;

/// The first error.
static TROUBLE: Mutex<Option<io::Error>> = Mutex::new(None);

/// How long the last lines may take if standard error is blocked.
const PATIENCE: Duration = Duration::from_secs(2);

/// Prints one line to standard output.
macro_rules! say {
    ($($words:tt)*) => { $crate::cli::say::line(::std::format_args!($($words)*)) };
}

/// Prints one line to standard error.
macro_rules! complain {
    ($($words:tt)*) => { $crate::cli::say::error_line(::std::format_args!($($words)*)) };
}

pub(super) use {complain, say};

pub(super) fn line(words: Arguments<'_>) {
    print(&text::escaped(&words.to_string()));
}

/// The process may be a service whose console is blocked, so this does not wait for ever.
pub(super) fn error_line(words: Arguments<'_>) {
    let line: Arc<str> = (text::escaped(&words.to_string()) + "\n").into();
    let (done, written) = sync_channel::<()>(1);
    // The console may be gone.
    let write = |line: &str| drop(io::stderr().write_all(line.as_bytes()));
    let on_a_thread = {
        let line = Arc::clone(&line);
        move || {
            write(&line);
            drop(done);
        }
    };
    match std::thread::Builder::new().spawn(on_a_thread) {
        // Answers when the thread drops its end.
        Ok(_) => drop(written.recv_timeout(PATIENCE)),
        Err(_) => write(&line),
    }
}

/// Several lines. Text from outside was escaped when it was inserted: line ends are kept here.
pub(super) fn lines(words: &str) {
    for words in words.lines() {
        say!("{words}");
    }
}

/// An answer for programs, which stays the same JSON.
pub(super) fn json(object: &serde_json::Value) {
    print(&text::escaped_json(&object.to_string()));
}

/// Why the output was not written completely, unless its reader has closed it.
pub(super) fn trouble() -> Option<io::Error> {
    TROUBLE.lock().unwrap_or_else(PoisonError::into_inner).take()
}

fn print(line: &str) {
    let printed = io::stdout().lock().write_all(format!("{line}\n").as_bytes());
    if let Err(error) = printed.and_then(|()| io::stdout().flush())
        && error.kind() != ErrorKind::BrokenPipe
    {
        TROUBLE.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert(error);
    }
}
