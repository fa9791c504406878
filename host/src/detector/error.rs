//! Why a set cannot be used, and why a batch was not judged. Each text is complete: a cause is part
//! of the sentence, not a chain of errors.

use std::time::Duration;

use crate::regular::Unreadable;

/// A set that cannot be opened. The texts say what to do; the caller only reports them and keeps
/// the set that it has.
#[derive(Debug, thiserror::Error)]
pub enum DetectorError {
    /// The file is not a component, or is one of another world or of another version of the
    /// contract.
    #[error("`{module}` cannot be used: {why}")]
    Module { module: String, why: String },
    /// It was not compiled, because of the machine at that moment rather than the module.
    #[error("`{module}` cannot be used: {why}")]
    Uncompiled { module: String, why: String },
    /// The detector refuses its settings.
    #[error("the detector refuses its settings: {0}")]
    Settings(String),
    /// There is nothing to give to the detector.
    #[error("{0}")]
    NoModels(String),
    /// The detector can use none of the model files.
    #[error("the detector refuses its models: {0}")]
    Models(String),
    /// The detector cannot read the checkpoint of an earlier run.
    #[error("the detector cannot read its checkpoint: {0}")]
    Checkpoint(String),
    /// Opening ended in a trap, at the deadline or with an answer that breaks the contract.
    #[error("`{module}` failed while it was opened: {cause}")]
    Open { module: String, cause: JudgeError },
    /// It opens, but cannot judge a batch that was judged before.
    #[error("`{module}` was tried on the last committed batch and failed: {cause}")]
    Canary { module: String, cause: JudgeError },
    /// A model file that was used until now could not be used any more.
    #[error(
        "`{path}` cannot be used and `{variable}` would lose its model, mend the file or remove it: {why}"
    )]
    LosesModel { path: String, variable: String, why: String },
    /// A file or directory of the set cannot be read.
    #[error("`{path}` cannot be read: {cause}")]
    Read { path: String, cause: Unreadable },
    /// A file of the set changed while it was read: it is being written. The next look reads it
    /// whole.
    #[error("`{path}` changed while it was read; it is read again when it rests")]
    Unsettled { path: String },
    /// The sandbox itself could not be made.
    #[error("no sandbox for the detector: {0}")]
    Engine(String),
}

impl DetectorError {
    /// Whether the same files may succeed later: the machine was busy, or short of processes.
    pub(crate) fn may_pass(&self) -> bool {
        match self {
            Self::Uncompiled { .. } | Self::Engine(_) => true,
            Self::Open { cause, .. } | Self::Canary { cause, .. } => matches!(cause, JudgeError::Deadline(_)),
            Self::Module { .. }
            | Self::Settings(_)
            | Self::NoModels(_)
            | Self::Models(_)
            | Self::Checkpoint(_)
            | Self::LosesModel { .. }
            | Self::Read { .. }
            | Self::Unsettled { .. } => false,
        }
    }
}

/// A call that brought no verdicts. The sandbox that it ran in is gone.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum JudgeError {
    /// The guest trapped: a panic, memory exhausted, a stack overrun.
    #[error("the detector trapped: {0}")]
    Trap(String),
    /// The call did not return in time.
    #[error("the detector did not answer within {}", humantime::format_duration(*.0))]
    Deadline(Duration),
    /// The answer breaks the contract.
    #[error("the detector's answer breaks the contract: {0}")]
    Contract(String),
    /// The detector says that it cannot judge the batch.
    #[error("the detector cannot judge the batch: {0}")]
    Refused(String),
    /// The variable was not tried alone: its batch failed, and the search for the variable at fault
    /// was ended.
    #[error("a batch that it was in failed, and the search for the variable at fault took too long")]
    NotLookedAt,
    /// No fresh instance could be opened for the call.
    #[error("no fresh instance of the detector: {0}")]
    Reopen(String),
}
