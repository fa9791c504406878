//! A verdict, as episodes see it.

use super::settings::VariableSettings;
use super::{Direction, WorstReading};
use crate::batch::Cause;
use crate::datetime::Datetime;
use crate::store::StoredVerdict;
use crate::verdict::VerdictRow;

/// A verdict on a reading of one variable.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Point {
    pub ds: Datetime,
    pub y: f64,
    pub yhat: f64,
    pub score: f64,
    pub anomaly: bool,
    pub cause: Option<Cause>,
}

impl Point {
    /// Of a verdict that is about to be stored.
    pub fn of(row: &VerdictRow) -> Self {
        Self {
            ds: row.ds,
            y: row.y,
            yhat: row.yhat,
            score: row.anomaly_score,
            anomaly: row.flags.anomaly,
            cause: row.flags.cause,
        }
    }

    /// Of a stored verdict, which has no cause; None if it lacks a number.
    pub fn of_stored(row: &StoredVerdict) -> Option<Self> {
        Some(Self {
            ds: row.ds,
            y: row.y?,
            yhat: row.yhat?,
            score: row.anomaly_score.unwrap_or_default(),
            anomaly: row.is_anomaly.unwrap_or_default(),
            cause: None,
        })
    }

    /// On which side of the expectation it is. A reading equal to it counts as above.
    pub fn direction(&self) -> Direction {
        if self.y < self.yhat { Direction::Below } else { Direction::Above }
    }

    /// Whether it counts as anomalous for this variable.
    pub fn counts(&self, settings: &VariableSettings) -> bool {
        self.anomaly
            && settings.direction.counts(self.direction())
            && (self.y - self.yhat).abs() >= settings.minimum_deviation
    }

    /// As an episode's worst.
    pub fn worst(&self) -> WorstReading {
        WorstReading { ds: self.ds, y: self.y, yhat: Some(self.yhat) }
    }
}

/// The contract's word for a cause.
pub(super) fn cause_word(cause: Cause) -> &'static str {
    match cause {
        Cause::Spike => "spike",
        Cause::Shift => "shift",
        Cause::Drift => "drift",
        Cause::Variance => "variance",
        Cause::Pattern => "pattern",
        Cause::Stuck => "stuck",
    }
}
