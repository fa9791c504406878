//! Replacing the detector while the service runs.
//!
//! File events are hints, a fingerprint decides. [`SetSource`] says where a set comes from and
//! reads it whole, model files as the detector compacts them ([`set_loader`]), once and for all
//! ([`compact_cache`]); [`Fingerprint`] tells cheaply whether anything may have changed; [`Reloader`] looks,
//! builds the next set beside the one in use and tries it on the last committed batch; [`watch`] is
//! the loop that wakes it. The worker swaps between batches. On any failure the old set stays, and
//! the log says once why. Reading that hangs is left behind ([`pulse`]); what was refused because it
//! took too long is tried again after a while (`retry`).

mod at_rest;
mod compact_cache;
mod file_stamp;
mod pulse;
mod reloader;
mod retry;
mod set_loader;
mod set_source;
pub mod watch;

pub use file_stamp::Fingerprint;
pub use reloader::{Canary, ReloadOutcome, ReloadSlots, Reloader};
pub use retry::RetryClock;
pub use set_source::SetSource;
