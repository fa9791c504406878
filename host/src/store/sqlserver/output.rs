//! The output, the state table, that of checkpoints' parts and those beside them on a SQL Server.
//!
//! A commit stages its verdicts and parts in the session and then is one transaction in one round
//! trip. Whether it happened, where the connection is lost before the answer comes, the state row
//! tells to whoever takes the name next.

mod beside;
mod indexing;
mod queries;

use std::collections::{BTreeMap, HashSet};
use std::sync::Arc;

use async_trait::async_trait;
use tiberius::{ColumnData, Row};

use super::connect::SqlSession;
use super::connection::{self, Connection, Value};
use super::datetime;
use super::ensure_tables::{self, Statements, TablesBeside};
use super::error::{Error, Result};
use super::probe;
use super::row::integer;
use super::sql;
use super::staging::StagingTables;
use super::state_row::{self, StateRow};
use super::table::text;
use super::target::Target;
use crate::datetime::Datetime;
use crate::reading::ReadingKey;
use crate::state::{SetAside, State};
use crate::store::changed_meanwhile;
use crate::store::parts::{RowCheckpoint, StoredParts, tell_apart};
use crate::store::{
    Claim, Commit, ErrorKind, Outline, Output, OutputLimits, OutputProbe, PlantClock, Probed, Rejudging,
    Replaced, SchemaChanges, StoreError, TableName, TableNames, VerdictPage, VerdictReader, VerdictWriter,
};
use crate::verdict::VerdictRow;

/// How often a transaction is tried in which somebody else was first with the same key. Each time
/// it sees what they committed.
const TRIES: usize = 3;

/// Verdicts and state into a SQL Server's tables.
pub struct SqlServerOutput {
    pub(super) link: Connection,
    target: Target,
    /// What tells the plant's time, for the page.
    pub(super) clock: PlantClock,
    pub(super) output: TableName,
    state: TableName,
    parts: TableName,
    beside: TablesBeside,
    staged: StagingTables,
    /// As first looked at on this connection, until a call fails.
    known: Option<Statements>,
    /// Whether the table of parts was looked at.
    parts_known: bool,
    /// Whether those of episodes and of the outbox were.
    beside_known: bool,
    stored: StoredParts,
}

impl SqlServerOutput {
    pub(super) fn new(link: Connection, target: Target, tables: TableNames) -> Self {
        let TableNames { output, state, episodes, outbox, .. } = tables;
        let parts = state.of_parts();
        let beside = TablesBeside { episodes, outbox };
        let (staged, stored) = (StagingTables::default(), StoredParts::default());
        let clock = PlantClock::default();
        Self {
            link,
            target,
            clock,
            output,
            state,
            parts,
            beside,
            staged,
            known: None,
            parts_known: false,
            beside_known: false,
            stored,
        }
    }

    pub(super) async fn known(&mut self, session: &mut SqlSession) -> Result<Statements> {
        if let Some(known) = &self.known {
            return Ok(known.clone());
        }
        let wait = self.target.timeouts.lock;
        let known = ensure_tables::expect_tables(session, &self.output, &self.state, wait).await?;
        Ok(self.known.insert(known).clone())
    }

    async fn know_parts(&mut self, session: &mut SqlSession) -> Result<()> {
        if !self.parts_known {
            ensure_tables::expect_parts(session, &self.parts).await?;
            self.parts_known = true;
        }
        Ok(())
    }

    async fn know_beside(&mut self, session: &mut SqlSession) -> Result<()> {
        if !self.beside_known {
            self.beside.expect(session).await?;
            self.beside_known = true;
        }
        Ok(())
    }

    /// Ends a call, with nothing left open after one that failed.
    pub(super) async fn done<T>(
        &mut self,
        mut session: SqlSession,
        answer: Result<T>,
    ) -> Result<T, StoreError> {
        let answer = match answer {
            Err(fault) if fault.leaves_session() => {
                (self.known, self.parts_known, self.beside_known) = (None, false, false);
                match connection::run(&mut session, sql::session::roll_back()).await {
                    Ok(()) => Err(fault),
                    Err(broken) => Err(broken),
                }
            }
            other => other,
        };
        self.link.done(session, answer)
    }

