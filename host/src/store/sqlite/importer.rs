//! Writes readings into the input table of an SQLite file: for `host import`, and for nothing else.

use std::collections::HashSet;
use std::sync::Arc;

use async_trait::async_trait;
use rusqlite::{Connection, TransactionBehavior, params};

use super::database_file::DatabaseFile;
use super::error::Result;
use super::input;
use super::input_table::InputTable;
use super::table::Table;
use crate::datetime::Datetime;
use crate::reading::{Reading, ReadingKey};
use crate::store::schema::{INPUT_COLUMNS, sqlite as ddl};
use crate::store::{Importer, Inserted, StoreError, TableName};

/// An importer into an SQLite file.
pub struct SqliteImporter {
    link: DatabaseFile,
    table: TableName,
    has_datetime_index: bool,
}

impl SqliteImporter {
    /// Checks the table, or makes it if asked to.
    pub(super) async fn begin(
        link: DatabaseFile,
        table: TableName,
        create: bool,
    ) -> Result<Self, StoreError> {
        let name = table.clone();
        let look = move |connection: &mut Connection| {
            let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
            if create && Table::find(&transaction, &name)?.is_none() {
                transaction.execute_batch(&ddl::input(&name))?;
            }
            let found = expect_table(&transaction, &name)?;
            found.datetimes().expect_one_form(&transaction, None)?;
            let has_datetime_index = found.layout.has_datetime_index;
            transaction.commit()?;
            Ok(has_datetime_index)
        };
        let has_datetime_index = link.call(look).await?;
        Ok(Self { link, table, has_datetime_index })
    }
}

#[async_trait]
impl Importer for SqliteImporter {
    async fn insert(&mut self, readings: &[Reading]) -> Result<Inserted, StoreError> {
        let (table, readings) = (self.table.clone(), readings.to_vec());
        self.link
            .call(move |connection| {
                // It takes the write lock at the beginning, so that what was read does not change.
                let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
                let inserted = insert(&transaction, &expect_table(&transaction, &table)?, &readings)?;
                transaction.commit()?;
                Ok(inserted)
            })
            .await
    }

    async fn foreign_names(&mut self, _: &[Arc<str>]) -> Result<Vec<Arc<str>>, StoreError> {
        Ok(Vec::new())
    }

    fn held(&self, at: Datetime) -> Datetime {
        at
    }

    fn has_datetime_index(&self) -> bool {
        self.has_datetime_index
    }

    async fn close(self: Box<Self>) -> Result<(), StoreError> {
        self.link.close().await
    }
}

fn expect_table<'a>(connection: &Connection, name: &'a TableName) -> Result<InputTable<'a>> {
    let advice =
        "name the one that holds the readings in the configuration, or have it made with --create-table";
    let table = Table::expect(connection, name, advice)?;
    let mut known = INPUT_COLUMNS.to_vec();
    known.push("source_file");
    table.expect_no_more_than(name, &known, "reading of a file")?;
    InputTable::find(connection, name)
}

fn insert(connection: &Connection, table: &InputTable<'_>, readings: &[Reading]) -> Result<Inserted> {
    let datetimes: HashSet<Datetime> = readings.iter().map(|reading| reading.datetime).collect();
    let there = input::read_at(connection, table, &datetimes)?.readings;
    let there: HashSet<ReadingKey> =
        there.iter().filter(|reading| reading.value.is_some()).map(Reading::key).collect();
    let mut met: HashSet<ReadingKey> = HashSet::with_capacity(readings.len());
    let (column, value) = if table.layout.has_source_file { (", source_file", ", ?4") } else { ("", "") };
    let mut statement = connection.prepare_cached(&format!(
        "INSERT INTO {} (datetime, variable_name, value{column}) VALUES (?1, ?2, ?3{value})",
        table.sql()
    ))?;
    let mut done = Inserted::default();
    for reading in readings.iter().filter(|reading| reading.value.is_some()) {
        let key = reading.key();
        let present = there.contains(&key);
        if !met.insert(key) {
            done.repeated += 1;
            continue;
        }
        if present {
            continue;
        }
        let (datetime, variable) = (table.form.text(reading.datetime), &*reading.variable);
        done.inserted += match table.layout.has_source_file {
            true => statement.execute(params![
                datetime,
                variable,
                reading.value,
                reading.source_file.as_deref()
            ])?,
            false => statement.execute(params![datetime, variable, reading.value])?,
        } as u64;
    }
    Ok(done)
}
