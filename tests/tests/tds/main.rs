//! The SQL Server store against the fake of the driver's protocol. One binary of tests, because
//! each one more is linked with all of the program.

#![allow(clippy::expect_used, clippy::panic, clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod connecting;
mod faults;
mod harm;
mod input;
mod mended;
mod protocol;
mod standby;
mod statements;
mod tables;
