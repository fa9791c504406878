//! The queries of the page: each call reads from an index and stops at its limit, or when it has
//! taken too long.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::time::{Duration, Instant};

use async_trait::async_trait;
use rusqlite::types::ValueRef;
use rusqlite::{Connection, OptionalExtension, Params};

use super::datetime::DatetimeForm;
use super::error::{Error, Result};
use super::output::SqliteOutput;
use super::row::RowReader;
use super::{ensure_tables, stored};
use crate::datetime::Datetime;
use crate::store::page_reader::{MOST_RANKED, PATIENCE, rank};
use crate::store::{
    AnomalyQuery, AnomalyTally, ErrorKind, Extent, FirstOf, OutboxCounts, OutboxQueue, Output, PageReader,
    ReadFrom, StoreError, StoredVerdict, Stretch, TableName,
};

#[async_trait]
impl PageReader for SqliteOutput {
    async fn clock(&mut self) -> Result<Datetime, StoreError> {
        Ok(self.now())
    }

    async fn variables(&mut self, limit: usize) -> Result<Vec<Arc<str>>, StoreError> {
        self.read(move |connection, tables| {
            let reading = PageQuery::begin(connection, &tables.output, &tables.state)?;
            reading.variables(limit)
        })
        .await
    }

    async fn count(&mut self, stretches: &[Stretch], limit: usize) -> Result<Vec<u64>, StoreError> {
        let stretches = stretches.to_vec();
        self.read(move |connection, tables| {
            let reading = PageQuery::begin(connection, &tables.output, &tables.state)?;
            stretches.iter().map(|stretch| reading.count(stretch, limit)).collect()
        })
        .await
    }

    async fn extents(&mut self, stretches: &[Stretch], limit: usize) -> Result<Vec<Extent>, StoreError> {
        let stretches = stretches.to_vec();
        self.read(move |connection, tables| {
            let reading = PageQuery::begin(connection, &tables.output, &tables.state)?;
            stretches.iter().map(|stretch| reading.extent(stretch, limit)).collect()
        })
        .await
    }

    async fn anomalies(&mut self, query: &AnomalyQuery) -> Result<Vec<StoredVerdict>, StoreError> {
        let query = query.clone();
        self.read(move |connection, tables| {
            let reading = PageQuery::begin(connection, &tables.output, &tables.state)?;
            let examined = if query.first == FirstOf::Worst { MOST_RANKED } else { query.limit };
            let mut found = reading.anomalies(&query, examined)?;
            rank(&mut found, query.first);
            found.truncate(query.limit);
            Ok(found)
        })
        .await
    }

    async fn tally(&mut self, from: Datetime, to: Datetime) -> Result<Vec<AnomalyTally>, StoreError> {
        self.read(move |connection, tables| {
            let reading = PageQuery::begin(connection, &tables.output, &tables.state)?;
            reading.tally(from, to)
        })
        .await
    }

    async fn undelivered(&mut self) -> Result<OutboxCounts, StoreError> {
        self.outbox_counts().await
    }

    async fn leave(self: Box<Self>) -> Result<(), StoreError> {
        self.close().await
    }
}

/// Verdicts of stretches.
pub(super) fn stretches(
    connection: &Connection,
    (output, state): (&TableName, &TableName),
    patience: Option<Duration>,
    stretches: &[Stretch],
    limit: usize,
    end: ReadFrom,
) -> Result<Vec<Vec<StoredVerdict>>> {
    let reading = PageQuery { patience, ..PageQuery::begin(connection, output, state)? };
    stretches.iter().map(|stretch| reading.stretch(stretch, limit, end)).collect()
}

/// A text that sorts before every text of this second.
fn second(at: Datetime) -> String {
    DatetimeForm::Space.around(at).0
}

/// One call.
struct PageQuery<'c> {
    connection: &'c Connection,
    output: &'c TableName,
    has_source_file: bool,
    begun: Instant,
    patience: Option<Duration>,
}

impl<'c> PageQuery<'c> {
    fn begin(connection: &'c Connection, output: &'c TableName, state: &TableName) -> Result<Self> {
        let found = ensure_tables::expect_tables(connection, output, state)?;
        let (has_source_file, begun) = (found.has("source_file"), Instant::now());
        Ok(Self { connection, output, has_source_file, begun, patience: Some(PATIENCE) })
    }

    /// # Errors
    /// `Busy`, once it has taken too long.
    fn goes_on(&self) -> Result<()> {
        let Some(patience) = self.patience.filter(|patience| self.begun.elapsed() >= *patience) else {
            return Ok(());
        };
        Err(Error::Found(
            ErrorKind::Busy,
            format!(
                "reading took more than {} s and was given up; does table `{}` have the indexes that `host schema` prints?",
                patience.as_secs(),
                self.output.table()
            ),
        ))
    }

