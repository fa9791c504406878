//! What happens when a batch is not judged: it is tried once more on a fresh instance, then in
//! halves, until the variables at fault are known.
//!
//! If the detector cannot even judge the last committed batch, it is at fault itself: nothing is
//! set aside and the position stays. If it judges that batch without its checkpoint, the checkpoint
//! is at fault and is dropped.

use std::sync::Arc;

use super::patience::{Ended, Patience};
use super::recovered::{Judge, Recovered, Unjudged};
use super::search::{self, Learnt};
use crate::batch::Batch;
use crate::detector::JudgeError;

/// Judges a batch.
///
/// # Errors
/// [`Unjudged`]; `learnt` holds what was found out.
pub(super) async fn judge(
    detector: &mut impl Judge,
    batch: &Arc<Batch>,
    canary: Option<Arc<Batch>>,
    learnt: &mut Learnt,
    patience: &mut Patience<'_>,
) -> Result<Recovered, Unjudged> {
    let judged = attempt(detector, batch, canary, learnt, patience).await;
    if let Err(Unjudged::Failed(_)) = &judged {
        // Single variables are not at fault: the next cycle begins with the whole batch.
        learnt.clear();
    }
    judged
}

async fn attempt(
    detector: &mut impl Judge,
    batch: &Arc<Batch>,
    canary: Option<Arc<Batch>>,
    learnt: &mut Learnt,
    patience: &mut Patience<'_>,
) -> Result<Recovered, Unjudged> {
    learnt.keep_for(detector.digest());
    let known_good = canary.is_some();
    if !learnt.is_empty() {
        // The cycle before has tried the whole batch and the canary.
        return search::search(detector, batch, None, known_good, learnt, patience).await;
    }
    let first = match detector.judge(Arc::clone(batch)).await {
        Ok(judged) => return Ok(Recovered::whole(judged)),
        Err(error) => error,
    };
    go_on(patience)?;
    tracing::warn!("{}: {first}; it is tried once more on a fresh instance", name(batch));
    let second = match detector.judge(Arc::clone(batch)).await {
        Ok(judged) => return Ok(Recovered::whole(judged)),
        Err(error) => error,
    };
    go_on(patience)?;
    if let Some(canary) = canary {
        detector.discard();
        if let Err(error) = detector.judge(Arc::clone(&canary)).await {
            go_on(patience)?;
            return without_checkpoint(detector, &canary, batch, error).await;
        }
        // It has learnt the canary a second time: this state must not be used to judge.
        detector.discard();
    }
    tracing::warn!("{}: {second}; the variables at fault are looked for", name(batch));
    match search::search(detector, batch, Some(second), known_good, learnt, patience).await {
        Err(Unjudged::Failed(error)) if !known_good => {
            without_checkpoint(detector, batch, batch, error).await
        }
        ended => ended,
    }
}

/// The detector fails at everything. If it judges the `proof` without its checkpoint, the
/// checkpoint was at fault.
async fn without_checkpoint(
    detector: &mut impl Judge,
    proof: &Arc<Batch>,
    batch: &Arc<Batch>,
    error: JudgeError,
) -> Result<Recovered, Unjudged> {
    if !detector.give_up_checkpoint() || detector.judge(Arc::clone(proof)).await.is_err() {
        return Err(Unjudged::Failed(error));
    }
    tracing::warn!(
        "the detector judges nothing with the checkpoint that is stored, and goes on without: {error}"
    );
    detector.discard();
    detector.judge(Arc::clone(batch)).await.map(Recovered::whole).map_err(Unjudged::Failed)
}

/// A stop, or a set that is ready, ends these tries at once; the time budget applies to the search
/// only.
fn go_on(patience: &Patience<'_>) -> Result<(), Unjudged> {
    match patience.ended() {
        Some(ended @ (Ended::Stop | Ended::Ready)) => Err(Unjudged::Ended(ended)),
        Some(Ended::Time) | None => Ok(()),
    }
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
