//! Queries on the output: which keys it has, which names it can hold, and its verdicts page by
//! page.

use std::sync::Arc;

use tiberius::Row;

use super::SqlServerOutput;
use crate::datetime::Datetime;
use crate::reading::ReadingKey;
use crate::store::VerdictPage;
use crate::store::sqlserver::connect::SqlSession;
use crate::store::sqlserver::connection::{self, Value};
use crate::store::sqlserver::ensure_tables::Statements;
use crate::store::sqlserver::error::Result;
use crate::store::sqlserver::{sql, stored};

/// For at least this many keys, one seek is made first whether any of them can have a verdict:
/// those of a backfill mostly have none.
const WORTH_A_SEEK: usize = 500;

impl SqlServerOutput {
    /// Those of the keys that have a verdict.
    pub(super) async fn judged<'k>(
        &mut self,
        session: &mut SqlSession,
        keys: &'k [ReadingKey],
    ) -> Result<Vec<&'k ReadingKey>> {
        let known = self.known(session).await?;
        let Some(within) = known.around(keys.iter().map(|(_, ds)| *ds)) else { return Ok(Vec::new()) };
        if keys.len() >= WORTH_A_SEEK && known.has_ds_index {
            let any = sql::output::any_within(&self.output);
            if connection::row(session, any, within.to_vec()).await?.is_none() {
                return Ok(Vec::new());
            }
        }
        self.look_up(session, keys, |known| known.already_judged, within.to_vec()).await
    }

    /// Those of the keys whose `n` the statement returns, once they are staged.
    pub(super) async fn look_up<'k>(
        &mut self,
        session: &mut SqlSession,
        keys: &'k [ReadingKey],
        statement: impl Fn(Statements) -> String,
        values: Vec<Value>,
    ) -> Result<Vec<&'k ReadingKey>> {
        let known = self.known(session).await?;
        self.staged.keys(session, keys, known.grain).await?;
        let rows = connection::rows(session, statement(known), values).await?;
        let found = rows.iter().filter_map(|row| row.get::<f64, _>(0)).filter_map(|n| keys.get(position(n)));
        Ok(found.collect())
    }

    /// Those of the names that are the same as an earlier one.
    pub(super) async fn equal(
        &mut self,
        session: &mut SqlSession,
        names: &[Arc<str>],
    ) -> Result<Vec<(Arc<str>, Arc<str>)>> {
        let known = self.known(session).await?;
        self.staged.keys(session, &keys_of(names), known.grain).await?;
        let rows = connection::rows(session, known.equal_names, Vec::new()).await?;
        let name = |row: &Row, at: usize| names.get(position(row.get::<f64, _>(at)?)).cloned();
        Ok(rows.iter().filter_map(|row| Some((name(row, 0)?, name(row, 1)?))).collect())
    }

    /// Those of the names that the output spells differently.
    pub(super) async fn spellings(
        &mut self,
        session: &mut SqlSession,
        names: &[Arc<str>],
    ) -> Result<Vec<(Arc<str>, Arc<str>)>> {
        let known = self.known(session).await?;
        let Some(statement) = known.spellings else { return Ok(Vec::new()) };
        self.staged.keys(session, &keys_of(names), known.grain).await?;
        let rows = connection::rows(session, statement, Vec::new()).await?;
        let pair = |row: &Row| {
            let name = names.get(position(row.get::<f64, _>(0)?))?;
            let held: &str = row.get(1)?;
            // A CHAR column pads every name with blanks.
            let same = held == &**name || known.padded.name && held.trim_end_matches(' ') == &**name;
            (!same).then(|| (Arc::clone(name), held.into()))
        };
        Ok(rows.iter().filter_map(pair).collect())
    }

    /// Verdicts by time.
    pub(super) async fn read_page(
        &mut self,
        session: &mut SqlSession,
        from: Datetime,
        to: Datetime,
        anomalies_only: bool,
        limit: usize,
    ) -> Result<VerdictPage> {
        let known = self.known(session).await?;
        let sql = sql::output::verdicts(&self.output, known.has_source_file, anomalies_only);
        // One more than the limit shows that there are more.
        let rows = i64::try_from(limit.saturating_add(1)).unwrap_or(i64::MAX);
        let values = vec![Value::I64(Some(rows)), known.grain.not_before(from), known.grain.not_before(to)];
        stored::page(connection::rows(session, sql, values).await?, limit, known.padded)
    }
}

/// Names as keys, at some datetime.
pub(super) fn keys_of(names: &[Arc<str>]) -> Vec<ReadingKey> {
    names.iter().map(|name| (Arc::clone(name), Datetime::from_micros(0))).collect()
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "it was an index before it was staged"
)]
fn position(n: f64) -> usize {
    n as usize
}
