//! Counts cycles and what became of their readings.

use std::time::Duration;

use super::Metrics;
use crate::counts::Counts;

/// How a cycle ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CycleOutcome {
    Done,
    Failed,
    /// Another worker of the name is active.
    Standby,
}

impl CycleOutcome {
    pub(super) const ALL: [Self; 3] = [Self::Done, Self::Failed, Self::Standby];

    pub(super) fn word(self) -> &'static str {
        match self {
            Self::Done => "done",
            Self::Failed => "failed",
            Self::Standby => "standby",
        }
    }
}

impl Metrics {
    /// Counts a cycle.
    pub fn cycle(&self, outcome: CycleOutcome, took: Duration, counts: &Counts) {
        self.alive();
        self.0.cycles.get_or_create(&[("outcome", outcome.word())]).inc();
        self.leads(outcome != CycleOutcome::Standby);
        if outcome == CycleOutcome::Standby {
            return;
        }
        self.0.cycle_duration.observe(took.as_secs_f64());
        for outcome in counts.outcomes() {
            self.0.readings.get_or_create(&[("fate", outcome.label)]).inc_by(outcome.rows);
        }
        if outcome == CycleOutcome::Done {
            self.succeeded();
        }
    }
}
