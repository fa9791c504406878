//! The store on a SQL Server keeps what every store promises, and stands what can befall a server: where `TEST_SQLSERVER` names one.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test that cannot go on fails")]

use tests::conformance_sqlserver::SqlServerBench;

tests::conformance!(SqlServerBench where tests::sqlserver::server().is_some());
