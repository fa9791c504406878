//! The errors of a call, and their form for the caller: a class by the error's number, the place,
//! the server's own text, and advice.

use std::fmt;
use std::time::Duration;

use tiberius::error::Error as DriverError;

use super::class::{Class, classify};
use crate::store::{ErrorKind, StoreError};

/// The error of a call, without the server's name.
#[derive(Debug)]
pub(super) enum Error {
    Driver(DriverError),
    /// Found by this store itself; the message continues after "database `x` on `server`: ".
    Found(ErrorKind, String),
}

pub(super) type Result<T, E = Error> = std::result::Result<T, E>;

/// The place that errors name.
#[derive(Clone, Debug)]
pub(super) struct ServerContext {
    pub(super) server: String,
    /// Empty until a login has returned it.
    pub(super) database: String,
    pub(super) lock_timeout: Duration,
}

impl fmt::Display for ServerContext {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.database.is_empty() {
            write!(f, "SQL Server `{}`", self.server)
        } else {
            write!(f, "database `{}` on `{}`", self.database, self.server)
        }
    }
}

impl From<DriverError> for Error {
    fn from(error: DriverError) -> Self {
        Self::Driver(error)
    }
}

impl Error {
    pub(super) fn schema(message: impl Into<String>) -> Self {
        Self::Found(ErrorKind::Schema, message.into())
    }

    /// An answer that a statement should have returned and did not.
    pub(super) fn no_answer(what: &str) -> Self {
        Self::Found(ErrorKind::Other, format!("the server answered nothing when asked for {what}"))
    }

    fn class(&self) -> Option<Class> {
        match self {
            Self::Driver(DriverError::Server(error)) => {
                Some(classify(error.code(), error.class(), error.message()))
            }
            _ => None,
        }
    }

    /// Whether a unique index refused something.
    pub(super) fn is_duplicate(&self) -> bool {
        self.class() == Some(Class::Duplicate)
    }

    /// Whether what was to be created exists already.
    pub(super) fn exists_already(&self) -> bool {
        self.class() == Some(Class::Exists)
    }

    /// Whether the same may succeed later: another process holds a lock.
    pub(super) fn is_lock(&self) -> bool {
        matches!(self.class(), Some(Class::Lock | Class::Conflict | Class::Short))
    }

    /// Whether a constraint or its like refused a row.
    pub(super) fn is_refused(&self) -> bool {
        self.class() == Some(Class::Refused)
    }

    /// Whether a right is missing.
    pub(super) fn is_right(&self) -> bool {
        matches!(self.class(), Some(Class::Right | Class::ReadOnly))
    }

    /// The server's own message, if there is one.
    pub(super) fn said(&self) -> String {
        match self {
            Self::Driver(DriverError::Server(error)) => error.message().to_owned(),
            Self::Driver(error) => error.to_string(),
            Self::Found(_, message) => message.clone(),
        }
    }

    /// Whether the session can be used after this error: the answer to the call was read to its
    /// end.
    pub(super) fn leaves_session(&self) -> bool {
        match self {
            Self::Found(kind, _) => *kind != ErrorKind::Connection,
            Self::Driver(DriverError::Server(_)) => self.class() != Some(Class::Connection),
            Self::Driver(_) => false,
        }
    }

    /// The error that the caller sees.
    pub(super) fn at(self, place: &ServerContext) -> StoreError {
        let class = self.class();
        let error = match self {
            Self::Found(kind, message) => return StoreError::new(kind, format!("{place}: {message}")),
            Self::Driver(error) => error,
        };
        let (kind, said) = match &error {
            DriverError::Server(token) => {
                told(class.unwrap_or(Class::Other), &format!("{} (error {})", token.message(), token.code()), place)
            }
            // The same call, repeated at once, would wait as long again.
            DriverError::Io { kind: std::io::ErrorKind::TimedOut, .. } => (
                ErrorKind::Busy,
                "no answer within the query timeout; the connection was closed, and what was not committed is rolled back; it is \
                 tried again at the next cycle"
                    .to_owned(),
            ),
            DriverError::Io { message, .. } => (ErrorKind::Connection, format!("the connection is lost ({message})")),
            DriverError::Tls(text) => (ErrorKind::Connection, untrusted(text)),
            // A protocol error between driver and server: only a new connection can help.
            DriverError::Protocol(_) | DriverError::Encoding(_) | DriverError::Routing { .. } => {
                (ErrorKind::Connection, error.to_string())
            }
            _ => (ErrorKind::Other, error.to_string()),
        };
        StoreError { kind, message: format!("{place}: {said}"), source: Some(Box::new(error)) }
    }
}

/// The driver's advice is for programmers.
fn untrusted(text: &str) -> String {
    let text = text.split(". To connect anyway").next().unwrap_or_default();
    format!(
        "no encrypted connection ({text}); if the server's certificate is of your own making, name its authority in `ca_file`, or \
         set `trust_server_certificate = true` where nobody can stand between"
    )
}

/// The error that the caller gets for an error of the server.
fn told(class: Class, text: &str, place: &ServerContext) -> (ErrorKind, String) {
    match class {
        Class::Connection => (ErrorKind::Connection, text.to_owned()),
        Class::Login => {
            (ErrorKind::Permission, format!("{text}; check user, password and the login's rights"))
        }
        Class::Right => {
            (ErrorKind::Permission, format!("{text}; `host check` names the rights that are missing"))
        }
        Class::ReadOnly => (ErrorKind::Permission, format!("{text}; a read-only database cannot be written")),
        Class::Database => (
            ErrorKind::Schema,
            format!(
                "{text}; is this the database's name, and may this login enter it? It is tried again at the next cycle"
            ),
        ),
        Class::Conflict | Class::Short => {
            (ErrorKind::Busy, format!("{text}; nothing was written, and it is tried again at the next cycle"))
        }
        Class::Lock => (
            ErrorKind::Busy,
            format!(
                "locked for more than {} s by another session ({text}); it is tried again at the next cycle",
                place.lock_timeout.as_secs_f64()
            ),
        ),
        Class::Schema => (ErrorKind::Schema, text.to_owned()),
        Class::Refused => (ErrorKind::Refused, text.to_owned()),
        Class::Full => (ErrorKind::Other, format!("{text}; nothing is written until there is room again")),
        Class::Duplicate | Class::Exists | Class::Other => (ErrorKind::Other, text.to_owned()),
    }
}
