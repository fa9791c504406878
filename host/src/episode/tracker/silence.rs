//! Silence by the plant's clock: variables without a reading for too long. If these are all of
//! them, it is one state of the service instead.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use super::draft::Step;
use super::{Draft, EpisodeTracker};
use crate::datetime::Datetime;
use crate::episode::notifier::Notifier;
use crate::episode::rewrite::Rewriting;
use crate::episode::{Episode, EpisodeChange, EpisodeKind, OutboxMessage, Priority, StoredEpisode, machine};

impl EpisodeTracker {
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
                        let priority = machine::priority(silent, false, &settings);
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
                episode.priority = Priority::High;
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
}
