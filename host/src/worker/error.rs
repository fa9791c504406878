//! Why a cycle ended early. What it had committed stays; the next cycle continues from there.

use super::patience::Ended;
use crate::detector::JudgeError;
use crate::store::{ErrorKind, StoreError};

/// A cycle that ended early.
#[derive(Debug, thiserror::Error)]
pub enum CycleError {
    /// The database.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// Nothing was tried, because another worker of this name is active.
    #[error("another worker named `{name}` is active; give this one another `name` if both are to run")]
    Standby { name: String },
    /// The detector cannot judge anything: it is no single variable's fault, and nothing was
    /// committed.
    #[error("the detector judges none of {variables} variables, so the position stays where it is: {cause}")]
    Detector { variables: usize, cause: JudgeError },
    /// The detector fails at a batch, and it is not known yet which variables are at fault. Nothing
    /// of the batch was committed.
    #[error(
        "the detector fails at a batch of {variables} variables, of which {left} are still to be looked at; the position stays where \
         it is: {cause}"
    )]
    Searching { variables: usize, left: usize, cause: JudgeError },
    /// The search for a fault was ended by a stop or for another set. A cycle never returns it.
    #[error("ended before its time: {0:?}")]
    Ended(Ended),
}

impl CycleError {
    /// Whether opening the connection again may help.
    pub fn is_connection(&self) -> bool {
        matches!(self, Self::Store(error) if error.kind == ErrorKind::Connection)
    }

    /// Whether another worker has taken this worker's name.
    pub fn is_fenced(&self) -> bool {
        matches!(self, Self::Store(error) if error.kind == ErrorKind::Fenced)
    }
}
