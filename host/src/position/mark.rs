//! Rows that were read, remembered so that the next pass can tell whether the table still is what
//! it was.
//!
//! A table that was emptied, restored from a backup or renamed assigns its ids to other rows, and a
//! position that uses ids alone would skip those for ever. A mark is the id, the datetime and the
//! variable of a reading: an update of its value does not matter.

use serde::{Deserialize, Serialize};

use crate::datetime::Datetime;
use crate::reading::Reading;

/// How many are kept, each of another page. Whoever deletes the newest rows rarely deletes all of
/// these.
const MOST: usize = 4;

/// A reading that was read.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReadMark {
    pub id: i64,
    pub datetime: Datetime,
    pub variable: String,
}

impl ReadMark {
    /// Whether this is the same reading.
    pub fn is(&self, reading: &Reading) -> bool {
        reading.id == Some(self.id)
            && reading.datetime == self.datetime
            && *reading.variable == *self.variable
    }
}

/// Remembers the reading with the greatest id, if that is greater than the remembered ones.
pub(super) fn remember<'a>(marks: &mut Vec<ReadMark>, readings: impl Iterator<Item = &'a Reading>) {
    let Some((id, reading)) =
        readings.filter_map(|reading| Some((reading.id?, reading))).max_by_key(|(id, _)| *id)
    else {
        return;
    };
    if marks.last().is_none_or(|last| last.id < id) {
        marks.push(ReadMark { id, datetime: reading.datetime, variable: reading.variable.to_string() });
        marks.drain(..marks.len().saturating_sub(MOST));
    }
}
