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
use super::rewrite::Rewriting;
use super::settings::{VariableRules, VariableSettings};
use super::state_limits::StateLimits;
use super::track::Track;
use super::{Episode, EpisodeChange, EpisodeKind, Mended, OpenRow, OutboxMessage, StoredEpisode, memory};
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
    /// Of the kinds whose past was mended up to the last reading: the row that is open then, if any.
    mended_rows: BTreeMap<EpisodeKind, Option<OpenRow>>,
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

    /// After how long a variable is silent or stuck, as far as that is known.
    pub fn limits(&mut self, variable: &Arc<str>) -> StateLimits {
        let settings = self.settings_of(variable);
        let least = self.settings.least_silence;
        match self.tracks.get(variable) {
            Some(track) => track.limits(&settings, least),
            None => Track::after(Datetime::from_micros(i64::MIN)).limits(&settings, least),
        }
    }

    /// What becomes of the row of a silence that readings up to `last` disprove.
    pub fn disprove(
        &mut self,
        variable: &Arc<str>,
        row: StoredEpisode,
        last: Option<Datetime>,
        now: Datetime,
        messages: &mut Vec<OutboxMessage>,
    ) -> EpisodeChange {
        let (settings, limit) = (self.settings_of(variable), self.limits(variable).silent);
        let since = last.filter(|last| limit.is_some_and(|limit| now.since(*last) > limit));
        let notifier = &Notifier::of_the_past();
        Rewriting { settings: &settings, notifier, now, replaces: false }.disprove(row, since, messages)
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
        let open = of_variables(open);
        for ((variable, kind), row) in &open {
            let ours = self.rows.get(&(Arc::clone(variable), *kind));
            // What was taken over stays the other's.
            let is_ours = *kind != EpisodeKind::Anomaly || row.worker == self.worker;
            let is_same = ours == Some(&(row.episode.begin, row.version)) && is_ours;
            if !is_same && self.tracks.contains_key(*variable) {
                note(variable, row.episode.begin);
            }
        }
        for ((variable, kind), (begin, _)) in &self.rows {
            let is_same = open.get(&(variable, *kind)).is_some_and(|row| row.episode.begin == *begin);
            if *kind != EpisodeKind::Service && !is_same {
                note(variable, *begin);
            }
        }
        changed
    }

    /// The known ones of the variables that another process has changed, from there on.
    pub fn after_others(&self, changed: &BTreeMap<Arc<str>, Datetime>) -> BTreeMap<Arc<str>, Anew> {
        let anew = |(variable, from): (&Arc<str>, &Datetime)| {
            let last = self.last(variable)?;
            Some((Arc::clone(variable), Anew { from: last.min(*from), to: None }))
        };
        changed.iter().filter_map(anew).collect()
    }

    /// Takes over the silences and the stuck values of these variables as the table has them,
    /// because another process has changed them. Everything else of them is evaluated again.
    pub fn adopt_states<'a>(
        &mut self,
        variables: impl Iterator<Item = &'a Arc<str>>,
        open: &[StoredEpisode],
    ) {
        let open = of_variables(open);
        for variable in variables {
            let Some(track) = self.tracks.get_mut(variable) else { continue };
            for kind in [EpisodeKind::Silent, EpisodeKind::Stuck] {
                let row = open.get(&(variable, kind));
                track.adopt_state(kind, row.map(|row| row.episode.clone()));
                let key = (Arc::clone(variable), kind);
                match row {
                    Some(row) => self.rows.insert(key, (row.episode.begin, row.version)),
                    None => self.rows.remove(&key),
                };
            }
        }
    }

    /// Which variables of a batch have to be evaluated again from earlier verdicts on: those that
    /// are new here, also if another process has judged all their readings; those that `others`
    /// have changed; those with readings that another process has judged; those for which the
    /// number of consecutive readings counts, whatever the outcome of the earlier ones; and those
    /// whose next reading says that the silence was none: what it has ended goes on.
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
            let limit = track.silent_after(&settings, self.settings.least_silence);
            let is_late = |next: Datetime| limit.is_some_and(|limit| next.since(track.last) <= limit);
            let was_not_silent = track.silent.is_some() && to.is_some_and(is_late);
            let heard = track.heard.max(judged_before.get(&variable).copied().unwrap_or(track.heard));
            let is_others = others.contains_key(&variable) || heard > track.last;
            if is_others || may_wait || was_not_silent {
                let from = others.get(&variable).map_or(track.last, |from| track.last.min(*from));
                doubtful.insert(variable, Anew { from, to: to.filter(|_| !is_others) });
            }
        }
        // Later readings are evaluated after these, and so is a silence.
        for (variable, at) in judged_before {
            let last = self.last(variable);
            if last.is_none_or(|last| last < *at) {
                let from = last.map_or(*at, |last| last.min(*at));
                doubtful.entry(Arc::clone(variable)).or_insert(Anew { from, to: None });
            }
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
            let mut mended_rows = BTreeMap::new();
            let mut disproved = None;
            if let Some(mut mended) = mended.remove(&variable) {
                draft.changes.append(&mut mended.changes);
                draft.messages.append(&mut mended.messages);
                disproved = mended.disproved.take();
                track.resume_after(mended, &mut mended_rows);
            }
            points.retain(|point| point.ds > track.last);
            for point in points {
                closed.extend(track.step(&variable, &point, &settings, self.settings.least_silence));
            }
            track.heard = track.heard.max(heard.unwrap_or(track.heard));
            if let Some(row) = disproved {
                let limit = track.silent_after(&settings, self.settings.least_silence);
                let still = limit.filter(|limit| track.silent.is_none() && now.since(track.heard) > *limit);
                let rewriting = Rewriting { settings: &settings, notifier, now, replaces: false };
                let since = still.map(|_| track.heard);
                let change = rewriting.disprove(row, since, &mut draft.messages);
                if change.gone {
                    draft.changes.push(change);
                } else {
                    mended_rows.insert(EpisodeKind::Silent, change.before);
                    track.silent = Some(change.episode);
                    closed.extend(still.into_iter().flat_map(|limit| track.end_in_silence(limit)));
                }
            }
            let step = Step { before: &before, closed, mended_rows, settings: &settings, now };
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
                let mended_rows = BTreeMap::new();
                let step = Step { before: &before, closed, mended_rows, settings: &settings, now };
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
        let Step { before, closed, mended_rows, settings, now } = step;
        for kind in [EpisodeKind::Anomaly, EpisodeKind::Silent, EpisodeKind::Stuck] {
            let key = (Arc::clone(variable), kind);
            let mended_row = mended_rows.get(&kind).copied();
            let row = mended_row.unwrap_or_else(|| self.rows.get(&key).copied());
            let is_mended = mended_row.is_some();
            let mut going_on = row;
            for mut episode in closed.iter().filter(|episode| episode.kind == kind).cloned() {
                // Only an episode that was open before has a row. That of a silence that was none
                // belongs to the one that goes on.
                let is_any = is_mended && kind != EpisodeKind::Silent;
                let of_row = going_on.take_if(|(begin, _)| is_any || *begin == episode.begin);
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

/// The rows of variables, by variable and kind.
fn of_variables(open: &[StoredEpisode]) -> BTreeMap<(&Arc<str>, EpisodeKind), &StoredEpisode> {
    let kinds = [EpisodeKind::Anomaly, EpisodeKind::Silent, EpisodeKind::Stuck];
    let open = open.iter().filter(|row| kinds.contains(&row.episode.kind));
    open.map(|row| ((&row.episode.variable, row.episode.kind), row)).collect()
}

#[cfg(test)]
mod tests;
