//! The conformance suite's database for SQLite: files in a directory of their own, and a plain
//! connection to read them.

use std::fs;
use std::path::PathBuf;

use anyhow::{Context, Result};
use host::batch::Flags;
use host::datetime::Datetime;
use host::store::schema::sqlite as ddl;
use host::store::table_name::quote_sqlite;
use host::store::{Connector, PageReader, SqliteStore, Store};
use host::verdict::VerdictRow;
use rusqlite::{Connection, params};
use tempfile::TempDir;

use crate::conformance::{InputKind, OutputKind, Row, Setup, TestDb, Written};

/// Where the header of a database file says which version may write it.
const WRITE_VERSION: usize = 18;

/// A directory with one or two database files.
pub struct SqliteTestDb {
    pub store: SqliteStore,
    input: Option<InputKind>,
    directory: TempDir,
}

impl SqliteTestDb {
    /// The path of a file that does not exist yet.
    pub fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    /// Another user's connection to the input.
    pub fn input(&self) -> Result<Connection> {
        Connection::open(&self.store.input).context("the input")
    }

    /// Another user's connection to the output.
    pub fn output(&self) -> Result<Connection> {
        Connection::open(&self.store.output).context("the output")
    }
}

impl TestDb for SqliteTestDb {
    async fn start(setup: &Setup) -> Result<Self> {
        let directory = tempfile::tempdir()?;
        let input = directory.path().join("plant.db");
        let output = if setup.two_databases { directory.path().join("verdicts.db") } else { input.clone() };
        let tables = setup.tables.clone();
        let store = SqliteStore { output, create_output: true, tables, ..SqliteStore::new(input) };
        let bench = Self { store, input: setup.input, directory };
        let connection = bench.input()?;
        match setup.input {
            Some(InputKind::DEFAULT) => connection.execute_batch(&ddl::input(&bench.store.tables.input))?,
            Some(kind) => connection.execute_batch(&input_of(kind, &bench.store.tables.input.sqlite()))?,
            // A file without a table, and not an empty file.
            None => connection.execute_batch("CREATE TABLE otra (a); CREATE TABLE vieja (a)")?,
        }
        Ok(bench)
    }

    fn connector(&self) -> Box<dyn Connector> {
        Box::new(self.store.clone())
    }

    async fn open_page(&self) -> Result<Box<dyn PageReader>> {
        self.store.open_page().await?.context("there is no output")
    }

