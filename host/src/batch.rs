//! Readings pivoted for the detector, and its answers: the host's own form of the contract's types.
//!
//! Pure data. A batch lives for one cycle (and one more as the canary of a reload); nothing here
//! can fail.

use std::fmt;
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

/// The detector's verdict on one reading.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Flags {
    pub outside_interval: bool,
    pub high_residual: bool,
    pub anomaly: bool,
    /// Why it is an anomaly, if the detector says so.
    pub cause: Option<Cause>,
    /// The detector knows too little of the variable to call any reading of it an anomaly.
    pub learning: bool,
}

/// Why a reading is an anomaly.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Cause {
    Spike,
    /// Another level.
    Shift,
    /// Another level, reached slowly.
    Drift,
    Variance,
    Pattern,
    Stuck,
}

impl Cause {
    /// By the contract's number, from 1 on.
    const ALL: [Self; 6] =
        [Self::Spike, Self::Shift, Self::Drift, Self::Variance, Self::Pattern, Self::Stuck];
}

impl fmt::Display for Cause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Spike => "spike",
            Self::Shift => "shift of level",
            Self::Drift => "slow drift",
            Self::Variance => "change of variance",
            Self::Pattern => "unusual pattern",
            Self::Stuck => "stuck value",
        })
    }
}

impl Flags {
    const OUTSIDE_INTERVAL: u8 = 1;
    const HIGH_RESIDUAL: u8 = 2;
    const ANOMALY: u8 = 4;
    const CAUSE_SHIFT: u32 = 3;
    const CAUSE: u8 = 0b111 << Self::CAUSE_SHIFT;
    const LEARNING: u8 = 64;
    const ALL: u8 =
        Self::OUTSIDE_INTERVAL | Self::HIGH_RESIDUAL | Self::ANOMALY | Self::CAUSE | Self::LEARNING;

    /// Whether these bits may be set together; otherwise what is wrong with them.
    pub(crate) const fn check(bits: u8) -> Result<(), &'static str> {
        let (anomaly, cause) = (bits & Self::ANOMALY != 0, (bits & Self::CAUSE) >> Self::CAUSE_SHIFT);
        if bits & !Self::ALL != 0 {
            Err("128 is no bit of it")
        } else if cause as usize > Cause::ALL.len() {
            Err("7 is no cause")
        } else if cause != 0 && !anomaly {
            Err("a cause of what is no anomaly")
        } else if bits & Self::LEARNING != 0 && anomaly {
            Err("an anomaly while it learns")
        } else {
            Ok(())
        }
    }

    /// From the contract's byte; bits without a meaning are ignored.
    pub fn from_bits(bits: u8) -> Self {
        Self {
            outside_interval: bits & Self::OUTSIDE_INTERVAL != 0,
            high_residual: bits & Self::HIGH_RESIDUAL != 0,
            anomaly: bits & Self::ANOMALY != 0,
            cause: usize::from((bits & Self::CAUSE) >> Self::CAUSE_SHIFT)
                .checked_sub(1)
                .and_then(|at| Cause::ALL.get(at).copied()),
            learning: bits & Self::LEARNING != 0,
        }
    }
}

/// The detector's verdicts on one column; each list is as long as the batch's `datetimes`.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Verdicts {
    pub expected: Vec<f64>,
    pub lower: Vec<f64>,
    pub upper: Vec<f64>,
    pub score: Vec<f64>,
    /// As they were returned, a byte for each row: see [`Flags::from_bits`].
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

/// The outcome of one column.
#[derive(Clone, Debug, PartialEq)]
pub enum Outcome {
    Judged(Verdicts),
    NoModel,
    Failed(String),
}
