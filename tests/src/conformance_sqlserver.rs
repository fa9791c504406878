//! The conformance suite's database for SQL Server: one or two databases of its own, and a plain
//! connection to read them.

use std::sync::{Mutex, PoisonError};

use anyhow::{Context, Result};
use host::batch::Flags;
use host::datetime::Datetime;
use host::store::schema::sqlserver as ddl;
use host::store::{Connector, PageReader, PlantClock, SqlServerStore, Store, TableName};
use host::verdict::VerdictRow;
use tiberius::ToSql;
use tiberius::time::chrono::{DateTime, NaiveDateTime};

use crate::conformance::{InputKind, OutputKind, Row, Setup, TestDb, Written};
use crate::sqlserver::{Database, SideConnection};

/// One or two databases on the server that the environment names.
pub struct SqlServerTestDb {
    store: Mutex<SqlServerStore>,
    kind: Option<InputKind>,
    input: Database,
    /// None: the input's.
    output: Option<Database>,
}

impl SqlServerTestDb {
    /// The store under test.
    pub fn store(&self) -> SqlServerStore {
        self.store.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Makes the store connect in another way from now on.
    pub fn change(&self, change: impl FnOnce(&mut SqlServerStore)) {
        change(&mut self.store.lock().unwrap_or_else(PoisonError::into_inner));
    }

    /// The database with the readings.
    pub fn input_database(&self) -> &Database {
        &self.input
    }

    /// The database with verdicts and state.
    pub fn output_database(&self) -> &Database {
        self.output.as_ref().unwrap_or(&self.input)
    }

    /// Another user's connection to the input.
    pub async fn input(&self) -> Result<SideConnection> {
        SideConnection::enter(&self.input.name).await
    }

    /// Another user's connection to the output.
    pub async fn output(&self) -> Result<SideConnection> {
        SideConnection::enter(&self.output_database().name).await
    }

    fn table(&self, of: impl Fn(&SqlServerStore) -> &TableName) -> String {
        of(&self.store()).sql_server()
    }
}

impl TestDb for SqlServerTestDb {
    async fn start(setup: &Setup) -> Result<Self> {
        let input = Database::create().await?;
        let output = if setup.two_databases { Some(Database::create().await?) } else { None };
        let store = SqlServerStore {
            input: input.target()?,
            output: output.as_ref().unwrap_or(&input).target()?,
            tables: setup.tables.clone(),
            clock: PlantClock::default(),
        };
        let bench = Self { store: Mutex::new(store), kind: setup.input, input, output };
        let mut visitor = bench.input().await?;
        match setup.input {
            Some(kind) => visitor.run(&input_of(kind, &setup.tables.input.sql_server())).await?,
            None => visitor.run("CREATE TABLE otra (a int); CREATE TABLE vieja (a int)").await?,
        }
        Ok(bench)
    }

    fn connector(&self) -> Box<dyn Connector> {
        Box::new(self.store())
    }

    async fn open_page(&self) -> Result<Box<dyn PageReader>> {
        self.store().open_page().await?.context("there is no output")
    }

