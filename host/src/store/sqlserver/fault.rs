//! What can go wrong inside a call, and what is made of it for the caller: a class by the error's number, where it happened, the
//! server's own text, and advice.

use std::fmt;
use std::time::Duration;

use tiberius::error::Error;

use super::target::Target;
use crate::store::{StoreError, Trouble};

/// From this severity on the server closes the connection.
const FATAL: u8 = 20;

/// A call's failure before the server's name is put to it.
#[derive(Debug)]
pub(super) enum Fault {
    Driver(Error),
    /// What this store itself found; the message goes on from "database `x` on `server`: ".
    Found(Trouble, String),
}

pub(super) type Answer<T> = Result<T, Fault>;

/// What errors say of where they happened.
#[derive(Clone, Debug)]
pub(super) struct Place {
    server: String,
    /// Empty until a login has shown it.
    pub(super) database: String,
    lock_timeout: Duration,
}

impl Place {
    pub(super) fn new(target: &Target) -> Self {
        Self {
            server: target.to_string(),
            database: target.database.clone().unwrap_or_default(),
            lock_timeout: target.timeouts.lock,
        }
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.database.is_empty() {
            write!(f, "SQL Server `{}`", self.server)
        } else {
            write!(f, "database `{}` on `{}`", self.database, self.server)
        }
    }
}

impl From<Error> for Fault {
    fn from(error: Error) -> Self {
        Self::Driver(error)
    }
}

/// What an error of the server's means, by its number; the text decides where a server has one number for everything.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Class {
    Connection,
    Login,
    Right,
    ReadOnly,
    Deadlock,
    Lock,
    Schema,
    Duplicate,
    Exists,
    LogFull,
    Other,
}

impl Fault {
    pub(super) fn schema(message: impl Into<String>) -> Self {
        Self::Found(Trouble::Schema, message.into())
    }

    /// What a statement that had to answer did not.
    pub(super) fn no_answer(what: &str) -> Self {
        Self::Found(Trouble::Other, format!("the server answered nothing when asked for {what}"))
    }

    fn class(&self) -> Option<Class> {
        match self {
            Self::Driver(Error::Server(error)) => {
                Some(classify(error.code(), error.class(), error.message()))
            }
            _ => None,
        }
    }

    /// Whether a unique index refused something.
    pub(super) fn is_duplicate(&self) -> bool {
        self.class() == Some(Class::Duplicate)
    }

    /// Whether what was to be created is there already.
    pub(super) fn exists_already(&self) -> bool {
        self.class() == Some(Class::Exists)
    }

    /// Whether a right is missing.
    pub(super) fn is_right(&self) -> bool {
        matches!(self.class(), Some(Class::Right | Class::ReadOnly))
    }

    /// The server's own words, where it said something.
    pub(super) fn said(&self) -> String {
        match self {
            Self::Driver(Error::Server(error)) => error.message().to_owned(),
            Self::Driver(error) => error.to_string(),
            Self::Found(_, message) => message.clone(),
        }
    }

    /// Whether the session can be used after this: the answer to the call has been read to its end.
    pub(super) fn leaves_session(&self) -> bool {
        match self {
            Self::Found(trouble, _) => *trouble != Trouble::Connection,
            Self::Driver(Error::Server(_)) => self.class() != Some(Class::Connection),
            Self::Driver(_) => false,
        }
    }

    /// The error that the caller sees.
    pub(super) fn at(self, place: &Place) -> StoreError {
        let class = self.class();
        let error = match self {
            Self::Found(trouble, message) => return StoreError::new(trouble, format!("{place}: {message}")),
            Self::Driver(error) => error,
        };
        let (trouble, said) = match &error {
            Error::Server(token) => {
                told(class.unwrap_or(Class::Other), &format!("{} (error {})", token.message(), token.code()), place)
            }
            Error::Io { kind: std::io::ErrorKind::TimedOut, .. } => (
                Trouble::Connection,
                "no answer within the query timeout; the connection was closed, and what was not committed is rolled back"
                    .to_owned(),
            ),
            Error::Io { message, .. } => (Trouble::Connection, format!("the connection is lost ({message})")),
            Error::Tls(text) => (Trouble::Connection, untrusted(text)),
            // The driver and the server do not understand each other: only a new connection can help.
            Error::Protocol(_) | Error::Encoding(_) | Error::Routing { .. } => {
                (Trouble::Connection, error.to_string())
            }
            _ => (Trouble::Other, error.to_string()),
        };
        StoreError { trouble, message: format!("{place}: {said}"), source: Some(Box::new(error)) }
    }
}

/// The driver's advice is for who writes a program.
fn untrusted(text: &str) -> String {
    let text = text.split(". To connect anyway").next().unwrap_or_default();
    format!(
        "no encrypted connection ({text}); if the server's certificate is of your own making, name its authority in `ca_file`, or \
         set `trust_server_certificate = true` where nobody can stand between"
    )
}