    fn variables(&self, limit: usize) -> Result<Vec<Arc<str>>> {
        let table = self.output.sqlite();
        let mut statement = self.connection.prepare_cached(&format!(
            "SELECT variable FROM {table} WHERE variable > ?1 AND typeof(variable) = 'text' ORDER BY variable, ds LIMIT 1"
        ))?;
        let mut names: Vec<Arc<str>> = Vec::new();
        // Every text sorts after the empty one, and no name is empty.
        let mut last = String::new();
        while names.len() < limit {
            self.goes_on()?;
            let mut rows = statement.query([&last])?;
            let Some(row) = rows.next()? else { break };
            last = row.get(0)?;
            names.push(last.as_str().into());
        }
        Ok(names)
    }

    /// The spelling by which [`variables`](Self::variables) has this name: the column may have a
    /// collation that takes several spellings for one.
    fn spelling(&self, name: &Arc<str>) -> Result<Arc<str>> {
        let mut statement = self.connection.prepare_cached(&format!(
            "SELECT variable FROM {} WHERE variable = ?1 ORDER BY ds LIMIT 1",
            self.output.sqlite()
        ))?;
        let first: Option<String> = statement.query_row([&**name], |row| row.get(0)).optional()?;
        Ok(first.map_or_else(|| Arc::clone(name), Arc::from))
    }

    fn stretch(&self, stretch: &Stretch, limit: usize, end: ReadFrom) -> Result<Vec<StoredVerdict>> {
        let order = match end {
            ReadFrom::Start => "",
            ReadFrom::End => " DESC",
        };
        let sql = format!(
            "SELECT {} FROM {} WHERE variable = ?1 AND ds >= ?2 AND ds < ?3 ORDER BY ds{order}",
            stored::columns(self.has_source_file),
            self.output.sqlite()
        );
        let Stretch { variable, from, to } = stretch;
        let within = (&**variable, DatetimeForm::Space.floor(*from), DatetimeForm::Space.ceiling(*to));
        let mut found = self.verdicts(&sql, within, (*from, *to), limit)?;
        if end == ReadFrom::End {
            found.reverse();
        }
        // The column may have a collation that takes another spelling for the same.
        for verdict in &mut found {
            verdict.variable = Arc::clone(variable);
        }
        Ok(found)
    }

    fn verdicts(
        &self,
        sql: &str,
        parameters: impl Params,
        (from, to): (Datetime, Datetime),
        limit: usize,
    ) -> Result<Vec<StoredVerdict>> {
        let mut statement = self.connection.prepare_cached(sql)?;
        let mut reader = RowReader::default();
        let mut rows = statement.query(parameters)?;
        let mut verdicts = Vec::new();
        while verdicts.len() < limit
            && let Some(row) = rows.next()?
        {
            self.goes_on()?;
            if let Some(ds) = reader.instant(row.get_ref(0)?).filter(|ds| from <= *ds && *ds < to) {
                verdicts.push(stored::verdict(&mut reader, ds, row)?);
            }
        }
        Ok(verdicts)
    }

    /// The ends are those of whole seconds, as in [`extent`](Self::extent).
    fn count(&self, stretch: &Stretch, limit: usize) -> Result<u64> {
        self.goes_on()?;
        let mut statement = self.connection.prepare_cached(&format!(
            "SELECT count(*) FROM (SELECT 1 FROM {} WHERE variable = ?1 AND ds >= ?2 AND ds < ?3 LIMIT ?4)",
            self.output.sqlite()
        ))?;
        let Stretch { variable, from, to } = stretch;
        let limit = i64::try_from(limit).unwrap_or(i64::MAX);
        let (from, to) = (second(*from), second(*to));
        let count: i64 = statement.query_row((&**variable, from, to, limit), |row| row.get(0))?;
        Ok(count.unsigned_abs())
    }

    /// One pass over the index; of two equal readings the first is kept. Each second is in one of
    /// two adjacent stretches only.
    fn extent(&self, stretch: &Stretch, limit: usize) -> Result<Extent> {
        self.goes_on()?;
        let mut statement = self.connection.prepare_cached(&format!(
            "SELECT ds, y FROM {} WHERE variable = ?1 AND ds >= ?2 AND ds < ?3 ORDER BY ds",
            self.output.sqlite()
        ))?;
        let Stretch { variable, from, to } = stretch;
        let within = (&**variable, second(*from), second(*to));
        let (mut reader, mut extent) = (RowReader::default(), Extent::default());
        let (mut least, mut greatest) = (f64::INFINITY, f64::NEG_INFINITY);
        let mut rows = statement.query(within)?;
        // Counted here: with a LIMIT each row takes a tenth longer.
        while extent.verdicts < limit as u64
            && let Some(row) = rows.next()?
        {
            extent.verdicts += 1;
            let y = match row.get_ref(1)? {
                ValueRef::Real(y) => y,
                ValueRef::Integer(y) => y as f64,
                _ => continue,
            };
            if y < least {
                (least, extent.least) = (y, reader.instant(row.get_ref(0)?));
            }
            if y > greatest {
                (greatest, extent.greatest) = (y, reader.instant(row.get_ref(0)?));
            }
        }
        Ok(extent)
    }

