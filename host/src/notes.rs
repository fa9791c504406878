//! Notes for the log on single readings, only a few: a table full of bad rows must not fill the
//! log.

use std::fmt;

use crate::column_limits::LONGEST_NAME;
use crate::datetime::Datetime;
use crate::reading::Reading;

/// How many readings are named; the others are only counted.
const NAMED: usize = 20;

/// The length at which a name is cut: some of the notes are about names that are too long.
const SHOWN: usize = 100;

/// The notes on a cycle's readings, in the order in which they were read.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Notes {
    named: Vec<Note>,
    more: u64,
}

/// One reading that fits no row of the output.
#[derive(Clone, Debug, PartialEq)]
pub struct Note {
    /// Cut to 100 characters.
    pub variable: String,
    pub datetime: Datetime,
    pub why: UnfitReason,
}

/// The reason why it does not fit.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum UnfitReason {
    /// The value does not fit the column, a DECIMAL(18,6).
    Value { column: &'static str, value: f64 },
    /// The name has this many characters, more than `variable` holds.
    LongName { characters: usize },
    /// The name is empty.
    NoName,
    /// The column `variable` would change the name.
    ForeignName,
    /// The column `ds` cannot hold the datetime.
    Datetime,
    /// A constraint or a trigger of the output refuses the variable.
    Refused,
}

impl Note {
    /// The number for `column` does not fit.
    pub fn value(reading: &Reading, column: &'static str, value: f64) -> Self {
        Self::new(reading, UnfitReason::Value { column, value })
    }

    /// A note on the reading.
    pub fn new(reading: &Reading, why: UnfitReason) -> Self {
        let variable = reading.variable.chars().take(SHOWN).collect();
        Self { variable, datetime: reading.datetime, why }
    }
}

/// One line, even if the name contains a line end.
impl fmt::Display for Note {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = self.variable.escape_debug();
        let cut = if matches!(self.why, UnfitReason::LongName { .. }) { "…" } else { "" };
        write!(f, "`{name}{cut}` at {}: ", self.datetime)?;
        match self.why {
            UnfitReason::Value { column, value } if value.is_finite() => {
                write!(
                    f,
                    "{value:e} does not fit `{column}`, a DECIMAL(18,6): it must lie within 999999999999.999999"
                )
            }
            UnfitReason::Value { column, value } => {
                write!(f, "{value} does not fit `{column}`: it must be a finite number")
            }
            UnfitReason::LongName { characters } => {
                write!(f, "the name has {characters} characters; `variable` takes at most {LONGEST_NAME}")
            }
            UnfitReason::Datetime => write!(
                f,
                "the column `ds` cannot hold this datetime; a DATETIME begins with 1753, and a DATETIME2 holds them all"
            ),
            UnfitReason::Refused => write!(
                f,
                "a constraint or a trigger of the output refuses this variable; `host backfill` judges what is left out here"
            ),
            UnfitReason::NoName => write!(f, "the name is empty; a variable needs one"),
            UnfitReason::ForeignName => write!(
                f,
                "the column `variable` cannot hold this name: it is too short, or lacks some of its characters; an \
                 NVARCHAR(100) holds them all"
            ),
        }
    }
}

impl Notes {
    /// Names the reading, or counts it if enough are named.
    pub fn push(&mut self, note: Note) {
        if self.named.len() < NAMED {
            self.named.push(note);
        } else {
            self.more += 1;
        }
    }

    /// Adds another batch's notes.
    pub fn append(&mut self, other: Self) {
        other.named.into_iter().for_each(|note| self.push(note));
        self.more += other.more;
    }

    /// The readings that are named.
    pub fn named(&self) -> &[Note] {
        &self.named
    }

    /// How many more there were.
    pub fn more(&self) -> u64 {
        self.more
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reading(variable: &str) -> Reading {
        let datetime = Datetime::from_micros(0);
        Reading { id: None, datetime, variable: variable.into(), value: Some(1.0), source_file: None }
    }

    #[test]
    fn a_note_is_one_line_that_says_what_would_be_right() {
        let hundred = "x".repeat(100);
        for (note, line) in [
            (
                Note::value(&reading("T1"), "yhat", -2.5e13),
                "`T1` at 1970-01-01 00:00:00: -2.5e13 does not fit `yhat`, a DECIMAL(18,6): \
                 it must lie within 999999999999.999999"
                    .to_owned(),
            ),
            (
                Note::value(&reading("T\n1"), "y", f64::INFINITY),
                "`T\\n1` at 1970-01-01 00:00:00: inf does not fit `y`: it must be a finite number".to_owned(),
            ),
            (
                Note::new(&reading(&"x".repeat(3_000)), UnfitReason::LongName { characters: 3_000 }),
                format!(
                    "`{hundred}…` at 1970-01-01 00:00:00: the name has 3000 characters; `variable` takes at most 100"
                ),
            ),
            (
                Note::new(&reading(""), UnfitReason::NoName),
                "`` at 1970-01-01 00:00:00: the name is empty; a variable needs one".to_owned(),
            ),
        ] {
            assert_eq!(note.to_string(), line);
        }
    }

    #[test]
    fn twenty_are_named_and_the_rest_counted() {
        let mut all = Notes::default();
        for _ in 0..3 {
            let mut batch = Notes::default();
            (0..25).for_each(|_| batch.push(Note::new(&reading("T1"), UnfitReason::NoName)));
            assert_eq!((batch.named().len(), batch.more()), (20, 5));
            all.append(batch);
        }
        assert_eq!((all.named().len(), all.more()), (20, 55));
    }
}
