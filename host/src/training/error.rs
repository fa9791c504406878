//! Why a training failed.

use std::io;

use crate::detector::DetectorError;
use crate::store::StoreError;

/// Why a training failed. The set in use stays in use.
#[derive(Debug, thiserror::Error)]
pub enum TrainingError {
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error("{0}")]
    Detector(#[from] DetectorError),
    /// No series can be trained with these settings.
    #[error("the settings of the training cannot be used: `{variable}` {why}")]
    Settings { variable: String, why: String },
    #[error("the models cannot be written into `{path}`: {cause}")]
    Directory { path: String, cause: io::Error },
    /// The temporary file of readings that do not fit into memory.
    #[error(
        "the temporary file in `{path}` for readings that do not fit into memory (16 bytes each) cannot be used: {cause}"
    )]
    PutBy { path: String, cause: io::Error },
    #[error("the models were trained and do not fit together: {0}")]
    Together(String),
    /// The worker stops, or is no longer the active one.
    #[error("the training was ended before its last variable")]
    Ended,
}
