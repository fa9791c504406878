//! The writes of a worker: the claim to its name, its commits, and the changes that a backfill
//! makes to other rows.

use std::collections::BTreeMap;
use std::sync::Arc;

use async_trait::async_trait;
use tiberius::Row;

use super::SqlServerOutput;
use crate::state::{SetAside, State};
use crate::store::sqlserver::connect::SqlSession;
use crate::store::sqlserver::connection::{self, Value};
use crate::store::sqlserver::ensure_tables::{self, Statements};
use crate::store::sqlserver::error::{Error, Result};
use crate::store::sqlserver::row::integer;
use crate::store::sqlserver::sql;
use crate::store::sqlserver::state_row::{self, StateRow};
use crate::store::sqlserver::table::text;
use crate::store::{
    Claim, Commit, ErrorKind, Rejudging, Replaced, SchemaChanges, StoreError, VerdictWriter,
    changed_meanwhile,
};

/// How often a transaction is tried if another process was first with the same key. Each try sees
/// what that one committed.
const TRIES: usize = 3;

impl SqlServerOutput {
    async fn take_name(&mut self, session: &mut SqlSession, worker: &str) -> Result<Claim> {
        self.known(session).await?;
        let row = again(session, &sql::output::take(&self.state), &[text(worker)]).await?;
        let row = row.ok_or_else(|| Error::no_answer("the worker's row"))?;
        let StateRow { epoch, state } = state_row::read(row, &self.state, worker)?;
        // The worker that had the name before writes no more parts.
        let state = match state {
            Some((state, checkpoint)) => Some(self.with_parts(session, worker, state, checkpoint).await?),
            None => None,
        };
        Ok(Claim { epoch, state })
    }

    async fn write(
        &mut self,
        session: &mut SqlSession,
        worker: &str,
        commit: &Commit<'_>,
        statement: fn(&Statements) -> &str,
    ) -> Result<Replaced> {
        let &Commit { verdicts, state, .. } = commit;
        let known = self.known(session).await?;
        let within = known.around(verdicts.iter().map(|verdict| verdict.ds));
        if within.is_some() {
            self.staged.verdicts(session, verdicts, known.grain).await?;
        }
        let insert = sql::output::CommitParts { insert: statement(&known), lock: known.lock.as_deref() };
        let staged = within.map(|within| (insert, within));
        let mut beside = self.stage_parts(session, worker, state).await?;
        let guard = self.stage_beside(session, worker, commit, &mut beside).await?;
        let (sql, values) = state_row::commit(&self.state, worker, state, staged, &beside, &guard)?;
        let row = again(session, &sql, &values).await?;
        let counts: Vec<Option<i64>> =
            row.map(|row| row.into_iter().map(|value| integer(&value)).collect()).unwrap_or_default();
        let [Some(held), Some(inserted), Some(removed)] = counts.as_slice() else {
            // It was committed or not; the next session finds out.
            return Err(Error::Found(
                ErrorKind::Connection,
                "the server did not say what it committed".to_owned(),
            ));
        };
        if *held == -2 {
            let changed = commit.episodes.iter().find(|change| change.before.is_some());
            let changed = changed.or(commit.episodes.first());
            let why = changed.map(|change| changed_meanwhile(&self.beside.episodes, &change.episode));
            return Err(Error::Found(ErrorKind::EpisodeChanged, why.unwrap_or_default()));
        }
        if *held < 0 {
            return Err(Error::Found(
                ErrorKind::Busy,
                format!(
                    "table `{}` has no unique index on (ds, variable), so one process writes it at a time, and another one has \
                     been at it for more than {} s; it is tried again at the next cycle",
                    self.output,
                    self.target.timeouts.lock.as_secs_f64()
                ),
            ));
        }
        if *held != 1 {
            let found = self.read_row(session, worker).await?.map(|found| found.epoch);
            return Err(state_row::fenced(&self.state, worker, state.epoch, found));
        }
        Ok(Replaced { removed: removed.unsigned_abs(), inserted: inserted.unsigned_abs() })
    }

    /// Stages the changes of the parts; returns their statements for the transaction.
    async fn stage_parts(&mut self, session: &mut SqlSession, worker: &str, state: &State) -> Result<String> {
        let written = self.stored.to(worker, state);
        if !written.is_nothing() {
            self.know_parts(session).await?;
        }
        self.staged.parts_of(session, &self.parts, &written).await
    }

