//! What a backfill is to judge, and the name under which it keeps its progress.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use sha2::{Digest, Sha256};

use crate::datetime::Datetime;
use crate::episode::TrackerSettings;
use crate::shard::Shard;

/// The step from one instant to the next: ranges are half-open, and a watermark is the last instant
/// that is dealt with.
pub(super) const MICROSECOND: Duration = Duration::from_micros(1);

/// What is judged.
#[derive(Clone, Debug)]
pub struct BackfillPlan {
    /// The worker whose variables may be set aside.
    pub worker: String,
    pub from: Datetime,
    /// Exclusive.
    pub to: Datetime,
    /// The share of the variables that is judged. None: all.
    pub shard: Option<Shard>,
    /// None: all.
    pub variables: Option<BTreeSet<Arc<str>>>,
    /// Whether verdicts that are there are replaced.
    pub replace: bool,
    /// What is set for episodes.
    pub rules: Arc<TrackerSettings>,
    /// Rows read at a time, and with them the verdicts of a transaction.
    pub batch_rows: usize,
}

impl BackfillPlan {
    /// The name of its state row, which identifies the backfill. At most 100 characters.
    pub fn name(&self) -> String {
        // From the values themselves, each with its length or a mark before it: the result is the
        // same with every compiler.
        let mut digest = Sha256::new();
        let mut text = |text: &str| {
            digest.update((text.len() as u64).to_le_bytes());
            digest.update(text);
        };
        text(&self.worker);
        text(&self.shard.map(|shard| shard.to_string()).unwrap_or_default());
        text(if self.replace { "replace" } else { "keep" });
        text(if self.variables.is_some() { "some" } else { "all" });
        self.variables.iter().flatten().for_each(|variable| text(variable));
        let digest: String = digest.finalize().iter().take(6).map(|byte| format!("{byte:02x}")).collect();
        format!("backfill {} to {} {digest}", self.from, self.to)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Two backfills that differ in anything must not share progress.
    #[test]
    fn a_name_is_for_one_backfill_only_and_fits_its_column() {
        let plan = BackfillPlan {
            worker: "default".into(),
            shard: None,
            from: Datetime::from_micros(1_735_689_600_000_001),
            to: Datetime::from_micros(1_738_368_000_000_001),
            variables: None,
            replace: false,
            rules: Arc::default(),
            batch_rows: 4000,
        };
        let only = |names: &[&str]| Some(names.iter().map(|&name| name.into()).collect());
        let same = BackfillPlan { batch_rows: 10, ..plan.clone() };
        assert_eq!(plan.name(), same.name());
        assert!(plan.name().ends_with("f85f6231b9bd"), "no compiler changes it: {}", plan.name());
        let all = [
            plan.clone(),
            BackfillPlan { worker: "line 2".into(), ..plan.clone() },
            BackfillPlan { from: plan.from.earlier(MICROSECOND), ..plan.clone() },
            BackfillPlan { to: plan.to.later(MICROSECOND), ..plan.clone() },
            BackfillPlan { shard: "2/8".parse().ok(), ..plan.clone() },
            BackfillPlan { replace: true, ..plan.clone() },
            BackfillPlan { variables: only(&[]), ..plan.clone() },
            BackfillPlan { variables: only(&["T1"]), ..plan.clone() },
            BackfillPlan { variables: only(&["T1", "T2"]), ..plan.clone() },
            BackfillPlan { variables: only(&["T1, T2"]), ..plan },
        ];
        let names: BTreeSet<String> = all.iter().map(BackfillPlan::name).collect();
        assert_eq!(names.len(), all.len(), "{names:#?}");
        assert!(names.iter().all(|name| name.len() <= 100), "{names:#?}");
    }
}
