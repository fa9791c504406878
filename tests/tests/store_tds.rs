//! The store for SQL Server keeps over the wire what every store promises: the same cases as on a
//! real server, on one that only knows its protocol. `store_sqlserver` shows that the SQL is right.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test that cannot go on fails")]

#[path = "store_sqlserver/backfill.rs"]
mod backfill;

use tests::conformance_sqlserver::SqlServerTestDb;

tests::conformance!(SqlServerTestDb, after tests::tds::stand_in());

/// As on a real server, but on the fake one.
macro_rules! on_server {
    ($(#[$about:meta])* async fn $name:ident() $body:block) => {
        $(#[$about])*
        #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
        async fn $name() -> anyhow::Result<()> {
            tests::tds::stand_in();
            $body
            Ok(())
        }
    };
}
use on_server;
