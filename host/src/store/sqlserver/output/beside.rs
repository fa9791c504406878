//! Reads and writes of episodes and of the outbox, beside the commits.

use async_trait::async_trait;
use tiberius::{ColumnData, Row};

use super::SqlServerOutput;
use super::committing::hit;
use crate::datetime::Datetime;
use crate::episode::{EpisodeKind, EpisodeRange, Feedback, Shelving, StoredEpisode};
use crate::store::sqlserver::connect::SqlSession;
use crate::store::sqlserver::connection::{self, Value};
use crate::store::sqlserver::error::{Error, Result};
use crate::store::sqlserver::row::integer;
use crate::store::sqlserver::table::text;
use crate::store::sqlserver::{datetime, episodes, sql};
use crate::store::{
    EntryState, EpisodeEditor, EpisodeReader, OutboxCounts, OutboxEntry, OutboxQueue, StoreError, Tried,
    newest_first,
};

/// The number of one variable's episodes before a range that are read: those of one kind do not
/// overlap, so that only the last of each kind may reach into the range.
const BEFORE: i64 = 16;

impl SqlServerOutput {
    async fn episodes_of(
        &mut self,
        session: &mut SqlSession,
        sql: String,
        values: Vec<Value>,
    ) -> Result<Vec<StoredEpisode>> {
        self.know_beside(session).await?;
        let rows = connection::rows(session, sql, values).await?;
        rows.into_iter().map(|row| episodes::episode(row, &self.beside.episodes)).collect()
    }

    async fn within(
        &mut self,
        session: &mut SqlSession,
        wanted: &EpisodeRange,
    ) -> Result<Vec<StoredEpisode>> {
        let table = self.beside.episodes.clone();
        let (from, to) = (datetime::fine(wanted.from), datetime::fine(wanted.to));
        let limit = limited(wanted.limit);
        let mut found;
        if let Some(variable) = wanted.variable.as_deref() {
            let sql = sql::episodes::of_variable(&table);
            let values = vec![limit, from.clone(), to, text(variable)];
            found = self.episodes_of(session, sql.clone(), values).await?;
            let earliest = datetime::fine(Datetime::from_micros(i64::MIN));
            let values = vec![Value::I64(Some(BEFORE)), earliest, from, text(variable)];
            found.extend(self.episodes_of(session, sql, values).await?);
        } else {
            let values = vec![limit, from, to];
            found = self.episodes_of(session, sql::episodes::begun(&table), values.clone()).await?;
            found.extend(self.episodes_of(session, sql::episodes::ended(&table), values).await?);
            found.extend(self.episodes_of(session, sql::episodes::open(&table), Vec::new()).await?);
        }
        Ok(newest_first(found, wanted))
    }

    async fn entries_of(
        &mut self,
        session: &mut SqlSession,
        sql: String,
        values: Vec<Value>,
    ) -> Result<Vec<OutboxEntry>> {
        self.know_beside(session).await?;
        let rows = connection::rows(session, sql, values).await?;
        rows.into_iter().map(|row| episodes::entry(row, &self.beside.outbox)).collect()
    }

    async fn note_try(&mut self, session: &mut SqlSession, seq: i64, tried: &Tried) -> Result<bool> {
        self.know_beside(session).await?;
        // NULL would be a parameter without a type, which not every server accepts.
        let given = |given: &Option<String>| text(given.as_deref().unwrap_or_default());
        let values = vec![
            Value::I64(Some(seq)),
            text(tried.state.word()),
            datetime::fine(tried.at),
            given(&tried.error),
            given(&tried.progress),
        ];
        hit(session, sql::outbox::tried(&self.beside.outbox), values).await
    }

    async fn count(&mut self, session: &mut SqlSession) -> Result<OutboxCounts> {
        self.know_beside(session).await?;
        let mut counted = OutboxCounts::default();
        for state in [EntryState::Due, EntryState::Dead] {
            let sql = sql::outbox::count(&self.beside.outbox);
            let row = connection::row(session, sql, vec![text(state.word())]).await?;
            let mut cells = row.map(Row::into_iter).ok_or_else(|| Error::no_answer("the outbox"))?;
            let count = cells.next().as_ref().and_then(integer).unwrap_or_default().unsigned_abs();
            match state {
                EntryState::Due => {
                    counted.due = count;
                    counted.oldest_due = cells.next().as_ref().and_then(datetime::read);
                }
                _ => counted.dead = count,
            }
        }
        Ok(counted)
    }

    /// How many rows a statement has changed, by its answer.
    async fn hits(&mut self, session: &mut SqlSession, sql: String, values: Vec<Value>) -> Result<u64> {
        self.know_beside(session).await?;
        let row = connection::last(session, sql, values).await?.ours;
        let count = row.and_then(|row| row.into_iter().next()).as_ref().and_then(integer);
        Ok(count.unwrap_or_default().unsigned_abs())
    }
}

fn limited(limit: usize) -> Value {
    ColumnData::I64(Some(i64::try_from(limit).unwrap_or(i64::MAX)))
}

