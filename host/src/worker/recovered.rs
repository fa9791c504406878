//! The interface that judges a batch, and the result, however much of the batch fails.

use std::sync::Arc;

use super::patience::Ended;
use crate::batch::{Batch, Outcome};
use crate::checkpoint::Checkpoint;
use crate::detector::{Detector, JudgeError, Judged};

/// What judges a batch: a detector, or a test's substitute.
pub(super) trait Judge {
    /// Judges a batch, on a fresh instance if the last one failed.
    async fn judge(&mut self, batch: Arc<Batch>) -> Result<Judged, JudgeError>;
    /// The next batch is judged from the committed state.
    fn discard(&mut self);
    fn keeps_state(&self) -> bool;
    /// The next batch is judged without the checkpoint; false if there is none.
    fn give_up_checkpoint(&mut self) -> bool;
    /// The digest of its set.
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

/// A batch, judged as far as possible.
#[derive(Debug)]
pub(super) struct Recovered {
    /// One per column.
    pub(super) outcomes: Vec<Outcome>,
    pub(super) after: CheckpointAfter,
    /// Columns that the detector could not judge, each with its last error.
    pub(super) at_fault: Vec<(usize, JudgeError)>,
}

/// The detector's state after a batch.
#[derive(Debug, PartialEq)]
pub(super) enum CheckpointAfter {
    /// As before the batch: nothing was judged, or the new state is not usable.
    Unchanged,
    /// None: there is nothing to keep.
    Checkpoint(Option<Checkpoint>),
}

/// Why there are no verdicts on a batch.
#[derive(Debug, PartialEq)]
pub(super) enum Unjudged {
    /// The fault cannot be traced to single variables.
    Failed(JudgeError),
    /// The search is not over and continues in the next cycle. This many variables are still to be
    /// tried.
    Unfinished { left: usize, cause: JudgeError },
    /// The search was ended for something else; never [`Ended::Time`].
    Ended(Ended),
}

impl Recovered {
    pub(super) fn whole(judged: Judged) -> Self {
        let after = CheckpointAfter::of(&judged);
        Self { outcomes: judged.outcomes, after, at_fault: Vec::new() }
    }
}

impl CheckpointAfter {
    pub(super) fn of(judged: &Judged) -> Self {
        if judged.not_kept.is_some() { Self::Unchanged } else { Self::Checkpoint(judged.checkpoint.clone()) }
    }
}
