//! A reading: one row of the input table, as it was found.

use std::sync::Arc;

use crate::datetime::Datetime;

/// One row of the input table. What the row lacks is absent; nothing is checked yet.
#[derive(Clone, Debug, PartialEq)]
pub struct Reading {
    /// The identity key, if the table has one.
    pub id: Option<i64>,
    pub datetime: Datetime,
    pub variable: Arc<str>,
    /// None if the table holds NULL: not a reading, but counted.
    pub value: Option<f64>,
    pub source_file: Option<Arc<str>>,
}

/// What identifies a reading: the output holds at most one verdict per key.
pub type ReadingKey = (Arc<str>, Datetime);

impl Reading {
    /// The variable and the datetime.
    pub fn key(&self) -> ReadingKey {
        (Arc::clone(&self.variable), self.datetime)
    }
}

/// A row that is not a reading, for instance because its datetime is not valid. It is reported and
/// skipped.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Malformed {
    pub id: Option<i64>,
    /// Its datetime, if that is valid and something else is wrong.
    pub datetime: Option<Datetime>,
    /// What was found and what would be right.
    pub why: String,
}

/// A row of the input table as it was decoded.
pub(crate) enum ScannedRow {
    Reading(Reading),
    Malformed(Malformed),
}

impl ScannedRow {
    pub(crate) fn datetime(&self) -> Option<Datetime> {
        match self {
            Self::Reading(reading) => Some(reading.datetime),
            Self::Malformed(malformed) => malformed.datetime,
        }
    }
}

/// The result of one bounded read of the input table, in the order of the position (key, or
/// datetime and then key).
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Page {
    pub readings: Vec<Reading>,
    pub malformed: Vec<Malformed>,
    /// Whether the limit ended the read: there may be more rows.
    pub full: bool,
}

impl Page {
    pub(crate) fn push(&mut self, row: ScannedRow) {
        match row {
            ScannedRow::Reading(reading) => self.readings.push(reading),
            ScannedRow::Malformed(malformed) => self.malformed.push(malformed),
        }
    }
}
