//! A reading: one row of the input table, as it was found.

use std::sync::Arc;

use crate::datetime::Datetime;

/// One row of the input table. What the row lacks stays absent; nothing is judged about it yet.
#[derive(Clone, Debug, PartialEq)]
pub struct Reading {
    /// The identity key, where the table has one.
    pub id: Option<i64>,
    pub datetime: Datetime,
    pub variable: Arc<str>,
    /// None where the table holds NULL: no reading, but counted.
    pub value: Option<f64>,
    pub source_file: Option<Arc<str>>,
}

/// What makes two readings the same: one verdict per key is all that the output may hold.
pub type ReadingKey = (Arc<str>, Datetime);

impl Reading {
    /// The variable and the datetime.
    pub fn key(&self) -> ReadingKey {
        (Arc::clone(&self.variable), self.datetime)
    }
}

/// A row that is not a reading at all, such as a datetime that is no datetime. It is reported and
/// passed over.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Malformed {
    pub id: Option<i64>,
    /// Where it stands in time, if its datetime is one and something else is wrong.
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

/// What one bounded read of the input table brought, in the order of the position (key, or datetime
/// and then key).
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
