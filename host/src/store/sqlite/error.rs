//! The errors of a call, and their form for the caller: a class, the file's name, and advice.

use std::path::Path;
use std::time::Duration;

use rusqlite::ErrorCode;
use rusqlite::ffi::{
    SQLITE_READONLY_CANTINIT, SQLITE_READONLY_DBMOVED, SQLITE_READONLY_RECOVERY, SQLITE_READONLY_ROLLBACK,
};

use crate::store::{ErrorKind, StoreError};

/// The file was left by a program that was killed while it wrote: it must be recovered before it is
/// read.
const CUT_SHORT: [std::ffi::c_int; 3] =
    [SQLITE_READONLY_RECOVERY, SQLITE_READONLY_ROLLBACK, SQLITE_READONLY_CANTINIT];

/// The error of a call, without the file's name.
#[derive(Debug)]
pub(super) enum Error {
    Sqlite(rusqlite::Error),
    /// Found by this store itself; the message continues after "database `x`: ".
    Found(ErrorKind, String),
}

pub(super) type Result<T, E = Error> = std::result::Result<T, E>;

impl From<rusqlite::Error> for Error {
    fn from(error: rusqlite::Error) -> Self {
        Self::Sqlite(error)
    }
}

impl Error {
    pub(super) fn schema(message: impl Into<String>) -> Self {
        Self::Found(ErrorKind::Schema, message.into())
    }

    /// Whether a constraint, a unique index or a trigger refused something.
    pub(super) fn is_constraint(&self) -> bool {
        matches!(self, Self::Sqlite(error) if error.sqlite_error_code() == Some(ErrorCode::ConstraintViolation))
    }

    /// Whether the table does not accept a row.
    pub(super) fn is_refused(&self) -> bool {
        self.is_constraint()
    }

    /// SQLite's own message, if there is one.
    pub(super) fn said(&self) -> String {
        match self {
            Self::Sqlite(error) => error.to_string(),
            Self::Found(_, message) => message.clone(),
        }
    }

    /// The error that the caller sees.
    pub(super) fn at(self, path: &Path, busy_timeout: Duration) -> StoreError {
        let file = path.display();
        match self {
            Self::Found(kind, message) => StoreError::new(kind, format!("database `{file}`: {message}")),
            Self::Sqlite(error) => {
                let (kind, said) = classify(&error, busy_timeout);
                StoreError {
                    kind,
                    message: format!("database `{file}`: {said}"),
                    source: Some(Box::new(error)),
                }
            }
        }
    }
}

fn classify(error: &rusqlite::Error, busy_timeout: Duration) -> (ErrorKind, String) {
    let Some(sqlite) = error.sqlite_error() else {
        return (ErrorKind::Other, error.to_string());
    };
    match sqlite.code {
        ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked | ErrorCode::FileLockingProtocolFailed => (
            ErrorKind::Busy,
            format!(
                "locked for more than {} s by another program: a database browser with changes that are not saved, a \
                 backup, a second worker; it is tried again at the next cycle",
                busy_timeout.as_secs_f64()
            ),
        ),
        ErrorCode::ReadOnly if sqlite.extended_code == SQLITE_READONLY_DBMOVED => {
            (ErrorKind::Connection, "the file was moved or deleted while it was open".to_owned())
        }
        ErrorCode::ReadOnly if CUT_SHORT.contains(&sqlite.extended_code) => (
            ErrorKind::Permission,
            format!(
                "a write to it was cut short, and taking that back or in is a write ({error}): start the worker, or copy the file \
                 and what lies beside it under its name to where they can be written"
            ),
        ),
        ErrorCode::ReadOnly | ErrorCode::PermissionDenied | ErrorCode::AuthorizationForStatementDenied => (
            ErrorKind::Permission,
            format!(
                "it cannot be written ({error}); this user needs the right to write the file and its folder, where SQLite \
                 keeps its log beside it"
            ),
        ),
        ErrorCode::CannotOpen => (
            ErrorKind::Permission,
            format!(
                "it cannot be opened ({error}); this user needs the right to read the file, and to write in its folder, \
                 where SQLite keeps its log beside it"
            ),
        ),
        ErrorCode::SystemIoFailure => {
            (ErrorKind::Connection, format!("reading or writing the file failed ({error}); is the disk or the share still there?"))
        }
        ErrorCode::NotADatabase => (
            ErrorKind::Other,
            "this file is not a SQLite database; name the file that holds the tables, or one that does not exist yet for \
             the output"
                .to_owned(),
        ),
        ErrorCode::DatabaseCorrupt => (
            ErrorKind::Other,
            format!("the file is damaged ({error}); bring back a backup, or save what can be read with `sqlite3 FILE .recover`"),
        ),
        ErrorCode::DiskFull => (ErrorKind::Other, format!("there is no space left ({error}); nothing was written")),
        ErrorCode::ConstraintViolation => (ErrorKind::Refused, error.to_string()),
        ErrorCode::Unknown if names_a_missing_thing(error) => (ErrorKind::Schema, error.to_string()),
        _ => (ErrorKind::Other, error.to_string()),
    }
}

/// SQLite has one code for all errors in a statement; only the text shows that a table has
/// vanished.
fn names_a_missing_thing(error: &rusqlite::Error) -> bool {
    let text = error.to_string();
    ["no such table", "no such column", "has no column named"].iter().any(|known| text.contains(known))
}
