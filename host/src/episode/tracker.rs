//! Tracks all variables of a worker, and makes the changes of their episodes for each commit.
//!
//! A batch makes a [`Draft`], which is committed in the transaction of its verdicts. Only after the
//! commit does the tracker accept it. After a failure the next session reads everything from the
//! database again.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;
use std::time::Duration;

use super::notifier::Notifier;
use super::point::Point;
use super::settings::{VariableRules, VariableSettings};
use super::track::Track;
use super::{Episode, EpisodeChange, EpisodeKind, Mended, OutboxMessage, StoredEpisode, memory};
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

/// The range of a variable's verdicts that has to be evaluated again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Anew {
    pub from: Datetime,
    /// The first reading that is evaluated in its order, as always. None: all verdicts are
    /// evaluated again, those of the batch among them, because another process has judged later
    /// ones.
    pub to: Option<Datetime>,
}

/// A row of the table that is open: where it begins, and its version.
type OpenRow = (Datetime, i32);

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

/// The changes of one commit.
#[derive(Debug, Default)]
pub struct Draft {
    pub changes: Vec<EpisodeChange>,
    pub messages: Vec<OutboxMessage>,
    /// The new `State::memory`.
    pub memory: Parts,
    tracks: BTreeMap<Arc<str>, Track>,
    rows: Vec<(RowKey, Option<OpenRow>)>,
    service: Option<Option<Episode>>,
}

/// A variable has at most one open row of each kind.
type RowKey = (Arc<str>, EpisodeKind);

impl Draft {
    /// Whether a variable has been evaluated.
    pub fn concerns(&self, variable: &str) -> bool {
        self.tracks.contains_key(variable)
    }

    pub fn is_empty(&self) -> bool {
        self.changes.is_empty() && self.messages.is_empty() && self.tracks.is_empty()
    }
}

/// The result of a step of one variable.
struct Step<'a> {
    before: &'a Track,
    closed: Vec<Episode>,
    /// If its past was mended up to the last reading: the row that is open then, if any.
    mended_row: Option<Option<OpenRow>>,
    settings: &'a VariableSettings,
    now: Datetime,
}

/// The readings of one variable in a batch.
#[derive(Debug, Default)]
struct VariableBatch {
    points: Vec<Point>,
    heard: Option<Datetime>,
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

    /// After how long without a reading a variable is silent.
    pub fn silent_after(&mut self, variable: &Arc<str>) -> Option<Duration> {
        let settings = self.settings_of(variable);
        self.tracks.get(variable)?.silent_after(&settings, self.settings.least_silence)
    }

    /// Whether a variable is silent now.
    pub fn is_silent(&self, variable: &str) -> bool {
        self.tracks.get(variable).is_some_and(|track| track.silent.is_some())
    }

    /// Verdicts that are not later than the last one of their variable. What they change is found
    /// from the verdicts around them.
    pub fn late<'a>(
        &self,
        verdicts: impl Iterator<Item = (&'a Arc<str>, Point)>,
        anew: &BTreeMap<Arc<str>, Anew>,
    ) -> BTreeMap<Arc<str>, Vec<Point>> {
        let mut late: BTreeMap<Arc<str>, Vec<Point>> = BTreeMap::new();
        for (variable, point) in verdicts {
            let is_whole = anew.get(variable).is_some_and(|anew| anew.to.is_none());
            if is_whole || self.last(variable).is_some_and(|last| point.ds <= last) {
                late.entry(Arc::clone(variable)).or_default().push(point);
            }
        }
        late
    }

    /// Which variables have an open row that differs from what this worker has written, each with
    /// the begin of the difference: a backfill has changed it.
    pub fn changed_by_others(&self, open: &[StoredEpisode]) -> BTreeMap<Arc<str>, Datetime> {
        let mut changed: BTreeMap<Arc<str>, Datetime> = BTreeMap::new();
        let mut note = |variable: &Arc<str>, at: Datetime| {
            let first = changed.entry(Arc::clone(variable)).or_insert(at);
            *first = at.min(*first);
        };
        let open = open.iter().filter(|row| row.episode.kind == EpisodeKind::Anomaly);
        let open: BTreeMap<&Arc<str>, &StoredEpisode> =
            open.map(|row| (&row.episode.variable, row)).collect();
        for (variable, row) in &open {
            let ours = self.rows.get(&(Arc::clone(variable), EpisodeKind::Anomaly));
            let is_same = ours == Some(&(row.episode.begin, row.version)) && row.worker == self.worker;
            if !is_same && self.tracks.contains_key(*variable) {
                note(variable, row.episode.begin);
            }
        }
        for ((variable, kind), (begin, _)) in &self.rows {
            let is_same = open.get(variable).is_some_and(|row| row.episode.begin == *begin);
            if *kind == EpisodeKind::Anomaly && !is_same {
                note(variable, *begin);
            }
        }
        changed
    }

