//! Known events, from a CSV table, and how soon each was found. A mistake in the table is an error
//! that names its line.

use std::sync::Arc;
use std::time::Duration;

use crate::datetime::Datetime;

/// A known event of a variable. Both ends belong to it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KnownEvent {
    pub variable: Arc<str>,
    pub from: Datetime,
    pub to: Datetime,
}

/// Why a file cannot be used as a table of events.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error("{0}")]
pub struct EventsError(String);

impl KnownEvent {
    pub(super) fn holds(&self, variable: &str, at: Datetime) -> bool {
        *self.variable == *variable && self.from <= at && at <= self.to
    }
}

/// An event, and when each side flagged a reading of it first.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EventDetection {
    pub event: KnownEvent,
    would: Option<Datetime>,
    stored: Option<Datetime>,
}

impl EventDetection {
    pub(super) fn new(event: KnownEvent) -> Self {
        Self { event, would: None, stored: None }
    }

    pub(super) fn take(&mut self, at: Datetime, would: bool, stored: bool) {
        if would {
            self.would.get_or_insert(at);
        }
        if stored {
            self.stored.get_or_insert(at);
        }
    }

    /// How long after its begin the set would have found it; None if it would have missed it.
    pub fn would_after(&self) -> Option<Duration> {
        self.would.map(|at| at.since(self.event.from))
    }

    /// The same for the stored verdicts.
    pub fn stored_after(&self) -> Option<Duration> {
        self.stored.map(|at| at.since(self.event.from))
    }
}

/// Reads a CSV table with the columns `variable`, `from` and `to`, whatever else it has.
///
/// # Errors
/// A column is missing, or a cell is not a datetime.
pub fn read(bytes: &[u8]) -> Result<Vec<KnownEvent>, EventsError> {
    let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
    let mut table = csv::ReaderBuilder::new().trim(csv::Trim::All).from_reader(bytes);
    let broken = |error: csv::Error| EventsError(format!("it is no CSV table: {error}"));
    let header = table.headers().map_err(broken)?.clone();
    let place = |name: &str| {
        header.iter().position(|column| column == name).ok_or_else(|| {
            let found: Vec<_> = header.iter().collect();
            EventsError(format!(
                "it has no column `{name}`; its columns are `{}`, and `variable`, `from` and `to` must be among them",
                found.join("`, `")
            ))
        })
    };
    let (variable, from, to) = (place("variable")?, place("from")?, place("to")?);
    let mut events = Vec::new();
    for row in table.records() {
        let row = row.map_err(broken)?;
        let line = row.position().map_or(0, csv::Position::line);
        let datetime = |column: usize| {
            Datetime::parse(row.get(column).unwrap_or_default())
                .map_err(|error| EventsError(format!("line {line}: {error}")))
        };
        let event = KnownEvent {
            variable: row.get(variable).unwrap_or_default().into(),
            from: datetime(from)?,
            to: datetime(to)?,
        };
        if event.to < event.from {
            return Err(EventsError(format!(
                "line {line}: it ends at {} and begins at {}",
                event.to, event.from
            )));
        }
        events.push(event);
    }
    Ok(events)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_table_of_events_is_read_or_its_fault_is_named() {
        let at = |text: &str| Datetime::parse(text).unwrap_or_else(|_| Datetime::from_micros(0));
        let found =
            read("\u{feff}note, to, variable, from\nx, 2025-01-15 11:00, A/B, 2025-01-15\n".as_bytes());
        let event = KnownEvent { variable: "A/B".into(), from: at("2025-01-15"), to: at("2025-01-15 11:00") };
        assert_eq!(found, Ok(vec![event]));
        for (text, why) in [
            (
                "variable,from\nA,2025-01-15",
                "it has no column `to`; its columns are `variable`, `from`, and `variable`, `from` and `to` must be among them",
            ),
            (
                "variable,from,to\nA,2025-01-15,soon",
                "line 2: `soon` is not a datetime; write it as `2025-01-15 10:00:00` or `2025-01-15 10:00:00.503`",
            ),
            (
                "variable,from,to\nA,2025-01-15,2025-01-14",
                "line 2: it ends at 2025-01-14 00:00:00 and begins at 2025-01-15 00:00:00",
            ),
            (
                "variable,from,to\nA,2025-01-15",
                "it is no CSV table: CSV error: record 1 (line: 2, byte: 17): found record with 2 fields, but the previous \
                 record has 3 fields",
            ),
        ] {
            assert_eq!(read(text.as_bytes()), Err(EventsError(why.to_owned())), "{text}");
        }
    }
}
