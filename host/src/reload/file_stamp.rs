//! Whether the files of a set may have changed, without reading them.
//!
//! Two fingerprints are compared with `!=` and never ordered: a rollback restores an older file. A
//! file whose metadata cannot be read is part of the fingerprint too, so that its return is a
//! change.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use serde::{Deserialize, Serialize};

/// The coarsest timestamps of a file system that we know of (FAT). Within one tick of it a file may
/// be written twice and look the same.
const TICK: Duration = Duration::from_secs(2);

/// The clock that says how long ago a file was written.
pub type FileClock = Arc<dyn Fn() -> SystemTime + Send + Sync>;

/// What the file system says about the files of a set, by path.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fingerprint(Vec<(PathBuf, Result<FileStamp, String>)>);

/// One file, or the directory that holds the models.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct FileStamp {
    /// After following all links: a changed link shows here.
    canonical: PathBuf,
    length: u64,
    modified: Option<SystemTime>,
    changed: Option<Duration>,
    id: Option<file_id::FileId>,
}

/// A stamp that can be stored beyond the process: while a file of the same path has an equal one,
/// it has the same bytes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct RememberedStamp {
    length: u64,
    /// Since 1970.
    modified: Duration,
    /// The time of the last change of any kind, since 1970, which no program can set back; None
    /// where the system does not tell.
    changed: Option<Duration>,
    id: file_id::FileId,
}

impl Fingerprint {
    /// Reads the metadata of each of the paths.
    pub(super) fn of(paths: impl IntoIterator<Item = PathBuf>) -> Self {
        let look = |path: PathBuf| {
            let looked = FileStamp::at(&path).map_err(|error| error.to_string());
            (path, looked)
        };
        Self(paths.into_iter().map(look).collect())
    }

    /// Whether an equal fingerprint later on will mean equal bytes: no file was written so recently
    /// that it could be written again in the same tick.
    pub(super) fn is_at_rest(&self, now: SystemTime) -> bool {
        let young = |look: &FileStamp| {
            let age = look.modified.and_then(|modified| now.duration_since(modified).ok());
            age.is_some_and(|age| age < TICK)
        };
        !self.0.iter().any(|(_, look)| look.as_ref().is_ok_and(young))
    }
}

impl FileStamp {
    /// Reads the metadata of one path, through links.
    pub(super) fn at(path: &Path) -> std::io::Result<Self> {
        let canonical = fs::canonicalize(path)?;
        let metadata = fs::metadata(&canonical)?;
        Ok(Self {
            length: metadata.len(),
            modified: metadata.modified().ok(),
            changed: changed(&metadata),
            id: file_id::get_file_id(&canonical).ok(),
            canonical,
        })
    }

    /// None where the system gives too little metadata.
    pub(super) fn mark(&self) -> Option<RememberedStamp> {
        let modified = self.modified?.duration_since(SystemTime::UNIX_EPOCH).ok()?;
        Some(RememberedStamp { length: self.length, modified, changed: self.changed, id: self.id? })
    }
}

impl RememberedStamp {
    /// Whether an equal stamp will stand for what was read of the file before `now`: the file was
    /// not written so recently that it could be written again in the same tick, nor by a clock
    /// ahead of ours.
    pub(super) fn is_at_rest(&self, now: SystemTime) -> bool {
        let latest = self.changed.map_or(self.modified, |changed| changed.max(self.modified));
        now.duration_since(SystemTime::UNIX_EPOCH).is_ok_and(|now| latest + TICK <= now)
    }
}

#[cfg(unix)]
fn changed(metadata: &fs::Metadata) -> Option<Duration> {
    use std::os::unix::fs::MetadataExt;
    let seconds = u64::try_from(metadata.ctime()).ok()?;
    Some(Duration::new(seconds, u32::try_from(metadata.ctime_nsec()).ok()?))
}

#[cfg(not(unix))]
fn changed(_: &fs::Metadata) -> Option<Duration> {
    None
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test stops at the first surprise")]

    use super::*;

    #[test]
    fn only_what_has_rested_is_remembered() {
        let at = |seconds| SystemTime::UNIX_EPOCH + Duration::from_secs(seconds);
        for (modified, changed, now, at_rest) in [
            (100, Some(100), 102, true),
            (100, Some(100), 101, false),
            (100, None, 102, true),
            (100, None, 101, false),
            // The modification time was set back; the change time was not.
            (10, Some(100), 101, false),
            (10, Some(100), 102, true),
            // A file server whose clock is ahead.
            (1000, Some(100), 200, false),
        ] {
            let mark = RememberedStamp {
                length: 1,
                modified: Duration::from_secs(modified),
                changed: changed.map(Duration::from_secs),
                id: file_id::FileId::new_inode(1, 2),
            };
            assert_eq!(mark.is_at_rest(at(now)), at_rest, "{modified} {changed:?} {now}");
        }
    }

    #[test]
    fn a_mark_tells_files_and_contents_apart() {
        let dir = tempfile::tempdir().unwrap();
        let (one, two) = (dir.path().join("one"), dir.path().join("two"));
        let mark = |path: &Path| FileStamp::at(path).unwrap().mark().unwrap();
        fs::write(&one, "x").unwrap();
        fs::write(&two, "x").unwrap();
        let first = mark(&one);
        assert_eq!(mark(&one), first);
        assert_ne!(mark(&two), first, "another file");
        fs::write(&one, "xy").unwrap();
        assert_ne!(mark(&one), first, "another length");
        fs::write(&one, "y").unwrap();
        fs::File::options().write(true).open(&one).unwrap().set_modified(SystemTime::UNIX_EPOCH).unwrap();
        assert_ne!(mark(&one), first, "another time");
        fs::rename(&two, &one).unwrap();
        assert_ne!(mark(&one), first, "another file in its place");
    }
}
