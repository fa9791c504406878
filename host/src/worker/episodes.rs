//! The episodes of a worker's variables, in step with its commits.
//!
//! They are read when a session begins and change with each commit, in its transaction. What of a
//! batch lies before readings that were judged already is mended from the verdicts around it
//! ([`mend`](super::mend)).

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use super::batch::JudgedBatch;
use super::session::Session;
use super::{Worker, WorkerSettings, mend};
use crate::datetime::Datetime;
use crate::episode::{Draft, EpisodeChange, EpisodeKind, EpisodeTracker, Notifier, Point, StoredEpisode};
use crate::state::State;
use crate::store::{Commit, Output, StoreError};

/// Clocks of devices may be ahead by so much. What is dated later has its time still before it.
const AHEAD: Duration = Duration::from_secs(5 * 60);

/// What a session knows of episodes.
#[derive(Debug, Default)]
pub(super) struct SessionEpisodes {
    tracker: EpisodeTracker,
    /// What a person has shelved, as the cycle found it.
    shelved: Vec<StoredEpisode>,
    /// Variables whose open rows somebody else has changed since this worker wrote them.
    changed_by_others: BTreeMap<Arc<str>, Datetime>,
    notifier: Notifier,
}

impl SessionEpisodes {
    /// As the database has it.
    pub(super) async fn load(
        settings: &WorkerSettings,
        state: &State,
        output: &mut dyn Output,
    ) -> Result<Self, StoreError> {
        let open = output.open_episodes().await?;
        let tracker = EpisodeTracker::load(
            Arc::clone(&settings.episodes),
            &settings.name,
            settings.shard,
            &state.memory,
            open,
        );
        Ok(Self { tracker, ..Self::default() })
    }

    /// What the batch does to episodes. Nothing is known of it before it is
    /// [`accepted`](Self::accept).
    pub(super) async fn draft(
        &mut self,
        output: &mut dyn Output,
        judged: &JudgedBatch,
    ) -> Result<Draft, StoreError> {
        let now = judged.state.updated_at;
        let until = now.later(AHEAD);
        let verdicts = || {
            let verdicts = judged.verdicts.iter().map(|row| (&row.variable, Point::of(row)));
            verdicts.filter(|(_, point)| point.ds <= until)
        };
        let heard = judged.report.heard.iter().map(|(variable, at)| (variable, *at));
        let anew = self.tracker.doubtful(verdicts(), &judged.report.judged_before, &self.changed_by_others);
        let late = self.tracker.late(verdicts(), &anew);
        let mended = mend::late(&mut self.tracker, late, &anew, output, now, &self.notifier).await?;
        Ok(self.tracker.take(verdicts(), heard, mended, (until, now), &self.notifier))
    }

    /// It was committed.
    pub(super) fn accept(&mut self, draft: Draft) {
        self.changed_by_others.retain(|variable, _| !draft.concerns(variable));
        self.tracker.accept(draft);
    }

    /// Rows of what a person has shelved, whose time is over.
    fn expired(&self, now: Datetime) -> Vec<EpisodeChange> {
        let over = self.shelved.iter().filter(|row| row.episode.end <= now);
        let close = |row: &StoredEpisode| {
            let mut episode = row.episode.clone();
            episode.closed_at = Some(episode.end);
            EpisodeChange { before: Some((episode.begin, row.version)), episode, gone: false }
        };
        over.map(close).collect()
    }
}

impl Worker {
    /// Asks what is open and what is shelved, a seek in each cycle: persons shelve, and a backfill
    /// changes what was open.
    pub(super) async fn learn_open(&self, session: &mut Session) -> Result<(), StoreError> {
        let open = session.output.open_episodes().await?;
        let episodes = &mut session.episodes;
        episodes.changed_by_others = episodes.tracker.changed_by_others(&open);
        let is_shelved = |row: &StoredEpisode| row.episode.kind == EpisodeKind::Shelved;
        episodes.shelved = open.into_iter().filter(is_shelved).collect();
        episodes.notifier = Notifier::new(&episodes.shelved);
        Ok(())
    }

    /// After all that there is was read: which variables have had no reading for too long.
    pub(super) async fn listen(&self, session: &mut Session, now: Datetime) -> Result<(), StoreError> {
        let episodes = &mut session.episodes;
        let mut draft = episodes.tracker.listen(now, &episodes.notifier);
        // Of workers that share the variables, one clears up.
        if self.settings.shard.is_none_or(crate::shard::Shard::is_first) {
            draft.changes.extend(episodes.expired(now));
        }
        if draft.is_empty() {
            return Ok(());
        }
        let state = State { memory: draft.memory.clone(), updated_at: now, ..session.state.clone() };
        let commit =
            Commit { episodes: &draft.changes, messages: &draft.messages, ..Commit::of(&[], &state) };
        session.output.commit(&self.settings.name, &commit).await?;
        session.state = state;
        session.episodes.shelved.retain(|row| row.episode.end > now);
        session.episodes.accept(draft);
        Ok(())
    }
}
