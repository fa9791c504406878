//! A service that judges a plant's readings: it reads them from a database, hands them to a
//! sandboxed detector, and stores the verdicts.
//!
//! Data flows one way, and only [`worker`] sees all of it:
//!
//! ```text
//! readings (long) --pivot--> batch (wide) --WIT--> detector.wasm + model files --> verdicts --one
//! transaction--> results + state
//! ```
//!
//! [`store`] contains no WebAssembly, [`detector`] no SQL; [`position`], [`new_readings`],
//! [`pivot`] and [`verdict`] are pure.

pub mod aged;
pub mod alert;
pub mod batch;
pub mod chart;
pub mod checkpoint;
pub mod cli;
pub mod column_limits;
pub mod config;
pub mod counts;
pub mod datetime;
pub mod demo;
pub mod detector;
pub mod episode;
pub mod metrics;
pub mod new_readings;
mod nfc;
pub mod notes;
pub mod pivot;
pub mod position;
pub mod reading;
pub mod reconciliation;
pub mod regular;
pub mod reload;
mod retry_pause;
pub mod row_reason;
pub mod secret;
pub mod service;
pub mod shard;
pub mod signal;
pub mod state;
pub mod stop;
pub mod store;
pub mod telemetry;
pub mod text;
pub mod training;
mod unit_limit;
pub mod verdict;
pub mod web;
pub mod worker;