    /// Which variables of a batch have to be evaluated again from earlier verdicts on: those that
    /// are new here, also if another process has judged all their readings; those that `others`
    /// have changed; those with readings that another process has judged; and those for which the
    /// number of consecutive readings counts, whatever the outcome of the earlier ones.
    pub fn doubtful<'a>(
        &mut self,
        verdicts: impl Iterator<Item = (&'a Arc<str>, Point)>,
        judged_before: &BTreeMap<Arc<str>, Datetime>,
        others: &BTreeMap<Arc<str>, Datetime>,
    ) -> BTreeMap<Arc<str>, Anew> {
        let mut of: BTreeMap<Arc<str>, Vec<Point>> = BTreeMap::new();
        for (variable, point) in verdicts {
            of.entry(Arc::clone(variable)).or_default().push(point);
        }
        let mut doubtful = BTreeMap::new();
        for (variable, points) in of {
            let settings = self.settings_of(&variable);
            let last = self.last(&variable);
            let news = || points.iter().filter(|point| last.is_none_or(|last| last < point.ds));
            let to = news().map(|point| point.ds).min();
            let Some(track) = self.tracks.get(&variable) else {
                let to = to.filter(|_| !judged_before.contains_key(&variable));
                let first = points.iter().map(|point| point.ds).min();
                doubtful.extend(first.map(|from| (variable, Anew { from, to })));
                continue;
            };
            let is_counted = news().any(|point| point.counts(&settings));
            let may_wait = settings.on_delay > 1 && track.machine.open().is_none() && is_counted;
            let heard = track.heard.max(judged_before.get(&variable).copied().unwrap_or(track.heard));
            let is_others = others.contains_key(&variable) || heard > track.last;
            if is_others || may_wait {
                let from = others.get(&variable).map_or(track.last, |from| track.last.min(*from));
                doubtful.insert(variable, Anew { from, to: to.filter(|_| !is_others) });
            }
        }
        // Later readings are evaluated after these.
        let unknown = judged_before.iter().filter(|(variable, _)| !self.tracks.contains_key(*variable));
        for (variable, at) in unknown {
            doubtful.entry(Arc::clone(variable)).or_insert(Anew { from: *at, to: None });
        }
        doubtful
    }

