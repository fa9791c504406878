//! What is said of a reading.

use serde::{Deserialize, Serialize};

use crate::expectation::Basis;

/// What is expected of a reading, and the bounds of what is usual.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Band {
    pub expected: f64,
    pub lower: f64,
    pub upper: f64,
}

/// Why a reading is flagged.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Cause {
    /// Far off for a few readings.
    Spike,
    /// Another level.
    Shift,
    /// Another level, reached slowly.
    Drift,
    /// Readings vary more, or less, than they did.
    Variance,
    /// Nothing of the others, and not like anything before.
    Pattern,
    /// The same value again and again.
    Stuck,
}

/// What is said of a reading.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Verdict {
    /// Something new begins here.
    pub alarm: bool,
    /// An alarm, and after one every reading while the variable is not back to what it was before.
    pub is_anomaly: bool,
    /// 0 to 100; at least 50 exactly where there is an alarm. Ten points more are a tenth of the
    /// rate.
    pub score: f64,
    /// Of what is flagged.
    pub cause: Option<Cause>,
    /// The model's own where the model is the basis.
    pub band: Band,
    /// How far readings usually are from what is expected, on the mean.
    pub scale: f64,
    pub basis: Basis,
    /// There is a model, and it is worse than what is known without it.
    pub aged: bool,
    /// It is too early for an alarm.
    pub learning: bool,
    /// The reading is older than one that was judged; it changed nothing.
    pub late: bool,
}
