//! The metrics of the service, for Prometheus and its like.
//!
//! All clones of a [`Metrics`] share their values. Labels have a few fixed values; the name of a
//! variable is never one. The plant's time has no zone, so no instant of it is exported, only how
//! far behind its clock things are. Counting never fails and never waits.

mod alerts;
mod cycles;
mod text;

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::{Histogram, exponential_buckets};
use prometheus_client::registry::{Registry, Unit};

pub use alerts::AlertOutcome;
pub use cycles::CycleOutcome;
pub use text::write_file;

use crate::datetime::Datetime;
use crate::episode::{EpisodeKind, StoredEpisode};
use crate::reload::ReloadSlots;
use crate::state::State;
use crate::store::OutboxCounts;

/// The prefix of every name.
const PREFIX: &str = "anomaly_worker";

/// One label.
type Label = [(&'static str, &'static str); 1];

/// All metrics.
#[derive(Clone)]
pub struct Metrics(Arc<All>);

struct All {
    registry: Registry,
    cycles: Family<Label, Counter>,
    cycle_duration: Histogram,
    readings: Family<Label, Counter>,
    lag: Gauge<f64, AtomicU64>,
    since_commit: Gauge<f64, AtomicU64>,
    last_success: Gauge<f64, AtomicU64>,
    models: Family<Label, Gauge>,
    variables: Family<Label, Gauge>,
    refused: Gauge,
    reloads: Family<Label, Counter>,
    leader: Gauge,
    alerts: Family<Label, Counter>,
    episodes: Family<Label, Gauge>,
    messages: Family<Label, Gauge>,
    reload_slots: Mutex<Option<ReloadSlots>>,
    signs: Mutex<Signs>,
}

/// When the schedule last made progress, and how long it may take until the next time. None without
/// a schedule.
#[derive(Default)]
struct Signs {
    last: Option<Instant>,
    silence: Option<Duration>,
}

impl Default for Metrics {
    fn default() -> Self {
        let mut all = All {
            registry: Registry::with_prefix(PREFIX),
            cycles: Family::default(),
            // Buckets from 10 ms to nearly three minutes.
            cycle_duration: Histogram::new(exponential_buckets(0.01, 2.0, 15)),
            readings: Family::default(),
            lag: Gauge::default(),
            since_commit: Gauge::default(),
            last_success: Gauge::default(),
            models: Family::default(),
            variables: Family::default(),
            refused: Gauge::default(),
            reloads: Family::default(),
            leader: Gauge::default(),
            episodes: Family::default(),
            messages: Family::default(),
            alerts: Family::default(),
            reload_slots: Mutex::default(),
            signs: Mutex::default(),
        };
        all.register();
        Self(Arc::new(all))
    }
}

impl All {
    fn register(&mut self) {
        let registry = &mut self.registry;
        registry.register("cycles", "Cycles that ended, by outcome", self.cycles.clone());
        let help = "How long cycles took";
        registry.register_with_unit("cycle_duration", help, Unit::Seconds, self.cycle_duration.clone());
        registry.register("readings", "Readings of this process, by fate", self.readings.clone());
        let help = "How far the watermark is behind the plant's clock";
        registry.register_with_unit("lag", help, Unit::Seconds, self.lag.clone());
        let help = "How long ago the worker's row was written, by the plant's clock";
        registry.register_with_unit("since_commit", help, Unit::Seconds, self.since_commit.clone());
        let help = "When a cycle last worked, in Unix time of this machine; 0 before the first";
        registry.register_with_unit("last_success_timestamp", help, Unit::Seconds, self.last_success.clone());
        registry.register("models", "Models of the set in use, by state", self.models.clone());
        registry.register("variables", "Variables by state", self.variables.clone());
        let help = "1 while the files on disk are refused and the set goes on without them";
        registry.register("files_refused", help, self.refused.clone());
        registry.register("reloads", "Sets that were looked at, by outcome", self.reloads.clone());
        registry.register("leader", "1 while this is the active worker of its name", self.leader.clone());
        registry.register("alerts", "Messages to channels, by outcome", self.alerts.clone());
        registry.register("episodes_open", "Episodes that are open, by kind", self.episodes.clone());
        let help = "Messages of the outbox that are due, and those that were given up";
        registry.register("messages", help, self.messages.clone());
        let build: Family<Label, Gauge> = Family::default();
        build.get_or_create(&[("version", env!("CARGO_PKG_VERSION"))]).set(1);
        registry.register("build_info", "The program's version", build);
        // A counter that never counted is 0, and not missing.
        for outcome in CycleOutcome::ALL {
            drop(self.cycles.get_or_create(&[("outcome", outcome.word())]));
        }
        for outcome in AlertOutcome::ALL {
            drop(self.alerts.get_or_create(&[("outcome", outcome.word())]));
        }
        for outcome in crate::counts::Counts::default().outcomes() {
            drop(self.readings.get_or_create(&[("fate", outcome.label)]));
        }
        for outcome in ["used", "refused"] {
            drop(self.reloads.get_or_create(&[("outcome", outcome)]));
        }
        for (word, _) in EpisodeKind::ALL {
            drop(self.episodes.get_or_create(&[("kind", *word)]));
        }
        for state in ["due", "dead"] {
            drop(self.messages.get_or_create(&[("state", state)]));
        }
        drop(self.models.get_or_create(&[("state", "loaded")]));
        drop(self.variables.get_or_create(&[("state", "set_aside")]));
    }
}