    /// Evaluates the verdicts of a batch, the times of its readings without a verdict, and what its
    /// late readings have changed. What is dated after `until` is skipped; its time has not come
    /// yet.
    pub fn take<'a>(
        &mut self,
        verdicts: impl Iterator<Item = (&'a Arc<str>, Point)>,
        heard: impl Iterator<Item = (&'a Arc<str>, Datetime)>,
        mut mended: BTreeMap<Arc<str>, Mended>,
        (until, now): (Datetime, Datetime),
        notifier: &Notifier,
    ) -> Draft {
        let mut news: BTreeMap<Arc<str>, VariableBatch> = BTreeMap::new();
        for (variable, point) in verdicts.filter(|(_, point)| point.ds <= until) {
            news.entry(Arc::clone(variable)).or_default().points.push(point);
        }
        for (variable, at) in heard.filter(|(_, at)| *at <= until) {
            if let Some(of) = news.get_mut(variable) {
                of.heard = of.heard.max(Some(at));
            } else if self.tracks.get(variable).is_some_and(|track| track.heard < at) {
                news.entry(Arc::clone(variable)).or_default().heard = Some(at);
            }
        }
        for variable in mended.keys() {
            news.entry(Arc::clone(variable)).or_default();
        }
        let mut draft = Draft::default();
        for (variable, VariableBatch { mut points, heard }) in news {
            points.sort_by_key(|point| point.ds);
            let of_others = || mended.get(&variable).and_then(|mended| mended.last).map(Track::after);
            let known = self.tracks.get(&variable).cloned();
            let Some(mut track) = known.or_else(|| points.first().map(Track::begin)).or_else(of_others)
            else {
                continue;
            };
            let settings = self.settings_of(&variable);
            let before = track.clone();
            let mut closed = Vec::new();
            let mut mended_row = None;
            if let Some(Mended { changes, messages, live, last }) = mended.remove(&variable) {
                draft.changes.extend(changes);
                draft.messages.extend(messages);
                if let Some((machine, row)) = live {
                    track.machine = machine;
                    // Another process may have judged readings since.
                    track.last = track.last.max(last.unwrap_or(track.last));
                    mended_row = Some(row);
                }
            }
            points.retain(|point| point.ds > track.last);
            for point in points {
                closed.extend(track.step(&variable, &point, &settings, self.settings.least_silence));
            }
            track.heard = track.heard.max(heard.unwrap_or(track.heard));
            let step = Step { before: &before, closed, mended_row, settings: &settings, now };
            self.put(&mut draft, &variable, track, step, notifier);
        }
        self.seal(&mut draft);
        draft
    }

    /// At the end of a cycle: finds the variables without a reading for too long by the plant's
    /// clock, and whether these are all of them.
    pub fn listen(&mut self, now: Datetime, notifier: &Notifier) -> Draft {
        let mut draft = Draft::default();
        let names: Vec<Arc<str>> = self.tracks.keys().cloned().collect();
        let mut silent: Vec<(Arc<str>, Duration)> = Vec::new();
        let mut listened = 0;
        for name in &names {
            let settings = self.settings_of(name);
            let Some(track) = self.tracks.get(name) else { continue };
            let Some(limit) = track.silent_after(&settings, self.settings.least_silence) else { continue };
            listened += 1;
            if now.since(track.heard) > limit {
                silent.push((Arc::clone(name), limit));
            }
        }
        let all = listened > 0 && silent.len() == listened;
        self.serve(&mut draft, all, now, notifier);
        if !all {
            for (name, limit) in silent {
                let settings = self.settings_of(&name);
                let Some(before) = self.tracks.get(&name).cloned() else { continue };
                let mut track = before.clone();
                let mut closed = Vec::new();
                match &mut track.silent {
                    Some(silent) => {
                        // Its row is written again only if its priority changes.
                        let end = std::mem::replace(&mut silent.end, now);
                        let priority = super::machine::priority(silent, false, &settings);
                        if priority == silent.priority {
                            silent.end = end;
                        }
                        silent.priority = priority;
                    }
                    None => closed = track.fall_silent(&name, limit, now, &settings),
                }
                if track == before {
                    continue;
                }
                let step = Step { before: &before, closed, mended_row: None, settings: &settings, now };
                self.put(&mut draft, &name, track, step, notifier);
            }
        }
        self.seal(&mut draft);
        draft
    }

    /// Opens or closes the episode of the service that no variable has readings.
    fn serve(&self, draft: &mut Draft, is_silent: bool, now: Datetime, notifier: &Notifier) {
        let key = (Arc::clone(&self.worker), EpisodeKind::Service);
        let row = self.rows.get(&key).copied();
        match (&self.service, is_silent) {
            (None, true) => {
                let newest = self.tracks.values().map(|track| track.heard).max().unwrap_or(now);
                let mut episode = Episode::at(Arc::clone(&self.worker), EpisodeKind::Service, newest);
                episode.priority = super::Priority::High;
                episode.end = now.max(newest);
                draft.messages.extend(notifier.tell(&mut episode, None, now));
                draft.rows.push((key, Some((episode.begin, 1))));
                draft.service = Some(Some(episode.clone()));
                draft.changes.push(EpisodeChange::new(episode));
            }
            (Some(open), false) => {
                let mut episode = Episode { end: now.max(open.begin), ..open.clone() };
                episode.closed_at = Some(episode.end);
                draft.messages.extend(notifier.tell(&mut episode, None, now));
                draft.rows.push((key, None));
                draft.service = Some(None);
                draft.changes.push(EpisodeChange { before: row, episode, gone: false });
            }
            (None, false) | (Some(_), true) => {}
        }
    }

    /// Adds the changes of a variable to the draft.
    fn put(
        &self,
        draft: &mut Draft,
        variable: &Arc<str>,
        mut track: Track,
        step: Step<'_>,
        notifier: &Notifier,
    ) {
        let Step { before, closed, mended_row, settings, now } = step;
        for kind in [EpisodeKind::Anomaly, EpisodeKind::Silent, EpisodeKind::Stuck] {
            let key = (Arc::clone(variable), kind);
            let mended_row = mended_row.filter(|_| kind == EpisodeKind::Anomaly);
            let row = mended_row.unwrap_or_else(|| self.rows.get(&key).copied());
            let is_mended = mended_row.is_some();
            let mut going_on = row;
            for mut episode in closed.iter().filter(|episode| episode.kind == kind).cloned() {
                // Only an episode that was open before has a row.
                let of_row = going_on.take().filter(|(begin, _)| is_mended || *begin == episode.begin);
                // A silence that begins and ends between two commits is past when it is found.
                if of_row.is_none() && kind == EpisodeKind::Silent {
                    episode.told = super::Told::Never;
                }
                draft.messages.extend(notifier.tell(&mut episode, Some(settings), now));
                draft.changes.push(EpisodeChange { before: of_row, episode, gone: false });
            }
            let Some(open) = track.open_mut(kind) else {
                if self.rows.contains_key(&key) {
                    draft.rows.push((key, None));
                }
                continue;
            };
            draft.messages.extend(notifier.tell(open, Some(settings), now));
            let of_row = going_on.filter(|(begin, _)| is_mended || *begin == open.begin);
            let is_same = of_row.is_some_and(|(begin, _)| begin == open.begin);
            // The content of the table may be another process's.
            let is_ours = self.rows.get(&key).copied() == of_row;
            if is_same && is_ours && before.open(kind) == Some(&*open) {
                continue;
            }
            let version = of_row.map_or(1, |(_, version)| version + 1);
            draft.rows.push((key, Some((open.begin, version))));
            draft.changes.push(EpisodeChange { before: of_row, episode: open.clone(), gone: false });
        }
        draft.tracks.insert(Arc::clone(variable), track);
    }

    /// Puts the new memory into the draft.
    fn seal(&self, draft: &mut Draft) {
        let changed: BTreeSet<Arc<str>> = draft.tracks.keys().cloned().collect();
        let now =
            self.tracks.iter().filter(|(name, _)| !draft.tracks.contains_key(*name)).chain(&draft.tracks);
        draft.memory =
            if changed.is_empty() { self.memory.clone() } else { memory::write(&self.memory, &changed, now) };
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
