//! The queries of the page on a SQL Server: bounded statements that seek, over a connection of
//! their own.

use std::sync::Arc;

use async_trait::async_trait;
use tiberius::{ColumnData, Row};

use super::connect::SqlSession;
use super::connection::{self, Value};
use super::ensure_tables::Statements;
use super::error::{Error, Result};
use super::output::SqlServerOutput;
use super::row::{Padded, integer, number};
use super::table::text;
use super::{datetime, sql, stored};
use crate::datetime::Datetime;
use crate::store::page_reader::{MOST_RANKED, rank};
use crate::store::{
    AnomalyQuery, AnomalyTally, Extent, FirstOf, OutboxCounts, OutboxQueue, Output, PageReader, PlantClock,
    ReadFrom, StoreError, StoredVerdict, Stretch,
};

#[async_trait]
impl PageReader for SqlServerOutput {
    async fn clock(&mut self) -> Result<Datetime, StoreError> {
        let mut session = self.link.take()?;
        let values = match &self.clock {
            PlantClock::Zone(zone) => vec![text(zone)],
            PlantClock::Server | PlantClock::Offset { .. } => Vec::new(),
        };
        let answer = connection::row(&mut session, sql::input::now(&self.clock), values).await;
        let answer = answer.and_then(|row| {
            row.and_then(|row| row.into_iter().next())
                .and_then(|value| datetime::read(&value))
                .ok_or_else(|| Error::no_answer("the time"))
        });
        self.done(session, answer).await
    }

    async fn variables(&mut self, limit: usize) -> Result<Vec<Arc<str>>, StoreError> {
        let mut session = self.link.take()?;
        let answer = self.names(&mut session, limit).await;
        self.done(session, answer).await
    }

    async fn count(&mut self, stretches: &[Stretch], limit: usize) -> Result<Vec<u64>, StoreError> {
        let mut session = self.link.take()?;
        let answer = self.count_stretches(&mut session, stretches, limit).await;
        self.done(session, answer).await
    }

    async fn extents(&mut self, stretches: &[Stretch], limit: usize) -> Result<Vec<Extent>, StoreError> {
        let mut session = self.link.take()?;
        let answer = self.find_extents(&mut session, stretches, limit).await;
        self.done(session, answer).await
    }

    async fn anomalies(&mut self, query: &AnomalyQuery) -> Result<Vec<StoredVerdict>, StoreError> {
        let mut session = self.link.take()?;
        let answer = self.read_anomalies(&mut session, query).await;
        let mut found = self.done(session, answer).await?;
        rank(&mut found, query.first);
        found.truncate(query.limit);
        Ok(found)
    }

    async fn tally(&mut self, from: Datetime, to: Datetime) -> Result<Vec<AnomalyTally>, StoreError> {
        let mut session = self.link.take()?;
        let answer = self.read_tally(&mut session, from, to).await;
        self.done(session, answer).await
    }

    async fn undelivered(&mut self) -> Result<OutboxCounts, StoreError> {
        self.outbox_counts().await
    }

    async fn leave(self: Box<Self>) -> Result<(), StoreError> {
        self.close().await
    }
}

/// A count of rows as a parameter.
fn rows(count: usize) -> Value {
    Value::I64(Some(i64::try_from(count).unwrap_or(i64::MAX)))
}

impl SqlServerOutput {
    async fn names(&mut self, session: &mut SqlSession, limit: usize) -> Result<Vec<Arc<str>>> {
        let known = self.known(session).await?;
        let mut names: Vec<Arc<str>> = Vec::new();
        while names.len() < limit {
            let (sql, values) = match names.last() {
                None => (sql::page::first_variable(&self.output), Vec::new()),
                Some(last) => {
                    let sql = sql::page::next_variable(&self.output, |value| known.variable(value));
                    (sql, vec![text(last)])
                }
            };
            let Some(row) = connection::row(session, sql, values).await? else { break };
            let Some(ColumnData::String(Some(name))) = row.into_iter().next() else { break };
            let name = Padded::without(known.padded.name, &name);
            // A name that sorts after itself would be returned for ever.
            if names.last().is_some_and(|last| **last == *name) {
                break;
            }
            names.push(name.into());
        }
        Ok(names)
    }

    /// Runs a statement for stretches, this many at a time. `take` gets each row, with the index of
    /// its stretch.
    async fn ask_stretches(
        &mut self,
        session: &mut SqlSession,
        (stretches, at_a_time): (&[Stretch], usize),
        limit: usize,
        statement: impl Fn(&Statements, usize) -> String,
        mut take: impl FnMut(usize, Row) -> Result<()>,
    ) -> Result<()> {
        let known = self.known(session).await?;
        for (part, asked) in stretches.chunks(at_a_time).enumerate() {
            let shape = sql::page::stretches_for(asked.len());
            let mut values = vec![rows(limit)];
            for at in 0..shape {
                let stretch = asked.get(at).or(asked.first());
                let Some(Stretch { variable, from, to }) = stretch else { continue };
                // Unused parameters of the statement are an empty stretch.
                let to = if at < asked.len() { to } else { from };
                values.extend([text(variable), known.grain.not_before(*from), known.grain.not_before(*to)]);
            }
            for row in connection::rows(session, statement(&known, shape), values).await? {
                let at = row.cells().next().and_then(|(_, value)| integer(value));
                let at = at.and_then(|at| usize::try_from(at).ok());
                let at = at.ok_or_else(|| Error::no_answer("which stretch a row is of"))?;
                // Unused parameters return a row with the count 0.
                if at < asked.len() {
                    take(part * at_a_time + at, row)?;
                }
            }
        }
        Ok(())
    }

