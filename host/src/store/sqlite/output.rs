//! The output, the state table and that of checkpoints' parts in a SQLite file. Each call is one
//! transaction, or none of it happened.

use std::collections::{BTreeMap, HashSet};
use std::sync::Arc;

use async_trait::async_trait;
use rusqlite::{Connection, TransactionBehavior};

use super::database_file::DatabaseFile;
use super::error::Result;
use super::{ensure_tables, names, parts, state_row, stored, verdicts};
use crate::checkpoint::Parts;
use crate::datetime::Datetime;
use crate::reading::ReadingKey;
use crate::state::{SetAside, State};
use crate::store::parts::{PartsWritten, RowCheckpoint, StoredParts};
use crate::store::probe::{self, PROBE};
use crate::store::stored::span;
use crate::store::{
    Claim, Clock, ErrorKind, Outline, Output, OutputLimits, OutputProbe, Probed, Rejudging, Replaced,
    SchemaChanges, StoreError, TableName, VerdictPage, VerdictReader, VerdictWriter,
};
use crate::verdict::VerdictRow;

/// Verdicts and state into a SQLite file.
pub struct SqliteOutput {
    link: DatabaseFile,
    tables: Arc<OutputTables>,
    stored: StoredParts,
}

struct OutputTables {
    output: TableName,
    state: TableName,
    parts: TableName,
    clock: Clock,
}

impl SqliteOutput {
    pub(super) fn new(link: DatabaseFile, output: TableName, state: TableName, clock: Clock) -> Self {
        let parts = state.of_parts();
        let tables = Arc::new(OutputTables { output, state, parts, clock });
        Self { link, tables, stored: StoredParts::default() }
    }

    /// Runs `read` in a read transaction.
    async fn read<T, R>(&self, read: R) -> Result<T, StoreError>
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

    /// Runs `write` in a transaction that has the write lock from its beginning, so that nothing it
    /// has looked up changes under it, and commits. Any failure takes all of it back.
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

type StoredState = (State, RowCheckpoint, Parts);

/// The state with its checkpoint. Not within the transaction: it may have a line for the log.
fn with_checkpoint((state, checkpoint, parts): StoredState, worker: &str) -> State {
    State { checkpoint: checkpoint.with(parts, worker), ..state }
}

impl OutputTables {
    fn commit(
        &self,
        connection: &Connection,
        worker: &str,
        verdicts: &[VerdictRow],
        state: &State,
        parts: &PartsWritten,
    ) -> Result<u64> {
        ensure_tables::expect_tables(connection, &self.output, &self.state)?;
        state_row::write(connection, &self.state, worker, state)?;
        parts::write(connection, &self.parts, worker, parts)?;
        self.insert(connection, verdicts)
    }

    /// The worker's row and the parts that are stored.
    fn read_state(&self, connection: &Connection, worker: &str) -> Result<Option<StoredState>> {
        let Some((state, checkpoint)) = state_row::read(connection, &self.state, worker)? else {
            return Ok(None);
        };
        let parts = match checkpoint.is_in_parts() {
            true => {
                parts::expect(connection, &self.parts)?;
                parts::read(connection, &self.parts, worker)?
            }
            false => Parts::default(),
        };
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
            // Those of a backfill mostly have none.
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
        self.write(|connection, tables| ensure_tables::ensure(connection, &tables.output, &tables.state))
            .await
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

    async fn commit(
        &mut self,
        worker: &str,
        verdicts: &[VerdictRow],
        state: &State,
    ) -> Result<u64, StoreError> {
        let parts = self.stored.to(worker, state.checkpoint.as_ref());
        let (name, verdicts, given) = (worker.to_owned(), verdicts.to_vec(), state.clone());
        let ended = self
            .write(move |connection, tables| tables.commit(connection, &name, &verdicts, &given, &parts))
            .await;
        self.stored.after(worker, state.checkpoint.as_ref(), &ended);
        ended
    }
}

#[async_trait]
impl Rejudging for SqliteOutput {
    async fn replace(
        &mut self,
        worker: &str,
        verdicts: &[VerdictRow],
        state: &State,
    ) -> Result<Replaced, StoreError> {
        let parts = self.stored.to(worker, state.checkpoint.as_ref());
        let (name, verdicts, given) = (worker.to_owned(), verdicts.to_vec(), state.clone());
        let ended = self
            .write(move |connection, tables| {
                ensure_tables::expect_tables(connection, &tables.output, &tables.state)?;
                let removed = verdicts::remove(connection, &tables.output, &verdicts)?;
                let inserted = tables.commit(connection, &name, &verdicts, &given, &parts)?;
                Ok(Replaced { removed, inserted })
            })
            .await;
        self.stored.after(worker, state.checkpoint.as_ref(), &ended);
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
                let prepared = ensure_tables::ensure(&transaction, &tables.output, &tables.state)?;
                let epoch = state_row::claim(&transaction, &tables.state, PROBE)?;
                let now = tables.clock.now();
                let tried = tables.commit(
                    &transaction,
                    PROBE,
                    &[probe::verdict(now)],
                    &probe::state(epoch, now),
                    &probe::parts(),
                );
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
impl Output for SqliteOutput {
    async fn close(self: Box<Self>) -> Result<(), StoreError> {
        self.link.close().await
    }
}
