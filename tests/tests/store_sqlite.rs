//! The store of SQLite files keeps what every store promises.

use tests::conformance_sqlite::SqliteBench;

tests::conformance!(SqliteBench);
