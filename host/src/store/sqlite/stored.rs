//! Verdicts read back, by datetime and page by page.
//!
//! Texts of one form come in time order from the index on ds, and a page reads each form only as
//! far as it needs: first the form that this worker writes, then of the other only what could stand
//! between.

use std::collections::HashSet;
use std::sync::Arc;

use rusqlite::{Connection, Row, params};

use super::datetime::{self, FORMS};
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
    let mut reader = Reader {
        connection,
        output,
        has_source_file,
        wanted,
        rows: RowReader::default(),
        names: HashSet::new(),
    };
    let mut verdicts = reader.form(FORMS[0], wanted.to)?;
    let end = match verdicts.last() {
        Some(last) if verdicts.len() > wanted.limit => {
            Datetime::from_micros(last.ds.micros().saturating_add(1))
        }
        _ => wanted.to,
    };
    let others = reader.form(FORMS[1], end)?;
    if !others.is_empty() {
        verdicts.extend(others);
        verdicts.sort_by(|a, b| (a.ds, &a.variable).cmp(&(b.ds, &b.variable)));
    }
    let full = verdicts.len() > wanted.limit;
    verdicts.truncate(wanted.limit);
    Ok(VerdictPage { verdicts, full })
}

struct Reader<'c> {
    connection: &'c Connection,
    output: &'c TableName,
    has_source_file: bool,
    wanted: Wanted,
    rows: RowReader,
    /// Names and files are few and come again and again.
    names: HashSet<Arc<str>>,
}

impl Reader<'_> {
    /// The first verdicts before `end` whose ds has this form, one more than the page takes.
    fn form(&mut self, form: char, end: Datetime) -> Result<Vec<StoredVerdict>> {
        let Wanted { from, anomalies_only, limit, .. } = self.wanted;
        let table = self.output.sqlite();
        let file = if self.has_source_file { "source_file" } else { "NULL" };
        let other = if form == 'T' { "<>" } else { "=" };
        // The `+` keeps SQLite at the index on ds: by the one on is_anomaly every page would sort all
        // anomalies.
        let anomalies = if anomalies_only { " AND +is_anomaly <> 0" } else { "" };
        let mut statement = self.connection.prepare_cached(&format!(
            "SELECT ds, variable, y, yhat, yhat_lower, yhat_upper, residual, outside_interval, high_residual, is_anomaly, \
             anomaly_score, prediction_error_pct, processed_at, {file} FROM {table} \
             WHERE ds >= ?1 AND ds < ?2 AND (substr(ds, 11, 1) = 'T') {other} 0{anomalies} ORDER BY ds, variable"
        ))?;
        let mut found =
            statement.query(params![datetime::floor(from, form), datetime::ceiling(end, form)])?;
        let mut verdicts: Vec<StoredVerdict> = Vec::new();
        while let Some(row) = found.next()? {
            let Some(ds) = self.rows.instant(row.get_ref(0)?).filter(|ds| from <= *ds && *ds < end) else {
                continue;
            };
            if verdicts.len() > limit {
                break;
            }
            verdicts.push(self.verdict(ds, row)?);
        }
        // One instant has many texts, and they need not come by variable.
        verdicts.sort_by(|a, b| (a.ds, &a.variable).cmp(&(b.ds, &b.variable)));
        Ok(verdicts)
    }

    fn verdict(&mut self, ds: Datetime, row: &Row<'_>) -> Result<StoredVerdict> {
        let source_file: Option<String> = row.get(13)?;
        let processed_at: Option<String> = row.get(12)?;
        Ok(StoredVerdict {
            ds,
            variable: self.shared(row.get_ref(1)?.as_str().unwrap_or_default()),
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
            source_file: source_file.map(|file| self.shared(&file)),
            processed_at: processed_at.and_then(|text| datetime::parse(&text)),
        })
    }

    fn shared(&mut self, name: &str) -> Arc<str> {
        if let Some(known) = self.names.get(name) {
            return Arc::clone(known);
        }
        let name: Arc<str> = name.into();
        self.names.insert(Arc::clone(&name));
        name
    }
}
