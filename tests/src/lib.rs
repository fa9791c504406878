//! What the end-to-end tests share.

#![allow(clippy::unwrap_used, reason = "a test stops at the first surprise")]

pub mod conformance;
pub mod conformance_sqlite;
pub mod conformance_sqlserver;
pub mod fixture;
pub mod http;
pub mod intercept;
pub mod late_readings;
pub mod logs;
pub mod schedule;
pub mod sqlserver;
pub mod tds;

/// The detector that does what it is told to (`hostile/`), built by this crate's build script.
pub const HOSTILE: &[u8] = include_bytes!(env!("HOSTILE_DETECTOR"));

/// `examples/detector-threshold`, as a stranger would build it.
pub const EXAMPLE: &[u8] = include_bytes!(env!("EXAMPLE_DETECTOR"));
