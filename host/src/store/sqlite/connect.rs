//! Opens a file, and sets what holds for a connection: the durability of its commits, and the check
//! that the file is still the same.

use std::io;
use std::path::Path;
use std::time::{Duration, SystemTime};

use rusqlite::config::DbConfig;
use rusqlite::{Connection, OpenFlags};

use super::error::{Error, Result};
use super::log;
use super::side::Side;
use crate::regular;
use crate::store::ErrorKind;

/// Enough for every statement of a side, so that each is compiled once.
const CACHED_STATEMENTS: usize = 32;

/// Identifies a file, so that another one under its name is noticed. Where an open file cannot be
/// replaced (Windows), all files are equal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Identity(u64, u64);

impl Identity {
    pub(super) fn of(path: &Path) -> io::Result<Self> {
        let metadata = path.metadata()?;
        #[cfg(unix)]
        {
            use std::os::unix::fs::MetadataExt;
            Ok(Self(metadata.dev(), metadata.ino()))
        }
        #[cfg(not(unix))]
        {
            let _ = metadata;
            Ok(Self(0, 0))
        }
    }
}

/// An open file.
pub(super) struct OpenFile {
    pub(super) connection: Connection,
    /// For a file that is read as it is: its stamp at that time.
    as_it_stands: Option<FileIdentity>,
}

impl OpenFile {
    /// Whether a file that is read as it is has changed meanwhile.
    pub(super) fn was_written(&self, path: &Path) -> bool {
        let written = |mark: &FileIdentity| {
            log::holds_something(path) || FileIdentity::of(path).ok().as_ref() != Some(mark)
        };
        self.as_it_stands.as_ref().is_some_and(written)
    }
}

/// The stamp by which a change of the file is recognised.
#[derive(PartialEq, Eq)]
struct FileIdentity {
    length: u64,
    modified: Option<SystemTime>,
}

impl FileIdentity {
    fn of(path: &Path) -> io::Result<Self> {
        let metadata = path.metadata()?;
        Ok(Self { length: metadata.len(), modified: metadata.modified().ok() })
    }
}

pub(super) fn open(path: &Path, side: Side, busy_timeout: Duration) -> Result<(OpenFile, Identity)> {
    expect_file(path, side)?;
    if side == Side::Look {
        let mark = FileIdentity::of(path).map_err(|error| cannot_look(&error))?;
        if log::is_at_rest(path) {
            let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_URI;
            let connection = connect(Path::new(&log::as_it_stands(path)), flags, busy_timeout)?;
            let identity = Identity::of(path).map_err(|error| cannot_look(&error))?;
            return Ok((OpenFile { connection, as_it_stands: Some(mark) }, identity));
        }
    }
    let access = match side {
        Side::Input | Side::Look => OpenFlags::SQLITE_OPEN_READ_ONLY,
        Side::Trial | Side::Output { create: false } | Side::Import { create: false } => {
            OpenFlags::SQLITE_OPEN_READ_WRITE
        }
        Side::Output { create: true } | Side::Import { create: true } => {
            OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_CREATE
        }
    };
    // What a killed worker left in the log is applied by the next worker, and not by a trial.
    let keep_log = side == Side::Trial && log::holds_something(path);
    let connection = connect(path, access, busy_timeout)?;
    if keep_log {
        connection.set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, true)?;
    }
    if matches!(side, Side::Output { .. } | Side::Import { .. }) {
        choose_durability(&connection)?;
    }
    let identity = Identity::of(path).map_err(|error| cannot_look(&error))?;
    Ok((OpenFile { connection, as_it_stands: None }, identity))
}

