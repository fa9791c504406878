//! Replacing the detector while the service runs.
//!
//! File events are hints; a fingerprint decides. [`SetSource`] says where a set comes from and
//! reads it whole, each model file in the form that the detector compacts it to ([`set_loader`]),
//! which is done once ([`compact_cache`]). [`Fingerprint`] tells at low cost whether anything may
//! have changed. [`Reloader`] looks at the files, builds the next set beside the one in use and
//! tries it on the last committed batch. [`watch`] is the loop that calls it. The worker swaps
//! between batches. On any failure the old set stays in use, and the log gives the reason once.
//! Reading that hangs is abandoned ([`step_counter`]); a set that was refused because it took too
//! long is tried again after a while (`retry`).
//!
//! The set that judged last is kept on disk ([`LastGood`]), so that a restarted service ([`Start`])
//! can use it if its files cannot be used.

mod answer;
mod at_rest;
mod canary;
mod compact_cache;
mod dry_run;
mod file_stamp;
mod kept_set;
mod last_good;
mod overview;
mod reloader;
mod retry;
mod set_loader;
mod set_source;
mod start;
mod step_counter;
mod trial;
pub mod watch;

pub use answer::{Answer, Found};
pub use canary::Canary;
pub use dry_run::DryRun;
pub use file_stamp::{FileClock, Fingerprint};
pub use last_good::LastGood;
pub use overview::{SetChanges, SetOverview};
pub use reloader::{ReloadOutcome, ReloadSlots, Reloader};
pub use retry::RetryClock;
pub use set_source::SetSource;
pub use start::{RefusedFiles, Start};
