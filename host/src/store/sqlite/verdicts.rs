//! Verdicts in the output table: looking them up, inserting and deleting them. Steps of one
//! transaction.

use rusqlite::types::Value;
use rusqlite::{Connection, params};

use super::datetime::DatetimeForm;
use super::error::Result;
use super::row::RowReader;
use super::table::Table;
use crate::datetime::Datetime;
use crate::store::TableName;
use crate::store::schema::OUTPUT_COLUMNS;
use crate::verdict::VerdictRow;

/// Finds verdicts by key, whichever text their datetime has.
pub(super) struct Lookup<'c> {
    statement: rusqlite::CachedStatement<'c>,
    rows: RowReader,
}

impl<'c> Lookup<'c> {
    pub(super) fn new(connection: &'c Connection, output: &TableName) -> Result<Self> {
        let table = output.sqlite();
        let statement = connection.prepare_cached(&format!(
            "SELECT ds FROM {table} WHERE variable = ?1 AND ds >= ?2 AND ds < ?3"
        ))?;
        Ok(Self { statement, rows: RowReader::default() })
    }

    /// Whether the output holds a verdict on this reading.
    pub(super) fn finds(&mut self, variable: &str, ds: Datetime) -> Result<bool> {
        let (from, to) = DatetimeForm::Space.around(ds);
        let mut found = self.statement.query(params![variable, from, to])?;
        while let Some(row) = found.next()? {
            if self.rows.instant(row.get_ref(0)?) == Some(ds) {
                return Ok(true);
            }
        }
        Ok(false)
    }
}

/// Whether the output may hold a verdict from the first to the last of these datetimes. A seek, if
/// an index leads with ds.
pub(super) fn any_within(
    connection: &Connection,
    output: &TableName,
    first: Datetime,
    last: Datetime,
) -> Result<bool> {
    let sql = format!("SELECT EXISTS (SELECT 1 FROM {} WHERE ds >= ?1 AND ds < ?2)", output.sqlite());
    let span = [DatetimeForm::Space.floor(first), DatetimeForm::Space.around(last).1];
    Ok(connection.prepare_cached(&sql)?.query_row(span, |row| row.get(0))?)
}

/// Deletes all verdicts of these keys; returns the number of rows. A verdict under another name
/// that the column only takes for the same belongs to another variable and stays.
pub(super) fn remove(connection: &Connection, output: &TableName, verdicts: &[VerdictRow]) -> Result<u64> {
    let table = output.sqlite();
    let mut candidates = connection.prepare_cached(&format!(
        "SELECT rowid, ds FROM {table} WHERE variable = ?1 AND ds >= ?2 AND ds < ?3 AND CAST(variable AS BLOB) = CAST(?1 AS BLOB)"
    ))?;
    let mut delete = connection.prepare_cached(&format!("DELETE FROM {table} WHERE rowid = ?1"))?;
    let mut rows = RowReader::default();
    let mut removed = 0;
    for verdict in verdicts {
        let (from, to) = DatetimeForm::Space.around(verdict.ds);
        let mut found = candidates.query(params![&*verdict.variable, from, to])?;
        let mut same: Vec<i64> = Vec::new();
        while let Some(row) = found.next()? {
            if rows.instant(row.get_ref(1)?) == Some(verdict.ds) {
                same.push(row.get(0)?);
            }
        }
        for rowid in same {
            removed += u64::try_from(delete.execute([rowid])?).unwrap_or_default();
        }
    }
    Ok(removed)
}

/// Inserts the verdicts whose key is not there yet; returns their number. A row that the table's
/// own unique index takes for an existing one (its columns may ignore case) is skipped like any
/// other existing one.
pub(super) fn insert(
    connection: &Connection,
    output: &TableName,
    table: &Table,
    verdicts: &[VerdictRow],
    now: Datetime,
) -> Result<u64> {
    let mut lookup = Lookup::new(connection, output)?;
    let given = |column: &&&str| table.has(column) && !table.fills_itself(column);
    let columns: Vec<&str> = OUTPUT_COLUMNS.iter().chain(&["source_file"]).filter(given).copied().collect();
    let mut statement = connection.prepare_cached(&format!(
        "INSERT INTO {} ({}) VALUES ({}) ON CONFLICT DO NOTHING",
        output.sqlite(),
        columns.join(", "),
        vec!["?"; columns.len()].join(", ")
    ))?;
    let now = now.to_string();
    let mut inserted = 0;
    for verdict in verdicts {
        if lookup.finds(&verdict.variable, verdict.ds)? {
            continue;
        }
        for (at, column) in columns.iter().enumerate() {
            statement.raw_bind_parameter(at + 1, value(verdict, column, &now))?;
        }
        inserted += u64::try_from(statement.raw_execute()?).unwrap_or_default();
    }
    Ok(inserted)
}

fn value(verdict: &VerdictRow, column: &str, now: &str) -> Value {
    let flags = &verdict.flags;
    match column {
        "ds" => Value::from(verdict.ds.to_string()),
        "y" => verdict.y.into(),
        "yhat" => verdict.yhat.into(),
        "yhat_lower" => verdict.yhat_lower.into(),
        "yhat_upper" => verdict.yhat_upper.into(),
        "residual" => verdict.residual.into(),
        "outside_interval" => flags.outside_interval.into(),
        "high_residual" => flags.high_residual.into(),
        "is_anomaly" => flags.anomaly.into(),
        "anomaly_score" => verdict.anomaly_score.into(),
        "variable" => verdict.variable.to_string().into(),
        "prediction_error_pct" => verdict.prediction_error_pct.into(),
        "processed_at" => now.to_owned().into(),
        _ => verdict.source_file.as_deref().map(str::to_owned).into(),
    }
}

/// The greatest ds up to `until`: a seek, and a step back over each text that is not a datetime.
pub(super) fn newest(
    connection: &Connection,
    output: &TableName,
    until: Datetime,
) -> Result<Option<Datetime>> {
    let sql = format!("SELECT ds FROM {} WHERE ds < ?1 ORDER BY ds DESC", output.sqlite());
    let mut statement = connection.prepare_cached(&sql)?;
    let mut rows = RowReader::default();
    let mut found = statement.query([DatetimeForm::Space.around(until).1])?;
    while let Some(row) = found.next()? {
        let at = rows.instant(row.get_ref(0)?).filter(|at| *at <= until);
        if at.is_some() {
            return Ok(at);
        }
    }
    Ok(None)
}
