//! Why a cycle ended early. What it had committed stays; the next cycle goes on from there.

use crate::detector::JudgeError;
use crate::store::{StoreError, Trouble};

/// A cycle that ended early.
#[derive(Debug, thiserror::Error)]
pub enum CycleError {
    /// The database.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The detector cannot judge anything: no variable is at fault, and nothing was committed.
    #[error("the detector judges none of {variables} variables, so the position stays where it is: {cause}")]
    Detector { variables: usize, cause: JudgeError },
}

impl CycleError {
    /// Whether opening the connection again may help.
    pub fn is_connection(&self) -> bool {
        matches!(self, Self::Store(error) if error.trouble == Trouble::Connection)
    }

    /// Whether another worker goes by this worker's name: to go on would only take it away again.
    pub fn is_fenced(&self) -> bool {
        matches!(self, Self::Store(error) if error.trouble == Trouble::Fenced)
    }
}
