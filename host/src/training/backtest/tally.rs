//! Counts the verdicts on a variable: those that a set would have made, and those that are stored.
//! Pure. The counts live for one backtest.

use std::sync::Arc;

use crate::episode::{Machine, Point, VariableSettings};

/// The counts of the verdicts of one side.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Tally {
    pub judged: u64,
    pub flagged: u64,
    /// Episodes that began.
    pub episodes: u64,
    machine: Machine,
}

impl Tally {
    /// Counts a verdict. Verdicts come by datetime.
    pub(super) fn take(&mut self, variable: &Arc<str>, point: &Point, settings: &VariableSettings) {
        let was_open = self.machine.open().is_some();
        self.machine.step(variable, point, settings);
        self.judged += 1;
        self.flagged += u64::from(point.anomaly);
        self.episodes += u64::from(!was_open && self.machine.open().is_some());
    }

    /// The sum.
    #[must_use]
    pub fn and(&self, other: &Self) -> Self {
        Self {
            judged: self.judged + other.judged,
            flagged: self.flagged + other.flagged,
            episodes: self.episodes + other.episodes,
            machine: Machine::default(),
        }
    }
}

/// The counts of both sides.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Both {
    pub would: Tally,
    pub stored: Tally,
    /// Readings on which both have a verdict and only one flags.
    pub differ: u64,
    /// Readings on which the set has no verdict.
    pub unjudged: u64,
}

impl Both {
    /// The sum.
    #[must_use]
    pub fn and(&self, other: &Self) -> Self {
        Self {
            would: self.would.and(&other.would),
            stored: self.stored.and(&other.stored),
            differ: self.differ + other.differ,
            unjudged: self.unjudged + other.unjudged,
        }
    }
}
