//! The worker: it reads new readings, has them judged, and stores the verdicts with its own state.
//!
//! A worker lives as long as the service. One cycle is one call of [`Worker::cycle`]. A failure
//! leaves the database as it was after the last commit, and the next cycle starts from that state.
//! [`schedule`] calls it on time. [`backfill`] judges what no cycle does, with a state of its own.

mod again;
pub mod backfill;
mod batch;
mod batch_report;
mod canary;
mod correct;
mod cycle;
mod cycle_context;
mod doubt;
mod episodes;
mod error;
mod mend;
mod names;
pub mod outage;
mod patience;
mod reconcile;
mod recover;
mod recovered;
pub mod refused;
pub mod report;
mod scan;
pub mod schedule;
mod search;
mod session;
mod siblings;
mod start;
mod tell;
mod warm_up;

use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use tokio::sync::watch;

pub(crate) use batch::CELLS_PER_ROW;
pub use error::CycleError;
pub use reconcile::Slice;
pub use report::CycleReport;
pub(crate) use scan::RangeScan;
pub(crate) use warm_up::span as lookback_span;

pub(crate) use canary::last_judged;

use crate::alert::service_status::ServiceStatus;
use crate::counts::Counts;
use crate::datetime::Datetime;
use crate::detector::{Detector, short_digest};
use crate::episode::TrackerSettings;
use crate::metrics::Metrics;
use crate::reload::ReloadSlots;
use crate::shard::Shard;
use crate::state::State;
use crate::store::{Connector, LeaderLock};
pub use patience::Ended;
use reconcile::Reasons;
use search::Learnt;
use session::Session;
pub use session::lateness;

/// The settings of a worker.
#[derive(Clone, Debug)]
pub struct WorkerSettings {
    /// Its row in the state table.
    pub name: String,
    /// Its share of the variables. None: all.
    pub shard: Option<Shard>,
    /// Rows read at a time: this bounds memory, and the locks of one transaction.
    pub batch_rows: usize,
    /// How far back a worker starts that finds neither a state row nor verdicts.
    pub initial_lookback: Duration,
    /// How much older than the watermark a reading may be. None: 24 h where the input has a key,
    /// else 1 h.
    pub allowed_lateness: Option<Duration>,
    /// How long a missing id may still belong to an insert in flight.
    pub settle: Duration,
    /// The most time that a cycle spends on a detector that fails, or that wants to see readings
    /// before it judges: see [`patience`].
    pub patience: Duration,
    /// How often all readings of the allowed lateness are checked, whatever their position. None:
    /// never.
    pub reconcile: Option<Duration>,
    /// The settings of episodes.
    pub episodes: Arc<TrackerSettings>,
}

/// A worker between two cycles.
pub struct Worker {
    settings: WorkerSettings,
    connector: Box<dyn Connector>,
    /// None at the start, and after the loss of the connection or of the name.
    leader_lock: Option<Box<dyn LeaderLock>>,
    /// Whether this is the active worker of its name.
    is_leader: bool,
    /// Whether it was logged that another worker is active.
    is_standby: bool,
    /// None at the start and after any failed call to the database.
    session: Option<Session>,
    detector: Detector,
    /// The detector before a reload, until the new one has judged a batch.
    previous: Option<Detector>,
    shared: ReloadSlots,
    /// What is known of the detector's faults and not stored yet.
    learnt: Learnt,
    /// Whether the detector in use was shown its lookback, as far as it wants one.
    warm: bool,
    /// As last committed or read. It outlives the session: the summary of a worker that lost its
    /// database shows it.
    watermark: Option<Datetime>,
    /// Whether a cycle has begun to read. A stop does not wait for what comes before that.
    in_hand: Arc<AtomicBool>,
    /// See [`Worker::beats`].
    beats: watch::Sender<Option<Datetime>>,
    cycles: u64,
    totals: Counts,
    named: report::NamedOnce,
    reasons: Reasons,
    /// The status of this worker, from which alerts are made.
    service_status: Arc<ServiceStatus>,
    metrics: Metrics,
}

impl Worker {
    /// A worker that has not connected yet.
    pub fn new(
        settings: WorkerSettings,
        connector: Box<dyn Connector>,
        detector: Detector,
        shared: ReloadSlots,
    ) -> Self {
        Self {
            settings,
            connector,
            leader_lock: None,
            is_leader: false,
            is_standby: false,
            session: None,
            detector,
            previous: None,
            shared,
            learnt: Learnt::default(),
            warm: false,
            watermark: None,
            in_hand: Arc::default(),
            beats: watch::Sender::new(None),
            cycles: 0,
            totals: Counts::default(),
            named: report::NamedOnce::default(),
            reasons: Reasons::default(),
            service_status: Arc::default(),
            metrics: Metrics::default(),
        }
    }

    /// Reports the outcome of its cycles to this status.
    #[must_use]
    pub fn telling(self, service_status: Arc<ServiceStatus>) -> Self {
        Self { service_status, ..self }
    }

    /// Counts its work in these metrics.
    #[must_use]
    pub fn counted_by(self, metrics: Metrics) -> Self {
        Self { metrics, ..self }
    }

    /// Returns to this set, if the detector in use fails at its first batch.
    #[must_use]
    pub fn after(self, previous: Option<Detector>) -> Self {
        Self { previous, ..self }
    }

    /// The detector in use.
    pub fn detector(&self) -> &Detector {
        &self.detector
    }

    /// The latest datetime judged, as far as this worker knows; None before the first connection.
    pub fn watermark(&self) -> Option<Datetime> {
        self.watermark
    }

    /// How far the watermark was behind the database's clock when that was last asked; None if
    /// either is unknown.
    fn lag(&self) -> Option<Duration> {
        Some(self.session.as_ref()?.now.since(self.watermark?))
    }

    /// Whether a running cycle has readings in hand. Before that it connects, takes its name and
    /// warms the detector up, and may be dropped at any moment.
    fn in_hand(&self) -> Arc<AtomicBool> {
        Arc::clone(&self.in_hand)
    }

    /// For tasks that run beside the cycles: after each successful cycle the database's clock in
    /// it, and None once another worker is active.
    pub fn beats(&self) -> watch::Receiver<Option<Datetime>> {
        self.beats.subscribe()
    }

    /// Cycles begun since the start.
    pub fn cycles(&self) -> u64 {
        self.cycles
    }

    /// The outcomes of all rows since the start.
    pub fn totals(&self) -> Counts {
        self.totals
    }

    /// Takes the detector that a reload has made ready into use, if there is one. Called only
    /// between batches.
    fn swap(&mut self, state: &State) {
        let Some(mut next) = self.shared.take_ready() else { return };
        next.committed(state.checkpoint.clone());
        next.discard();
        report::models(&next);
        let replaced = std::mem::replace(&mut self.detector, next);
        // Of two reloads without a batch between them, the first has proved nothing: the set to
        // return to stays the same.
        self.previous.get_or_insert(replaced);
        self.named.without_model.clear();
        self.warm = false;
    }

    /// The set in use passed its canary and now fails: the previous one is used in its place, if
    /// there is one.
    fn swap_back(&mut self, state: &State) -> bool {
        let Some(mut previous) = self.previous.take() else { return false };
        previous.committed(state.checkpoint.clone());
        previous.discard();
        let failed = std::mem::replace(&mut self.detector, previous);
        self.shared.withdraw(&failed.set().digest, &self.detector);
        self.named.without_model.clear();
        tracing::error!(
            "set {} cannot judge the new readings; set {} is in use again until the files change",
            short_digest(&failed.set().digest),
            short_digest(&self.detector.set().digest)
        );
        true
    }
}