    /// Stages the changes beside verdicts and state, and adds their statements to the transaction;
    /// returns the statements for its end.
    async fn stage_beside(
        &mut self,
        session: &mut SqlSession,
        worker: &str,
        commit: &Commit<'_>,
        said: &mut String,
    ) -> Result<String> {
        let &Commit { state, episodes, messages, .. } = commit;
        let mut guard = String::new();
        if !(episodes.is_empty() && messages.is_empty()) {
            self.know_beside(session).await?;
        }
        if !episodes.is_empty() {
            self.staged.episodes(session, worker, episodes, state.updated_at).await?;
            said.push_str(&sql::episodes::change(&self.beside.episodes));
            guard = sql::episodes::expect_for(episodes.len());
        }
        if !messages.is_empty() {
            self.staged.messages(session, messages).await?;
            said.push_str(&sql::outbox::tell(&self.beside.outbox, &self.beside.episodes));
        }
        Ok(guard)
    }

    async fn delete_row(&mut self, session: &mut SqlSession, worker: &str, epoch: i64) -> Result<()> {
        let values = vec![text(worker), Value::I64(Some(epoch))];
        if hit(session, sql::output::forget(&self.state, &self.parts), values).await? {
            return Ok(());
        }
        let found = self.read_row(session, worker).await?.map(|found| found.epoch);
        Err(state_row::fenced(&self.state, worker, epoch, found))
    }

    async fn exchange(
        &mut self,
        session: &mut SqlSession,
        worker: &str,
        before: &BTreeMap<Arc<str>, SetAside>,
        after: &BTreeMap<Arc<str>, SetAside>,
    ) -> Result<bool> {
        let (before, after) = (state_row::set_aside(before)?, state_row::set_aside(after)?);
        let values = vec![text(worker), text(&before), text(&after)];
        hit(session, sql::output::exchange_set_aside(&self.state), values).await
    }
}

#[async_trait]
impl VerdictWriter for SqlServerOutput {
    async fn ensure_tables(&mut self) -> Result<SchemaChanges, StoreError> {
        self.known = None;
        let mut session = self.link.take()?;
        let answer = ensure_tables::ensure(&mut session, &self.output, &self.state, &self.beside).await;
        let (mut prepared, lacking) = self.done(session, answer).await?;
        self.make_indexes(lacking, &mut prepared).await?;
        Ok(prepared)
    }

    async fn alive(&mut self) -> Result<(), StoreError> {
        let mut session = self.link.take()?;
        let answer = connection::run(&mut session, sql::session::alive()).await;
        self.link.done(session, answer)
    }

    async fn claim(&mut self, worker: &str) -> Result<Claim, StoreError> {
        let mut session = self.link.take()?;
        let answer = self.take_name(&mut session, worker).await;
        let claim = self.done(session, answer).await?;
        self.stored.found(worker, claim.state.as_ref());
        Ok(claim)
    }

    async fn commit(&mut self, worker: &str, commit: &Commit<'_>) -> Result<u64, StoreError> {
        let mut session = self.link.take()?;
        let answer = self.write(&mut session, worker, commit, |known| &known.insert).await;
        let ended = self.done(session, answer).await;
        self.stored.after(worker, commit.state, &ended);
        Ok(ended?.inserted)
    }
}

#[async_trait]
impl Rejudging for SqlServerOutput {
    async fn replace(&mut self, worker: &str, commit: &Commit<'_>) -> Result<Replaced, StoreError> {
        let mut session = self.link.take()?;
        let answer = self.write(&mut session, worker, commit, |known| &known.replace).await;
        let ended = self.done(session, answer).await;
        self.stored.after(worker, commit.state, &ended);
        ended
    }

    async fn forget(&mut self, worker: &str, epoch: i64) -> Result<(), StoreError> {
        let mut session = self.link.take()?;
        let answer = self.delete_row(&mut session, worker, epoch).await;
        self.done(session, answer).await
    }

    async fn exchange_set_aside(
        &mut self,
        worker: &str,
        before: &BTreeMap<Arc<str>, SetAside>,
        after: &BTreeMap<Arc<str>, SetAside>,
    ) -> Result<bool, StoreError> {
        let mut session = self.link.take()?;
        let answer = self.exchange(&mut session, worker, before, after).await;
        self.done(session, answer).await
    }
}

/// Whether a statement that returns a number of rows has changed one.
pub(super) async fn hit(session: &mut SqlSession, sql: String, values: Vec<Value>) -> Result<bool> {
    let row = connection::last(session, sql, values).await?.ours;
    Ok(row.and_then(|row| row.into_iter().next()).and_then(|value| integer(&value)) == Some(1))
}

/// Runs a transaction, once more if another process was first with the same key.
async fn again(session: &mut SqlSession, sql: &str, values: &[Value]) -> Result<Option<Row>> {
    let mut left = TRIES;
    loop {
        left -= 1;
        match connection::last(session, sql.to_owned(), values.to_vec()).await {
            Err(fault) if fault.is_duplicate() && left > 0 => {
                connection::run(session, sql::session::roll_back()).await?;
            }
            other => return other.map(|answered| answered.ours),
        }
    }
}