    async fn insert(&self, rows: &[Row<'_>]) -> Result<()> {
        let kind = self.kind.context("there is no input table")?;
        let table = self.table(|store| &store.tables.input);
        let mut visitor = self.input().await?;
        visitor.run("BEGIN TRANSACTION").await?;
        let given = kind.key && rows.iter().any(|row| row.id.is_some());
        if given {
            visitor.run(&format!("SET IDENTITY_INSERT {table} ON")).await?;
        }
        for row in rows {
            let at = naive(Datetime::parse(row.datetime)?)?;
            let mut columns = "[datetime], [variable_name], [value]".to_owned();
            let mut values = "CAST(@P1 AS datetime), @P2, @P3".to_owned();
            let mut parameters: Vec<&dyn ToSql> = vec![&at, &row.variable, &row.value];
            if let (true, Some(id)) = (given, &row.id) {
                parameters.push(id);
                columns.push_str(", [id]");
                values.push_str(", @P4");
            }
            if let (true, Some(file)) = (kind.source_file, &row.source_file) {
                parameters.push(file);
                columns.push_str(", [source_file]");
                values.push_str(&format!(", @P{}", parameters.len()));
            }
            visitor
                .execute(&format!("INSERT INTO {table} ({columns}) VALUES ({values})"), &parameters)
                .await?;
        }
        if given {
            visitor.run(&format!("SET IDENTITY_INSERT {table} OFF")).await?;
        }
        visitor.run("COMMIT TRANSACTION").await
    }

    async fn empty_input(&self) -> Result<()> {
        let table = self.table(|store| &store.tables.input);
        self.input().await?.run(&format!("TRUNCATE TABLE {table}")).await
    }

    async fn delete_up_to(&self, id: i64) -> Result<()> {
        let table = self.table(|store| &store.tables.input);
        self.input().await?.run(&format!("DELETE FROM {table} WHERE [id] <= {id}")).await
    }

    async fn fill_in(&self, value: f64) -> Result<()> {
        let table = self.table(|store| &store.tables.input);
        let sql = format!("UPDATE {table} SET [value] = @P1 WHERE [value] IS NULL");
        self.input().await?.execute(&sql, &[&value]).await?;
        Ok(())
    }

    async fn add_triggers(&self) -> Result<()> {
        let mut visitor = self.output().await?;
        for (name, table) in [
            ("of_output", self.table(|store| &store.tables.output)),
            ("of_state", self.table(|store| &store.tables.state)),
        ] {
            let answer = "SELECT 7 AS a, 8 AS b, 9 AS c";
            visitor.run(&format!("CREATE TRIGGER {name} ON {table} AFTER INSERT AS {answer}")).await?;
        }
        Ok(())
    }

    async fn create_output(&self, kind: OutputKind) -> Result<()> {
        let dropped: &[&str] = match kind {
            OutputKind::Python | OutputKind::EqualNames | OutputKind::ExactNames | OutputKind::Generated => {
                &[]
            }
            OutputKind::WithoutSourceFile => &["source_file"],
            OutputKind::WithoutResidual => &["residual", "anomaly_score"],
        };
        let mut visitor = self.output().await?;
        let collate = |collation| format!("[variable] NVARCHAR(100) COLLATE {collation}");
        let mut ddl = ddl::output(&self.store().tables.output);
        match kind {
            OutputKind::EqualNames => {
                ddl = ddl.replace("[variable] VARCHAR(100)", &collate("Latin1_General_CI_AS"));
            }
            OutputKind::ExactNames => {
                ddl = ddl.replace("[variable] VARCHAR(100)", &collate("Latin1_General_BIN2"));
            }
            OutputKind::Generated => {
                let computed = "[residual] AS ([y] - [yhat]), [twice] AS ([y] * 2)";
                ddl = ddl.replace("[residual] DECIMAL(18,6) NULL", computed);
                anyhow::ensure!(ddl.contains(computed), "the column is written in another way: {ddl}");
            }
            _ => {}
        }
        visitor.run(&ddl).await?;
        for column in dropped {
            let table = self.table(|store| &store.tables.output);
            visitor.run(&format!("ALTER TABLE {table} DROP COLUMN {column}")).await?;
        }
        Ok(())
    }

    async fn insert_verdicts(&self, keys: &[(&str, &str)]) -> Result<()> {
        let sql = format!(
            "INSERT INTO {} (ds, variable, y, yhat, yhat_lower, yhat_upper, residual, outside_interval, high_residual, \
             is_anomaly, anomaly_score, prediction_error_pct, processed_at) \
             VALUES (CAST(@P1 AS datetime), @P2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, '2025-01-15T12:00:00')",
            self.table(|store| &store.tables.output)
        );
        let mut visitor = self.output().await?;
        for (ds, variable) in keys {
            visitor.execute(&sql, &[&naive(Datetime::parse(ds)?)?, variable]).await?;
        }
        Ok(())
    }

    /// From now on only: rows that exist stay.
    async fn refuse_verdicts_on(&self, variable: &str) -> Result<()> {
        let table = self.table(|store| &store.tables.output);
        let mut visitor = self.output().await?;
        let rows = visitor.rows(&format!("SELECT COALESCE(MAX([id]), 0) FROM {table}"), &[]).await?;
        let last: i64 = rows.first().and_then(|row| row.get(0)).unwrap_or_default();
        let condition = format!("[variable] <> '{variable}' OR [id] <= {last}");
        visitor.run(&format!("ALTER TABLE {table} ADD CONSTRAINT refusing CHECK ({condition})")).await
    }

    /// By a login that may only read.
    async fn forbid_writing(&self) -> Result<()> {
        let store = self.store();
        let tables = &store.tables;
        let read = |table: &TableName| format!("GRANT SELECT ON {} TO {{user}}", table.sql_server());
        let reader = self.output_database().login(&[&read(&tables.output), &read(&tables.state)]).await?;
        self.change(|store| store.output = reader);
        Ok(())
    }

    async fn delete_worker(&self, worker: &str) -> Result<()> {
        let sql = format!("DELETE FROM {} WHERE worker = @P1", self.table(|store| &store.tables.state));
        self.output().await?.execute(&sql, &[&worker]).await?;
        Ok(())
    }

    async fn verdicts(&self) -> Result<Vec<Written>> {
        let table = self.table(|store| &store.tables.output);
        let mut visitor = self.output().await?;
        let has_file =
            "SELECT name FROM sys.columns WHERE object_id = OBJECT_ID(@P1) AND name = 'source_file'";
        let has_file = !visitor.rows(has_file, &[&table]).await?.is_empty();
        let sql = format!(
            "SELECT CONVERT(varchar(30), CAST(ds AS datetime2(6)), 121), CAST(variable AS nvarchar(200)), {}, \
             outside_interval, high_residual, is_anomaly, \
             CONVERT(varchar(30), CAST(processed_at AS datetime2(6)), 121), {} FROM {table} ORDER BY ds, variable, id",
            ["y", "yhat", "yhat_lower", "yhat_upper", "residual", "anomaly_score", "prediction_error_pct"]
                .map(|number| format!("CAST({number} AS float)"))
                .join(", "),
            if has_file { "CAST(source_file AS nvarchar(300))" } else { "CAST(NULL AS nvarchar(300))" },
        );
        let mut written = Vec::new();
        for row in visitor.rows(&sql, &[]).await? {
            let text = |at: usize| row.try_get::<&str, _>(at).map(|text| text.unwrap_or_default().to_owned());
            let number = |at: usize| row.try_get::<f64, _>(at).map(Option::unwrap_or_default);
            let flag = |at: usize| row.try_get::<bool, _>(at).map(Option::unwrap_or_default);
            let file: Option<&str> = row.try_get(13)?;
            written.push(Written {
                verdict: VerdictRow {
                    ds: Datetime::parse(&text(0)?)?,
                    variable: text(1)?.into(),
                    y: number(2)?,
                    yhat: number(3)?,
                    yhat_lower: number(4)?,
                    yhat_upper: number(5)?,
                    residual: number(6)?,
                    anomaly_score: number(7)?,
                    prediction_error_pct: number(8)?,
                    flags: Flags {
                        outside_interval: flag(9)?,
                        high_residual: flag(10)?,
                        anomaly: flag(11)?,
                        ..Flags::default()
                    },
                    source_file: file.map(Into::into),
                },
                processed_at: Datetime::parse(&text(12)?)?,
            });
        }
        Ok(written)
    }

    async fn workers(&self) -> Result<Vec<(String, i64)>> {
        let table = self.table(|store| &store.tables.state);
        let mut visitor = self.output().await?;
        let there = visitor.rows("SELECT OBJECT_ID(@P1)", &[&table]).await?;
        if there.first().and_then(|row| row.get::<i32, _>(0)).is_none() {
            return Ok(Vec::new());
        }
        let rows = visitor.rows(&format!("SELECT worker, epoch FROM {table} ORDER BY worker"), &[]).await?;
        Ok(rows
            .iter()
            .map(|row| (row.get::<&str, _>(0).unwrap_or_default().to_owned(), row.get(1).unwrap_or_default()))
            .collect())
    }

    async fn output_indexes(&self) -> Result<Vec<(Vec<String>, bool)>> {
        let sql = "SELECT CAST(i.index_id AS int), CAST(i.is_unique AS int), c.name FROM sys.indexes AS i \
                   JOIN sys.index_columns AS k ON k.object_id = i.object_id AND k.index_id = i.index_id \
                   JOIN sys.columns AS c ON c.object_id = k.object_id AND c.column_id = k.column_id \
                   WHERE i.object_id = OBJECT_ID(@P1) AND i.is_primary_key = 0 AND i.index_id > 0 ORDER BY i.index_id, c.name";
        let table = self.table(|store| &store.tables.output);
        let mut found: Vec<(i32, (Vec<String>, bool))> = Vec::new();
        for row in self.output().await?.rows(sql, &[&table]).await? {
            let (id, unique): (i32, i32) = (row.get(0).unwrap_or_default(), row.get(1).unwrap_or_default());
            let name = row.get::<&str, _>(2).unwrap_or_default().to_owned();
            match found.last_mut() {
                Some((last, (columns, _))) if *last == id => columns.push(name),
                _ => found.push((id, (vec![name], unique != 0))),
            }
        }
        Ok(found.into_iter().map(|(_, index)| index).collect())
    }
}

/// The variable is NVARCHAR, so that it holds any text whatever the server's code page; the tests
/// of shapes have VARCHAR.
fn input_of(kind: InputKind, table: &str) -> String {
    let key = if kind.key { "[id] BIGINT IDENTITY(1,1) NOT NULL PRIMARY KEY, " } else { "" };
    let file = if kind.source_file { ", [source_file] VARCHAR(255)" } else { "" };
    let index = if kind.datetime_index {
        format!("CREATE INDEX [by datetime] ON {table} ([datetime]);")
    } else {
        String::new()
    };
    format!(
        "CREATE TABLE {table} ({key}[datetime] DATETIME NOT NULL, [variable_name] NVARCHAR(100) NOT NULL, \
         [value] DECIMAL(18,6){file}); {index}"
    )
}

fn naive(at: Datetime) -> Result<NaiveDateTime> {
    Ok(DateTime::from_timestamp_micros(at.micros()).context("beyond all years")?.naive_utc())
}