    fn anomalies(&self, query: &AnomalyQuery, limit: usize) -> Result<Vec<StoredVerdict>> {
        // The `+` keeps SQLite at the index on (is_anomaly, ds, variable): a variable has many verdicts, and few of
        // them are anomalies.
        let named = if query.variable.is_some() { " AND +variable = ?4" } else { " AND ?4 IS NULL" };
        let sql = format!(
            "SELECT {} FROM {} WHERE is_anomaly = 1 AND ds >= ?1 AND ds < ?2 AND coalesce(anomaly_score, 0) >= ?3{named} \
             ORDER BY ds DESC",
            stored::columns(self.has_source_file),
            self.output.sqlite()
        );
        let AnomalyQuery { from, to, least_score, .. } = query;
        let (first, past) = (DatetimeForm::Space.floor(*from), DatetimeForm::Space.ceiling(*to));
        self.verdicts(&sql, (first, past, least_score, query.variable.as_deref()), (*from, *to), limit)
    }

    fn tally(&self, from: Datetime, to: Datetime) -> Result<Vec<AnomalyTally>> {
        let mut statement = self.connection.prepare_cached(&format!(
            "SELECT ds, variable, anomaly_score FROM {} WHERE is_anomaly = 1 AND ds >= ?1 AND ds < ?2 ORDER BY ds DESC LIMIT ?3",
            self.output.sqlite()
        ))?;
        let mut reader = RowReader::default();
        let mut tallies: BTreeMap<Arc<str>, AnomalyTally> = BTreeMap::new();
        let mut spellings: HashMap<Arc<str>, Arc<str>> = HashMap::new();
        let most = i64::try_from(MOST_RANKED).unwrap_or(i64::MAX);
        let mut rows =
            statement.query((DatetimeForm::Space.floor(from), DatetimeForm::Space.ceiling(to), most))?;
        while let Some(row) = rows.next()? {
            self.goes_on()?;
            let Some(ds) = reader.instant(row.get_ref(0)?).filter(|ds| from <= *ds && *ds < to) else {
                continue;
            };
            let name = reader.shared(row.get_ref(1)?.as_str().unwrap_or_default());
            let variable = match spellings.get(&name) {
                Some(variable) => Arc::clone(variable),
                None => {
                    let variable = self.spelling(&name)?;
                    spellings.insert(name, Arc::clone(&variable));
                    variable
                }
            };
            let score: Option<f64> = row.get(2)?;
            let tally = tallies.entry(Arc::clone(&variable)).or_insert(AnomalyTally {
                variable,
                anomalies: 0,
                worst_score: None,
                last: ds,
            });
            tally.anomalies += 1;
            tally.last = tally.last.max(ds);
            tally.worst_score = tally.worst_score.into_iter().chain(score).reduce(f64::max);
        }
        Ok(tallies.into_values().collect())
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

    use super::*;
    use crate::store::schema::sqlite as ddl;

    /// These queries are run on tables of many millions of rows.
    #[test]
    fn what_is_read_is_found_by_seeks() {
        let table: TableName = "o".parse().unwrap();
        let connection = Connection::open_in_memory().unwrap();
        connection.execute_batch(&ddl::output(&table)).unwrap();
        for index in ddl::indexes(&table) {
            connection.execute_batch(&index).unwrap();
        }
        let plan = |sql: &str| -> String {
            let mut statement = connection.prepare(&format!("EXPLAIN QUERY PLAN {sql}")).unwrap();
            let count = statement.parameter_count();
            let none = vec![rusqlite::types::Value::Null; count];
            let steps = statement.query_map(rusqlite::params_from_iter(none), |row| row.get(3)).unwrap();
            steps.map(Result::<String, _>::unwrap).collect::<Vec<_>>().join("; ")
        };
        for (sql, expected) in [
            (
                "SELECT yhat FROM o WHERE variable = ?1 AND ds >= ?2 AND ds < ?3 ORDER BY ds DESC",
                "SEARCH o USING INDEX ux_o_variable_ds (variable=? AND ds>? AND ds<?)",
            ),
            (
                "SELECT variable FROM o WHERE variable > ?1 AND typeof(variable) = 'text' ORDER BY variable, ds LIMIT 1",
                "SEARCH o USING COVERING INDEX ux_o_variable_ds (variable>?)",
            ),
            (
                "SELECT variable FROM o WHERE variable = ?1 ORDER BY ds LIMIT 1",
                "SEARCH o USING COVERING INDEX ux_o_variable_ds (variable=?)",
            ),
            (
                "SELECT y FROM o WHERE is_anomaly = 1 AND ds >= ?1 AND ds < ?2 AND coalesce(anomaly_score, 0) >= ?3 AND \
                 +variable = ?4 ORDER BY ds DESC",
                "SEARCH o USING INDEX ix_o_is_anomaly_ds_variable (is_anomaly=? AND ds>? AND ds<?)",
            ),
            (
                "SELECT ds, y FROM o WHERE variable = ?1 AND ds >= ?2 AND ds < ?3 ORDER BY ds",
                "SEARCH o USING COVERING INDEX ux_o_variable_ds (variable=? AND ds>? AND ds<?)",
            ),
        ] {
            // Either of the two indexes that begin so.
            let plan = plan(sql).replace("ix_o_variable_ds_y", "ux_o_variable_ds");
            assert_eq!(plan, expected, "{sql}");
        }
    }
}
