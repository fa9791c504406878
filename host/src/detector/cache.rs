//! The cache directory: what was made once and need not be made again. `compiled` belongs to wasmtime, which deletes what it does not
//! know; `models` holds what detectors made of model files.
//!
//! All of it can be deleted at any time, and several workers may share it: files come under a temporary name and are renamed. A directory
//! that cannot be written is said once and costs time, nothing else.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};

/// A cache directory, as long as the engine.
pub(crate) struct Cache {
    directory: PathBuf,
    said: AtomicBool,
}

impl Cache {
    pub(super) fn new(directory: &Path) -> Self {
        let directory = std::path::absolute(directory).unwrap_or_else(|_| directory.to_owned());
        Self { directory, said: AtomicBool::new(false) }
    }

    pub(super) fn compiled(&self) -> PathBuf {
        self.directory.join("compiled")
    }

    /// For what detectors made of model files.
    pub(crate) fn models(&self) -> PathBuf {
        self.directory.join("models")
    }

    /// Something cannot be kept.
    pub(crate) fn complain(&self, error: &dyn std::fmt::Display) {
        if !self.said.swap(true, Ordering::Relaxed) {
            tracing::warn!(
                "nothing new is kept in the cache directory `{}`, so that a start takes longer: {error}",
                self.directory.display()
            );
        }
    }
}
