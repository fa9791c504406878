//! The search for the variables at which a detector fails.
//!
//! Columns are halved until every failing part is a single one; each probe starts from the
//! committed state. The search has a budget of time, because one probe may take a whole deadline.
//! What it has found out is kept when the budget is spent, and the next cycle continues from there.
//! After a few cycles the variables that are still in doubt are set aside as well, so that no
//! detector stops the service for long.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use super::patience::{Ended, Patience};
use super::recovered::{CheckpointAfter, Judge, Recovered, Unjudged};
use crate::batch::{Batch, Outcome};
use crate::detector::JudgeError;

/// The most cycles of a search.
const MOST_CYCLES: u32 = 3;

/// If this many variables fail alone, the fault is not in single variables.
const MOST_AT_FAULT: usize = 64;

/// What is known of a set's faults and not stored yet. It outlives a cycle and ends with the next
/// commit.
#[derive(Default)]
pub(super) struct Learnt {
    set: String,
    /// Variables at which the detector fails, each tried alone.
    at_fault: BTreeMap<Arc<str>, JudgeError>,
    /// Parts at which it failed and that were not divided further.
    parts: Vec<(Vec<Arc<str>>, JudgeError)>,
    cycles: u32,
}

impl Learnt {
    /// What is known of another set does not apply.
    pub(super) fn keep_for(&mut self, set: &str) {
        if self.set != set {
            *self = Self { set: set.to_owned(), ..Self::default() };
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.at_fault.is_empty() && self.parts.is_empty()
    }

    /// What was known is stored.
    pub(super) fn clear(&mut self) {
        *self = Self::default();
    }
}

/// Columns, and why they fail together; None if that is not known yet.
type Suspects = (Vec<usize>, Option<JudgeError>);

/// What this search has found out about each column.
#[derive(Default)]
struct KnownFaults {
    at_fault: Vec<(usize, JudgeError)>,
    judged: HashMap<usize, Outcome>,
}

/// Looks for the columns at fault, and judges the others. `whole`: the detector's error on all of
/// them; None to continue with what was learnt. `known_good`: the detector is known to judge
/// something, so that all columns may be at fault.
pub(super) async fn search(
    detector: &mut impl Judge,
    batch: &Batch,
    whole: Option<JudgeError>,
    known_good: bool,
    learnt: &mut Learnt,
    patience: &mut Patience<'_>,
) -> Result<Recovered, Unjudged> {
    let mut found = KnownFaults::default();
    let mut parts = match whole {
        Some(error) => vec![((0..batch.columns.len()).collect(), Some(error))],
        None => resume(batch, learnt, &mut found),
    };
    while let Some((columns, error)) = parts.pop() {
        if columns.is_empty() {
            continue;
        }
        if let Some(ended) = patience.ended() {
            parts.push((columns, error));
            put_off(batch, ended, &mut found, parts, learnt)?;
            break;
        }
        let Some(error) = error else {
            probe(detector, batch, columns, &mut found, &mut parts, patience).await?;
            continue;
        };
        if let [column] = columns[..] {
            found.at_fault.push((column, error));
            if found.at_fault.len() > MOST_AT_FAULT {
                let (_, last) = found.at_fault.swap_remove(0);
                return Err(Unjudged::Failed(last));
            }
            continue;
        }
        let (left, right) = columns.split_at(columns.len() / 2);
        parts.extend([(right.to_vec(), None), (left.to_vec(), None)]);
    }
    found.at_fault.sort_by_key(|(column, _)| *column);
    rest(detector, batch, known_good, found).await
}

/// Where the cycle before has stopped.
fn resume(batch: &Batch, learnt: &Learnt, found: &mut KnownFaults) -> Vec<Suspects> {
    let mut columns: HashMap<&str, usize> =
        batch.columns.iter().enumerate().map(|(at, column)| (&*column.variable, at)).collect();
    for (variable, error) in &learnt.at_fault {
        found.at_fault.extend(columns.remove(&**variable).map(|at| (at, error.clone())));
    }
    let mut parts = Vec::new();
    for (variables, error) in &learnt.parts {
        let part = variables.iter().filter_map(|variable| columns.remove(&**variable)).collect();
        parts.push((part, Some(error.clone())));
    }
    let mut others: Vec<_> = columns.into_values().collect();
    others.sort_unstable();
    parts.push((others, None));
    parts
}

/// Tries some of the columns.
async fn probe(
    detector: &mut impl Judge,
    batch: &Batch,
    columns: Vec<usize>,
    found: &mut KnownFaults,
    parts: &mut Vec<Suspects>,
    patience: &mut Patience<'_>,
) -> Result<(), Unjudged> {
    detector.discard();
    match patience.spend(detector.judge(Arc::new(batch.only(&columns)))).await {
        Ok(judged) => found.judged.extend(columns.into_iter().zip(judged.outcomes)),
        // That is no variable's fault.
        Err(error @ JudgeError::Reopen(_)) => return Err(Unjudged::Failed(error)),
        Err(error) => parts.push((columns, Some(error))),
    }
    Ok(())
}

/// The search ends here: until the next cycle, or for good, with everything still in doubt set
/// aside.
fn put_off(
    batch: &Batch,
    ended: Ended,
    found: &mut KnownFaults,
    parts: Vec<Suspects>,
    learnt: &mut Learnt,
) -> Result<(), Unjudged> {
    let variable = |column: &usize| Arc::clone(&batch.columns[*column].variable);
    learnt.at_fault.extend(found.at_fault.iter().map(|(column, error)| (variable(column), error.clone())));
    let left = parts.iter().map(|(columns, _)| columns.len()).sum();
    let suspects = parts
        .iter()
        .filter_map(|(columns, error)| Some((columns.iter().map(variable).collect(), error.clone()?)));
    learnt.parts = suspects.collect();
    if ended != Ended::Time {
        return Err(Unjudged::Ended(ended));
    }
    learnt.cycles += 1;
    if learnt.cycles < MOST_CYCLES {
        let known = parts.iter().find_map(|(_, error)| error.clone());
        let cause = known.or_else(|| found.at_fault.last().map(|(_, error)| error.clone()));
        return Err(Unjudged::Unfinished { left, cause: cause.unwrap_or(JudgeError::NotLookedAt) });
    }
    let columns = parts.into_iter().flat_map(|(columns, _)| columns);
    found.at_fault.extend(columns.map(|column| (column, JudgeError::NotLookedAt)));
    Ok(())
}

/// Judges what is not at fault, as one batch.
async fn rest(
    detector: &mut impl Judge,
    batch: &Batch,
    known_good: bool,
    mut found: KnownFaults,
) -> Result<Recovered, Unjudged> {
    let at_fault = |column: &usize| found.at_fault.iter().any(|(bad, _)| bad == column);
    let good: Vec<usize> = (0..batch.columns.len()).filter(|column| !at_fault(column)).collect();
    let mut outcomes: Vec<_> = batch.columns.iter().map(|_| Outcome::Failed("set aside".into())).collect();
    if good.is_empty() {
        return match found.at_fault.pop() {
            Some((_, error)) if !known_good => Err(Unjudged::Failed(error)),
            last => {
                found.at_fault.extend(last);
                Ok(Recovered { outcomes, after: CheckpointAfter::Unchanged, at_fault: found.at_fault })
            }
        };
    }
    detector.discard();
    let (judged, after) = match detector.judge(Arc::new(batch.only(&good))).await {
        Ok(judged) => {
            let after = CheckpointAfter::of(&judged);
            (good.into_iter().zip(judged.outcomes).collect(), after)
        }
        // Each part was judged and the whole was not: it may be too large for the limits. Without
        // state the parts are enough.
        Err(_) if !detector.keeps_state() && good.iter().all(|column| found.judged.contains_key(column)) => {
            (found.judged, CheckpointAfter::Unchanged)
        }
        Err(error) => return Err(Unjudged::Failed(error)),
    };
    for (column, outcome) in judged {
        outcomes[column] = outcome;
    }
    Ok(Recovered { outcomes, after, at_fault: found.at_fault })
}

#[cfg(test)]
mod tests;
