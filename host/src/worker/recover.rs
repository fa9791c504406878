//! What happens when a batch is not judged: once more on a fresh instance, then by halves, until the variables at fault are known.
//!
//! A detector that cannot even judge the last committed batch is at fault itself; then nothing is set aside and the position stays.

use std::sync::Arc;

use crate::batch::{Batch, Outcome};
use crate::detector::{Detector, JudgeError};

/// How many failing probes the search may cost. Each can take a whole deadline; beyond this the fault is not in single
/// variables, and searching on would only keep the service from its next cycle.
const MOST_PROBES: usize = 64;

/// A batch, judged as far as that goes.
pub(super) struct Recovered {
    /// One per column.
    pub(super) outcomes: Vec<Outcome>,
    pub(super) checkpoint: Option<(u32, Vec<u8>)>,
    /// Columns that the detector could not judge, with its last words on each.
    pub(super) at_fault: Vec<(usize, JudgeError)>,
}

/// Judges a batch.
///
/// # Errors
/// The error of the whole batch, if no single variables can be made out that are at fault.
pub(super) async fn judge(
    detector: &mut Detector,
    batch: &Arc<Batch>,
    canary: Option<Arc<Batch>>,
) -> Result<Recovered, JudgeError> {
    let first = match detector.judge(Arc::clone(batch)).await {
        Ok(judged) => return Ok(whole(judged.outcomes, judged.checkpoint)),
        Err(error) => error,
    };
    tracing::warn!("{}: {first}; it is tried once more on a fresh instance", name(batch));
    let second = match detector.judge(Arc::clone(batch)).await {
        Ok(judged) => return Ok(whole(judged.outcomes, judged.checkpoint)),
        Err(error) => error,
    };
    let known_good = match canary {
        Some(canary) => {
            detector.discard();
            detector.judge(canary).await?;
            true
        }
        None => false,
    };
    tracing::warn!("{}: {second}; the variables at fault are looked for", name(batch));
    let found = search(detector, batch, second.clone()).await?;
    if found.at_fault.len() == batch.columns.len() && !known_good {
        return Err(second);
    }
    let good: Vec<usize> = (0..batch.columns.len()).filter(|column| !found.is_at_fault(*column)).collect();
    detector.discard();
    let (outcomes, checkpoint) = match detector.judge(Arc::new(batch.only(&good))).await {
        Ok(judged) => (good.into_iter().zip(judged.outcomes).collect(), judged.checkpoint),
        // Each part was judged and the whole is not: too large for the limits, say. Without state the parts will do.
        Err(_) if detector.description().checkpoint_schema == 0 => (found.judged, None),
        Err(error) => return Err(error),
    };
    let mut all: Vec<_> = batch.columns.iter().map(|_| Outcome::Failed("set aside".into())).collect();
    for (column, outcome) in outcomes {
        all[column] = outcome;
    }
    Ok(Recovered { outcomes: all, checkpoint, at_fault: found.at_fault })
}

fn whole(outcomes: Vec<Outcome>, checkpoint: Option<(u32, Vec<u8>)>) -> Recovered {
    Recovered { outcomes, checkpoint, at_fault: Vec::new() }
}

/// What a search found out about each column.
#[derive(Default)]
struct Found {
    at_fault: Vec<(usize, JudgeError)>,
    judged: Vec<(usize, Outcome)>,
}

impl Found {
    fn is_at_fault(&self, column: usize) -> bool {
        self.at_fault.iter().any(|(bad, _)| *bad == column)
    }
}

/// Halves the columns until every failing part is a single one. Each probe starts from the committed state.
async fn search(detector: &mut Detector, batch: &Batch, whole: JudgeError) -> Result<Found, JudgeError> {
    let mut found = Found::default();
    let mut suspects = vec![((0..batch.columns.len()).collect::<Vec<_>>(), whole.clone())];
    let mut failures = 0;
    while let Some((columns, error)) = suspects.pop() {
        if let [column] = columns[..] {
            found.at_fault.push((column, error));
            continue;
        }
        let (left, right) = columns.split_at(columns.len() / 2);
        for half in [right, left] {
            detector.discard();
            match detector.judge(Arc::new(batch.only(half))).await {
                Ok(judged) => found.judged.extend(half.iter().copied().zip(judged.outcomes)),
                Err(error) => {
                    failures += 1;
                    if failures > MOST_PROBES {
                        return Err(whole);
                    }
                    suspects.push((half.to_vec(), error));
                }
            }
        }
    }
    found.at_fault.sort_by_key(|(column, _)| *column);
    Ok(found)
}

/// The batch in words, for the log.
fn name(batch: &Batch) -> String {
    match (batch.datetimes.first(), batch.datetimes.last()) {
        (Some(first), Some(last)) => {
            format!("batch `{first}` to `{last}` of {} variables", batch.columns.len())
        }
        _ => "empty batch".into(),
    }
}
