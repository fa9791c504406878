//! Writes readings into the input table on a SQL Server: for `host import`, and for nothing else.
//!
//! They are written like verdicts: by bulk load into a table of the session's own, then by one
//! statement into the real one. It checks for existing rows within the datetimes of the batch, so
//! that a table's size does not matter if an index leads with them.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;

use super::connect::SqlSession;
use super::connection::{self, Connection};
use super::datetime::Precision;
use super::error::{Error, Result};
use super::row::integer;
use super::sql;
use super::sql::output::Filled;
use super::staging::StagingTables;
use super::table::{Table, TableColumn};
use crate::datetime::Datetime;
use crate::reading::{Reading, ReadingKey};
use crate::store::schema::{INPUT_COLUMNS, sqlserver as ddl};
use crate::store::{Importer, Inserted, StoreError, TableName};

/// The most by which a SMALLDATETIME rounds.
const ROUNDS_BY: Duration = Duration::from_secs(60);

/// An importer into a SQL Server's table.
pub struct SqlServerImporter {
    link: Connection,
    staged: StagingTables,
    into: ImportTable,
}

/// A table that readings are written into.
struct ImportTable {
    grain: Precision,
    /// The decimals of a DATETIME2.
    decimals: Option<u32>,
    has_datetime_index: bool,
    insert: String,
    foreign_names: String,
}

impl SqlServerImporter {
    /// Checks the table, or makes it if asked to.
    pub(super) async fn begin(
        mut link: Connection,
        table: TableName,
        create: bool,
    ) -> Result<Self, StoreError> {
        let mut session = link.take()?;
        let answer = look(&mut session, &table, create).await;
        let into = link.done(session, answer)?;
        Ok(Self { link, staged: StagingTables::default(), into })
    }
}

#[async_trait]
impl Importer for SqlServerImporter {
    async fn insert(&mut self, readings: &[Reading]) -> Result<Inserted, StoreError> {
        let mut session = self.link.take()?;
        let answer = insert(&mut session, &mut self.staged, &self.into, readings).await;
        self.link.done(session, answer)
    }

    async fn foreign_names(&mut self, names: &[Arc<str>]) -> Result<Vec<Arc<str>>, StoreError> {
        if names.is_empty() {
            return Ok(Vec::new());
        }
        let mut session = self.link.take()?;
        let answer = foreign(&mut session, &mut self.staged, &self.into, names).await;
        self.link.done(session, answer)
    }

    fn held(&self, at: Datetime) -> Datetime {
        self.into.grain.held(at, self.into.decimals)
    }

    fn has_datetime_index(&self) -> bool {
        self.into.has_datetime_index
    }

    async fn close(self: Box<Self>) -> Result<(), StoreError> {
        self.link.close().await
    }
}

async fn insert(
    session: &mut SqlSession,
    staged: &mut StagingTables,
    into: &ImportTable,
    readings: &[Reading],
) -> Result<Inserted> {
    let datetimes = readings.iter().filter(|reading| reading.value.is_some()).map(|reading| reading.datetime);
    let (Some(first), Some(last)) = (datetimes.clone().min(), datetimes.clone().max()) else {
        return Ok(Inserted::default());
    };
    staged.readings(session, readings, into.grain).await?;
    let bounds = [first.earlier(ROUNDS_BY), last.later(ROUNDS_BY)].map(|at| into.grain.not_before(at));
    let answered = connection::last(session, into.insert.clone(), bounds.into()).await;
    if answered.is_err() {
        connection::run(session, sql::session::roll_back()).await?;
    }
    let counts =
        answered?.ours.into_iter().flatten().filter_map(|value| integer(&value)).map(i64::unsigned_abs);
    let counts: Vec<u64> = counts.collect();
    let [inserted, different] = counts[..] else { return Err(Error::no_answer("the number of readings")) };
    Ok(Inserted { inserted, repeated: (datetimes.count() as u64).saturating_sub(different) })
}

async fn foreign(
    session: &mut SqlSession,
    staged: &mut StagingTables,
    into: &ImportTable,
    names: &[Arc<str>],
) -> Result<Vec<Arc<str>>> {
    let some = Datetime::from_micros(0);
    let keys: Vec<ReadingKey> = names.iter().map(|name| (Arc::clone(name), some)).collect();
    staged.keys(session, &keys, into.grain).await?;
    let rows = connection::rows(session, into.foreign_names.clone(), Vec::new()).await?;
    let places = rows.iter().filter_map(|row| row.get::<f64, _>(0));
    Ok(places.filter_map(|n| names.get(n as usize)).cloned().collect())
}

/// How readings are written into a table.
async fn look(session: &mut SqlSession, name: &TableName, create: bool) -> Result<ImportTable> {
    if create && Table::find(session, name).await?.is_none() {
        connection::run(session, ddl::input(name)).await?;
    }
    let advice =
        "name the one that holds the readings in the configuration, or have it made with --create-table";
    let table = Table::expect(session, name, advice).await?;
    table.expect_columns(name, &INPUT_COLUMNS)?;
    let mut known = INPUT_COLUMNS.to_vec();
    known.extend(["id", "source_file"]);
    table.expect_no_more_than(name, &known, "reading of a file")?;
    let mut filled = Vec::new();
    let (mut grain, mut decimals) = (None, None);
    for column in ["datetime", "variable_name", "value", "source_file"] {
        let Some(found) = table.column(column) else { continue };
        if column == "datetime" {
            grain = Precision::of(&found.kind);
            decimals = (found.kind == "datetime2").then_some(found.scale.unsigned_abs());
        }
        filled.push(Filled { column, by: found.cast(&format!("s.[{column}]")) });
    }
    let grain = grain.ok_or_else(|| {
        Error::schema(format!("column `datetime` of table `{name}` must be DATETIME or DATETIME2"))
    })?;
    let has_datetime_index = table.has_index(&["datetime"]);
    let insert = sql::input::import(name, &filled, has_datetime_index);
    let variable = table.column("variable_name");
    let padded = variable.is_some_and(TableColumn::is_padded);
    let variable = variable.map(|found| found.cast("s.[variable]")).unwrap_or_default();
    let foreign_names = sql::output::foreign_names(&variable, padded);
    Ok(ImportTable { grain, decimals, has_datetime_index, insert, foreign_names })
}
