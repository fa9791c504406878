//! The Event Log of Windows, which a service has instead of a console. Problems go there, and all
//! lines to the file.
//!
//! The thread of a [`super::Console`] sends events, so that a blocked Event Log blocks nothing
//! else.

use std::fmt;
use std::io::{self, Write};

use tracing::level_filters::LevelFilter;
use tracing::{Dispatch, Event, Level, Subscriber, dispatcher};
use tracing_layer_win_eventlog::EventLogLayer;
use tracing_subscriber::Registry;
use tracing_subscriber::fmt::format::Writer;
use tracing_subscriber::fmt::{FmtContext, FormatEvent, FormatFields};
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::registry::LookupSpan;

use super::line;
use crate::text::escaped;

/// The number of every event; the program that the source names has the text `%1` for it.
const NUMBER: u32 = 1;

/// The mark of an error in an entry; any other entry is a warning.
const ERROR: &str = "E";
const WARNING: &str = "W";

/// Takes whole entries.
pub(super) struct EventLog(Dispatch);

impl EventLog {
    /// None where there is no Event Log.
    pub(super) fn of(source: &str) -> Option<Self> {
        let layer = EventLogLayer::new_with_default_id(source, Some(NUMBER)).ok()?;
        Some(Self(Dispatch::new(Registry::default().with(layer).with(LevelFilter::WARN))))
    }
}

impl Write for EventLog {
    fn write(&mut self, entry: &[u8]) -> io::Result<usize> {
        let text = String::from_utf8_lossy(entry);
        dispatcher::with_default(&self.0, || match text.strip_prefix(ERROR) {
            Some(text) => tracing::error!("{}", text.trim_end()),
            None => tracing::warn!("{}", text.strip_prefix(WARNING).unwrap_or(&text).trim_end()),
        });
        Ok(entry.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// An event as an entry.
pub(super) struct EventEntry;

impl<S, N> FormatEvent<S, N> for EventEntry
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    N: for<'a> FormatFields<'a> + 'static,
{
    fn format_event(&self, _: &FmtContext<'_, S, N>, mut out: Writer<'_>, event: &Event<'_>) -> fmt::Result {
        let kind = if *event.metadata().level() == Level::ERROR { ERROR } else { WARNING };
        writeln!(out, "{kind}{}", line::text(event))
    }
}

/// A message of the log itself, as an entry.
pub(super) fn warning(message: &str) -> Vec<u8> {
    format!("{WARNING}{}", escaped(message)).into_bytes()
}

/// An error from before the log was started.
pub(super) fn error(source: &str, message: &str) {
    if let Some(mut log) = EventLog::of(source) {
        // There is no other place for it.
        let _ = log.write(format!("{ERROR}{}", escaped(message)).as_bytes());
    }
}
