//! The output and the state table on a SQL Server.
//!
//! A commit stages its verdicts in the session and then is one transaction in one round trip. Whether it happened, where the connection
//! is lost before the answer comes, the state row tells to whoever takes the name next.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use tiberius::Row;

use super::connect::Session;
use super::fault::{Answer, Fault};
use super::link::{self, Link, Value};
use super::moment;
use super::prepare::{self, Statements};
use super::probe;
use super::row::integer;
use super::sql;
use super::staging::Staged;
use super::state_row;
use super::table::text;
use super::target::{Target, Timeouts};
use crate::datetime::Datetime;
use crate::reading::Key;
use crate::state::State;
use crate::store::{Claim, Output, Prepared, StoreError, TableName, Trouble};
use crate::verdict::VerdictRow;

/// How long an index on a table that others filled may take to make.
const INDEXING: Duration = Duration::from_secs(6 * 3600);

/// How often a transaction is tried in which somebody else was first with the same key. Each time it sees what they committed.
const TRIES: usize = 3;

/// Verdicts and state into a SQL Server's tables.
pub struct SqlServerOutput {
    link: Link,
    target: Target,
    output: TableName,
    state: TableName,
    staged: Staged,
    /// As first looked at on this connection, until a call fails.
    known: Option<Statements>,
}

impl SqlServerOutput {
    pub(super) fn new(link: Link, target: Target, output: TableName, state: TableName) -> Self {
        Self { link, target, output, state, staged: Staged::default(), known: None }
    }

    async fn known(&mut self, session: &mut Session) -> Answer<Statements> {
        if let Some(known) = &self.known {
            return Ok(known.clone());
        }
        let known = prepare::expect_tables(session, &self.output, &self.state).await?;
        Ok(self.known.insert(known).clone())
    }

    /// Ends a call, with nothing left open after one that failed.
    async fn done<T>(&mut self, mut session: Session, answer: Answer<T>) -> Result<T, StoreError> {
        let answer = match answer {
            Err(fault) if fault.leaves_session() => {
                self.known = None;
                match link::run(&mut session, sql::session::roll_back()).await {
                    Ok(()) => Err(fault),
                    Err(broken) => Err(broken),
                }
            }
            other => other,
        };
        self.link.done(session, answer)
    }

    async fn take_name(&mut self, session: &mut Session, worker: &str) -> Answer<Claim> {
        self.known(session).await?;
        let row = again(session, &sql::output::take(&self.state), &[text(worker)]).await?;
        let row = row.ok_or_else(|| Fault::no_answer("the worker's row"))?;
        let (epoch, state) = state_row::read(row, &self.state, worker)?;
        Ok(Claim { epoch, state })
    }

    async fn read_state(
        &mut self,
        session: &mut Session,
        worker: &str,
    ) -> Answer<Option<(i64, Option<State>)>> {
        let row = link::row(session, sql::output::read(&self.state), vec![text(worker)]).await?;
        row.map(|row| state_row::read(row, &self.state, worker)).transpose()
    }

    async fn write(
        &mut self,
        session: &mut Session,
        worker: &str,
        verdicts: &[VerdictRow],
        state: &State,
    ) -> Answer<u64> {
        let known = self.known(session).await?;
        let insert = (!verdicts.is_empty()).then_some(known.insert.as_str());
        if insert.is_some() {
            self.staged.verdicts(session, verdicts, known.grain).await?;
        }
        let (sql, values) = state_row::commit(&self.state, worker, state, insert)?;
        let row = again(session, &sql, &values).await?;
        let counts: Vec<Option<i64>> =
            row.map(|row| row.into_iter().map(|value| integer(&value)).collect()).unwrap_or_default();
        let [Some(held), Some(inserted)] = counts.as_slice() else {
            // It was committed or it was not; the next session finds out.
            return Err(Fault::Found(
                Trouble::Connection,
                "the server did not say what it committed".to_owned(),
            ));
        };
        if *held != 1 {
            let found = self.read_state(session, worker).await?.map(|(epoch, _)| epoch);
            return Err(state_row::fenced(&self.state, worker, state.epoch, found));
        }
        Ok(inserted.unsigned_abs())
    }

