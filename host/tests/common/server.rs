//! The real program on a real server: the one that `TEST_SQLSERVER` names, in a database of the
//! test's own.

#![allow(unused_imports, reason = "each test file uses a part of this")]

use std::process::Command;

use tiberius::Row;

use self::sqlserver::{Database, SideConnection};

#[path = "../../../tests/src/sqlserver.rs"]
#[allow(dead_code, unreachable_pub, reason = "the store's own tests have it in a library")]
mod sqlserver;

pub(crate) use self::sqlserver::{PASSWORD, server};

/// A database, and a connection of the plant's to it.
pub(crate) struct OnServer {
    runtime: tokio::runtime::Runtime,
    // Ended before the database, which cannot be dropped while a connection uses it.
    visitor: SideConnection,
    /// The plant's connection for rows that it has inserted and not committed.
    slow: SideConnection,
    database: Database,
}

impl OnServer {
    /// Fails if no server is named: these tests are run only on demand.
    pub(crate) fn start() -> Self {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let (database, visitor, slow) = runtime.block_on(async {
            let database = Database::create().await.unwrap();
            let visitor = SideConnection::enter(&database.name).await.unwrap();
            let slow = SideConnection::enter(&database.name).await.unwrap();
            (database, visitor, slow)
        });
        Self { runtime, visitor, slow, database }
    }

    /// Makes the program use this database.
    pub(crate) fn address(&self, command: &mut Command) {
        command.env("ANOMALY_INPUT_CONNECTION_STRING", server().unwrap());
        command.env("ANOMALY_INPUT_DATABASE", &self.database.name);
    }

    /// A login that may do what the statements grant; `{user}` in them is its name, which is
    /// returned.
    pub(crate) fn login(&self, grants: &[&str]) -> String {
        self.runtime.block_on(self.database.new_login(grants)).unwrap()
    }

    pub(crate) fn run(&mut self, sql: &str) {
        self.runtime.block_on(self.visitor.run(sql)).unwrap();
    }

    /// On the plant's other connection.
    pub(crate) fn run_slowly(&mut self, sql: &str) {
        self.runtime.block_on(self.slow.run(sql)).unwrap();
    }

    /// The first row of a query.
    pub(crate) fn row(&mut self, sql: &str) -> Row {
        self.runtime.block_on(self.visitor.rows(sql, &[])).unwrap().into_iter().next().unwrap()
    }

    /// The first number of a query.
    pub(crate) fn number(&mut self, sql: &str) -> i64 {
        self.row(sql).get(0).unwrap_or_default()
    }
}