#[async_trait]
impl EpisodeReader for SqlServerOutput {
    async fn open_episodes(&mut self) -> Result<Vec<StoredEpisode>, StoreError> {
        let mut session = self.link.take()?;
        let sql = sql::episodes::open(&self.beside.episodes);
        let answer = self.episodes_of(&mut session, sql, Vec::new()).await;
        let mut found = self.done(session, answer).await?;
        found.sort_by_key(|found| (found.episode.begin, found.id));
        Ok(found)
    }

    async fn episode(&mut self, id: i64) -> Result<Option<StoredEpisode>, StoreError> {
        let mut session = self.link.take()?;
        let sql = sql::episodes::by_id(&self.beside.episodes);
        let answer = self.episodes_of(&mut session, sql, vec![Value::I64(Some(id))]).await;
        Ok(self.done(session, answer).await?.pop())
    }

    async fn episodes(&mut self, wanted: &EpisodeRange) -> Result<Vec<StoredEpisode>, StoreError> {
        let mut session = self.link.take()?;
        let answer = self.within(&mut session, wanted).await;
        self.done(session, answer).await
    }

    async fn shelved(&mut self) -> Result<Vec<StoredEpisode>, StoreError> {
        let mut session = self.link.take()?;
        let sql = sql::episodes::open_of_kind(&self.beside.episodes);
        let answer = self.episodes_of(&mut session, sql, vec![text(EpisodeKind::Shelved.word())]).await;
        self.done(session, answer).await
    }
}

#[async_trait]
impl EpisodeEditor for SqlServerOutput {
    async fn shelve(&mut self, shelving: &Shelving) -> Result<(), StoreError> {
        let mut session = self.link.take()?;
        let values = vec![
            text(&shelving.variable),
            datetime::fine(shelving.from),
            datetime::fine(shelving.until),
            text(&shelving.reason),
            text(&shelving.by),
        ];
        let sql = sql::episodes::shelve(&self.beside.episodes);
        let answer = self.hits(&mut session, sql, values).await;
        self.done(session, answer).await.map(drop)
    }

    async fn unshelve(&mut self, variable: &str, now: Datetime) -> Result<bool, StoreError> {
        let mut session = self.link.take()?;
        let sql = sql::episodes::unshelve(&self.beside.episodes);
        let answer = self.hits(&mut session, sql, vec![text(variable), datetime::fine(now)]).await;
        Ok(self.done(session, answer).await? > 0)
    }

    async fn say(
        &mut self,
        id: i64,
        feedback: Feedback,
        note: Option<&str>,
        now: Datetime,
    ) -> Result<bool, StoreError> {
        let mut session = self.link.take()?;
        let note = text(note.unwrap_or_default());
        let values = vec![Value::I64(Some(id)), text(feedback.word()), note, datetime::fine(now)];
        let sql = sql::episodes::say(&self.beside.episodes);
        let answer = self.hits(&mut session, sql, values).await;
        Ok(self.done(session, answer).await? > 0)
    }
}

#[async_trait]
impl OutboxQueue for SqlServerOutput {
    async fn due(&mut self, after: i64, now: Datetime, limit: usize) -> Result<Vec<OutboxEntry>, StoreError> {
        let mut session = self.link.take()?;
        let sql = sql::outbox::due(&self.beside.outbox);
        let values = vec![limited(limit), datetime::fine(now), Value::I64(Some(after))];
        let answer = self.entries_of(&mut session, sql, values).await;
        self.done(session, answer).await
    }

    async fn tried(&mut self, seq: i64, tried: &Tried) -> Result<bool, StoreError> {
        let mut session = self.link.take()?;
        let answer = self.note_try(&mut session, seq, tried).await;
        self.done(session, answer).await
    }

    async fn tried_all(&mut self, tried: &[(i64, Tried)]) -> Result<(), StoreError> {
        let mut session = self.link.take()?;
        let mut answer = Ok(());
        for (seq, tried) in tried {
            answer = self.note_try(&mut session, *seq, tried).await.map(drop);
            if answer.is_err() {
                break;
            }
        }
        self.done(session, answer).await
    }

    async fn delivered(&mut self, seqs: &[i64], at: Datetime) -> Result<(), StoreError> {
        let delivered = Tried { state: EntryState::Delivered, at, error: None, progress: None };
        let all: Vec<_> = seqs.iter().map(|seq| (*seq, delivered.clone())).collect();
        self.tried_all(&all).await
    }

    async fn entries(&mut self, state: EntryState, limit: usize) -> Result<Vec<OutboxEntry>, StoreError> {
        let mut session = self.link.take()?;
        let sql = sql::outbox::newest(&self.beside.outbox);
        let answer = self.entries_of(&mut session, sql, vec![limited(limit), text(state.word())]).await;
        self.done(session, answer).await
    }

    async fn outbox_counts(&mut self) -> Result<OutboxCounts, StoreError> {
        let mut session = self.link.take()?;
        let answer = self.count(&mut session).await;
        self.done(session, answer).await
    }

    async fn forget_delivered(&mut self, before: Datetime, limit: usize) -> Result<u64, StoreError> {
        let mut session = self.link.take()?;
        let sql = sql::outbox::forget_delivered(&self.beside.outbox);
        let answer = self.hits(&mut session, sql, vec![limited(limit), datetime::fine(before)]).await;
        self.done(session, answer).await
    }
}
