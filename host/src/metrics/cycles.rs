//! What a cycle came to, in numbers.

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
    /// A cycle ended so, after so long, with these readings.
    pub fn cycle(&self, outcome: CycleOutcome, took: Duration, counts: &Counts) {
        self.alive();
        self.0.cycles.get_or_create(&[("outcome", outcome.word())]).inc();
        self.leads(outcome != CycleOutcome::Standby);
        if outcome == CycleOutcome::Standby {
            return;
        }
        self.0.cycle_duration.observe(took.as_secs_f64());
        for (fate, count) in fates(counts) {
            self.0.readings.get_or_create(&[("fate", fate)]).inc_by(count);
        }
        if outcome == CycleOutcome::Done {
            self.succeeded();
        }
    }
}

/// Each fate with its count. Those that are anomalies are judged too: they are counted beside.
pub(super) fn fates(counts: &Counts) -> [(&'static str, u64); 12] {
    // By name, so that a fate that is added and not counted does not compile.
    let &Counts {
        judged,
        anomalies,
        nulls,
        duplicates,
        already_judged,
        too_late,
        no_model,
        set_aside,
        withheld,
        unfit,
        equal_names,
        malformed,
    } = counts;
    [
        ("judged", judged),
        ("judged_anomalous", anomalies),
        ("null", nulls),
        ("duplicate", duplicates),
        ("already_judged", already_judged),
        ("too_late", too_late),
        ("no_model", no_model),
        ("set_aside", set_aside),
        ("withheld", withheld),
        ("unfit", unfit),
        ("equal_name", equal_names),
        ("malformed", malformed),
    ]
}
