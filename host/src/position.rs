//! Where the worker stands in the input table, and what it must look at next.
//!
//! Time order is not commit order, and key order is not commit order either: a worker that remembers one greatest value loses
//! rows. With an identity key, an id below the greatest that was seen and itself not seen is a *gap*: an insert in flight, or
//! one rolled back. Gaps are looked at again until they are older than the settle time; every id is read once, and an idle
//! cycle costs one seek. Without a key the whole allowed lateness is looked at again.
//!
//! Pure: the cycle asks what to read, tells what it read, and stores the result with the verdicts.

use serde::{Deserialize, Serialize};

use crate::datetime::Datetime;

/// The position, as the state row keeps it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "by", rename_all = "lowercase")]
pub enum Position {
    /// The input has an identity key.
    Key(KeyPosition),
    /// It has none: the position is the state's watermark.
    Time(TimePosition),
}

/// A position on the identity key.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct KeyPosition {
    /// Readings older than this belong to the time before this worker: `backfill` judges them.
    pub since: Datetime,
    /// Every id up to this one was read, except those in `gaps`.
    pub scanned: i64,
    /// Ids at or below `scanned` that were not there, ascending, apart from each other.
    pub gaps: Vec<Gap>,
}

/// Ids that were not there when their neighbours were.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Gap {
    pub first: i64,
    /// Inclusive.
    pub last: i64,
    /// The server's time when the gap was first seen.
    pub seen: Datetime,
}

/// A position without a key.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct TimePosition {
    /// As in [`KeyPosition::since`].
    pub since: Datetime,
    /// How many rows the input held in a stretch that is already out of reach: what comes to it later came too late.
    pub passed: Option<Passed>,
}

/// A count of rows behind the allowed lateness.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Passed {
    pub from: Datetime,
    /// Exclusive.
    pub to: Datetime,
    pub rows: u64,
}