impl Metrics {
    /// Reloads are read from these slots.
    #[must_use]
    pub fn watching(self, slots: ReloadSlots) -> Self {
        *self.0.reload_slots.lock().unwrap_or_else(PoisonError::into_inner) = Some(slots);
        self
    }

    fn signs(&self) -> std::sync::MutexGuard<'_, Signs> {
        self.0.signs.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// From now on a schedule runs, which makes progress at least this often.
    pub fn expect_signs(&self, silence: Duration) {
        *self.signs() = Signs { last: Some(Instant::now()), silence: Some(silence) };
    }

    /// The schedule made progress.
    pub fn alive(&self) {
        self.signs().last = Some(Instant::now());
    }

    /// For how long the schedule has made no progress, if that is too long.
    pub fn stalled(&self) -> Option<Duration> {
        let signs = self.signs();
        let silent = signs.last?.elapsed();
        (silent > signs.silence?).then_some(silent)
    }

    /// The position of a worker, by its row.
    pub fn stands(&self, state: &State, now: Datetime) {
        let all = &self.0;
        if let Some(watermark) = state.watermark_at(now) {
            all.lag.set(now.since(watermark).as_secs_f64());
        }
        all.since_commit.set(now.since(state.updated_at).as_secs_f64());
        let count = |count: u64| i64::try_from(count).unwrap_or(i64::MAX);
        if let Some(models) = &state.models {
            all.models.get_or_create(&[("state", "loaded")]).set(count(models.count));
            all.models.get_or_create(&[("state", "aged")]).set(count(models.aged.len() as u64));
            all.refused.set(i64::from(models.refused.is_some()));
        }
        all.variables.get_or_create(&[("state", "set_aside")]).set(count(state.set_aside.len() as u64));
    }

    /// The episodes that are open.
    pub fn open_episodes(&self, open: &[StoredEpisode]) {
        for (word, kind) in EpisodeKind::ALL {
            let count = open.iter().filter(|stored| stored.episode.kind == *kind).count();
            let gauge = self.0.episodes.get_or_create(&[("kind", *word)]);
            gauge.set(i64::try_from(count).unwrap_or(i64::MAX));
        }
    }

    /// Messages that are not delivered yet.
    pub fn undelivered(&self, counts: &OutboxCounts) {
        for (state, count) in [("due", counts.due), ("dead", counts.dead)] {
            let gauge = self.0.messages.get_or_create(&[("state", state)]);
            gauge.set(i64::try_from(count).unwrap_or(i64::MAX));
        }
    }

    /// Whether this is the active worker.
    pub fn leads(&self, leads: bool) {
        self.0.leader.set(i64::from(leads));
    }

    fn succeeded(&self) {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        self.0.last_success.set(now.as_secs_f64());
    }

    fn take_reloads(&self) {
        let slots = self.0.reload_slots.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let Some(slots) = slots else { return };
        let (used, refused) = slots.looks();
        for (outcome, count) in [("used", used), ("refused", refused)] {
            self.0.reloads.get_or_create(&[("outcome", outcome)]).inner().store(count, Ordering::Relaxed);
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

    use std::collections::BTreeSet;

    use super::*;

    /// Names that begin with the prefix.
    fn named(text: &str) -> BTreeSet<String> {
        text.match_indices(PREFIX)
            .map(|(at, _)| {
                let name = text[at..].chars().take_while(|c| c.is_ascii_alphanumeric() || *c == '_');
                name.collect::<String>()
            })
            .filter(|name| name.len() > PREFIX.len())
            .collect()
    }

    #[test]
    fn rules_dashboard_and_documents_name_only_what_there_is() {
        let there: BTreeSet<String> = named(&Metrics::default().text());
        for (place, text) in [
            ("alerts.yml", include_str!("../../../packaging/prometheus/alerts.yml")),
            ("dashboard.json", include_str!("../../../packaging/grafana/dashboard.json")),
            ("metrics.md", include_str!("../../../docs/metrics.md")),
            ("metrics.es.md", include_str!("../../../docs/metrics.es.md")),
        ] {
            let unknown: Vec<_> = named(text).into_iter().filter(|name| !there.contains(name)).collect();
            assert_eq!(unknown, Vec::<String>::new(), "{place}");
        }
        let dashboard = include_str!("../../../packaging/grafana/dashboard.json");
        serde_json::from_str::<serde_json::Value>(dashboard).unwrap();
        let told = named(include_str!("../../../docs/metrics.md"));
        // The document names a counter or a histogram as queries do.
        let kinds = Metrics::default().text();
        let kinds = kinds.lines().filter_map(|line| line.strip_prefix("# TYPE ")?.split(' ').next());
        for kind in kinds {
            assert!(told.iter().any(|told| told.starts_with(kind)), "`{kind}` is told of nowhere");
        }
    }
}
