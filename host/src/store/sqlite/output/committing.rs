//! The writes of a worker: the claim to its name, its commits, and the changes that a backfill
//! makes to other rows.

use std::collections::BTreeMap;
use std::sync::Arc;

use async_trait::async_trait;
use rusqlite::Connection;

use super::{OutputTables, SqliteOutput, with_checkpoint};
use crate::episode::{EpisodeChange, OutboxMessage};
use crate::state::{SetAside, State};
use crate::store::parts::PartsWritten;
use crate::store::sqlite::error::Result;
use crate::store::sqlite::{ensure_tables, episodes, outbox, parts, state_row, verdicts};
use crate::store::{Claim, Commit, Rejudging, Replaced, SchemaChanges, StoreError, VerdictWriter};
use crate::verdict::VerdictRow;

/// The content of a commit, for the thread that writes it.
pub(super) struct CommitData {
    pub(super) verdicts: Vec<VerdictRow>,
    pub(super) state: State,
    pub(super) parts: PartsWritten,
    pub(super) episodes: Vec<EpisodeChange>,
    pub(super) messages: Vec<OutboxMessage>,
}

impl CommitData {
    fn of(commit: &Commit<'_>, parts: PartsWritten) -> Self {
        Self {
            verdicts: commit.verdicts.to_vec(),
            state: commit.state.clone(),
            parts,
            episodes: commit.episodes.to_vec(),
            messages: commit.messages.to_vec(),
        }
    }
}

impl OutputTables {
    pub(super) fn commit(&self, connection: &Connection, worker: &str, written: &CommitData) -> Result<u64> {
        let CommitData { verdicts, state, parts, episodes, messages } = written;
        ensure_tables::expect_tables(connection, &self.output, &self.state)?;
        state_row::write(connection, &self.state, worker, state)?;
        parts::write(connection, &self.parts, worker, parts)?;
        let inserted = self.insert(connection, verdicts)?;
        episodes::write(connection, &self.episodes, worker, episodes, state.updated_at)?;
        outbox::write(connection, &self.outbox, &self.episodes, messages)?;
        Ok(inserted)
    }

    pub(super) fn insert(&self, connection: &Connection, verdicts: &[VerdictRow]) -> Result<u64> {
        let output = ensure_tables::expect_tables(connection, &self.output, &self.state)?;
        verdicts::insert(connection, &self.output, &output, verdicts, self.clock.now())
    }
}

#[async_trait]
impl VerdictWriter for SqliteOutput {
    async fn ensure_tables(&mut self) -> Result<SchemaChanges, StoreError> {
        self.write(|connection, tables| tables.ensure(connection)).await
    }

    async fn claim(&mut self, worker: &str) -> Result<Claim, StoreError> {
        let name = worker.to_owned();
        let (epoch, found) = self
            .write(move |connection, tables| {
                ensure_tables::expect_tables(connection, &tables.output, &tables.state)?;
                let epoch = state_row::claim(connection, &tables.state, &name)?;
                Ok((epoch, tables.read_state(connection, &name)?))
            })
            .await?;
        let state = found.map(|found| with_checkpoint(found, worker));
        self.stored.found(worker, state.as_ref());
        Ok(Claim { epoch, state })
    }

    async fn commit(&mut self, worker: &str, commit: &Commit<'_>) -> Result<u64, StoreError> {
        let written = CommitData::of(commit, self.stored.to(worker, commit.state));
        let name = worker.to_owned();
        let ended = self.write(move |connection, tables| tables.commit(connection, &name, &written)).await;
        self.stored.after(worker, commit.state, &ended);
        ended
    }
}

#[async_trait]
impl Rejudging for SqliteOutput {
    async fn replace(&mut self, worker: &str, commit: &Commit<'_>) -> Result<Replaced, StoreError> {
        let written = CommitData::of(commit, self.stored.to(worker, commit.state));
        let name = worker.to_owned();
        let ended = self
            .write(move |connection, tables| {
                ensure_tables::expect_tables(connection, &tables.output, &tables.state)?;
                let removed = verdicts::remove(connection, &tables.output, &written.verdicts)?;
                let inserted = tables.commit(connection, &name, &written)?;
                Ok(Replaced { removed, inserted })
            })
            .await;
        self.stored.after(worker, commit.state, &ended);
        ended
    }

    async fn forget(&mut self, worker: &str, epoch: i64) -> Result<(), StoreError> {
        let worker = worker.to_owned();
        self.write(move |connection, tables| {
            state_row::forget(connection, &tables.state, &worker, epoch)?;
            parts::expect(connection, &tables.parts)?;
            parts::forget(connection, &tables.parts, &worker)
        })
        .await
    }

    async fn exchange_set_aside(
        &mut self,
        worker: &str,
        before: &BTreeMap<Arc<str>, SetAside>,
        after: &BTreeMap<Arc<str>, SetAside>,
    ) -> Result<bool, StoreError> {
        let (worker, before, after) = (worker.to_owned(), before.clone(), after.clone());
        self.write(move |connection, tables| {
            state_row::exchange_set_aside(connection, &tables.state, &worker, &before, &after)
        })
        .await
    }
}
