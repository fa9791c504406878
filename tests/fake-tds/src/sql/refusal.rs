//! Errors, with SQL Server's numbers and words.

use std::sync::PoisonError;

use rusqlite::{ErrorCode, ffi};

use super::Sql;
use crate::fault::SqlError;

/// The error number of a statement that the fake does not know.
pub const UNKNOWN: i32 = 46_999;

pub(crate) fn unknown(text: &str) -> SqlError {
    SqlError::new(UNKNOWN, 16, format!("the fake does not know this: {}", text.trim()))
}

impl Sql {
    /// SQLite's error as SQL Server's.
    pub(super) fn error(&self, error: &rusqlite::Error, sql: &str) -> SqlError {
        if let Some(error) = self.wrong.lock().unwrap_or_else(PoisonError::into_inner).take() {
            return error;
        }
        let (code, message) = match error {
            rusqlite::Error::SqliteFailure(code, message) => (*code, message.clone().unwrap_or_default()),
            rusqlite::Error::SqlInputError { error, msg, .. } => (*error, msg.clone()),
            other => return unknown(&format!("{sql} ({other})")),
        };
        match code.code {
            ErrorCode::DatabaseBusy if code.extended_code == ffi::SQLITE_BUSY_SNAPSHOT => {
                let message = "Transaction was deadlocked on lock resources with another process and has been chosen as the \
                               deadlock victim. Rerun the transaction.";
                SqlError::new(1205, 13, message)
            }
            ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked => {
                SqlError::new(1222, 16, "Lock request time out period exceeded.")
            }
            ErrorCode::ConstraintViolation => match code.extended_code {
                ffi::SQLITE_CONSTRAINT_UNIQUE => {
                    SqlError::new(2601, 14, format!("Cannot insert duplicate key row: {message}."))
                }
                ffi::SQLITE_CONSTRAINT_PRIMARYKEY | ffi::SQLITE_CONSTRAINT_ROWID => {
                    SqlError::new(2627, 14, format!("Violation of PRIMARY KEY constraint: {message}."))
                }
                ffi::SQLITE_CONSTRAINT_NOTNULL => {
                    SqlError::new(515, 16, format!("Cannot insert NULL: {message}."))
                }
                _ => SqlError::new(547, 16, message),
            },
            ErrorCode::DiskFull => SqlError::new(9002, 17, "The transaction log is full."),
            _ if message.starts_with("no such table") => {
                SqlError::new(208, 16, format!("Invalid object name: {message}."))
            }
            _ if message.starts_with("no such column") || message.contains("has no column named") => {
                SqlError::new(207, 16, format!("Invalid column name: {message}."))
            }
            _ if message.contains("already exists") => SqlError::new(
                2714,
                16,
                format!("There is already an object named so in the database: {message}."),
            ),
            _ => unknown(&format!("{sql} ({message})")),
        }
    }
}

pub(super) fn no_database(name: &str) -> SqlError {
    SqlError::new(
        4060,
        11,
        format!("Cannot open database \"{name}\" requested by the login. The login failed."),
    )
}

#[allow(clippy::needless_pass_by_value, reason = "the form that map_err wants")]
pub(super) fn internal(error: rusqlite::Error) -> SqlError {
    unknown(&error.to_string())
}
