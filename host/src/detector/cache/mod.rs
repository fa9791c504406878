//! The cache directory: results that need not be computed again. `compiled` holds machine code
//! (`compiled`), `models` the compacted forms of model files.
//!
//! All of it can be deleted at any time, and several workers may share it: files are written under
//! a temporary name and renamed. If the directory cannot be written, or others can write it, that
//! is logged once and costs only time.

mod compiled;
pub(crate) mod private;
mod trial;

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};

pub(super) use compiled::CacheKey;
pub(super) use trial::FirstLoad;

/// A cache directory, which lives as long as the engine.
pub(crate) struct Cache {
    directory: PathBuf,
    said: AtomicBool,
}

impl Cache {
    /// None, and a line in the log, if it exists and others can write it: code in a file there is
    /// run in this process.
    pub(super) fn open(directory: &Path) -> Option<Self> {
        let directory = std::path::absolute(directory).unwrap_or_else(|_| directory.to_owned());
        match private::check(&directory) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                tracing::warn!(
                    "the cache directory `{}` is not used, so that each start takes longer: {error}",
                    directory.display()
                );
                None
            }
            _ => Some(Self { directory, said: AtomicBool::new(false) }),
        }
    }

    /// For machine code.
    fn compiled(&self) -> PathBuf {
        self.directory.join("compiled")
    }

    /// For compacted forms of model files.
    pub(crate) fn models(&self) -> PathBuf {
        self.directory.join("models")
    }

    /// Logs that something cannot be stored.
    pub(crate) fn complain(&self, error: &dyn std::fmt::Display) {
        if !self.said.swap(true, Ordering::Relaxed) {
            tracing::warn!(
                "nothing new is kept in the cache directory `{}`, so that a start takes longer: {error}",
                self.directory.display()
            );
        }
    }
}
