//! Whether the files of a set may have changed, without reading them.
//!
//! Two fingerprints are compared with `!=` and never ordered: a rollback puts an older file back. A file that cannot be looked at is
//! part of the fingerprint too, so that its coming back is a change.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use file_id::FileId;

/// The coarsest clock of a file system that we know of (FAT). Within one tick of it a file may be written twice and look the same.
const TICK: Duration = Duration::from_secs(2);

/// What the file system says about the files of a set, by path.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fingerprint(Vec<(PathBuf, Result<Look, String>)>);

/// One file, or the directory that holds the models.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Look {
    /// Behind all links: a swapped link shows here.
    canonical: PathBuf,
    length: u64,
    modified: Option<SystemTime>,
    id: Option<FileId>,
}

impl Fingerprint {
    /// Looks at each of the paths.
    pub(super) fn of(paths: impl IntoIterator<Item = PathBuf>) -> Self {
        let look = |path: PathBuf| {
            let looked = Look::at(&path).map_err(|error| error.to_string());
            (path, looked)
        };
        Self(paths.into_iter().map(look).collect())
    }

    /// Whether an equal fingerprint later on will mean equal bytes: no file was written so lately that it could be written again
    /// in the same tick.
    pub(super) fn is_at_rest(&self, now: SystemTime) -> bool {
        let young = |look: &Look| {
            let age = look.modified.and_then(|modified| now.duration_since(modified).ok());
            age.is_some_and(|age| age < TICK)
        };
        !self.0.iter().any(|(_, look)| look.as_ref().is_ok_and(young))
    }
}

impl Look {
    /// Looks at one path, through links.
    pub(super) fn at(path: &Path) -> std::io::Result<Self> {
        let canonical = fs::canonicalize(path)?;
        let metadata = fs::metadata(&canonical)?;
        Ok(Self {
            length: metadata.len(),
            modified: metadata.modified().ok(),
            id: file_id::get_file_id(&canonical).ok(),
            canonical,
        })
    }
}
