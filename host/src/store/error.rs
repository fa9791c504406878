//! Why a call to the database failed, classified by what the caller does about it.

/// A failed call. The text names the table or the file, what was found and what would be right; it
/// never holds a password.
#[derive(Debug, thiserror::Error)]
#[error("{message}")]
pub struct StoreError {
    pub kind: ErrorKind,
    pub message: String,
    #[source]
    pub source: Option<Box<dyn std::error::Error + Send + Sync>>,
}

/// The classes that callers distinguish.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ErrorKind {
    /// The connection is lost or could not be made: open it again, with backoff.
    Connection,
    /// Another process holds a lock, this was a deadlock's victim, or the server took too long: the
    /// same call may work at the next tick.
    Busy,
    /// The login or a right is missing, or the database is read-only: a person must act.
    Permission,
    /// A table or a column is missing, or is of a type that cannot be used.
    Schema,
    /// A constraint, a trigger or a column's type of the output refuses a verdict: the others may
    /// be accepted without it.
    Refused,
    /// An episode was changed by another process since it was read, and nothing was written: read
    /// it again.
    EpisodeChanged,
    /// Another worker has taken this worker's name.
    Fenced,
    /// Anything else; the text is the server's.
    Other,
}

impl StoreError {
    /// An error without a cause below it.
    pub fn new(kind: ErrorKind, message: impl Into<String>) -> Self {
        Self { kind, message: message.into(), source: None }
    }
}
