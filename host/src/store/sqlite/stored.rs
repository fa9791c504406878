//! Reads verdicts by datetime and page by page: in time order from the index on ds, and only as far
//! as the page needs.

use rusqlite::{Connection, Row};

use super::datetime::DatetimeForm;
use super::ensure_tables;
use super::error::Result;
use super::row::RowReader;
use crate::datetime::Datetime;
use crate::store::{StoredVerdict, TableName, VerdictPage};

/// What to read.
#[derive(Clone, Copy)]
pub(super) struct Wanted {
    pub(super) from: Datetime,
    pub(super) to: Datetime,
    pub(super) anomalies_only: bool,
    pub(super) limit: usize,
}

pub(super) fn read(
    connection: &Connection,
    output: &TableName,
    has_source_file: bool,
    wanted: Wanted,
) -> Result<VerdictPage> {
    let Wanted { from, to, anomalies_only, limit } = wanted;
    let table = output.sqlite();
    let columns = columns(has_source_file);
    // The `+` keeps SQLite at the index on ds: by the one on is_anomaly every page would sort all
    // anomalies.
    let anomalies = if anomalies_only { " AND +is_anomaly <> 0" } else { "" };
    let mut statement = connection.prepare_cached(&format!(
        "SELECT {columns} FROM {table} WHERE ds >= ?1 AND ds < ?2{anomalies} ORDER BY ds, variable"
    ))?;
    let mut rows = RowReader::default();
    let mut found = statement.query([DatetimeForm::Space.floor(from), DatetimeForm::Space.ceiling(to)])?;
    let mut verdicts: Vec<StoredVerdict> = Vec::new();
    // One more than the page takes.
    while let Some(row) = found.next()?.filter(|_| verdicts.len() <= limit) {
        let ds = row.get_ref(0)?;
        if ds.as_str().is_ok_and(|ds| DatetimeForm::of(ds) == Some(DatetimeForm::T)) {
            return Err(ensure_tables::datetimes(output).mixed());
        }
        if let Some(ds) = rows.instant(ds).filter(|ds| from <= *ds && *ds < to) {
            verdicts.push(verdict(&mut rows, ds, row)?);
        }
    }
    // One instant has many texts, which need not be ordered by variable.
    verdicts.sort_by(|a, b| (a.ds, &a.variable).cmp(&(b.ds, &b.variable)));
    let full = verdicts.len() > limit;
    verdicts.truncate(limit);
    Ok(VerdictPage { verdicts, full })
}

/// The columns of [`verdict`], in its order.
pub(super) fn columns(has_source_file: bool) -> String {
    format!(
        "ds, variable, y, yhat, yhat_lower, yhat_upper, residual, outside_interval, high_residual, is_anomaly, anomaly_score, \
         prediction_error_pct, processed_at, {}",
        if has_source_file { "source_file" } else { "NULL" }
    )
}

pub(super) fn verdict(rows: &mut RowReader, ds: Datetime, row: &Row<'_>) -> Result<StoredVerdict> {
    let source_file: Option<String> = row.get(13)?;
    let processed_at: Option<String> = row.get(12)?;
    Ok(StoredVerdict {
        ds,
        variable: rows.shared(row.get_ref(1)?.as_str().unwrap_or_default()),
        y: row.get(2)?,
        yhat: row.get(3)?,
        yhat_lower: row.get(4)?,
        yhat_upper: row.get(5)?,
        residual: row.get(6)?,
        outside_interval: row.get(7)?,
        high_residual: row.get(8)?,
        is_anomaly: row.get(9)?,
        anomaly_score: row.get(10)?,
        prediction_error_pct: row.get(11)?,
        source_file: source_file.map(|file| rows.shared(&file)),
        processed_at: processed_at.and_then(|text| Datetime::parse(&text).ok()),
    })
}
