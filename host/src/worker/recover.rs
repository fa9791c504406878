//! What happens when a batch is not judged: once more on a fresh instance, then by halves, until
//! the variables at fault are known.
//!
//! A detector that cannot even judge the last committed batch is at fault itself; then nothing is
//! set aside and the position stays. Unless it judges that batch without its checkpoint: then the
//! checkpoint is at fault, and is given up.

use std::sync::Arc;

use super::patience::{Ended, Patience};
use super::search::{self, Learnt};
use crate::batch::{Batch, Outcome};
use crate::checkpoint::Checkpoint;
use crate::detector::{Detector, JudgeError, Judged};

/// What is asked to judge: a detector, or a test's idea of one.
pub(super) trait Judge {
    /// Judges a batch, on a fresh instance if the last one failed.
    async fn judge(&mut self, batch: Arc<Batch>) -> Result<Judged, JudgeError>;
    /// The next batch is judged from the committed state.
    fn discard(&mut self);
    fn keeps_state(&self) -> bool;
    /// The next batch is judged without the checkpoint; false if there is none.
    fn give_up_checkpoint(&mut self) -> bool;
    /// Of its set.
    fn digest(&self) -> &str;
}

impl Judge for Detector {
    async fn judge(&mut self, batch: Arc<Batch>) -> Result<Judged, JudgeError> {
        Detector::judge(self, batch).await
    }

    fn discard(&mut self) {
        Detector::discard(self);
    }

    fn keeps_state(&self) -> bool {
        Detector::keeps_state(self)
    }

    fn give_up_checkpoint(&mut self) -> bool {
        Detector::give_up_checkpoint(self)
    }

    fn digest(&self) -> &str {
        &self.set().digest
    }
}

/// A batch, judged as far as that goes.
#[derive(Debug)]
pub(super) struct Recovered {
    /// One per column.
    pub(super) outcomes: Vec<Outcome>,
    pub(super) after: After,
    /// Columns that the detector could not judge, with its last words on each.
    pub(super) at_fault: Vec<(usize, JudgeError)>,
}

/// The detector's state after a batch.
#[derive(Debug, PartialEq)]
pub(super) enum After {
    /// As before it: nothing was judged, or the new state is none to keep.
    Unchanged,
    /// None: there is nothing to keep.
    Checkpoint(Option<Checkpoint>),
}

/// Why a batch brought nothing.
#[derive(Debug, PartialEq)]
pub(super) enum Unjudged {
    /// No single variables can be made out that are at fault.
    Failed(JudgeError),
    /// The search is not over, and goes on in the next cycle. So many variables are still to be
    /// looked at.
    Unfinished { left: usize, cause: JudgeError },
    /// There is something better to do; never [`Ended::Time`].
    Ended(Ended),
}

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
        // It is no matter of single variables: the next cycle begins with the whole.
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
        // The cycle before has tried the whole and asked the canary.
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
    }
    tracing::warn!("{}: {second}; the variables at fault are looked for", name(batch));
    match search::search(detector, batch, Some(second), known_good, learnt, patience).await {
        Err(Unjudged::Failed(error)) if !known_good => {
            without_checkpoint(detector, batch, batch, error).await
        }
        ended => ended,
    }
}

/// The detector fails at everything. If it judges the `proof` without its checkpoint, that was at
/// fault.
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

impl Recovered {
    fn whole(judged: Judged) -> Self {
        let after = After::of(&judged);
        Self { outcomes: judged.outcomes, after, at_fault: Vec::new() }
    }
}

impl After {
    pub(super) fn of(judged: &Judged) -> Self {
        if judged.not_kept.is_some() { Self::Unchanged } else { Self::Checkpoint(judged.checkpoint.clone()) }
    }
}

/// A stop, and a set that is ready, end what is tried here at once; time is the search's affair.
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
