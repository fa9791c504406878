//! The store of SQLite files keeps what every store promises, whatever happens to a file.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test that cannot go on fails")]

mod files;
mod look;
mod shapes;
mod texts;

use tests::conformance_sqlite::SqliteTestDb;

tests::conformance!(SqliteTestDb);
