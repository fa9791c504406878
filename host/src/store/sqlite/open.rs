//! Opening a file, and what is decided once for a connection: how durable its commits are, and that it is the file it was.

use std::io;
use std::path::Path;
use std::time::Duration;

use rusqlite::{Connection, OpenFlags};

use super::fault::{Answer, Fault};
use super::link::Side;
use crate::store::Trouble;

/// Room for every statement that a side uses, so that each is compiled once.
const CACHED_STATEMENTS: usize = 32;

/// Tells a file from another that took its name. Where the system does not let an open file be replaced (Windows), all
/// files are the same.
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

pub(super) fn open(path: &Path, side: Side, busy_timeout: Duration) -> Answer<(Connection, Identity)> {
    expect_file(path, side)?;
    let access = match side {
        Side::Input => OpenFlags::SQLITE_OPEN_READ_ONLY,
        Side::Output { create: false } | Side::Import { create: false } => OpenFlags::SQLITE_OPEN_READ_WRITE,
        Side::Output { create: true } | Side::Import { create: true } => {
            OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_CREATE
        }
    };
    let connection = Connection::open_with_flags(path, access | OpenFlags::SQLITE_OPEN_NO_MUTEX)?;
    connection.busy_timeout(busy_timeout)?;
    connection.set_prepared_statement_cache_capacity(CACHED_STATEMENTS);
    // SQLite opens lazily: only a read shows that this is no database.
    connection.pragma_query_value(None, "schema_version", |row| row.get::<_, i64>(0))?;
    if side != Side::Input {
        choose_durability(&connection)?;
    }
    let identity = Identity::of(path).map_err(|error| cannot_look(&error))?;
    Ok((connection, identity))
}

/// With a write-ahead log, readers (a dashboard, a person's query) do not hold up a commit, nor it them. `synchronous =
/// NORMAL` then spares a disk flush at each commit: after a power cut the last commits may be gone, but verdicts and state
/// together, so their readings are simply judged again. A killed process loses nothing. Where the log is not to be had (a
/// network share, another program holds the file), the old journal stays, and that one needs FULL to be safe.
fn choose_durability(connection: &Connection) -> Answer<()> {
    let mode = connection.pragma_update_and_check(None, "journal_mode", "WAL", |row| row.get::<_, String>(0));
    let log = mode.is_ok_and(|mode| mode.eq_ignore_ascii_case("wal"));
    connection.pragma_update(None, "synchronous", if log { "NORMAL" } else { "FULL" })?;
    Ok(())
}

/// Says plainly what SQLite calls "unable to open database file".
pub(super) fn expect_file(path: &Path, side: Side) -> Answer<()> {
    match path.metadata() {
        Ok(found) if found.is_dir() => {
            Err(Fault::Found(Trouble::Other, "this is a folder; name a file in it".to_owned()))
        }
        Ok(_) => Ok(()),
        Err(error) if error.kind() == io::ErrorKind::NotFound => match side {
            Side::Output { create: true } | Side::Import { create: true } => expect_folder(path),
            Side::Import { create: false } => Err(Fault::Found(
                Trouble::Connection,
                "there is no such file; check the path in the configuration, or have it made with --create-table"
                    .to_owned(),
            )),
            _ => Err(Fault::Found(
                Trouble::Connection,
                "there is no such file; check the path in the configuration, or make one with `host demo`"
                    .to_owned(),
            )),
        },
        Err(error) => Err(cannot_look(&error)),
    }
}

fn expect_folder(path: &Path) -> Answer<()> {
    match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() && !folder.is_dir() => Err(Fault::Found(
            Trouble::Connection,
            format!("it cannot be created: there is no folder `{}`", folder.display()),
        )),
        _ => Ok(()),
    }
}

fn cannot_look(error: &io::Error) -> Fault {
    let trouble = if error.kind() == io::ErrorKind::PermissionDenied {
        Trouble::Permission
    } else {
        Trouble::Connection
    };
    Fault::Found(trouble, format!("the file cannot be looked at ({error})"))
}
