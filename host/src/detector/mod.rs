//! The detector: a WebAssembly component that the host does not trust.
//!
//! One [`Engine`] serves the process. A [`Set`] is what one detector is made of (module, model
//! files, settings), as bytes with one digest. A [`Detector`] is a set opened in a sandbox of its
//! own, and the only interface of the worker. Whatever fails inside, the sandbox is dropped and the
//! next call gets a fresh one with the last committed checkpoint; the host continues.

mod bindings;
pub(crate) mod cache;
pub mod check;
mod compactor;
pub mod compile;
mod description;
#[expect(clippy::module_inception, reason = "a file is named for the type that it defines")]
mod detector;
mod engine;
mod engine_config;
mod error;
mod guest_text;
mod inspect;
mod instance;
mod limits;
mod logging;
mod opening;
#[cfg(test)]
mod published;
mod sandbox;
mod set;
mod ticker;
pub mod trainer;
mod weight;

pub(crate) use compactor::{Compacting, Compactor};
pub use compile::Compiler;
pub use description::{Description, Judged, ModelStatus, Summary};
pub use detector::Detector;
pub use engine::Engine;
pub use error::{DetectorError, JudgeError};
pub(crate) use guest_text::name as as_said;
pub use inspect::{Inspection, inspect};
pub use limits::Limits;
pub use set::{Digest, ModelFile, Module, Set, UnreadableFile, short_digest};
pub(crate) use set::{FilesRead, SetParts, hex};
pub use trainer::{Series, TrainError, Trained, Trainer, TrainingReport};

/// The Prophet detector of `detector-guest`, built with the host so that one binary is a complete
/// installation.
pub const BUILT_IN: &[u8] = include_bytes!(env!("BUILT_IN_DETECTOR"));

/// The version of the contract that this host supports.
pub const CONTRACT: &str = "anomaly-worker:detector@0.1.0";
