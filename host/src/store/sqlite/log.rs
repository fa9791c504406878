//! The write-ahead log, `plant.sqlite-wal` beside `plant.sqlite`: commits that are not in the file
//! itself yet.
//!
//! Opening a file that has one makes it and an index beside it, even for reading. So a reader
//! cannot open it in a directory that cannot be written, and a reader without the right to write
//! would leave both behind. If the log is empty or absent, everything is in the file itself, and it
//! can be read as it is without either.

use std::fs::{self, File};
use std::io::Read;
use std::path::{Path, PathBuf};
use std::time::Duration;

use rusqlite::Connection;

/// A log that has grown beyond this is truncated after a commit. SQLite restarts it from 4 MiB on,
/// so that it is larger only after one large transaction, or while a long read lasts, during which
/// nothing can be truncated.
pub(super) const LARGEST: u64 = 16 << 20;

/// The position in a database file's header that says how it is written and read, and its value for
/// a file with a log.
const VERSIONS: std::ops::Range<usize> = 18..20;
const WITH_LOG: [u8; 2] = [2, 2];

/// Whether this is a file with an empty log: no process is writing it.
pub(super) fn is_at_rest(path: &Path) -> bool {
    is_kept_with_log(path) && !holds_something(path)
}

/// Whether the log has content.
pub(super) fn holds_something(path: &Path) -> bool {
    fs::metadata(beside(path)).is_ok_and(|log| log.len() > 0)
}

fn is_kept_with_log(path: &Path) -> bool {
    let mut header = [0; VERSIONS.end];
    let read = File::open(path).and_then(|mut file| file.read_exact(&mut header));
    read.is_ok() && header[VERSIONS] == WITH_LOG
}

/// The log is beside the file itself, not beside a link to it.
fn beside(path: &Path) -> PathBuf {
    let mut log = fs::canonicalize(path).unwrap_or_else(|_| path.to_owned()).into_os_string();
    log.push("-wal");
    log.into()
}

/// The name by which SQLite opens a file as immutable: without locks, log or index.
pub(super) fn as_it_stands(path: &Path) -> String {
    let path = std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
    let mut name = "file://".to_owned();
    let bytes = path.as_os_str().as_encoded_bytes();
    if bytes.get(1) == Some(&b':') {
        // `C:\x` is `/C:/x` there, and `\\server\x` is `//server/x`.
        name.push('/');
    }
    for &byte in bytes {
        match byte {
            b'\\' if cfg!(windows) => name.push('/'),
            b'/' | b':' | b'.' | b'-' | b'_' => name.push(char::from(byte)),
            byte if byte.is_ascii_alphanumeric() => name.push(char::from(byte)),
            byte => name.push_str(&format!("%{byte:02X}")),
        }
    }
    name + "?immutable=1"
}

/// Truncates a log that has grown large, if no process reads it; else the next commit tries again.
pub(super) fn cut(connection: &Connection, busy_timeout: Duration) {
    let Some(path) = connection.path() else { return };
    if !fs::metadata(format!("{path}-wal")).is_ok_and(|log| log.len() > LARGEST) {
        return;
    }
    let cut = connection.busy_timeout(Duration::ZERO).and_then(|()| {
        connection.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |row| row.get::<_, i64>(0))
    });
    let restored = connection.busy_timeout(busy_timeout);
    if let Err(error) = cut.and(restored.map(|()| 0)) {
        tracing::debug!("the log `{path}-wal` is not cut: {error}");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[cfg(unix)]
    #[test]
    fn a_path_is_a_name_whatever_is_in_it() {
        for (path, name) in [
            ("/no/such/plant.sqlite", "file:///no/such/plant.sqlite?immutable=1"),
            ("/no/such/á b?c#d%.db", "file:///no/such/%C3%A1%20b%3Fc%23d%25.db?immutable=1"),
        ] {
            assert_eq!(as_it_stands(Path::new(path)), name);
        }
    }
}
