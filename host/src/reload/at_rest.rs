//! Detects files that are still being written, of which only a part may be there.
//!
//! A file is at rest if it looks the same before and after it is read. If it does not, [`Growing`]
//! decides: the file is left out, or the set waits for it.

use std::io::ErrorKind;
use std::path::Path;

use super::file_stamp::FileStamp;
use crate::regular::{self, Most, Unreadable};

/// What to do about a model file that changes while it is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Growing {
    /// The set waits for it.
    Waits,
    IsUnread,
}

/// The bytes of a file that looks the same before and after.
pub(super) fn read_at_rest(path: &Path, before: &FileStamp, most: Most) -> Result<Vec<u8>, Unreadable> {
    let bytes = regular::read(path, most)?;
    match FileStamp::at(path) {
        Ok(after) if after == *before => Ok(bytes),
        Err(error) if error.kind() != ErrorKind::NotFound => Err(error.into()),
        _ => Err(Unreadable::Changed),
    }
}
