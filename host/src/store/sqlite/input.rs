//! The input table in an SQLite file. Each call is one read transaction, so that its results are
//! consistent.

use std::collections::HashSet;

use async_trait::async_trait;
use rusqlite::Connection;

use super::database_file::DatabaseFile;
use super::error::Result;
use super::input_table::InputTable;
use super::page::Gathering;
use super::range::{self, ReadRange};
use super::row::RowReader;
use crate::datetime::Datetime;
use crate::reading::Page;
use crate::store::{Clock, Input, InputLayout, StoreError, TableName};

/// The input side of an SQLite file.
pub struct SqliteInput {
    link: DatabaseFile,
    table: TableName,
    clock: Clock,
}

impl SqliteInput {
    pub(super) fn new(link: DatabaseFile, table: TableName, clock: Clock) -> Self {
        Self { link, table, clock }
    }

    /// Runs `read` in a read transaction, with the table as it is in that transaction.
    async fn read<T, R>(&self, read: R) -> Result<T, StoreError>
    where
        T: Send + 'static,
        R: FnOnce(&Connection, &InputTable<'_>) -> Result<T> + Send + 'static,
    {
        let table = self.table.clone();
        self.link
            .call(move |connection| {
                let snapshot = connection.transaction()?;
                read(&snapshot, &InputTable::find(&snapshot, &table)?)
            })
            .await
    }
}

#[async_trait]
impl Input for SqliteInput {
    async fn layout(&mut self) -> Result<InputLayout, StoreError> {
        self.read(|connection, table| {
            table.datetimes().expect_one_form(connection, None)?;
            Ok(table.layout)
        })
        .await
    }

    async fn now(&mut self) -> Result<Datetime, StoreError> {
        Ok(self.clock.now())
    }

    async fn first_key_from(&mut self, from: Datetime) -> Result<Option<i64>, StoreError> {
        self.read(move |connection, table| {
            table.expect_key()?;
            let sql = format!("SELECT id, datetime FROM {} WHERE datetime >= ?1 ORDER BY id", table.sql());
            let mut statement = connection.prepare_cached(&sql)?;
            let mut rows = RowReader::new(table.form);
            let mut found = statement.query([table.form.floor(from)])?;
            while let Some(row) = found.next()? {
                if rows.instant(row.get_ref(1)?).is_some_and(|at| at >= from) {
                    return Ok(Some(row.get(0)?));
                }
            }
            Ok(None)
        })
        .await
    }

    async fn last_key(&mut self) -> Result<Option<i64>, StoreError> {
        self.read(|connection, table| {
            table.expect_key()?;
            let sql = format!("SELECT max(id) FROM {}", table.sql());
            Ok(connection.prepare_cached(&sql)?.query_row([], |row| row.get(0))?)
        })
        .await
    }

    async fn read_keys(&mut self, spans: &[(i64, i64)], limit: usize) -> Result<Page, StoreError> {
        let spans = spans.to_vec();
        self.read(move |connection, table| {
            table.expect_key()?;
            read_keys(connection, table, &spans, limit)
        })
        .await
    }

    async fn read_range(
        &mut self,
        from: Datetime,
        to: Option<Datetime>,
        limit: usize,
    ) -> Result<Page, StoreError> {
        let range = ReadRange { from, to, limit };
        self.read(move |connection, table| range::read(connection, table, range)).await
    }

    async fn read_at(&mut self, datetimes: &[Datetime]) -> Result<Page, StoreError> {
        let wanted: HashSet<Datetime> = datetimes.iter().copied().collect();
        self.read(move |connection, table| read_at(connection, table, &wanted)).await
    }

    async fn count_range(&mut self, from: Datetime, to: Datetime) -> Result<u64, StoreError> {
        self.read(move |connection, table| {
            let sql = format!(
                "SELECT datetime, count(*) FROM {} WHERE datetime >= ?1 AND datetime < ?2 GROUP BY datetime",
                table.sql()
            );
            let mut statement = connection.prepare_cached(&sql)?;
            let mut rows = RowReader::new(table.form);
            let mut found = statement.query([table.form.floor(from), table.form.ceiling(to)])?;
            let mut count = 0;
            while let Some(row) = found.next()? {
                if rows.instant(row.get_ref(0)?).is_some_and(|at| from <= at && at < to) {
                    count += row.get::<_, i64>(1)?.unsigned_abs();
                }
            }
            Ok(count)
        })
        .await
    }
}

fn read_keys(
    connection: &Connection,
    table: &InputTable<'_>,
    spans: &[(i64, i64)],
    limit: usize,
) -> Result<Page> {
    let sql = format!("{} WHERE id BETWEEN ?1 AND ?2 ORDER BY id", table.select());
    let mut statement = connection.prepare_cached(&sql)?;
    let mut rows = RowReader::new(table.form);
    let mut page = Page::default();
    for (first, last) in spans {
        let mut found = statement.query([first, last])?;
        while let Some(row) = found.next()? {
            if page.readings.len() + page.malformed.len() >= limit {
                page.full = true;
                return Ok(page);
            }
            page.push(rows.decode(row)?);
        }
    }
    Ok(page)
}

pub(super) fn read_at(
    connection: &Connection,
    table: &InputTable<'_>,
    wanted: &HashSet<Datetime>,
) -> Result<Page> {
    let sql = format!("{} WHERE datetime >= ?1 AND datetime < ?2", table.select());
    let mut statement = connection.prepare_cached(&sql)?;
    // A seek per instant if there is an index; else the table is read once for all.
    let mut spans: Vec<(String, String)> = Vec::new();
    if table.layout.has_datetime_index {
        spans.extend(wanted.iter().map(|&at| table.form.around(at)));
    } else if let (Some(&first), Some(&last)) = (wanted.iter().min(), wanted.iter().max()) {
        spans.push((table.form.floor(first), table.form.around(last).1));
    }
    // Instants of one second share their spans.
    spans.sort_unstable();
    spans.dedup();
    let mut rows = RowReader::new(table.form);
    let mut gathering = Gathering::new(usize::MAX);
    for (from, to) in spans {
        let mut found = statement.query([from, to])?;
        while let Some(row) = found.next()? {
            let found = rows.decode(row)?;
            if found.datetime().is_some_and(|at| wanted.contains(&at)) {
                gathering.push(found);
            }
        }
    }
    Ok(gathering.finish())
}
