//! The output, the state table and the table of checkpoints' parts in an SQLite file. Each call is
//! one transaction.

use std::collections::{BTreeMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use rusqlite::{Connection, TransactionBehavior};

use super::database_file::DatabaseFile;
use super::error::Result;
use super::{ensure_tables, episodes, names, outbox, page_reader, parts, state_row, stored, verdicts};
use crate::datetime::Datetime;
use crate::episode::{EpisodeChange, EpisodeRange, Feedback, OutboxMessage, Shelving, StoredEpisode};
use crate::reading::ReadingKey;
use crate::state::{SetAside, State};
use crate::store::parts::{Part, PartsWritten, RowCheckpoint, StoredParts, tell_apart};
use crate::store::probe::{self, PROBE};
use crate::store::stored::span;
use crate::store::{
    Claim, Clock, Commit, EntryState, EpisodeEditor, EpisodeReader, ErrorKind, OutboxCounts, OutboxEntry,
    OutboxQueue, Outline, Output, OutputLimits, OutputProbe, Probed, ReadFrom, Rejudging, Replaced,
    SchemaChanges, StoreError, StoredVerdict, Stretch, TableName, TableNames, Tried, VerdictPage,
    VerdictReader, VerdictWriter,
};
use crate::verdict::VerdictRow;

/// The output side of an SQLite file.
pub struct SqliteOutput {
    link: DatabaseFile,
    tables: Arc<OutputTables>,
    stored: StoredParts,
}

pub(super) struct OutputTables {
    pub(super) output: TableName,
    pub(super) state: TableName,
    parts: TableName,
    episodes: TableName,
    outbox: TableName,
    clock: Clock,
    /// How long reading verdicts may take: a person waits for a page, a worker has time.
    patience: Option<Duration>,
}

/// The content of a commit, for the thread that writes it.
struct CommitData {
    verdicts: Vec<VerdictRow>,
    state: State,
    parts: PartsWritten,
    episodes: Vec<EpisodeChange>,
    messages: Vec<OutboxMessage>,
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

impl SqliteOutput {
    /// `patience` is how long reading verdicts may take; None: as long as it takes.
    pub(super) fn new(
        link: DatabaseFile,
        tables: TableNames,
        clock: Clock,
        patience: Option<Duration>,
    ) -> Self {
        let TableNames { output, state, episodes, outbox, .. } = tables;
        let parts = state.of_parts();
        let tables = Arc::new(OutputTables { output, state, parts, episodes, outbox, clock, patience });
        Self { link, tables, stored: StoredParts::default() }
    }

    pub(super) fn now(&self) -> Datetime {
        self.tables.clock.now()
    }

    /// Runs `read` in a read transaction.
    pub(super) async fn read<T, R>(&self, read: R) -> Result<T, StoreError>
    where
        T: Send + 'static,
        R: FnOnce(&Connection, &OutputTables) -> Result<T> + Send + 'static,
    {
        let tables = Arc::clone(&self.tables);
        self.link
            .call(move |connection| {
                let snapshot = connection.transaction()?;
                read(&snapshot, &tables)
            })
            .await
    }

    /// Runs `write` in a transaction that takes the write lock at its beginning, so that what it
    /// has read does not change, and commits. Any error rolls all of it back.
    async fn write<T, W>(&self, write: W) -> Result<T, StoreError>
    where
        T: Send + 'static,
        W: FnOnce(&Connection, &OutputTables) -> Result<T> + Send + 'static,
    {
        let tables = Arc::clone(&self.tables);
        self.link
            .call(move |connection| {
                let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
                let done = write(&transaction, &tables)?;
                transaction.commit()?;
                Ok(done)
            })
            .await
    }
}

type StoredState = (State, RowCheckpoint, Vec<Part>);

/// The state with its checkpoint. Not within the transaction, because it may log a line.
fn with_checkpoint((state, checkpoint, parts): StoredState, worker: &str) -> State {
    let (parts, memory) = tell_apart(parts);
    State { checkpoint: checkpoint.with(parts, worker), memory, ..state }
}

impl OutputTables {
    fn commit(&self, connection: &Connection, worker: &str, written: &CommitData) -> Result<u64> {
        let CommitData { verdicts, state, parts, episodes, messages } = written;
        ensure_tables::expect_tables(connection, &self.output, &self.state)?;
        state_row::write(connection, &self.state, worker, state)?;
        parts::write(connection, &self.parts, worker, parts)?;
        let inserted = self.insert(connection, verdicts)?;
        episodes::write(connection, &self.episodes, worker, episodes, state.updated_at)?;
        outbox::write(connection, &self.outbox, &self.episodes, messages)?;
        Ok(inserted)
    }

    fn expect_beside(&self, connection: &Connection) -> Result<()> {
        episodes::expect(connection, &self.episodes)?;
        outbox::expect(connection, &self.outbox)
    }

    fn ensure(&self, connection: &Connection) -> Result<SchemaChanges> {
        let mut prepared = ensure_tables::ensure(connection, &self.output, &self.state)?;
        ensure_tables::ensure_beside(connection, &self.episodes, &self.outbox, &mut prepared)?;
        self.expect_beside(connection)?;
        Ok(prepared)
    }

    /// The worker's row and the parts that are stored.
    fn read_state(&self, connection: &Connection, worker: &str) -> Result<Option<StoredState>> {
        let Some((state, checkpoint)) = state_row::read(connection, &self.state, worker)? else {
            return Ok(None);
        };
        parts::expect(connection, &self.parts)?;
        let parts = parts::read(connection, &self.parts, worker)?;
        Ok(Some((state, checkpoint, parts)))
    }

    fn insert(&self, connection: &Connection, verdicts: &[VerdictRow]) -> Result<u64> {
        let output = ensure_tables::expect_tables(connection, &self.output, &self.state)?;
        verdicts::insert(connection, &self.output, &output, verdicts, self.clock.now())
    }
}

#[async_trait]
impl VerdictReader for SqliteOutput {
    async fn peek(&mut self, worker: &str) -> Result<Option<State>, StoreError> {
        let name = worker.to_owned();
        let found = self
            .read(move |connection, tables| {
                ensure_tables::expect_tables(connection, &tables.output, &tables.state)?;
                tables.read_state(connection, &name)
            })
            .await?;
        Ok(found.map(|found| with_checkpoint(found, worker)))
    }

    async fn outline(&mut self, worker: &str) -> Result<Option<Outline>, StoreError> {
        let worker = worker.to_owned();
        self.read(move |connection, tables| {
            ensure_tables::expect_tables(connection, &tables.output, &tables.state)?;
            let row = state_row::read(connection, &tables.state, &worker)?;
            Ok(row.map(|(state, checkpoint)| Outline { state, checkpoint: checkpoint.size() }))
        })
        .await
    }

    async fn newest(&mut self, until: Datetime) -> Result<Option<Datetime>, StoreError> {
        self.read(move |connection, tables| {
            ensure_tables::expect_tables(connection, &tables.output, &tables.state)?;
            verdicts::newest(connection, &tables.output, until)
        })
        .await
    }

    async fn workers(&mut self) -> Result<Vec<String>, StoreError> {
        self.read(|connection, tables| {
            ensure_tables::expect_tables(connection, &tables.output, &tables.state)?;
            state_row::workers(connection, &tables.state)
        })
        .await
    }

    async fn already_judged(&mut self, keys: &[ReadingKey]) -> Result<HashSet<ReadingKey>, StoreError> {
        let keys = keys.to_vec();
        self.read(move |connection, tables| {
            let output = ensure_tables::expect_tables(connection, &tables.output, &tables.state)?;
            // The keys of a backfill mostly have none.
            if let Some((first, last)) = span(&keys)
                && output.has_index(&["ds"])
                && !verdicts::any_within(connection, &tables.output, first, last)?
            {
                return Ok(HashSet::new());
            }
            let mut lookup = verdicts::Lookup::new(connection, &tables.output)?;
            let mut judged = HashSet::new();
            for key in keys {
                if lookup.finds(&key.0, key.1)? {
                    judged.insert(key);
                }
            }
            Ok(judged)
        })
        .await
    }

    async fn read_verdicts(
        &mut self,
        from: Datetime,
        to: Datetime,
        anomalies_only: bool,
        limit: usize,
    ) -> Result<VerdictPage, StoreError> {
        let wanted = stored::Wanted { from, to, anomalies_only, limit };
        self.read(move |connection, tables| {
            let output = ensure_tables::expect_tables(connection, &tables.output, &tables.state)?;
            stored::read(connection, &tables.output, output.has("source_file"), wanted)
        })
        .await
    }

    async fn stretches(
        &mut self,
        stretches: &[Stretch],
        limit: usize,
        end: ReadFrom,
    ) -> Result<Vec<Vec<StoredVerdict>>, StoreError> {
        let stretches = stretches.to_vec();
        self.read(move |connection, tables| {
            let names = (&tables.output, &tables.state);
            page_reader::stretches(connection, names, tables.patience, &stretches, limit, end)
        })
        .await
    }
}

#[async_trait]
impl OutputLimits for SqliteOutput {
    async fn foreign_names(&mut self, _names: &[Arc<str>]) -> Result<Vec<Arc<str>>, StoreError> {
        Ok(Vec::new())
    }

    async fn equal_names(&mut self, names: &[Arc<str>]) -> Result<Vec<(Arc<str>, Arc<str>)>, StoreError> {
        let names = names.to_vec();
        self.read(move |connection, tables| names::equal(connection, &tables.output, &names)).await
    }

    async fn other_spellings(&mut self, names: &[Arc<str>]) -> Result<Vec<(Arc<str>, Arc<str>)>, StoreError> {
        let names = names.to_vec();
        self.read(move |connection, tables| names::other_spellings(connection, &tables.output, &names)).await
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

#[async_trait]
impl OutputProbe for SqliteOutput {
    async fn probe(&mut self) -> Result<Probed, StoreError> {
        let tables = Arc::clone(&self.tables);
        let tried = self
            .link
            .call(move |connection| {
                let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
                let prepared = tables.ensure(&transaction)?;
                let epoch = state_row::claim(&transaction, &tables.state, PROBE)?;
                let now = tables.clock.now();
                let written = CommitData {
                    verdicts: vec![probe::verdict(now)],
                    state: probe::state(epoch, now),
                    parts: probe::parts(),
                    episodes: vec![probe::episode(now)],
                    messages: vec![probe::message(now)],
                };
                let tried = tables.commit(&transaction, PROBE, &written);
                let mut notes = prepared.warnings;
                match tried {
                    Err(fault) if fault.is_refused() => notes.push(format!(
                        "`{}` refuses the verdict that was tried ({}), on a variable `{PROBE}`; whether it takes those of your \
                         variables is tried with your readings",
                        tables.output.table(),
                        fault.said()
                    )),
                    tried => drop(tried?),
                }
                transaction.rollback()?;
                Ok(notes)
            })
            .await;
        match tried {
            Ok(notes) => Ok(Probed { problems: Vec::new(), notes }),
            // Nothing was found out.
            Err(error) if matches!(error.kind, ErrorKind::Connection | ErrorKind::Busy) => Err(error),
            Err(error) => Ok(Probed { problems: vec![error], notes: Vec::new() }),
        }
    }

    async fn attempt(&mut self, verdicts: &[VerdictRow]) -> Result<(), StoreError> {
        let (tables, verdicts) = (Arc::clone(&self.tables), verdicts.to_vec());
        self.link
            .call(move |connection| {
                let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
                tables.insert(&transaction, &verdicts)?;
                Ok(transaction.rollback()?)
            })
            .await
    }
}

#[async_trait]
impl EpisodeReader for SqliteOutput {
    async fn open_episodes(&mut self) -> Result<Vec<StoredEpisode>, StoreError> {
        self.read(|connection, tables| episodes::open(connection, &tables.episodes)).await
    }

    async fn episode(&mut self, id: i64) -> Result<Option<StoredEpisode>, StoreError> {
        self.read(move |connection, tables| episodes::by_id(connection, &tables.episodes, id)).await
    }

    async fn episodes(&mut self, wanted: &EpisodeRange) -> Result<Vec<StoredEpisode>, StoreError> {
        let wanted = wanted.clone();
        self.read(move |connection, tables| episodes::within(connection, &tables.episodes, &wanted)).await
    }

    async fn shelved(&mut self) -> Result<Vec<StoredEpisode>, StoreError> {
        self.read(|connection, tables| episodes::shelved(connection, &tables.episodes)).await
    }
}

#[async_trait]
impl EpisodeEditor for SqliteOutput {
    async fn shelve(&mut self, shelving: &Shelving) -> Result<(), StoreError> {
        let shelving = shelving.clone();
        self.write(move |connection, tables| episodes::shelve(connection, &tables.episodes, &shelving)).await
    }

    async fn unshelve(&mut self, variable: &str, now: Datetime) -> Result<bool, StoreError> {
        let variable = variable.to_owned();
        self.write(move |connection, tables| episodes::unshelve(connection, &tables.episodes, &variable, now))
            .await
    }

    async fn say(
        &mut self,
        id: i64,
        feedback: Feedback,
        note: Option<&str>,
        now: Datetime,
    ) -> Result<bool, StoreError> {
        let note = note.map(str::to_owned);
        self.write(move |connection, tables| {
            episodes::say(connection, &tables.episodes, id, feedback, note.as_deref(), now)
        })
        .await
    }
}

#[async_trait]
impl OutboxQueue for SqliteOutput {
    async fn due(&mut self, after: i64, now: Datetime, limit: usize) -> Result<Vec<OutboxEntry>, StoreError> {
        self.read(move |connection, tables| outbox::due(connection, &tables.outbox, after, now, limit)).await
    }

    async fn tried(&mut self, seq: i64, tried: &Tried) -> Result<bool, StoreError> {
        let tried = tried.clone();
        self.write(move |connection, tables| outbox::tried(connection, &tables.outbox, seq, &tried)).await
    }

    async fn tried_all(&mut self, tried: &[(i64, Tried)]) -> Result<(), StoreError> {
        let all = tried.to_vec();
        self.write(move |connection, tables| {
            for (seq, tried) in &all {
                outbox::tried(connection, &tables.outbox, *seq, tried)?;
            }
            Ok(())
        })
        .await
    }

    async fn delivered(&mut self, seqs: &[i64], at: Datetime) -> Result<(), StoreError> {
        let seqs = seqs.to_vec();
        let delivered = Tried { state: EntryState::Delivered, at, error: None, progress: None };
        self.write(move |connection, tables| {
            for seq in seqs {
                outbox::tried(connection, &tables.outbox, seq, &delivered)?;
            }
            Ok(())
        })
        .await
    }

    async fn entries(&mut self, state: EntryState, limit: usize) -> Result<Vec<OutboxEntry>, StoreError> {
        self.read(move |connection, tables| outbox::newest(connection, &tables.outbox, state, limit)).await
    }

    async fn outbox_counts(&mut self) -> Result<OutboxCounts, StoreError> {
        self.read(|connection, tables| outbox::counts(connection, &tables.outbox)).await
    }

    async fn forget_delivered(&mut self, before: Datetime, limit: usize) -> Result<u64, StoreError> {
        self.write(move |connection, tables| outbox::forget(connection, &tables.outbox, before, limit)).await
    }
}

#[async_trait]
impl Output for SqliteOutput {
    async fn close(self: Box<Self>) -> Result<(), StoreError> {
        self.link.close().await
    }
}
