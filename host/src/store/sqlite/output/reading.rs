//! Reads of the output: workers' rows, verdicts, and which names its columns take for the same.

use std::collections::HashSet;
use std::sync::Arc;

use async_trait::async_trait;

use super::{SqliteOutput, with_checkpoint};
use crate::datetime::Datetime;
use crate::reading::ReadingKey;
use crate::state::State;
use crate::store::sqlite::{ensure_tables, names, page_reader, state_row, stored, verdicts};
use crate::store::stored::span;
use crate::store::{
    Outline, OutputLimits, ReadFrom, StoreError, StoredVerdict, Stretch, VerdictPage, VerdictReader,
};

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
