//! The input table during one call.

use rusqlite::Connection;

use super::column_form::DatetimeColumn;
use super::datetime::DatetimeForm;
use super::error::{Error, Result};
use super::row;
use super::table::Table;
use crate::store::schema::INPUT_COLUMNS;
use crate::store::{InputLayout, TableName};

/// The input table.
pub(super) struct InputTable<'a> {
    name: &'a TableName,
    pub(super) layout: InputLayout,
    /// The form of its datetimes.
    pub(super) form: DatetimeForm,
}

impl<'a> InputTable<'a> {
    /// # Errors
    /// `Schema`, if it does not exist or lacks a column.
    pub(super) fn find(connection: &Connection, name: &'a TableName) -> Result<Self> {
        let advice =
            "name the one that holds the readings in the configuration; `host demo` makes one to try";
        let table = Table::expect(connection, name, advice)?;
        table.expect_columns(name, &INPUT_COLUMNS)?;
        let layout = InputLayout {
            has_key: table.is_order_of_arrival("id"),
            has_id: table.has("id"),
            has_source_file: table.has("source_file"),
            has_datetime_index: table.has_index(&["datetime"]),
        };
        let mut found = Self { name, layout, form: DatetimeForm::default() };
        found.form = found.datetimes().form(connection)?;
        Ok(found)
    }

    /// Its column `datetime`.
    pub(super) fn datetimes(&self) -> DatetimeColumn<'_> {
        DatetimeColumn {
            table: self.name,
            name: "datetime",
            is_indexed: self.layout.has_datetime_index,
            has_key: self.layout.has_key,
        }
    }

    /// Its name in a statement.
    pub(super) fn sql(&self) -> String {
        self.name.sqlite()
    }

    /// A query for rows as [`RowReader`](row::RowReader) reads them; a condition is appended to it.
    pub(super) fn select(&self) -> String {
        let columns = row::columns(self.layout.has_key, self.layout.has_source_file);
        format!("SELECT {columns} FROM {}", self.sql())
    }

    /// # Errors
    /// `Schema` if rows have no order of arrival.
    pub(super) fn expect_key(&self) -> Result<()> {
        if self.layout.has_key {
            return Ok(());
        }
        Err(Error::schema(format!(
            "table `{}` has no column `id` that is an integer key; read it by datetime",
            self.name.table()
        )))
    }
}
