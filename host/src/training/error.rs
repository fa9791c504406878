//! Why a training came to nothing.

use std::io;

use crate::detector::DetectorError;
use crate::store::StoreError;

/// Why a training came to nothing. What was in use is in use.
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
    /// Of what does not fit into memory.
    #[error("the readings cannot be put by in `{path}`, where 16 bytes are needed for each: {cause}")]
    PutBy { path: String, cause: io::Error },
    #[error("the models were trained and do not fit together: {0}")]
    Together(String),
    /// It was asked to end.
    #[error("the training was ended before its last variable")]
    Ended,
}