fn connect(path: &Path, flags: OpenFlags, busy_timeout: Duration) -> Result<Connection> {
    let connection = Connection::open_with_flags(path, flags | OpenFlags::SQLITE_OPEN_NO_MUTEX)?;
    connection.busy_timeout(busy_timeout)?;
    connection.set_prepared_statement_cache_capacity(CACHED_STATEMENTS);
    // Else SQLite compiles a statement again for each new end of a range, to look at statistics
    // that these tables do not have.
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG, true)?;
    // SQLite opens lazily: only a read shows that the file is not a database.
    connection.pragma_query_value(None, "schema_version", |row| row.get::<_, i64>(0))?;
    Ok(connection)
}

/// With a write-ahead log, readers (a dashboard, a person's query) do not block a commit, nor does
/// it block them. `synchronous = NORMAL` then saves a sync at each commit: after a power cut the
/// last commits may be lost, but verdicts and state together, so that their readings are judged
/// again. A killed process loses nothing. If a write-ahead log is not possible (a network share,
/// another program holds the file), the old journal stays, which needs FULL to be safe.
fn choose_durability(connection: &Connection) -> Result<()> {
    let mode = connection.pragma_update_and_check(None, "journal_mode", "WAL", |row| row.get::<_, String>(0));
    let log = mode.is_ok_and(|mode| mode.eq_ignore_ascii_case("wal"));
    connection.pragma_update(None, "synchronous", if log { "NORMAL" } else { "FULL" })?;
    Ok(())
}

/// Gives the reason where SQLite only says "unable to open database file".
pub(super) fn expect_file(path: &Path, side: Side) -> Result<()> {
    match path.metadata() {
        Ok(found) if found.is_dir() => {
            Err(Error::Found(ErrorKind::Other, "this is a folder; name a file in it".to_owned()))
        }
        // SQLite would block on a named pipe.
        Ok(found) if !found.is_file() => {
            Err(Error::Found(ErrorKind::Other, format!("this is {} and no database", regular::kind(&found))))
        }
        Ok(_) => Ok(()),
        Err(error) if error.kind() == io::ErrorKind::NotFound => match side {
            Side::Output { create: true } | Side::Import { create: true } => expect_folder(path),
            Side::Import { create: false } => Err(Error::Found(
                ErrorKind::Connection,
                "there is no such file; check the path in the configuration, or have it made with --create-table"
                    .to_owned(),
            )),
            _ => Err(Error::Found(
                ErrorKind::Connection,
                "there is no such file; check the path in the configuration, or make one with `host demo`"
                    .to_owned(),
            )),
        },
        Err(error) => Err(cannot_look(&error)),
    }
}

fn expect_folder(path: &Path) -> Result<()> {
    match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() && !folder.is_dir() => Err(Error::Found(
            ErrorKind::Connection,
            format!("it cannot be created: there is no folder `{}`", folder.display()),
        )),
        _ => Ok(()),
    }
}

fn cannot_look(error: &io::Error) -> Error {
    let trouble = if error.kind() == io::ErrorKind::PermissionDenied {
        ErrorKind::Permission
    } else {
        ErrorKind::Connection
    };
    Error::Found(trouble, format!("the file cannot be looked at ({error})"))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

    use rusqlite::StatementStatus;

    use super::*;

    /// A chart is more than a thousand queries of one statement.
    #[test]
    fn a_statement_is_compiled_once_whatever_range_is_asked_for() {
        let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_CREATE;
        let connection = connect(Path::new(":memory:"), flags, Duration::ZERO).unwrap();
        connection.execute_batch("CREATE TABLE o (name TEXT, at TEXT, UNIQUE (name, at))").unwrap();
        let sql = "SELECT at FROM o WHERE name = ?1 AND at >= ?2 AND at < ?3 ORDER BY at";
        let mut statement = connection.prepare(sql).unwrap();
        for (from, to) in [("2024", "2025"), ("2025", "2026"), ("2026", "2027")] {
            assert!(statement.query(("T", from, to)).unwrap().next().unwrap().is_none());
        }
        assert_eq!(statement.get_status(StatementStatus::RePrepare), 0);
    }
}
