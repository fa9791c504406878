//! The episodes of a worker's variables, in step with its commits.
//!
//! They are read when a session begins and change with each commit, in its transaction. Where
//! readings of a batch are earlier than readings that were judged already, the episodes are
//! computed again from the verdicts around them ([`mend`](super::mend)).

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use super::batch::JudgedBatch;
use super::session::Session;
use super::{Worker, WorkerSettings, mend};
use crate::datetime::Datetime;
use crate::episode::{Draft, EpisodeChange, EpisodeKind, EpisodeTracker, Notifier, Point, StoredEpisode};
use crate::state::State;
use crate::store::{Commit, ErrorKind, Output, StoreError};

/// Clocks of devices may be ahead by this much. Readings dated later are not evaluated yet.
const AHEAD: Duration = Duration::from_secs(5 * 60);

/// What a session knows of episodes.
#[derive(Debug, Default)]
pub(super) struct SessionEpisodes {
    tracker: EpisodeTracker,
    /// What a person has shelved, as read in this cycle.
    shelved: Vec<StoredEpisode>,
    /// Variables whose open rows another process has changed since this worker wrote them.
    changed_by_others: BTreeMap<Arc<str>, Datetime>,
    notifier: Notifier,
}

impl SessionEpisodes {
    /// Loads the episodes from the database.
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

    /// The changes that the batch makes to episodes. They take effect only when they are
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

    /// Evaluates again what another process has changed of variables that have no new readings.
    async fn after_others(&mut self, output: &mut dyn Output, now: Datetime) -> Result<Draft, StoreError> {
        let anew = self.tracker.after_others(&self.changed_by_others);
        if anew.is_empty() {
            return Ok(Draft::default());
        }
        let mended =
            mend::late(&mut self.tracker, mend::News::new(), &anew, output, now, &self.notifier).await?;
        let (verdicts, heard) = (std::iter::empty(), std::iter::empty());
        Ok(self.tracker.take(verdicts, heard, mended, (now.later(AHEAD), now), &self.notifier))
    }

    /// The draft was committed.
    pub(super) fn accept(&mut self, draft: Draft) {
        self.changed_by_others.retain(|variable, _| !draft.concerns(variable));
        self.tracker.accept(draft);
    }

    /// Rows of variables that a person has shelved, for which the time is over.
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
    /// Reads what is open and what is shelved, with an index seek in each cycle: people shelve
    /// variables, and a backfill changes open episodes.
    pub(super) async fn learn_open(&self, session: &mut Session) -> Result<(), StoreError> {
        let open = session.output.open_episodes().await?;
        let episodes = &mut session.episodes;
        episodes.changed_by_others = episodes.tracker.changed_by_others(&open);
        episodes.tracker.adopt_states(episodes.changed_by_others.keys(), &open);
        let is_shelved = |row: &StoredEpisode| row.episode.kind == EpisodeKind::Shelved;
        episodes.shelved = open.into_iter().filter(is_shelved).collect();
        episodes.notifier = Notifier::new(&episodes.shelved);
        Ok(())
    }

    /// After everything was read: evaluates again what another process has changed, and finds the
    /// variables without a reading for too long.
    pub(super) async fn listen(&self, session: &mut Session, now: Datetime) -> Result<(), StoreError> {
        let draft = session.episodes.after_others(session.output.as_mut(), now).await?;
        if !self.store_draft(session, draft, now).await? {
            return Ok(());
        }
        let episodes = &mut session.episodes;
        let mut draft = episodes.tracker.listen(now, &episodes.notifier);
        // Where workers share the variables, only the first one removes them.
        if self.settings.shard.is_none_or(crate::shard::Shard::is_first) {
            draft.changes.extend(episodes.expired(now));
        }
        if self.store_draft(session, draft, now).await? {
            session.episodes.shelved.retain(|row| row.episode.end > now);
        }
        Ok(())
    }

    /// False if another process has changed the episodes meanwhile: the next cycle reads them.
    async fn store_draft(
        &self,
        session: &mut Session,
        draft: Draft,
        now: Datetime,
    ) -> Result<bool, StoreError> {
        if draft.is_empty() {
            return Ok(true);
        }
        let state = State { memory: draft.memory.clone(), updated_at: now, ..session.state.clone() };
        let commit =
            Commit { episodes: &draft.changes, messages: &draft.messages, ..Commit::of(&[], &state) };
        match session.output.commit(&self.settings.name, &commit).await {
            Err(error) if error.kind == ErrorKind::EpisodeChanged => return Ok(false),
            stored => stored?,
        };
        session.state = state;
        session.episodes.accept(draft);
        Ok(true)
    }
}
