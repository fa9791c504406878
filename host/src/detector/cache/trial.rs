//! A mark beside an entry from when its code is loaded until it has run once.
//!
//! Code that crashes the process would crash it at each start. A mark that no process holds shows
//! such a crash, and the entry is made anew. The process that made a mark holds a lock on it, so
//! that workers that start together do not take each other's marks for those of a crash.

use std::fs::{self, File, TryLockError};
use std::io::{Read, Write};
use std::path::{Path, PathBuf};

/// The mark of this process; dropped when the code has run.
pub(in crate::detector) struct FirstLoad {
    mark: PathBuf,
    file: File,
}

/// The result of starting a trial.
pub(super) enum Begun {
    /// Marked.
    Mine(FirstLoad),
    /// Another process is trying it, or no mark can be written here.
    Unmarked,
    /// The process that tried it before ended before the code had run.
    Died,
}

/// The path of the mark of an entry.
pub(super) fn mark(entry: &Path) -> PathBuf {
    entry.with_extension("trial")
}

pub(super) fn begin(entry: &Path) -> Begun {
    let mark = mark(entry);
    let Ok(mut file) = File::options().read(true).write(true).create(true).truncate(false).open(&mark) else {
        return Begun::Unmarked;
    };
    match file.try_lock() {
        Ok(()) => {}
        Err(TryLockError::WouldBlock | TryLockError::Error(_)) => return Begun::Unmarked,
    }
    // Its owner writes the mark under the lock, and empties it before it releases the lock.
    let mut said = Vec::new();
    let died = file.read_to_end(&mut said).is_ok() && !said.is_empty();
    if died {
        let _ = fs::remove_file(&mark);
        return Begun::Died;
    }
    if file.write_all(b"tried\n").is_err() {
        return Begun::Unmarked;
    }
    Begun::Mine(FirstLoad { mark, file })
}

impl Drop for FirstLoad {
    fn drop(&mut self) {
        let _ = self.file.set_len(0);
        let _ = fs::remove_file(&self.mark);
    }
}
