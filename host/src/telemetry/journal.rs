//! The journal of systemd: a line becomes an entry with its priority and its fields, with the
//! journal's own time.
//!
//! Entries have the format of <https://systemd.io/JOURNAL_NATIVE_PROTOCOL/> and are sent by the
//! console's thread, because a journal that hangs must not block the threads that log;
//! tracing-journald sends from those threads.

use std::fmt::{self, Write as _};
use std::io::{self, Write};

use tracing::field::{Field, Visit};
use tracing::{Event, Level, Subscriber};
use tracing_subscriber::fmt::format::Writer;
use tracing_subscriber::fmt::{FmtContext, FormatEvent, FormatFields};
use tracing_subscriber::registry::LookupSpan;

use crate::text::{Escaped, escaped};

/// Where the journal listens.
#[cfg(unix)]
const SOCKET: &str = "/run/systemd/journal/socket";

/// The variable in which the journal names the stream that it gave as standard error: device and
/// inode.
pub(super) const STREAM: &str = "JOURNAL_STREAM";

/// Sends entries.
#[cfg(unix)]
pub(super) struct Journal(std::os::unix::net::UnixDatagram);

#[cfg(unix)]
impl Journal {
    /// If `stream`, the value of [`STREAM`], is standard error: then the parent of this process
    /// reads the journal.
    pub(super) fn behind(stream: Option<&str>) -> Option<Self> {
        let (device, inode) = stream?.split_once(':')?;
        let ours = rustix::fs::fstat(io::stderr()).ok()?;
        let same = device.parse() == Ok(ours.st_dev) && inode.parse() == Ok(ours.st_ino);
        same.then(|| Self::at(SOCKET).ok())?
    }

    fn at(socket: &str) -> io::Result<Self> {
        let sender = std::os::unix::net::UnixDatagram::unbound()?;
        sender.connect(socket)?;
        Ok(Self(sender))
    }
}

#[cfg(unix)]
impl Write for Journal {
    /// One entry.
    fn write(&mut self, entry: &[u8]) -> io::Result<usize> {
        let sent = self.0.send(entry);
        // It was restarted, by an upgrade of its package: its socket is another one.
        if sent.is_err()
            && let Ok(again) = Self::at(SOCKET)
        {
            *self = again;
            return self.0.send(entry);
        }
        sent
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Other systems have no journal.
#[cfg(not(unix))]
pub(super) struct Journal(std::convert::Infallible);

#[cfg(not(unix))]
impl Journal {
    pub(super) fn behind(_: Option<&str>) -> Option<Self> {
        None
    }
}

#[cfg(not(unix))]
impl Write for Journal {
    fn write(&mut self, _: &[u8]) -> io::Result<usize> {
        match self.0 {}
    }

    fn flush(&mut self) -> io::Result<()> {
        match self.0 {}
    }
}

/// An event as an entry.
pub(super) struct JournalEntry;

impl<S, N> FormatEvent<S, N> for JournalEntry
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    N: for<'a> FormatFields<'a> + 'static,
{
    fn format_event(&self, _: &FmtContext<'_, S, N>, mut out: Writer<'_>, event: &Event<'_>) -> fmt::Result {
        let mut fields = Fields::default();
        event.record(&mut fields);
        let metadata = event.metadata();
        let entry = entry(*metadata.level(), metadata.target(), &fields.message, &fields.others);
        out.write_str(&entry)
    }
}

/// No value may contain a line end: it is escaped, as on every other console.
fn entry(level: Level, target: &str, message: &str, fields: &str) -> String {
    let priority = match level {
        Level::ERROR => 3,
        Level::WARN => 4,
        Level::INFO => 6,
        Level::DEBUG | Level::TRACE => 7,
    };
    format!(
        "PRIORITY={priority}\nSYSLOG_IDENTIFIER=anomaly-worker\nTARGET={}\nMESSAGE={message}\n{fields}",
        escaped(target)
    )
}

/// A message of the log itself, as an entry.
pub(super) fn warning(message: &str) -> Vec<u8> {
    entry(Level::WARN, module_path!(), &escaped(message), "").into_bytes()
}

#[derive(Default)]
struct Fields {
    message: String,
    /// Each as `KEY=value` in a line of its own.
    others: String,
}

impl Visit for Fields {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        // Writing to a `String` cannot fail; a value's own `Debug` may, and then the rest of it is
        // missing.
        if field.name() == "message" {
            let _ = write!(Escaped(&mut self.message), "{value:?}");
        } else {
            let _ = write!(self.others, "{}=", name(field.name()));
            let _ = write!(Escaped(&mut self.others), "{value:?}");
            self.others.push('\n');
        }
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        self.record_debug(field, &format_args!("{value}"));
    }

    fn record_error(&mut self, field: &Field, value: &(dyn std::error::Error + 'static)) {
        self.record_debug(field, &format_args!("{value}"));
    }
}

/// Capital letters, digits and `_`, and no leading `_`, which marks the journal's own fields.
fn name(field: &str) -> String {
    let plain = |c: char| if c.is_ascii_alphanumeric() { c.to_ascii_uppercase() } else { '_' };
    format!("F_{}", field.chars().map(plain).collect::<String>())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stream_that_is_not_ours_is_no_journal() {
        for stream in [None, Some(""), Some("1"), Some("x:y"), Some("1:1")] {
            assert!(Journal::behind(stream).is_none(), "{stream:?}");
        }
    }
}
