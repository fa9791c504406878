//! Tracks all variables of a worker, and makes the changes of their episodes for each commit.
//!
//! A batch makes a [`Draft`], which is committed in the transaction of its verdicts. Only after the
//! commit does the tracker accept it. After a failure the next session reads everything from the
//! database again.

mod anew;
mod batch;
mod draft;
mod others;
mod silence;

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::time::Duration;

pub use anew::Anew;
pub use draft::Draft;

use super::settings::{VariableRules, VariableSettings};
use super::state_limits::StateLimits;
use super::track::Track;
use super::{Episode, EpisodeKind, OpenRow, StoredEpisode, memory};
use crate::checkpoint::Parts;
use crate::datetime::Datetime;
use crate::shard::Shard;

/// The settings.
#[derive(Clone, Debug)]
pub struct TrackerSettings {
    pub rules: VariableRules,
    /// The least learnt time to silence: readings come with the cycles.
    pub least_silence: Duration,
}

impl Default for TrackerSettings {
    fn default() -> Self {
        Self { rules: VariableRules::default(), least_silence: Duration::from_secs(600) }
    }
}

/// All variables of a worker.
#[derive(Debug, Default)]
pub struct EpisodeTracker {
    settings: Arc<TrackerSettings>,
    worker: Arc<str>,
    known: HashMap<Arc<str>, Arc<VariableSettings>>,
    tracks: BTreeMap<Arc<str>, Track>,
    rows: HashMap<(Arc<str>, EpisodeKind), OpenRow>,
    /// The open episode of the service, that no variable has readings.
    service: Option<Episode>,
    memory: Parts,
}

impl EpisodeTracker {
    /// Loads the memory and the open rows of the table.
    pub fn load(
        settings: Arc<TrackerSettings>,
        worker: &str,
        shard: Option<Shard>,
        memory: &Parts,
        open: Vec<StoredEpisode>,
    ) -> Self {
        let ours = |name: &str| shard.is_none_or(|shard| shard.holds(name));
        let mut tracks = memory::read(memory);
        tracks.retain(|name, _| ours(name));
        let mut tracker =
            Self { settings, worker: worker.into(), tracks, memory: memory.clone(), ..Self::default() };
        // The table takes precedence; the memory adds details.
        let mut rows: BTreeMap<(Arc<str>, EpisodeKind), (Episode, OpenRow)> = BTreeMap::new();
        for StoredEpisode { episode, version, .. } in open {
            match episode.kind {
                EpisodeKind::Shelved => {}
                EpisodeKind::Service if *episode.variable == *worker => {
                    let key = (Arc::clone(&episode.variable), episode.kind);
                    tracker.rows.insert(key, (episode.begin, version));
                    tracker.service = Some(episode);
                }
                EpisodeKind::Service => {}
                _ if ours(&episode.variable) => {
                    let key = (Arc::clone(&episode.variable), episode.kind);
                    let row = (episode.begin, version);
                    rows.insert(key, (episode, row));
                }
                _ => {}
            }
        }
        for (name, track) in &mut tracker.tracks {
            let held = |kind| rows.get(&(Arc::clone(name), kind)).map(|(episode, _)| episode.clone());
            track.adopt(held(EpisodeKind::Anomaly), held(EpisodeKind::Silent), held(EpisodeKind::Stuck));
        }
        for ((name, kind), (episode, row)) in rows {
            tracker.tracks.entry(Arc::clone(&name)).or_insert_with(|| Track::resume(episode));
            tracker.rows.insert((name, kind), row);
        }
        tracker
    }

    /// The settings of a variable.
    pub fn settings_of(&mut self, variable: &Arc<str>) -> Arc<VariableSettings> {
        if let Some(known) = self.known.get(variable) {
            return Arc::clone(known);
        }
        let found = self.settings.rules.of(variable);
        self.known.insert(Arc::clone(variable), Arc::clone(&found));
        found
    }

    /// The number of variables.
    pub fn variables(&self) -> usize {
        self.tracks.len()
    }

    /// The last reading of a variable that was taken in its order.
    pub fn last(&self, variable: &str) -> Option<Datetime> {
        self.tracks.get(variable).map(|track| track.last)
    }

    /// After how long a variable is silent or stuck, as far as that is known.
    pub fn limits(&mut self, variable: &Arc<str>) -> StateLimits {
        let settings = self.settings_of(variable);
        let least = self.settings.least_silence;
        match self.tracks.get(variable) {
            Some(track) => track.limits(&settings, least),
            None => Track::after(Datetime::from_micros(i64::MIN)).limits(&settings, least),
        }
    }

    /// The draft was committed.
    pub fn accept(&mut self, draft: Draft) {
        self.tracks.extend(draft.tracks);
        for (key, row) in draft.rows {
            match row {
                Some(row) => self.rows.insert(key, row),
                None => self.rows.remove(&key),
            };
        }
        if let Some(service) = draft.service {
            self.service = service;
        }
        self.memory = draft.memory;
    }
}

#[cfg(test)]
mod tests;
