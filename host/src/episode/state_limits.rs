//! After how long a variable is silent, and its value stuck.

use std::time::Duration;

use super::machine::priority;
use super::settings::VariableSettings;
use super::{Episode, WorstReading};
use crate::datetime::Datetime;

/// The limits of one variable; None: not known yet, or it never is.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct StateLimits {
    pub silent: Option<Duration>,
    pub stuck: Option<StuckLimit>,
}

impl StateLimits {
    /// Whether neither is known.
    pub fn are_unknown(&self) -> bool {
        self.silent.is_none() && self.stuck.is_none()
    }
}

/// For how long a value may stay the same.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct StuckLimit {
    pub(super) after: Duration,
    /// The fewest readings of a stuck value.
    pub(super) readings: u64,
    /// The limit of runs that began before this datetime, when the longest run was not over.
    pub(super) before: (Datetime, Duration),
}

impl StuckLimit {
    /// Whether a value is stuck that stays the same from one reading to another.
    pub(super) fn is_stuck(&self, since: Datetime, end: Datetime, readings: u64) -> bool {
        let (until, before) = self.before;
        let after = if since < until { before } else { self.after };
        readings >= self.readings && end.since(since) > after
    }
}

/// Values with the same key are equal. The tables of a SQL Server hold six decimals.
pub(super) fn value_key(y: f64) -> u64 {
    const DECIMALS: f64 = 1e6;
    ((y * DECIMALS).round() / DECIMALS).to_bits()
}

/// A stuck value up to this reading.
pub(super) fn extend_stuck(
    stuck: &mut Episode,
    end: Datetime,
    y: f64,
    readings: u64,
    settings: &VariableSettings,
) {
    (stuck.end, stuck.readings, stuck.flagged) = (end, readings, readings);
    stuck.worst = Some(WorstReading { ds: stuck.begin, y, yhat: None });
    stuck.priority = priority(stuck, false, settings);
}
