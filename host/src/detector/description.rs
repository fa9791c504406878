//! What modules and detectors say of themselves, in the host's own types. Plain data, checked
//! before it comes here.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use crate::batch::Outcome;
use crate::checkpoint::Checkpoint;

/// A module's description of itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Description {
    pub name: String,
    pub version: String,
    /// 0: it keeps no state.
    pub checkpoint_schema: u32,
}

/// What a detector made of its model files.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Summary {
    pub models: Vec<ModelStatus>,
    /// Whether late readings must be judged together with all readings of their datetime.
    pub whole_instants: bool,
    /// Paths of the files that are not part of the set.
    pub passed_over: HashSet<String>,
    /// How much history it wants to see when it starts without a checkpoint.
    pub lookback: Duration,
}

impl Summary {
    /// The models in use.
    pub fn loaded(&self) -> impl Iterator<Item = &ModelStatus> {
        self.models.iter().filter(|model| model.refused.is_none())
    }
}

/// One model file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ModelStatus {
    pub path: String,
    pub variable: Arc<str>,
    /// Why it is not used.
    pub refused: Option<String>,
}

/// The answer to one batch.
#[derive(Clone, Debug, PartialEq)]
pub struct Judged {
    /// One per column of the batch.
    pub outcomes: Vec<Outcome>,
    /// The detector's state after the batch, all of it; None if there is none.
    pub checkpoint: Option<Checkpoint>,
    /// Why its state is not kept, if it is not: the verdicts are valid all the same.
    pub not_kept: Option<String>,
}
