//! Words for the log about single readings, at most a handful: a table full of bad rows must not become a log full of lines.

use std::fmt;

use crate::datetime::Datetime;
use crate::reading::Reading;

/// How many readings are named; of the rest the number is kept.
const NAMED: usize = 20;

/// How much of a name is shown: a name that is too long for its column is why some of the notes are made.
const SHOWN: usize = 100;

/// What is to be said of a cycle's readings, in the order they were read.
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
    pub why: Why,
}

/// What does not fit.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Why {
    /// The value is none that the column, a DECIMAL(18,6), can hold.
    Value { column: &'static str, value: f64 },
    /// The name has this many characters, more than `variable` takes.
    LongName { characters: usize },
    /// The name is empty.
    NoName,
}

impl Note {
    /// The number for `column` does not fit.
    pub fn value(reading: &Reading, column: &'static str, value: f64) -> Self {
        Self::new(reading, Why::Value { column, value })
    }

    /// A note on the reading.
    pub fn new(reading: &Reading, why: Why) -> Self {
        let variable = reading.variable.chars().take(SHOWN).collect();
        Self { variable, datetime: reading.datetime, why }
    }
}

/// One line, without a line's end even if the name has one.
impl fmt::Display for Note {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = self.variable.escape_debug();
        let cut = if matches!(self.why, Why::LongName { .. }) { "…" } else { "" };
        write!(f, "`{name}{cut}` at {}: ", self.datetime)?;
        match self.why {
            Why::Value { column, value } if value.is_finite() => {
                write!(
                    f,
                    "{value:e} does not fit `{column}`, a DECIMAL(18,6): it must lie within 999999999999.999999"
                )
            }
            Why::Value { column, value } => {
                write!(f, "{value} does not fit `{column}`: it must be a finite number")
            }
            Why::LongName { characters } => {
                write!(
                    f,
                    "the name has {characters} characters; `variable` takes at most {}",
                    super::LONGEST_NAME
                )
            }
            Why::NoName => write!(f, "the name is empty; a variable needs one"),
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

    /// Takes in another batch's notes.
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
