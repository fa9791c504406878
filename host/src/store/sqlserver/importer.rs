//! Readings into the input table on a SQL Server: what `host import` asks for, and nothing else does.
//!
//! They go the way of verdicts: by bulk load into a table of the session's own, then by one statement into the real one.

use async_trait::async_trait;

use super::connect::Session;
use super::fault::{Answer, Fault};
use super::link::{self, Link};
use super::moment::Grain;
use super::row::integer;
use super::sql;
use super::sql::output::Filled;
use super::staging::Staged;
use super::table::Table;
use crate::reading::Reading;
use crate::store::schema::{INPUT_COLUMNS, sqlserver as ddl};
use crate::store::{Importer, StoreError, TableName};

/// Readings into a SQL Server's table.
pub struct SqlServerImporter {
    link: Link,
    staged: Staged,
    grain: Grain,
    insert: String,
}

impl SqlServerImporter {
    /// Looks at the table, or makes it where that is asked for.
    pub(super) async fn begin(mut link: Link, table: TableName, create: bool) -> Result<Self, StoreError> {
        let mut session = link.take()?;
        let answer = look(&mut session, &table, create).await;
        let (grain, insert) = link.done(session, answer)?;
        Ok(Self { link, staged: Staged::default(), grain, insert })
    }
}

#[async_trait]
impl Importer for SqlServerImporter {
    async fn insert(&mut self, readings: &[Reading]) -> Result<u64, StoreError> {
        let mut session = self.link.take()?;
        let answer = insert(&mut session, &mut self.staged, self.grain, &self.insert, readings).await;
        self.link.done(session, answer)
    }

    async fn close(self: Box<Self>) -> Result<(), StoreError> {
        self.link.close().await
    }
}

async fn insert(
    session: &mut Session,
    staged: &mut Staged,
    grain: Grain,
    sql: &str,
    readings: &[Reading],
) -> Answer<u64> {
    staged.readings(session, readings, grain).await?;
    let row = link::row(session, sql.to_owned(), Vec::new()).await;
    if row.is_err() {
        link::run(session, sql::session::roll_back()).await?;
    }
    let inserted = row?.and_then(|row| row.into_iter().next()).and_then(|value| integer(&value));
    inserted.map(i64::unsigned_abs).ok_or_else(|| Fault::no_answer("the number of readings"))
}

/// The grain of its datetimes, and the statement that fills it.
async fn look(session: &mut Session, name: &TableName, create: bool) -> Answer<(Grain, String)> {
    if create && Table::find(session, name).await?.is_none() {
        link::run(session, ddl::input(name)).await?;
    }
    let advice =
        "name the one that holds the readings in the configuration, or have it made with --create-table";
    let table = Table::expect(session, name, advice).await?;
    table.expect_columns(name, &INPUT_COLUMNS)?;
    let mut known = INPUT_COLUMNS.to_vec();
    known.extend(["id", "source_file"]);
    table.expect_no_more_than(name, &known, "reading of a file")?;
    let mut filled = Vec::new();
    let mut grain = None;
    for column in ["datetime", "variable_name", "value", "source_file"] {
        let Some(found) = table.column(column) else { continue };
        if column == "datetime" {
            grain = Grain::of(&found.kind);
        }
        filled.push(Filled { column, by: found.cast(&format!("s.[{column}]")) });
    }
    let grain = grain.ok_or_else(|| {
        Fault::schema(format!("column `datetime` of table `{name}` must be DATETIME or DATETIME2"))
    })?;
    Ok((grain, sql::input::import(name, &filled)))
}
