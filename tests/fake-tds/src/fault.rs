//! The errors of a server, and the faults that a test asks of this one.

use std::time::Duration;

/// An error of the server's, as clients see it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SqlError {
    pub number: i32,
    pub state: u8,
    /// From 20 on the server closes the connection after it.
    pub severity: u8,
    pub message: String,
}

impl SqlError {
    pub fn new(number: i32, severity: u8, message: impl Into<String>) -> Self {
        Self { number, state: 1, severity, message: message.into() }
    }

    /// Used where it cannot be sent as an answer.
    pub(crate) fn into_driver(self) -> anyhow::Error {
        anyhow::anyhow!("error {}: {}", self.number, self.message)
    }
}

/// A fault that occurs once.
#[derive(Clone, Debug)]
pub struct Fault {
    pub when: When,
    pub what: What,
}

/// When a fault occurs.
#[derive(Clone, Debug)]
pub enum When {
    /// At the next login.
    Login,
    /// Instead of the next statement whose text contains this, in upper or lower case.
    Statement(String),
    /// After such a statement, whose effects stay.
    After(String),
}

/// What happens.
#[derive(Clone, Debug)]
pub enum What {
    Fail(SqlError),
    /// At a login: the client is routed to another server.
    Route {
        host: String,
        port: u16,
    },
    /// The connection is closed without an answer.
    Hang,
    /// The server waits this long, and then continues as usual.
    Wait(Duration),
}

impl Fault {
    /// An error instead of a statement.
    pub fn fail(statement: &str, error: SqlError) -> Self {
        Self { when: When::Statement(statement.into()), what: What::Fail(error) }
    }

    /// A login that is routed to another server.
    pub fn route(host: &str, port: u16) -> Self {
        Self { when: When::Login, what: What::Route { host: host.into(), port } }
    }

    /// An error instead of a login.
    pub fn login(error: SqlError) -> Self {
        Self { when: When::Login, what: What::Fail(error) }
    }
}