/// What the caller is told of an error of the server's.
fn told(class: Class, text: &str, place: &Place) -> (Trouble, String) {
    match class {
        Class::Connection => (Trouble::Connection, text.to_owned()),
        Class::Login => (Trouble::Permission, format!("{text}; check user, password and the login's rights")),
        Class::Right => {
            (Trouble::Permission, format!("{text}; `host check` names the rights that are missing"))
        }
        Class::ReadOnly => {
            (Trouble::Permission, format!("{text}; nobody has the right to write a read-only database"))
        }
        Class::Deadlock => {
            (Trouble::Busy, format!("{text}; nothing was written, and it is tried again at the next cycle"))
        }
        Class::Lock => (
            Trouble::Busy,
            format!(
                "locked for more than {} s by another session ({text}); it is tried again at the next cycle",
                place.lock_timeout.as_secs_f64()
            ),
        ),
        Class::Schema => (Trouble::Schema, text.to_owned()),
        Class::LogFull => {
            (Trouble::Other, format!("{text}; nothing was written until the log has room again"))
        }
        Class::Duplicate | Class::Exists | Class::Other => (Trouble::Other, text.to_owned()),
    }
}

fn classify(number: u32, severity: u8, text: &str) -> Class {
    match number {
        // Going down, coming up, moving to another node, or not to be opened just now.
        596 | 615 | 904 | 911 | 921 | 922 | 927 | 976 | 978 | 983 | 4060 | 4221 | 6002 | 6005 | 6006
        | 10_053 | 10_054 | 10_060 | 10_928 | 10_929 | 17_142 | 17_148 | 17_197 | 18_401 | 40_143
        | 40_197 | 40_501 | 40_540 | 40_613 | 42_108 | 42_109 | 49_918 | 49_919 | 49_920 => Class::Connection,
        18_450 | 18_451 | 18_452 | 18_456 | 18_461 | 18_470 | 18_486 | 18_487 | 18_488 | 4062 | 4064 => {
            Class::Login
        }
        229 | 230 | 262 | 297 | 300 | 378 | 916 | 1088 | 2760 | 4613 | 5011 | 10_330 | 15_151 | 15_247 => {
            Class::Right
        }
        3906 | 3908 => Class::ReadOnly,
        1205 | 3960 | 41_302 | 41_305 | 41_325 => Class::Deadlock,
        1203 | 1204 | 1222 | 8645 => Class::Lock,
        207 | 208 | 213 | 4902 | 4121 => Class::Schema,
        2601 | 2627 | 1505 => Class::Duplicate,
        1913 | 2714 => Class::Exists,
        1105 | 9002 => Class::LogFull,
        _ if severity >= FATAL => Class::Connection,
        _ => by_text(text),
    }
}

/// For servers whose numbers say nothing.
fn by_text(text: &str) -> Class {
    const WORDS: [(&str, Class); 12] = [
        ("permission denied", Class::Right),
        ("must be owner of", Class::Right),
        ("read-only", Class::ReadOnly),
        ("deadlock detected", Class::Deadlock),
        ("could not serialize access", Class::Deadlock),
        ("lock timeout", Class::Lock),
        ("lock request time out", Class::Lock),
        ("duplicate key", Class::Duplicate),
        ("could not create unique index", Class::Duplicate),
        ("already exists", Class::Exists),
        ("already an object named", Class::Exists),
        ("does not exist", Class::Schema),
    ];
    let text = text.to_lowercase();
    WORDS.iter().find(|(words, _)| text.contains(words)).map_or(Class::Other, |(_, class)| *class)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_has_a_class_by_its_number_or_else_by_its_text() {
        for (number, severity, text, class) in [
            (18_456, 14, "Login failed for user 'w'.", Class::Login),
            (229, 14, "The INSERT permission was denied on the object 'a'.", Class::Right),
            (3906, 16, "Failed to update database \"d\" because the database is read-only.", Class::ReadOnly),
            (1205, 13, "Transaction was deadlocked on lock resources.", Class::Deadlock),
            (1222, 16, "Lock request time out period exceeded.", Class::Lock),
            (2601, 14, "Cannot insert duplicate key row in object 'a'.", Class::Duplicate),
            (2627, 14, "Violation of UNIQUE KEY constraint.", Class::Duplicate),
            (208, 16, "Invalid object name 'a'.", Class::Schema),
            (9002, 17, "The transaction log for database 'd' is full.", Class::LogFull),
            (40_613, 17, "Database 'd' on server 's' is not currently available.", Class::Connection),
            (99_999, 20, "A severe error occurred on the current command.", Class::Connection),
            (99_999, 16, "relation \"dbo.a\" does not exist", Class::Schema),
            (99_999, 16, "permission denied for table a", Class::Right),
            (99_999, 16, "canceling statement due to lock timeout", Class::Lock),
            (8134, 16, "Divide by zero error encountered.", Class::Other),
        ] {
            assert_eq!(classify(number, severity, text), class, "{number} {text}");
        }
    }
}
