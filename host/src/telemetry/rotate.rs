//! A log file that is renamed to `worker.log.1`, `.2`, … when it is full.
//!
//! It is our own because of how it fails. Of the packages for this, file-rotate stops logging for
//! good if a rename fails and panics on an unexpected file, rolling-file drops an old log with each
//! failed rename, and logroller buffers and starts threads. Here a file that cannot be renamed
//! keeps growing, a file that cannot be written is tried again with every line, and either is
//! reported once.
//!
//! Other processes may use the same file: a second worker, logrotate by renaming or by truncating
//! (`copytruncate`). So before each line the file of that name is checked, and its length; of
//! several workers one renames.

mod open_log;
#[cfg(test)]
mod tests;

use std::fs;
use std::io::{self, ErrorKind, Write};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};

use open_log::OpenLog;

use crate::unit_limit::explained;

/// Takes whole lines from any thread, and writes each in one `write`.
pub(super) struct RotatedFile {
    path: PathBuf,
    /// The most bytes of the file.
    limit: u64,
    /// The number of renamed files that are kept.
    keep: usize,
    tell: Box<dyn Fn(&str) + Send + Sync>,
    state: Mutex<RotationState>,
}

#[derive(Default)]
struct RotationState {
    open: Option<OpenLog>,
    /// The error that was reported last, so that it is not reported with every line.
    told: String,
}

impl RotatedFile {
    /// Opens the file, so that `tell` reports at once if it cannot be written.
    pub(super) fn new(path: &Path, limit: u64, keep: usize, tell: Box<dyn Fn(&str) + Send + Sync>) -> Self {
        let file = Self { path: path.to_owned(), limit, keep, tell, state: Mutex::default() };
        file.write_line(b"");
        file
    }

    /// Syncs the file to the disk.
    pub(super) fn save(&self) {
        if let Some(open) = &self.state().open {
            let _ = open.file.sync_all();
        }
    }

    fn state(&self) -> MutexGuard<'_, RotationState> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn write_line(&self, line: &[u8]) {
        let mut state = self.state();
        if let Err(trouble) = self.append(&mut state, line) {
            state.open = None;
            self.tell(
                &mut state,
                &format!("cannot write `{}`: {}; lines miss there", self.path.display(), explained(&trouble)),
            );
        }
    }

    fn tell(&self, state: &mut RotationState, trouble: &str) {
        if state.told != trouble {
            trouble.clone_into(&mut state.told);
            (self.tell)(trouble);
        }
    }

    fn append(&self, state: &mut RotationState, line: &[u8]) -> io::Result<()> {
        let mut open = match state.open.take() {
            Some(open) if open.is_under(&self.path) => open,
            _ => OpenLog::at(&self.path, self.limit)?,
        };
        let mut size = open.size()?;
        if open.rotate_at.is_some_and(|limit| size > 0 && size + line.len() as u64 > limit) {
            (open, size) = self.renewed(state, open, line.len() as u64)?;
        }
        match open.write(size, line) {
            // A limit of the system applies before ours.
            Err(error) if error.kind() == ErrorKind::FileTooLarge && size > 0 && open.rotate_at.is_some() => {
                (open, size) = self.renewed(state, open, line.len() as u64)?;
                open.write(size, line)?;
            }
            written => written?,
        }
        state.open = Some(open);
        Ok(())
    }

    /// The file after a rename, and its size. It is the old one if that cannot be renamed, or if
    /// another worker is renaming it.
    fn renewed(&self, state: &mut RotationState, open: OpenLog, length: u64) -> io::Result<(OpenLog, u64)> {
        let Some(_turn) = open.turn() else {
            let size = open.size()?;
            return Ok((open, size));
        };
        // Another worker has renamed it before.
        let renamed = if open.is_under(&self.path) {
            // Windows renames no open file.
            drop(open);
            self.rename()
        } else {
            Ok(())
        };
        let mut open = OpenLog::at(&self.path, self.limit)?;
        let size = open.size()?;
        if let Err(trouble) = renamed {
            open.rotate_at = open.rotate_at.map(|_| size + length + self.limit / 10);
            let told = format!("cannot rename `{}`: {trouble}; it grows on", self.path.display());
            self.tell(state, &told);
        }
        Ok((open, size))
    }

    /// Renames the file to `.1`, after `.1` to `.2` and so on, up to the first free number, so that
    /// repeated failures of a rename cost no old log.
    fn rename(&self) -> io::Result<()> {
        let free = (1..self.keep).find(|number| !self.numbered(*number).exists()).unwrap_or(self.keep);
        for number in (0..free).rev() {
            fs::rename(self.numbered(number), self.numbered(number + 1))?;
        }
        Ok(())
    }

    fn numbered(&self, number: usize) -> PathBuf {
        let mut path = self.path.clone().into_os_string();
        if number > 0 {
            path.push(format!(".{number}"));
        }
        path.into()
    }
}

/// Accepts everything: what cannot be written is lost here and reported by [`RotatedFile::new`]'s
/// `tell`.
impl Write for &RotatedFile {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        self.write_line(line);
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
