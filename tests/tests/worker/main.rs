//! The worker with a real database file and real components, a file for each promise. One binary of
//! tests, because each one more is linked with all of the program.

#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a test stops at the first surprise"
)]

mod backfill;
mod checkpoints;
mod compact_models;
mod cycle;
mod databases;
mod every_column;
mod example_detector;
mod mended_episodes;
mod mended_states;
mod names;
mod page;
mod parts;
mod promise;
mod python_worker_faults;
mod recovery;
mod reload;
mod same_bits;
mod sandbox;
mod scheduled_training;
mod sharing;
mod stopping;
mod training;
mod warm_up;
mod worker_parity;
