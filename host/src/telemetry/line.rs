//! The format of a line: `2025-01-15 10:00:00 - INFO - message key=value`.
//!
//! Messages contain text from outside: a detector's own log, a variable's name. It is escaped
//! ([`crate::text`]), so that it can neither begin a line nor move a terminal's cursor.

use std::fmt::{self, Write};

use tracing::field::{Field, Visit};
use tracing::{Event, Level, Subscriber};
use tracing_subscriber::fmt::format::Writer;
use tracing_subscriber::fmt::{FmtContext, FormatEvent, FormatFields};
use tracing_subscriber::registry::LookupSpan;

use super::LocalClock;
use crate::text::Escaped;

/// Local time, as Python's logging writes it but for the milliseconds.
pub(super) const TIME: &str = "%Y-%m-%d %H:%M:%S";

/// The Python worker's line, in local time; fields follow the message.
pub(super) struct LogLine {
    pub(super) clock: LocalClock,
}

impl<S, N> FormatEvent<S, N> for LogLine
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    N: for<'a> FormatFields<'a> + 'static,
{
    fn format_event(&self, _: &FmtContext<'_, S, N>, mut out: Writer<'_>, event: &Event<'_>) -> fmt::Result {
        // Python's names.
        let level = match *event.metadata().level() {
            Level::ERROR => "ERROR",
            Level::WARN => "WARNING",
            Level::INFO => "INFO",
            Level::DEBUG | Level::TRACE => "DEBUG",
        };
        let at = (self.clock)().format(TIME);
        writeln!(out, "{at} - {level} - {}", text(event))
    }
}

/// The message and its fields.
pub(super) fn text(event: &Event<'_>) -> String {
    let mut text = MessageText::default();
    event.record(&mut text);
    text.message + &text.fields
}

/// The message and, behind it, ` key=value` for each field.
#[derive(Default)]
struct MessageText {
    message: String,
    fields: String,
}

impl Visit for MessageText {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        // Writing to a `String` cannot fail; a value's own `Debug` may, and then the rest of it is
        // missing.
        let _ = if field.name() == "message" {
            write!(Escaped(&mut self.message), "{value:?}")
        } else {
            write!(Escaped(&mut self.fields), " {}={value:?}", field.name())
        };
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        self.record_debug(field, &format_args!("{value}"));
    }

    fn record_error(&mut self, field: &Field, value: &(dyn std::error::Error + 'static)) {
        self.record_debug(field, &format_args!("{value}"));
    }
}
