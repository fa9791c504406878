//! Prophet as a detector component.
//!
//! The judging is an ordinary library: [`ProphetDetector::open`] takes model files and settings,
//! [`ProphetDetector::detect`] judges a batch column by column. Only `guest` knows of WebAssembly;
//! it exists in a component build alone and translates between the contract in `wit/` and this
//! library. So tests and benchmarks of the library are tests and benchmarks of the component.
//!
//! Data flows one way: `settings` and `config` say what is wanted, `models` decides which file is
//! which variable's and reads it, `detector` cuts a batch into slices, `column` predicts them,
//! `score` makes scores and flags of predictions, `verdicts` collects them. Under the rule that
//! learns, `adaptive` then takes the predictions for what is expected and says what is an anomaly;
//! `plan` is what the settings say of it.
//! `training` makes models of series, and knows of the rest only how files are named.

mod adaptive;
mod column;
mod config;
mod detector;
mod form;
#[cfg(target_family = "wasm")]
mod guest;
mod models;
mod plan;
mod score;
mod settings;
mod training;
mod verdicts;

pub use adaptive::{News, StatePart};
pub use detector::{Column, ColumnOutcome, DetectError, ProphetDetector};
pub use models::{File, ModelState, UnreadableModel, compact};
pub use score::FlagBits;
pub use training::{TrainedFile, TrainedModel, TrainingError, companions, train};
pub use verdicts::{ColumnVerdicts, Withholding};

/// What the detector is called, in logs and in state.
pub const NAME: &str = "prophet";

/// What the parts of its state mean.
pub const CHECKPOINT_SCHEMA: u32 = 2;

/// Its version, for people.
pub const VERSION: &str = env!("CARGO_PKG_VERSION");

/// Why files and settings cannot be used together.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum OpenError {
    /// A setting is not one that this detector takes.
    #[error("{0}")]
    Settings(String),
    /// The model files as a whole.
    #[error("{0}")]
    Models(String),
    /// The state: without it the rest can be opened.
    #[error("{0}")]
    State(String),
}

impl OpenError {
    /// A setting with a value that it does not take.
    pub(crate) fn setting(key: &str, found: &serde_json::Value, expected: &str) -> Self {
        Self::Settings(format!("`{key}` is `{found}`; write {expected}"))
    }
}