    pub(super) async fn read_stretches(
        &mut self,
        session: &mut SqlSession,
        stretches: &[Stretch],
        limit: usize,
        end: ReadFrom,
    ) -> Result<Vec<Vec<StoredVerdict>>> {
        let known = self.known(session).await?;
        let output = self.output.clone();
        let sql = |known: &Statements, shape: usize| {
            let backwards = end == ReadFrom::End;
            sql::page::stretches(&output, known.has_source_file, shape, backwards, |value| {
                known.variable(value)
            })
        };
        let mut found = vec![Vec::new(); stretches.len()];
        let all = (stretches, sql::page::MOST_STRETCHES);
        self.ask_stretches(session, all, limit, sql, |at, row| {
            let mut cells = row.into_iter();
            // The index of the stretch.
            cells.next();
            found[at].push(stored::verdict(&mut cells, &mut stored::SharedNames::default(), known.padded)?);
            Ok(())
        })
        .await?;
        for (verdicts, stretch) in found.iter_mut().zip(stretches) {
            verdicts.sort_by_key(|verdict: &StoredVerdict| verdict.ds);
            // In the caller's spelling, and once.
            for verdict in verdicts {
                verdict.variable = Arc::clone(&stretch.variable);
            }
        }
        Ok(found)
    }

    async fn count_stretches(
        &mut self,
        session: &mut SqlSession,
        stretches: &[Stretch],
        limit: usize,
    ) -> Result<Vec<u64>> {
        let output = self.output.clone();
        let sql = |known: &Statements, shape: usize| {
            sql::page::count(&output, shape, |value| known.variable(value))
        };
        let mut counts = vec![0; stretches.len()];
        let all = (stretches, sql::page::MOST_STRETCHES);
        self.ask_stretches(session, all, limit, sql, |at, row| {
            let count = row.into_iter().nth(1).and_then(|value| integer(&value));
            counts[at] = count.ok_or_else(|| Error::no_answer("a count"))?.unsigned_abs();
            Ok(())
        })
        .await?;
        Ok(counts)
    }

    async fn find_extents(
        &mut self,
        session: &mut SqlSession,
        stretches: &[Stretch],
        limit: usize,
    ) -> Result<Vec<Extent>> {
        let output = self.output.clone();
        let sql = |known: &Statements, shape: usize| {
            sql::page::extents(&output, shape, |value| known.variable(value))
        };
        let mut extents = vec![Extent::default(); stretches.len()];
        let all = (stretches, sql::page::MOST_EXTENTS);
        self.ask_stretches(session, all, limit, sql, |at, row| {
            let cells: Vec<_> = row.into_iter().collect();
            let [_, verdicts, least, greatest] = cells.as_slice() else {
                return Err(Error::no_answer("the extremes of readings"));
            };
            let verdicts = integer(verdicts).ok_or_else(|| Error::no_answer("a count"))?.unsigned_abs();
            extents[at] =
                Extent { verdicts, least: datetime::read(least), greatest: datetime::read(greatest) };
            Ok(())
        })
        .await?;
        Ok(extents)
    }

    async fn read_anomalies(
        &mut self,
        session: &mut SqlSession,
        query: &AnomalyQuery,
    ) -> Result<Vec<StoredVerdict>> {
        let known = self.known(session).await?;
        let AnomalyQuery { variable, from, to, least_score, first, limit } = query;
        let examined = if *first == FirstOf::Worst { MOST_RANKED } else { *limit };
        let sql = sql::page::anomalies(&self.output, known.has_source_file, variable.is_some(), |value| {
            known.variable(value)
        });
        let mut values = vec![
            rows(examined),
            known.grain.not_before(*from),
            known.grain.not_before(*to),
            Value::F64(Some(*least_score)),
        ];
        values.extend(variable.as_ref().map(|name| text(name)));
        let mut names = stored::SharedNames::default();
        let found = connection::rows(session, sql, values).await?;
        found.into_iter().map(|row| stored::verdict(&mut row.into_iter(), &mut names, known.padded)).collect()
    }

    async fn read_tally(
        &mut self,
        session: &mut SqlSession,
        from: Datetime,
        to: Datetime,
    ) -> Result<Vec<AnomalyTally>> {
        let known = self.known(session).await?;
        let values = vec![rows(MOST_RANKED), known.grain.not_before(from), known.grain.not_before(to)];
        let mut tallies = Vec::new();
        for row in connection::rows(session, sql::page::tally(&self.output), values).await? {
            let cells: Vec<_> = row.into_iter().collect();
            let [ColumnData::String(Some(name)), anomalies, score, last] = cells.as_slice() else {
                return Err(Error::no_answer("the anomalies of each variable"));
            };
            let (anomalies, last) = (integer(anomalies), datetime::read(last));
            let (Some(anomalies), Some(last)) = (anomalies, last) else {
                return Err(Error::no_answer("the anomalies of each variable"));
            };
            tallies.push(AnomalyTally {
                variable: Padded::without(known.padded.name, name).into(),
                anomalies: anomalies.unsigned_abs(),
                worst_score: number(score),
                last,
            });
        }
        tallies.sort_by(|a, b| a.variable.cmp(&b.variable));
        Ok(tallies)
    }
}
