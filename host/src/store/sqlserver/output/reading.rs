//! Reads of the output: workers' rows, verdicts, and what its columns can hold.

use std::collections::HashSet;
use std::sync::Arc;

use async_trait::async_trait;
use tiberius::{ColumnData, Row};

use super::{SqlServerOutput, queries};
use crate::datetime::Datetime;
use crate::reading::ReadingKey;
use crate::state::State;
use crate::store::parts::{RowCheckpoint, tell_apart};
use crate::store::sqlserver::connect::SqlSession;
use crate::store::sqlserver::error::{Error, Result};
use crate::store::sqlserver::state_row::{self, StateRow};
use crate::store::sqlserver::table::text;
use crate::store::sqlserver::{connection, datetime, sql};
use crate::store::{
    Outline, OutputLimits, ReadFrom, StoreError, StoredVerdict, Stretch, VerdictPage, VerdictReader,
};

impl SqlServerOutput {
    pub(super) async fn read_row(
        &mut self,
        session: &mut SqlSession,
        worker: &str,
    ) -> Result<Option<StateRow>> {
        let row = connection::row(session, sql::output::read(&self.state), vec![text(worker)]).await?;
        row.map(|row| state_row::read(row, &self.state, worker)).transpose()
    }

    async fn read_state(&mut self, session: &mut SqlSession, worker: &str) -> Result<Option<State>> {
        self.known(session).await?;
        match self.read_row(session, worker).await?.and_then(|found| found.state) {
            Some((state, checkpoint)) => self.with_parts(session, worker, state, checkpoint).await.map(Some),
            None => Ok(None),
        }
    }

    pub(super) async fn with_parts(
        &mut self,
        session: &mut SqlSession,
        worker: &str,
        state: State,
        checkpoint: RowCheckpoint,
    ) -> Result<State> {
        let mut parts = Vec::new();
        self.know_parts(session).await?;
        let sql = sql::output::parts(&self.parts);
        for row in connection::rows(session, sql, vec![text(worker)]).await? {
            let mut cells = row.into_iter();
            let (Some(ColumnData::String(Some(name))), Some(ColumnData::Binary(Some(bytes)))) =
                (cells.next(), cells.next())
            else {
                return Err(Error::no_answer("the parts of the checkpoint"));
            };
            parts.push((name.into(), bytes.into_owned().into()));
        }
        let (parts, memory) = tell_apart(parts);
        Ok(State { checkpoint: checkpoint.with(parts, worker), memory, ..state })
    }
}

#[async_trait]
impl VerdictReader for SqlServerOutput {
    async fn peek(&mut self, worker: &str) -> Result<Option<State>, StoreError> {
        let mut session = self.link.take()?;
        let answer = self.read_state(&mut session, worker).await;
        self.done(session, answer).await
    }

    async fn outline(&mut self, worker: &str) -> Result<Option<Outline>, StoreError> {
        let mut session = self.link.take()?;
        let answer = match self.known(&mut session).await {
            Ok(_) => self.read_row(&mut session, worker).await,
            Err(fault) => Err(fault),
        };
        let found = self.done(session, answer).await?.and_then(|found| found.state);
        Ok(found.map(|(state, checkpoint)| Outline { state, checkpoint: checkpoint.size() }))
    }

    async fn newest(&mut self, until: Datetime) -> Result<Option<Datetime>, StoreError> {
        let past = Datetime::from_micros(until.micros().saturating_add(1));
        let mut session = self.link.take()?;
        let answer = match self.known(&mut session).await {
            Ok(known) => {
                let values = vec![known.grain.not_before(past)];
                connection::row(&mut session, sql::output::newest(&self.output), values).await
            }
            Err(fault) => Err(fault),
        };
        let row = self.done(session, answer).await?;
        Ok(row.and_then(|row| row.into_iter().next()).and_then(|value| datetime::read(&value)))
    }

    async fn workers(&mut self) -> Result<Vec<String>, StoreError> {
        let mut session = self.link.take()?;
        let answer = match self.known(&mut session).await {
            Ok(_) => connection::rows(&mut session, sql::output::workers(&self.state), Vec::new()).await,
            Err(fault) => Err(fault),
        };
        let rows = self.done(session, answer).await?;
        let name = |row: Row| match row.into_iter().next() {
            Some(tiberius::ColumnData::String(Some(name))) => Some(name.into_owned()),
            _ => None,
        };
        Ok(rows.into_iter().filter_map(name).collect())
    }

    async fn already_judged(&mut self, keys: &[ReadingKey]) -> Result<HashSet<ReadingKey>, StoreError> {
        if keys.is_empty() {
            return Ok(HashSet::new());
        }
        let mut session = self.link.take()?;
        let answer = self.judged(&mut session, keys).await;
        Ok(self.done(session, answer).await?.into_iter().cloned().collect())
    }

    async fn read_verdicts(
        &mut self,
        from: Datetime,
        to: Datetime,
        anomalies_only: bool,
        limit: usize,
    ) -> Result<VerdictPage, StoreError> {
        let mut session = self.link.take()?;
        let answer = self.read_page(&mut session, from, to, anomalies_only, limit).await;
        self.done(session, answer).await
    }

    async fn stretches(
        &mut self,
        stretches: &[Stretch],
        limit: usize,
        end: ReadFrom,
    ) -> Result<Vec<Vec<StoredVerdict>>, StoreError> {
        let mut session = self.link.take()?;
        let answer = self.read_stretches(&mut session, stretches, limit, end).await;
        self.done(session, answer).await
    }
}

#[async_trait]
impl OutputLimits for SqlServerOutput {
    async fn datetimes(&mut self) -> Result<(Datetime, Datetime), StoreError> {
        let mut session = self.link.take()?;
        let answer = self.known(&mut session).await.map(|known| known.datetimes);
        self.done(session, answer).await
    }

    async fn foreign_names(&mut self, names: &[Arc<str>]) -> Result<Vec<Arc<str>>, StoreError> {
        if names.is_empty() {
            return Ok(Vec::new());
        }
        let keys = queries::keys_of(names);
        let mut session = self.link.take()?;
        let answer = self.look_up(&mut session, &keys, |known| known.foreign_names, Vec::new()).await;
        Ok(self.done(session, answer).await?.into_iter().map(|(name, _)| Arc::clone(name)).collect())
    }

    async fn equal_names(&mut self, names: &[Arc<str>]) -> Result<Vec<(Arc<str>, Arc<str>)>, StoreError> {
        if names.is_empty() {
            return Ok(Vec::new());
        }
        let mut session = self.link.take()?;
        let answer = self.equal(&mut session, names).await;
        self.done(session, answer).await
    }

    async fn other_spellings(&mut self, names: &[Arc<str>]) -> Result<Vec<(Arc<str>, Arc<str>)>, StoreError> {
        if names.is_empty() {
            return Ok(Vec::new());
        }
        let mut session = self.link.take()?;
        let answer = self.spellings(&mut session, names).await;
        self.done(session, answer).await
    }
}
