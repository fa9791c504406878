//! An open log file: its identity, its length, and the right to rename it.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::Path;

use file_id::FileId;

/// A log that is open.
pub(super) struct OpenLog {
    pub(super) file: File,
    /// None where the system does not tell, and if it is not a regular file.
    id: Option<FileId>,
    /// The size at which to rename; above the limit after a rename that failed, and None for a file
    /// that is never renamed.
    pub(super) rotate_at: Option<u64>,
}

impl OpenLog {
    /// Opens the log, whose file may have `limit` bytes.
    pub(super) fn at(path: &Path, limit: u64) -> io::Result<Self> {
        if let Some(parent) = path.parent() {
            fs::create_dir_all(parent)?;
        }
        let mut file = OpenOptions::new().append(true).create(true).open(path)?;
        let metadata = file.metadata()?;
        if !metadata.is_file() {
            return Ok(Self { file, id: None, rotate_at: None });
        }
        // A crash or a full disk may have left half a line; the next one must not continue it.
        if metadata.len() > 0 && last_byte(path).is_ok_and(|last| last != b'\n') {
            file.write_all(b"\n")?;
        }
        Ok(Self { file, id: file_id::get_file_id(path).ok(), rotate_at: Some(limit) })
    }

    pub(super) fn size(&self) -> io::Result<u64> {
        Ok(self.file.metadata()?.len())
    }

    /// Whether the name still refers to this file: it may have been renamed or removed meanwhile.
    pub(super) fn is_under(&self, path: &Path) -> bool {
        self.id.is_none() || file_id::get_file_id(path).ok() == self.id
    }

    /// Adds a line to a file of that size.
    pub(super) fn write(&mut self, size: u64, line: &[u8]) -> io::Result<()> {
        let written = self.file.write_all(line);
        if written.is_err() && self.rotate_at.is_some() {
            // No partial line, if the system allows to truncate it; what another worker wrote
            // meanwhile stays.
            let added = self.file.metadata().map_or(0, |now| now.len().saturating_sub(size));
            if added > 0 && added < line.len() as u64 {
                let _ = self.file.set_len(size);
            }
        }
        written
    }

    /// The right to rename, as long as it is held; None while another worker has it. If no lock can
    /// be had, every worker has the right: one rename too many makes a short file, and loses no
    /// line.
    #[cfg(unix)]
    pub(super) fn turn(&self) -> Option<File> {
        use std::fs::TryLockError;

        let same = self.file.try_clone().ok()?;
        match same.try_lock() {
            Err(TryLockError::WouldBlock) => None,
            Ok(()) | Err(TryLockError::Error(_)) => Some(same),
        }
    }

    /// A lock on the log itself would keep the others from writing.
    #[cfg(not(unix))]
    #[expect(clippy::unused_self, reason = "as on Unix")]
    pub(super) fn turn(&self) -> Option<()> {
        Some(())
    }
}

fn last_byte(path: &Path) -> io::Result<u8> {
    let mut file = File::open(path)?;
    let mut last = [0];
    file.seek(SeekFrom::End(-1))?;
    file.read_exact(&mut last)?;
    Ok(last[0])
}
