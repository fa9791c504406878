//! Puts what the verdicts say into the rows of the table that there are.
//!
//! No message is made of past episodes, except the end of one whose begin was told.

use super::machine::priority;
use super::notifier::Notifier;
use super::settings::VariableSettings;
use super::{Episode, EpisodeChange, EpisodeKind, OpenEpisode, OutboxMessage, StoredEpisode, Told};
use crate::datetime::Datetime;

/// The episodes of one kind.
pub(super) struct Rewriting<'a> {
    pub(super) settings: &'a VariableSettings,
    pub(super) notifier: &'a Notifier,
    pub(super) now: Datetime,
    /// Whether stored verdicts were judged again.
    pub(super) replaces: bool,
}

/// What the table gets.
#[derive(Default)]
pub(super) struct Rewritten {
    pub(super) changes: Vec<EpisodeChange>,
    pub(super) messages: Vec<OutboxMessage>,
    /// The open one, with the begin and the version of its row. It is not among the changes.
    pub(super) open: Option<OpenEpisode>,
    /// The row of a silence that was open and that the readings disprove.
    pub(super) disproved: Option<StoredEpisode>,
}

impl Rewriting<'_> {
    /// `old`: all rows that `closed` and `open` replace.
    pub(super) fn of(
        &self,
        old: Vec<StoredEpisode>,
        closed: Vec<Episode>,
        open: Option<Episode>,
    ) -> Rewritten {
        let mut old: Vec<Option<StoredEpisode>> = old.into_iter().map(Some).collect();
        let mut rewritten = Rewritten::default();
        let is_any_open = open.is_some();
        // An episode takes the row of the old one with the same begin, else of one that it
        // overlaps.
        let all: Vec<Episode> = closed.into_iter().chain(open).collect();
        let mut rows: Vec<Option<StoredEpisode>> =
            all.iter().map(|new| take_if(&mut old, |row| row.episode.begin == new.begin)).collect();
        for (new, row) in all.iter().zip(&mut rows).filter(|(_, row)| row.is_none()) {
            *row = take_if(&mut old, |row| overlaps(&row.episode, new));
        }
        // The messages of an open episode continue in the one that is open now, whatever its row.
        let mut told_open = None;
        for row in old.into_iter().flatten() {
            if row.episode.is_open() && is_any_open {
                told_open = Some(row.episode.told);
                let before = Some((row.episode.begin, row.version));
                rewritten.changes.push(EpisodeChange { before, episode: row.episode, gone: true });
            } else if row.episode.is_open() && row.episode.kind == EpisodeKind::Silent {
                rewritten.disproved = Some(row);
            } else {
                let change = self.remove(row, &mut rewritten.messages);
                rewritten.changes.push(change);
            }
        }
        for (mut new, row) in all.into_iter().zip(rows) {
            let before = row.as_ref().map(|row| (row.episode.begin, row.version));
            match &row {
                Some(row) => {
                    (new.told, new.shelved) = (row.episode.told, row.episode.shelved);
                    // What is stored says no cause.
                    let worst = |episode: &Episode| episode.worst.map(|worst| worst.ds);
                    let is_old = worst(&new) == worst(&row.episode) && !self.replaces;
                    if is_old || new.cause.is_none() {
                        new.cause.clone_from(&row.episode.cause);
                    }
                }
                None if !new.is_open() => new.told = Told::Never,
                None => {}
            }
            if new.is_open() {
                new.told = match told_open.unwrap_or(new.told) {
                    // It had an end and has none now.
                    Told::Closed | Told::Never => Told::Nothing,
                    told => told,
                };
                rewritten.open = Some((new, before));
                continue;
            }
            if row.as_ref().is_some_and(|row| row.episode == new) {
                continue;
            }
            // A change of a closed episode is not told.
            if row.is_some_and(|row| row.episode.is_open()) {
                untold(&mut new);
                rewritten.messages.extend(self.notifier.tell(&mut new, Some(self.settings), self.now));
            }
            rewritten.changes.push(EpisodeChange { before, episode: new, gone: false });
        }
        rewritten
    }

    /// Deletes a row. If its begin was told, its end is.
    fn remove(&self, row: StoredEpisode, messages: &mut Vec<OutboxMessage>) -> EpisodeChange {
        let before = Some((row.episode.begin, row.version));
        let mut ended = Episode { closed_at: row.episode.closed_at.or(Some(row.episode.end)), ..row.episode };
        untold(&mut ended);
        messages.extend(self.notifier.tell(&mut ended, Some(self.settings), self.now));
        EpisodeChange { before, episode: ended, gone: true }
    }

    /// What becomes of a silence that was none: if the variable is silent all the same since a later
    /// reading, it goes on from that one without a message, else the row is deleted.
    pub(super) fn disprove(
        &self,
        row: StoredEpisode,
        silent_since: Option<Datetime>,
        messages: &mut Vec<OutboxMessage>,
    ) -> EpisodeChange {
        let Some(begin) = silent_since else { return self.remove(row, messages) };
        let before = Some((row.episode.begin, row.version));
        let mut episode = Episode { begin, end: row.episode.end.max(begin), ..row.episode };
        episode.priority = priority(&episode, false, self.settings);
        EpisodeChange { before, episode, gone: false }
    }
}

/// What was not told while it was open is not told any more.
fn untold(episode: &mut Episode) {
    if episode.told == Told::Nothing {
        episode.told = Told::Never;
    }
}

fn take_if(
    rows: &mut [Option<StoredEpisode>],
    is_it: impl Fn(&StoredEpisode) -> bool,
) -> Option<StoredEpisode> {
    rows.iter_mut().find(|row| row.as_ref().is_some_and(&is_it)).and_then(Option::take)
}

fn overlaps(one: &Episode, other: &Episode) -> bool {
    let ends = |episode: &Episode| episode.closed_at.unwrap_or(Datetime::from_micros(i64::MAX));
    one.begin < ends(other) && other.begin < ends(one)
}
