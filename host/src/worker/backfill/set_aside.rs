//! Variables that a worker has set aside and whose readings a backfill has judged: they are removed
//! from the worker's row.
//!
//! A running worker keeps its row in memory. It reads what is set aside before it commits, and so
//! takes this change over. If both write at the same moment, the entry may come back; the same
//! backfill, started again, has nothing to judge and removes it.

use std::collections::{BTreeMap, HashSet};
use std::sync::Arc;

use super::BackfillPlan;
use crate::state::SetAside;
use crate::store::{Outline, Rejudging, StoreError};

/// How often the row is read again because the worker wrote it meanwhile.
const TRIES: usize = 5;

/// What happened to the variables that were set aside.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SetAsideOutcome {
    /// They are no longer set aside.
    pub cleared: Vec<Arc<str>>,
    /// They still are, and some of their readings lie in the range.
    pub left: Vec<(Arc<str>, SetAside)>,
    /// The backfill could not judge them either.
    pub failed: Vec<(Arc<str>, SetAside)>,
}

/// Removes what the backfill has dealt with. `failed`: variables that it could not judge either.
pub(super) async fn release(
    output: &mut dyn Rejudging,
    plan: &BackfillPlan,
    failed: &HashSet<Arc<str>>,
) -> Result<SetAsideOutcome, StoreError> {
    for _ in 0..TRIES {
        let Some(Outline { state, .. }) = output.outline(&plan.worker).await? else {
            return Ok(SetAsideOutcome::default());
        };
        let (after, asides) = sort(&state.set_aside, plan, failed);
        if asides.cleared.is_empty()
            || output.exchange_set_aside(&plan.worker, &state.set_aside, &after).await?
        {
            return Ok(asides);
        }
    }
    tracing::warn!(
        "what worker `{}` has set aside could not be looked through, as it wrote its row at the same moment each time; give the \
         same backfill again",
        plan.worker
    );
    Ok(SetAsideOutcome::default())
}

/// Logs what stays set aside, and what that means.
fn sort(
    before: &BTreeMap<Arc<str>, SetAside>,
    plan: &BackfillPlan,
    failed: &HashSet<Arc<str>>,
) -> (BTreeMap<Arc<str>, SetAside>, SetAsideOutcome) {
    let mut after = before.clone();
    let mut asides = SetAsideOutcome::default();
    for (variable, aside) in before {
        let asked = plan.variables.as_ref().is_none_or(|names| names.contains(variable));
        if !asked || aside.last < plan.from || aside.first >= plan.to {
            continue;
        }
        let whole = plan.from <= aside.first && aside.last < plan.to;
        if failed.contains(variable) {
            continue;
        }
        if whole {
            after.remove(variable);
            asides.cleared.push(Arc::clone(variable));
        } else {
            asides.left.push((Arc::clone(variable), aside.clone()));
        }
    }
    (after, asides)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::datetime::Datetime;

    #[test]
    fn only_what_was_judged_from_its_first_to_its_last_reading_is_cleared() {
        let at = Datetime::from_micros;
        for (why, first, last, variables, failed, cleared, left) in [
            ("all of it", 10, 19, None, None, true, false),
            ("one of those asked for", 10, 19, Some("T1"), None, true, false),
            ("another was asked for", 10, 19, Some("T2"), None, false, false),
            ("it failed again", 12, 13, None, Some("T1"), false, false),
            ("another failed", 12, 13, None, Some("T2"), true, false),
            ("begun before", 9, 13, None, None, false, true),
            ("not over yet", 12, 20, None, None, false, true),
            ("before it", 1, 9, None, None, false, false),
            ("after it", 20, 30, None, None, false, false),
        ] {
            let mut aside = SetAside::empty(at(first));
            aside.last = at(last);
            let before = BTreeMap::from([("T1".into(), aside.clone())]);
            let plan = BackfillPlan {
                worker: "default".into(),
                shard: None,
                from: at(10),
                to: at(20),
                variables: variables.map(|name: &str| [name.into()].into()),
                replace: false,
                rules: Default::default(),
                batch_rows: 1,
            };
            let failed: HashSet<Arc<str>> = failed.into_iter().map(Arc::from).collect();
            let (after, asides) = sort(&before, &plan, &failed);
            let expected = SetAsideOutcome {
                cleared: if cleared { vec!["T1".into()] } else { vec![] },
                left: if left { vec![("T1".into(), aside)] } else { vec![] },
                failed: vec![],
            };
            assert_eq!((after.is_empty(), asides), (cleared, expected), "{why}");
        }
    }
}