    async fn insert(&self, rows: &[Row<'_>]) -> Result<()> {
        let kind = self.input.context("there is no input table")?;
        let mut connection = self.input()?;
        let transaction = connection.transaction()?;
        let table = self.store.tables.input.sqlite();
        for row in rows {
            transaction.execute(
                &format!("INSERT INTO {table} (datetime, variable_name, value) VALUES (?1, ?2, ?3)"),
                params![row.datetime, row.variable, row.value],
            )?;
            let rowid = transaction.last_insert_rowid();
            if kind.source_file {
                let sql = format!("UPDATE {table} SET source_file = ?1 WHERE rowid = ?2");
                transaction.execute(&sql, params![row.source_file, rowid])?;
            }
            if let (true, Some(id)) = (kind.key, row.id) {
                transaction
                    .execute(&format!("UPDATE {table} SET id = ?1 WHERE rowid = ?2"), params![id, rowid])?;
            }
        }
        Ok(transaction.commit()?)
    }

    async fn empty_input(&self) -> Result<()> {
        let sql = format!("DELETE FROM {}", self.store.tables.input.sqlite());
        Ok(self.input()?.execute_batch(&sql)?)
    }

    async fn delete_up_to(&self, id: i64) -> Result<()> {
        let sql = format!("DELETE FROM {} WHERE id <= {id}", self.store.tables.input.sqlite());
        Ok(self.input()?.execute_batch(&sql)?)
    }

    async fn fill_in(&self, value: f64) -> Result<()> {
        let table = self.store.tables.input.sqlite();
        self.input()?.execute(&format!("UPDATE {table} SET value = ?1 WHERE value IS NULL"), [value])?;
        Ok(())
    }

    async fn add_triggers(&self) -> Result<()> {
        let (output, state) = (self.store.tables.output.sqlite(), self.store.tables.state.sqlite());
        let log = "INSERT INTO written (at) VALUES (1), (2), (3)";
        Ok(self.output()?.execute_batch(&format!(
            "CREATE TABLE written (at); \
             CREATE TRIGGER of_output AFTER INSERT ON {output} BEGIN {log}; END; \
             CREATE TRIGGER of_state AFTER UPDATE ON {state} BEGIN {log}; END;"
        ))?)
    }

    async fn create_output(&self, kind: OutputKind) -> Result<()> {
        let table = self.store.tables.output.sqlite();
        let dropped: &[&str] = match kind {
            OutputKind::Python | OutputKind::EqualNames | OutputKind::ExactNames | OutputKind::Generated => {
                &[]
            }
            OutputKind::WithoutSourceFile => &["source_file"],
            OutputKind::WithoutResidual => &["residual", "anomaly_score"],
        };
        let connection = self.output()?;
        let mut ddl = ddl::output(&self.store.tables.output);
        if kind == OutputKind::EqualNames {
            ddl = ddl.replace("variable TEXT", "variable TEXT COLLATE NOCASE");
        }
        if kind == OutputKind::Generated {
            let residual = ddl.lines().find(|line| line.trim_start().starts_with("residual"));
            let residual = residual.context("there is no such column")?.to_owned();
            ddl = ddl.replace(
                &residual,
                "    residual GENERATED ALWAYS AS (y - yhat) STORED NOT NULL, twice GENERATED ALWAYS AS (y * 2) VIRTUAL,",
            );
        }
        connection.execute_batch(&ddl)?;
        for column in dropped {
            connection.execute_batch(&format!("ALTER TABLE {table} DROP COLUMN {column}"))?;
        }
        Ok(())
    }

    async fn insert_verdicts(&self, keys: &[(&str, &str)]) -> Result<()> {
        let sql = format!(
            "INSERT INTO {} (ds, variable, y, yhat, yhat_lower, yhat_upper, residual, outside_interval, high_residual, \
             is_anomaly, anomaly_score, prediction_error_pct, processed_at) \
             VALUES (?1, ?2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, '2025-01-15 12:00:00')",
            self.store.tables.output.sqlite()
        );
        let connection = self.output()?;
        for (ds, variable) in keys {
            connection.execute(&sql, [ds, variable])?;
        }
        Ok(())
    }

    async fn refuse_verdicts_on(&self, variable: &str) -> Result<()> {
        let table = self.store.tables.output.sqlite();
        let sql = format!(
            "CREATE TRIGGER refusing BEFORE INSERT ON {table} WHEN NEW.variable = '{variable}' \
             BEGIN SELECT RAISE(ABORT, 'refused by the suite'); END"
        );
        Ok(self.output()?.execute_batch(&sql)?)
    }

    /// By the file's header, which says that only a newer SQLite may write it: unlike the file's
    /// mode, this stops root too.
    async fn forbid_writing(&self) -> Result<()> {
        let connection = self.output()?;
        connection.pragma_update_and_check(None, "journal_mode", "DELETE", |_| Ok(()))?;
        drop(connection);
        let mut bytes = fs::read(&self.store.output)?;
        *bytes.get_mut(WRITE_VERSION).context("the file has a header")? = 3;
        Ok(fs::write(&self.store.output, bytes)?)
    }

    async fn delete_worker(&self, worker: &str) -> Result<()> {
        let sql = format!("DELETE FROM {} WHERE worker = ?1", self.store.tables.state.sqlite());
        self.output()?.execute(&sql, [worker])?;
        Ok(())
    }

    async fn verdicts(&self) -> Result<Vec<Written>> {
        let connection = self.output()?;
        let table = self.store.tables.output.table();
        let has_file: bool = connection.query_row(
            "SELECT count(*) FROM pragma_table_info(?1) WHERE name = 'source_file'",
            [table],
            |row| row.get(0),
        )?;
        let sql = format!(
            "SELECT ds, variable, y, yhat, yhat_lower, yhat_upper, residual, outside_interval, high_residual, is_anomaly, \
             anomaly_score, prediction_error_pct, processed_at, {} FROM {} ORDER BY ds, variable, id",
            if has_file { "source_file" } else { "NULL" },
            self.store.tables.output.sqlite()
        );
        let mut statement = connection.prepare(&sql)?;
        let mut rows = statement.query([])?;
        let mut written = Vec::new();
        while let Some(row) = rows.next()? {
            let file: Option<String> = row.get(13)?;
            written.push(Written {
                verdict: VerdictRow {
                    ds: Datetime::parse(&row.get::<_, String>(0)?)?,
                    variable: row.get::<_, String>(1)?.into(),
                    y: row.get(2)?,
                    yhat: row.get(3)?,
                    yhat_lower: row.get(4)?,
                    yhat_upper: row.get(5)?,
                    residual: row.get(6)?,
                    flags: Flags {
                        outside_interval: row.get(7)?,
                        high_residual: row.get(8)?,
                        anomaly: row.get(9)?,
                        ..Flags::default()
                    },
                    anomaly_score: row.get(10)?,
                    prediction_error_pct: row.get(11)?,
                    source_file: file.map(Into::into),
                },
                processed_at: Datetime::parse(&row.get::<_, String>(12)?)?,
            });
        }
        Ok(written)
    }

    async fn workers(&self) -> Result<Vec<(String, i64)>> {
        let connection = self.output()?;
        let table = &self.store.tables.state;
        if !connection.table_exists(None, table.table())? {
            return Ok(Vec::new());
        }
        let mut statement =
            connection.prepare(&format!("SELECT worker, epoch FROM {} ORDER BY worker", table.sqlite()))?;
        let rows = statement.query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?;
        Ok(rows.collect::<Result<_, _>>()?)
    }

    async fn output_indexes(&self) -> Result<Vec<(Vec<String>, bool)>> {
        let connection = self.output()?;
        let mut statement = connection
            .prepare("SELECT name, \"unique\" FROM pragma_index_list(?1) WHERE origin = 'c' ORDER BY name")?;
        let indexes = statement
            .query_map([self.store.tables.output.table()], |row| Ok((row.get(0)?, row.get(1)?)))?
            .collect::<Result<Vec<(String, bool)>, _>>()?;
        let mut found = Vec::new();
        for (name, unique) in indexes {
            let mut statement = connection.prepare("SELECT name FROM pragma_index_info(?1) ORDER BY name")?;
            let columns = statement.query_map([name], |row| row.get(0))?.collect::<Result<_, _>>()?;
            found.push((columns, unique));
        }
        Ok(found)
    }
}

fn input_of(kind: InputKind, table: &str) -> String {
    let key = if kind.key { "id INTEGER PRIMARY KEY, " } else { "" };
    let file = if kind.source_file { ", source_file TEXT" } else { "" };
    let index = if kind.datetime_index {
        format!("; CREATE INDEX {} ON {table} (datetime)", quote_sqlite("by datetime"))
    } else {
        String::new()
    };
    format!(
        "CREATE TABLE {table} ({key}datetime DATETIME, variable_name VARCHAR(100), value DECIMAL(18,6){file}){index}"
    )
}
