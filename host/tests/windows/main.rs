//! The program for Windows, under Wine: its exit codes, its log, its answers and its files. `just
//! test-windows` builds it and runs this.
//!
//! What Wine cannot show is in `docs/service.md`.

#![cfg(unix)]
#![allow(clippy::unwrap_used, reason = "a test stops at the first surprise")]

#[path = "../common/mod.rs"]
mod common;
mod console;
mod files;
mod package;
mod reload;
mod running;
mod server;
mod service;
mod wine;
