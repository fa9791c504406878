//! The real program, started as a user starts it: a file for each thing that it is started for. One
//! binary of tests, because each one more is linked with all of the program.

#![allow(
    clippy::panic,
    clippy::print_stderr,
    clippy::unwrap_used,
    reason = "a test stops at the first surprise"
)]

mod backfill;
mod bad_input;
mod binary;
#[path = "../common/mod.rs"]
mod common;
mod constraints;
mod documents;
mod fit;
mod import;
mod last_good;
mod look;
mod managed;
mod odd_files;
mod package;
mod predict;
mod reload;
mod schema;
mod secrets;
mod server;
mod service;
mod supervisors;
mod train;
mod untrusted;
