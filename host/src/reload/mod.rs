//! Replacing the detector while the service runs.
//!
//! File events are hints, a fingerprint decides. [`SetSource`] says where a set comes from and
//! reads it whole, model files as the detector compacts them ([`set_loader`]), once and for all
//! ([`compact_cache`]); [`Fingerprint`] tells cheaply whether anything may have changed;
//! [`Reloader`] looks, builds the next set beside the one in use and tries it on the last committed
//! batch; [`watch`] is the loop that wakes it. The worker swaps between batches. On any failure the
//! old set stays, and the log says once why. Reading that hangs is left behind ([`step_counter`]);
//! what was refused because it took too long is tried again after a while (`retry`).
//!
//! The set that judged last is kept on disk ([`LastGood`]), so that a service that is started anew
//! ([`Start`]) has it where its files cannot be used.

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
pub use file_stamp::Fingerprint;
pub use last_good::LastGood;
pub use overview::{SetChanges, SetOverview};
pub use reloader::{ReloadOutcome, ReloadSlots, Reloader};
pub use retry::RetryClock;
pub use set_source::SetSource;
pub use start::{RefusedFiles, Start};
