//! The changes of one commit: what a batch, or the clock, makes of the episodes of variables. It
//! lives until the commit. One that was not committed has no effect and is dropped.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::EpisodeTracker;
use crate::checkpoint::Parts;
use crate::datetime::Datetime;
use crate::episode::notifier::Notifier;
use crate::episode::settings::VariableSettings;
use crate::episode::track::Track;
use crate::episode::{Episode, EpisodeChange, EpisodeKind, OpenRow, OutboxMessage, Told, memory};

/// The changes of one commit.
#[derive(Debug, Default)]
pub struct Draft {
    pub changes: Vec<EpisodeChange>,
    pub messages: Vec<OutboxMessage>,
    /// The new `State::memory`.
    pub memory: Parts,
    pub(super) tracks: BTreeMap<Arc<str>, Track>,
    pub(super) rows: Vec<(RowKey, Option<OpenRow>)>,
    pub(super) service: Option<Option<Episode>>,
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
pub(super) struct Step<'a> {
    pub(super) before: &'a Track,
    pub(super) closed: Vec<Episode>,
    /// Of the kinds whose past was mended up to the last reading: the row that is open then, if any.
    pub(super) mended_rows: BTreeMap<EpisodeKind, Option<OpenRow>>,
    pub(super) settings: &'a VariableSettings,
    pub(super) now: Datetime,
}

impl EpisodeTracker {
    /// Adds the changes of a variable to the draft.
    pub(super) fn put(
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
                    episode.told = Told::Never;
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
    pub(super) fn seal(&self, draft: &mut Draft) {
        let changed: BTreeSet<Arc<str>> = draft.tracks.keys().cloned().collect();
        let now =
            self.tracks.iter().filter(|(name, _)| !draft.tracks.contains_key(*name)).chain(&draft.tracks);
        draft.memory =
            if changed.is_empty() { self.memory.clone() } else { memory::write(&self.memory, &changed, now) };
    }
}
