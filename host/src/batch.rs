//! Readings pivoted for the detector, and what it says of them: the host's own form of the
//! contract's types.
//!
//! Pure data. A batch lives for one cycle (and one more as the canary of a reload); nothing here
//! can fail.

use std::sync::Arc;

use crate::datetime::Datetime;

/// Readings pivoted: a row per datetime, a column per variable.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Batch {
    /// Strictly increasing.
    pub datetimes: Vec<Datetime>,
    pub columns: Vec<Column>,
}

/// The readings of one variable; NaN where there is none.
#[derive(Clone, Debug, PartialEq)]
pub struct Column {
    pub variable: Arc<str>,
    /// As long as the batch's `datetimes`.
    pub values: Vec<f64>,
}

/// The detector's word on one reading.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Flags {
    pub outside_interval: bool,
    pub high_residual: bool,
    pub anomaly: bool,
}

impl Flags {
    const OUTSIDE_INTERVAL: u8 = 1;
    const HIGH_RESIDUAL: u8 = 2;
    const ANOMALY: u8 = 4;
    /// The bits that have a meaning.
    pub(crate) const ALL: u8 = Self::OUTSIDE_INTERVAL | Self::HIGH_RESIDUAL | Self::ANOMALY;

    /// From the contract's byte; bits without a meaning are not looked at.
    pub fn from_bits(bits: u8) -> Self {
        Self {
            outside_interval: bits & Self::OUTSIDE_INTERVAL != 0,
            high_residual: bits & Self::HIGH_RESIDUAL != 0,
            anomaly: bits & Self::ANOMALY != 0,
        }
    }
}

/// The detector's words on one column; each list is as long as the batch's `datetimes`.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Verdicts {
    pub expected: Vec<f64>,
    pub lower: Vec<f64>,
    pub upper: Vec<f64>,
    pub score: Vec<f64>,
    /// As they crossed, a byte for each row: see [`Flags::from_bits`].
    pub flags: Vec<u8>,
    pub withheld: Vec<Withheld>,
}

/// Datetimes of a column that the detector could not judge.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Withheld {
    pub reason: String,
    /// Positions in the batch's `datetimes`.
    pub rows: Vec<usize>,
}

/// What became of one column.
#[derive(Clone, Debug, PartialEq)]
pub enum Outcome {
    Judged(Verdicts),
    NoModel,
    Failed(String),
}
