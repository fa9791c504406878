//! What a server says when something goes wrong, and what a test tells this one to do wrong.

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

    /// For where no answer can be made of it.
    pub(crate) fn into_driver(self) -> anyhow::Error {
        anyhow::anyhow!("error {}: {}", self.number, self.message)
    }
}

/// Something to do wrong, once.
#[derive(Clone, Debug)]
pub struct Fault {
    pub when: When,
    pub what: What,
}

/// Where a fault strikes first.
#[derive(Clone, Debug)]
pub enum When {
    /// At the next login.
    Login,
    /// Instead of the next statement whose text holds this, whatever its case.
    Statement(String),
    /// After such a statement, whose work is done.
    After(String),
}

/// What it does.
#[derive(Clone, Debug)]
pub enum What {
    Fail(SqlError),
    /// At a login: the client is sent on.
    Route {
        host: String,
        port: u16,
    },
    /// The connection is closed without a word.
    Hang,
    /// It takes so long, and then goes on as if nothing was.
    Wait(Duration),
}

impl Fault {
    /// An error instead of a statement.
    pub fn fail(statement: &str, error: SqlError) -> Self {
        Self { when: When::Statement(statement.into()), what: What::Fail(error) }
    }

    /// A login that is sent on to another server.
    pub fn route(host: &str, port: u16) -> Self {
        Self { when: When::Login, what: What::Route { host: host.into(), port } }
    }

    /// An error instead of a login.
    pub fn login(error: SqlError) -> Self {
        Self { when: When::Login, what: What::Fail(error) }
    }
}