    async fn take_name(&mut self, session: &mut SqlSession, worker: &str) -> Result<Claim> {
        self.known(session).await?;
        let row = again(session, &sql::output::take(&self.state), &[text(worker)]).await?;
        let row = row.ok_or_else(|| Error::no_answer("the worker's row"))?;
        let StateRow { epoch, state } = state_row::read(row, &self.state, worker)?;
        // Whoever had the name before writes no more parts.
        let state = match state {
            Some((state, checkpoint)) => Some(self.with_parts(session, worker, state, checkpoint).await?),
            None => None,
        };
        Ok(Claim { epoch, state })
    }

    async fn read_row(&mut self, session: &mut SqlSession, worker: &str) -> Result<Option<StateRow>> {
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

    async fn with_parts(
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
            // It was committed or it was not; the next session finds out.
            return Err(Error::Found(
                ErrorKind::Connection,
                "the server did not say what it committed".to_owned(),
            ));
        };
        if *held == -2 {
            let changed = commit.episodes.iter().find(|change| change.before.is_some());
            let changed = changed.or(commit.episodes.first());
            let why = changed.map(|change| changed_meanwhile(&self.beside.episodes, &change.episode));
            return Err(Error::Found(ErrorKind::Busy, why.unwrap_or_default()));
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

    /// Stages what a commit changes of the parts; what is said of that in its transaction.
    async fn stage_parts(&mut self, session: &mut SqlSession, worker: &str, state: &State) -> Result<String> {
        let written = self.stored.to(worker, state);
        if !written.is_nothing() {
            self.know_parts(session).await?;
        }
        self.staged.parts_of(session, &self.parts, &written).await
    }

    /// Stages what a commit changes beside verdicts and state, and says so in its transaction; what
    /// that ends with.
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

    /// What is in the way, and what should be known.
    async fn try_all(&mut self, session: &mut SqlSession) -> Result<(Vec<Error>, Vec<String>)> {
        let missing = probe::missing_rights(session, &self.output, &self.state, &self.beside).await?;
        if !missing.is_empty() {
            return Ok((missing, Vec::new()));
        }
        let row = connection::row(session, sql::input::now(&PlantClock::Server), Vec::new()).await?;
        let now = row.and_then(|row| row.into_iter().next()).and_then(|value| datetime::read(&value));
        let now = now.ok_or_else(|| Error::no_answer("the time"))?;
        let wait = self.target.timeouts.lock;
        let (tables, beside) = ((&self.output, &self.state), &self.beside);
        let tried = probe::try_all(session, &mut self.staged, tables, beside, now, wait).await;
        connection::run(session, sql::session::roll_back()).await?;
        match tried {
            Ok(notes) => Ok((Vec::new(), notes)),
            Err(fault) => Ok((vec![fault], Vec::new())),
        }
    }

    async fn attempt(&mut self, session: &mut SqlSession, verdicts: &[VerdictRow]) -> Result<()> {
        let known = self.known(session).await?;
        let Some([first, last]) = known.around(verdicts.iter().map(|verdict| verdict.ds)) else {
            return Ok(());
        };
        self.staged.verdicts(session, verdicts, known.grain).await?;
        // The insert takes its bounds where a commit has them.
        let values = vec![Value::I64(None), Value::I64(None), first, last];
        connection::last(session, sql::output::attempt(&known.insert), values).await?;
        Ok(())
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

#[async_trait]
impl OutputProbe for SqlServerOutput {
    async fn probe(&mut self) -> Result<Probed, StoreError> {
        let mut session = self.link.take()?;
        let answer = self.try_all(&mut session).await;
        let (found, notes) = self.done(session, answer).await?;
        let mut problems = Vec::new();
        for fault in found {
            let error = fault.at(self.link.place());
            // Nothing was found out.
            if matches!(error.kind, ErrorKind::Connection | ErrorKind::Busy) {
                return Err(error);
            }
            problems.push(error);
        }
        Ok(Probed { problems, notes })
    }

    async fn attempt(&mut self, verdicts: &[VerdictRow]) -> Result<(), StoreError> {
        let mut session = self.link.take()?;
        let answer = self.attempt(&mut session, verdicts).await;
        self.done(session, answer).await
    }
}

#[async_trait]
impl Output for SqlServerOutput {
    async fn close(self: Box<Self>) -> Result<(), StoreError> {
        self.link.close().await
    }
}

/// Whether a statement that answers how many rows it hit has hit one.
async fn hit(session: &mut SqlSession, sql: String, values: Vec<Value>) -> Result<bool> {
    let row = connection::last(session, sql, values).await?.ours;
    Ok(row.and_then(|row| row.into_iter().next()).and_then(|value| integer(&value)) == Some(1))
}

/// Runs a transaction, once more where somebody else was first with the same key.
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
