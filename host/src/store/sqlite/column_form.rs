//! Finds out which form the datetimes of a column have. In an index, texts of both forms are mixed
//! within each day, so a few seeks for each day are enough. Without an index some rows are read.

use rusqlite::Connection;

use super::datetime::DatetimeForm;
use super::error::{Error, Result};
use crate::store::TableName;

/// A column of datetimes.
pub(super) struct DatetimeColumn<'a> {
    pub(super) table: &'a TableName,
    pub(super) name: &'a str,
    /// Whether an index leads with it.
    pub(super) is_indexed: bool,
    /// Whether `id` gives the order of the rows.
    pub(super) has_key: bool,
}

/// Invalid texts may each look like a day of its own. This many years are checked.
const DAYS: u32 = 100 * 366;

/// The number of rows that are read without an index, at either end if there is a key.
const ROWS: u32 = 1000;

impl DatetimeColumn<'_> {
    /// The form of the first row that has one.
    pub(super) fn form(&self, connection: &Connection) -> Result<DatetimeForm> {
        let mut form = DatetimeForm::default();
        self.each(connection, |found| {
            form = found;
            false
        })?;
        Ok(form)
    }

    /// `Schema`, with what to do, if the column has both forms, or another one than `wanted`.
    pub(super) fn expect_one_form(
        &self,
        connection: &Connection,
        wanted: Option<DatetimeForm>,
    ) -> Result<()> {
        let (mut first, mut mixed) = (wanted, false);
        self.each(connection, |found| {
            mixed = *first.get_or_insert(found) != found;
            !mixed
        })?;
        if mixed { Err(self.mixed()) } else { Ok(()) }
    }

    /// The error that the column has texts of both forms, with the statement that makes them one.
    pub(super) fn mixed(&self) -> Error {
        let (table, column) = (self.table.sqlite(), self.name);
        Error::schema(format!(
            "column `{column}` of table `{}` has datetimes like `2025-01-15T10:00:00`, with a `T`, where others have a space; let \
             all of them have a space: UPDATE {table} SET {column} = substr({column}, 1, 10) || ' ' || substr({column}, 12) \
             WHERE substr({column}, 11, 1) = 'T'",
            self.table.table(),
        ))
    }

    /// Calls `visit` with each form that is found, until it returns false.
    fn each(&self, connection: &Connection, mut visit: impl FnMut(DatetimeForm) -> bool) -> Result<()> {
        let sql = if self.is_indexed { self.days() } else { self.sample() };
        let mut statement = connection.prepare_cached(&sql)?;
        let mut rows = statement.query([])?;
        while let Some(row) = rows.next()? {
            for column in 0..row.as_ref().column_count() {
                let form = row.get_ref(column)?.as_str().ok().and_then(DatetimeForm::of);
                if form.is_some_and(|form| !visit(form)) {
                    return Ok(());
                }
            }
        }
        Ok(())
    }

    /// A row for each day, with its first text of either form. The rows are produced one by one.
    fn days(&self) -> String {
        let (table, column) = (self.table.sqlite(), self.name);
        let first = |from: char, to: char| {
            format!(
                "(SELECT {column} FROM {table} WHERE {column} >= days.day || '{from}' AND {column} < days.day || '{to}' \
                 ORDER BY {column} LIMIT 1)"
            )
        };
        // `UNION` ends it even if a text is not valid UTF-8, which may sort after any character.
        format!(
            "WITH RECURSIVE days(day) AS (SELECT substr(min({column}), 1, 10) FROM {table} \
             WHERE {column} >= '0000-' AND {column} < ':' \
             UNION SELECT (SELECT substr(min({column}), 1, 10) FROM {table} \
             WHERE {column} >= days.day || char(1114111) AND {column} < ':') FROM days WHERE days.day IS NOT NULL LIMIT {DAYS}) \
             SELECT {}, {} FROM days",
            first(' ', '!'),
            first('T', 'U'),
        )
    }

    /// Some rows.
    fn sample(&self) -> String {
        let (table, column) = (self.table.sqlite(), self.name);
        let last = match self.has_key {
            true => format!(
                " UNION ALL SELECT * FROM (SELECT {column} FROM {table} ORDER BY id DESC LIMIT {ROWS})"
            ),
            false => String::new(),
        };
        format!("SELECT * FROM (SELECT {column} FROM {table} LIMIT {ROWS}){last}")
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

    use super::*;

    /// This check is made at each call, on tables of many millions of rows.
    #[test]
    fn the_days_are_found_by_seeks_alone() {
        let connection = Connection::open_in_memory().unwrap();
        connection
            .execute_batch("CREATE TABLE t (datetime DATETIME, v); CREATE INDEX i ON t (datetime)")
            .unwrap();
        let table: TableName = "t".parse().unwrap();
        let column = DatetimeColumn { table: &table, name: "datetime", is_indexed: true, has_key: false };
        let mut statement = connection.prepare(&format!("EXPLAIN QUERY PLAN {}", column.days())).unwrap();
        let plan: Vec<String> =
            statement.query_map([], |row| row.get(3)).unwrap().map(Result::unwrap).collect();
        let of_table: Vec<&String> = plan.iter().filter(|step| step.contains(" t ")).collect();
        assert_eq!(of_table.len(), 4, "{plan:?}");
        assert!(of_table.iter().all(|step| step.starts_with("SEARCH t USING COVERING INDEX i")), "{plan:?}");
    }
}
