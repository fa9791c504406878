//! The plant's historian, which stores arrived rows in the input table, and a reader of the
//! verdicts for the end.
//!
//! It has a connection of its own beside the worker's, as at a real plant. Blocking, a few
//! milliseconds a call.

use std::path::Path;

use anyhow::Context;
use rusqlite::{Connection, params};

use super::arrivals::Arrival;
use super::score::JudgedReading;
use crate::datetime::Datetime;
use crate::store::{TableNames, schema};

/// Writes readings, reads verdicts.
pub struct Historian {
    connection: Connection,
    tables: TableNames,
}

impl Historian {
    /// Makes the file and in it the default input table.
    ///
    /// # Errors
    /// The file cannot be written, or holds that table already.
    pub fn create(file: &Path) -> anyhow::Result<Self> {
        let create = || {
            let connection = Connection::open(file)?;
            // As the worker has it: neither waits for the other, and there is no sync at each
            // commit.
            connection.pragma_update_and_check(None, "journal_mode", "WAL", |_| Ok(()))?;
            connection.pragma_update(None, "synchronous", "NORMAL")?;
            let tables = TableNames::default();
            connection.execute_batch(&schema::sqlite::input(&tables.input))?;
            Ok::<_, rusqlite::Error>(Self { connection, tables })
        };
        create().with_context(|| format!("the plant's database `{}`", file.display()))
    }

    /// Stores rows in their order, in one transaction.
    ///
    /// # Errors
    /// The database's.
    pub fn store(&mut self, arrivals: &[Arrival]) -> rusqlite::Result<()> {
        let transaction = self.connection.transaction()?;
        let mut insert = transaction.prepare_cached(&format!(
            "INSERT INTO {} (datetime, variable_name, value, source_file, created_at) VALUES (?1, ?2, ?3, ?4, ?5)",
            self.tables.input.sqlite()
        ))?;
        for Arrival { at, reading } in arrivals {
            insert.execute(params![
                reading.datetime.to_string(),
                &*reading.variable,
                reading.value,
                reading.source_file.as_deref(),
                at.to_string(),
            ])?;
        }
        drop(insert);
        transaction.commit()
    }

    /// Every verdict that the output table holds.
    ///
    /// # Errors
    /// The database's, or a `ds` that is no datetime.
    pub fn verdicts(&self) -> anyhow::Result<Vec<JudgedReading>> {
        let output = self.tables.output.sqlite();
        let mut select =
            self.connection.prepare(&format!("SELECT variable, ds, y, is_anomaly FROM {output}"))?;
        let mut rows = select.query([])?;
        let mut verdicts = Vec::new();
        while let Some(row) = rows.next()? {
            verdicts.push(JudgedReading {
                variable: row.get(0)?,
                ds: Datetime::parse(&row.get::<_, String>(1)?)?,
                y: row.get(2)?,
                is_anomaly: row.get(3)?,
            });
        }
        Ok(verdicts)
    }
}
