//! The output, the state table and the table of checkpoints' parts in an SQLite file. Each call is
//! one transaction.

mod beside;
mod committing;
mod probing;
mod reading;

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use rusqlite::{Connection, TransactionBehavior};

use super::database_file::DatabaseFile;
use super::error::Result;
use super::{ensure_tables, episodes, outbox, parts, state_row};
use crate::datetime::Datetime;
use crate::state::State;
use crate::store::parts::{Part, RowCheckpoint, StoredParts, tell_apart};
use crate::store::{Clock, Output, SchemaChanges, StoreError, TableName, TableNames};

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
}

#[async_trait]
impl Output for SqliteOutput {
    async fn close(self: Box<Self>) -> Result<(), StoreError> {
        self.link.close().await
    }
}