    /// Those of the keys whose `n` the statement answers, once they are staged.
    async fn look_up<'k>(
        &mut self,
        session: &mut Session,
        keys: &'k [Key],
        statement: impl Fn(Statements) -> String,
    ) -> Answer<Vec<&'k Key>> {
        let known = self.known(session).await?;
        self.staged.keys(session, keys, known.grain).await?;
        let rows = link::rows(session, statement(known), Vec::new()).await?;
        let found = rows.iter().filter_map(|row| row.get::<f64, _>(0)).filter_map(|n| keys.get(position(n)));
        Ok(found.collect())
    }

    async fn try_all(&mut self, session: &mut Session) -> Answer<Vec<Fault>> {
        let missing = probe::missing_rights(session, &self.output, &self.state).await?;
        if !missing.is_empty() {
            return Ok(missing);
        }
        let row = link::row(session, sql::input::now().to_owned(), Vec::new()).await?;
        let now = row.and_then(|row| row.into_iter().next()).and_then(|value| moment::read(&value));
        let now = now.ok_or_else(|| Fault::no_answer("the time"))?;
        let tried = probe::try_all(session, &mut self.staged, &self.output, &self.state, now).await;
        link::run(session, sql::session::roll_back()).await?;
        match tried {
            Ok(()) => Ok(Vec::new()),
            Err(fault) => Ok(vec![fault]),
        }
    }

    /// Indexes on a table that others filled, each as long as it takes.
    async fn make_indexes(
        &self,
        lacking: &[prepare::Lacking],
        prepared: &mut Prepared,
    ) -> Result<(), StoreError> {
        if lacking.is_empty() {
            return Ok(());
        }
        let timeouts = Timeouts { query: INDEXING, ..self.target.timeouts };
        let mut link = Link::open(&Target { timeouts, ..self.target.clone() }).await?;
        for index in lacking {
            let mut session = link.take()?;
            let made = prepare::make_index(&mut session, &self.output, index, prepared).await;
            link.done(session, made)?;
        }
        link.close().await
    }
}

#[async_trait]
impl Output for SqlServerOutput {
    async fn prepare(&mut self) -> Result<Prepared, StoreError> {
        self.known = None;
        let mut session = self.link.take()?;
        let answer = prepare::prepare(&mut session, &self.output, &self.state).await;
        let (mut prepared, lacking) = self.done(session, answer).await?;
        self.make_indexes(&lacking, &mut prepared).await?;
        Ok(prepared)
    }

    async fn probe(&mut self) -> Result<Vec<StoreError>, StoreError> {
        let mut session = self.link.take()?;
        let answer = self.try_all(&mut session).await;
        let found = self.done(session, answer).await?;
        let mut problems = Vec::new();
        for fault in found {
            let error = fault.at(self.link.place());
            // Nothing was found out.
            if matches!(error.trouble, Trouble::Connection | Trouble::Busy) {
                return Err(error);
            }
            problems.push(error);
        }
        Ok(problems)
    }

    async fn take(&mut self, worker: &str) -> Result<Claim, StoreError> {
        let mut session = self.link.take()?;
        let answer = self.take_name(&mut session, worker).await;
        self.done(session, answer).await
    }

    async fn peek(&mut self, worker: &str) -> Result<Option<State>, StoreError> {
        let mut session = self.link.take()?;
        let answer = match self.known(&mut session).await {
            Ok(_) => self.read_state(&mut session, worker).await.map(|row| row.and_then(|(_, state)| state)),
            Err(fault) => Err(fault),
        };
        self.done(session, answer).await
    }

    async fn newest(&mut self) -> Result<Option<Datetime>, StoreError> {
        let mut session = self.link.take()?;
        let answer = match self.known(&mut session).await {
            Ok(_) => link::row(&mut session, sql::output::newest(&self.output), Vec::new()).await,
            Err(fault) => Err(fault),
        };
        let row = self.done(session, answer).await?;
        Ok(row.and_then(|row| row.into_iter().next()).and_then(|value| moment::read(&value)))
    }

    async fn foreign_names(&mut self, names: &[Arc<str>]) -> Result<Vec<Arc<str>>, StoreError> {
        if names.is_empty() {
            return Ok(Vec::new());
        }
        let keys: Vec<Key> = names.iter().map(|name| (Arc::clone(name), Datetime::from_micros(0))).collect();
        let mut session = self.link.take()?;
        let answer = self.look_up(&mut session, &keys, |known| known.foreign_names).await;
        Ok(self.done(session, answer).await?.into_iter().map(|(name, _)| Arc::clone(name)).collect())
    }

    async fn already_judged(&mut self, keys: &[Key]) -> Result<HashSet<Key>, StoreError> {
        if keys.is_empty() {
            return Ok(HashSet::new());
        }
        let mut session = self.link.take()?;
        let answer = self.look_up(&mut session, keys, |known| known.already_judged).await;
        Ok(self.done(session, answer).await?.into_iter().cloned().collect())
    }

    async fn commit(
        &mut self,
        worker: &str,
        verdicts: &[VerdictRow],
        state: &State,
    ) -> Result<u64, StoreError> {
        let mut session = self.link.take()?;
        let answer = self.write(&mut session, worker, verdicts, state).await;
        self.done(session, answer).await
    }

    async fn close(self: Box<Self>) -> Result<(), StoreError> {
        self.link.close().await
    }
}

/// Runs a transaction, once more where somebody else was first with the same key.
async fn again(session: &mut Session, sql: &str, values: &[Value]) -> Answer<Option<Row>> {
    let mut left = TRIES;
    loop {
        left -= 1;
        match link::row(session, sql.to_owned(), values.to_vec()).await {
            Err(fault) if fault.is_duplicate() && left > 0 => {
                link::run(session, sql::session::roll_back()).await?;
            }
            other => return other,
        }
    }
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "it was an index before it was staged"
)]
fn position(n: f64) -> usize {
    n as usize
}
