//! What one side's verdicts on a variable come to.

use std::sync::Arc;

use crate::episode::{Machine, Point, VariableSettings};

/// One side's verdicts on a variable.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Tally {
    pub judged: u64,
    pub flagged: u64,
    /// Episodes that began.
    pub episodes: u64,
    machine: Machine,
}

impl Tally {
    /// Takes the next verdict in time.
    pub(super) fn take(&mut self, variable: &Arc<str>, point: &Point, settings: &VariableSettings) {
        let was_open = self.machine.open().is_some();
        self.machine.step(variable, point, settings);
        self.judged += 1;
        self.flagged += u64::from(point.anomaly);
        self.episodes += u64::from(!was_open && self.machine.open().is_some());
    }

    /// Of both.
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

/// What both sides say of a variable.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Both {
    pub would: Tally,
    pub stored: Tally,
    /// Readings that one of them flags and the other, which has a verdict, does not.
    pub differ: u64,
    /// Readings on which the set has no verdict.
    pub unjudged: u64,
}

impl Both {
    /// Of both.
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
