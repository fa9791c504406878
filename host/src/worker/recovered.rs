//! What is asked to judge a batch, and what that comes to however much of it fails.

use std::sync::Arc;

use super::patience::Ended;
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
    pub(super) after: CheckpointAfter,
    /// Columns that the detector could not judge, with its last words on each.
    pub(super) at_fault: Vec<(usize, JudgeError)>,
}

/// The detector's state after a batch.
#[derive(Debug, PartialEq)]
pub(super) enum CheckpointAfter {
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
