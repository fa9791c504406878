//! The columns and indexes of a table, read from SQLite's own catalogue at each call. That takes
//! microseconds, and a table that its users change under a running worker is always seen as it is.

use rusqlite::Connection;

use super::error::{Error, Result};
use crate::store::TableName;
use crate::store::index::Index;

pub(super) struct Table {
    columns: Vec<TableColumn>,
    indexes: Vec<Index>,
    /// Whether its rows have no rowid.
    without_rowid: bool,
}

struct TableColumn {
    /// In lower case, as SQLite ignores case.
    name: String,
    declared: String,
    must_be_given: bool,
    primary_key: bool,
    generated: bool,
}

impl Table {
    /// None if there is no such table or view.
    pub(super) fn find(connection: &Connection, name: &TableName) -> Result<Option<Self>> {
        let mut statement = connection.prepare_cached(
            "SELECT lower(name), upper(type), \"notnull\", dflt_value IS NULL, pk, hidden IN (2, 3) \
             FROM pragma_table_xinfo(?1)",
        )?;
        let columns = statement
            .query_map([name.table()], |row| {
                let (not_null, no_default, key): (bool, bool, i64) = (row.get(2)?, row.get(3)?, row.get(4)?);
                let generated: bool = row.get(5)?;
                Ok(TableColumn {
                    name: row.get(0)?,
                    declared: row.get(1)?,
                    must_be_given: not_null && no_default && key == 0 && !generated,
                    primary_key: key > 0,
                    generated,
                })
            })?
            .collect::<Result<Vec<_>, _>>()?;
        if columns.is_empty() {
            return Ok(None);
        }
        let mut statement = connection.prepare_cached(
            "SELECT coalesce(max(wr), 0) FROM pragma_table_list WHERE lower(name) = lower(?1)",
        )?;
        let without_rowid = statement.query_row([name.table()], |row| row.get(0))?;
        Ok(Some(Self { columns, indexes: indexes(connection, name)?, without_rowid }))
    }

    /// # Errors
    /// `Schema`, with the names of the existing tables and the `advice`.
    pub(super) fn expect(connection: &Connection, name: &TableName, advice: &str) -> Result<Self> {
        if let Some(table) = Self::find(connection, name)? {
            return Ok(table);
        }
        let mut statement = connection.prepare_cached(
            "SELECT name FROM sqlite_schema WHERE type IN ('table', 'view') AND name NOT LIKE 'sqlite\\_%' ESCAPE '\\' \
             ORDER BY name LIMIT 10",
        )?;
        let names = statement.query_map([], |row| row.get(0))?.collect::<Result<Vec<String>, _>>()?;
        let found = match names.as_slice() {
            [] => "it has no tables".to_owned(),
            names => format!("its tables are `{}`", names.join("`, `")),
        };
        Err(Error::schema(format!("there is no table `{}` ({found}); {advice}", name.table())))
    }

    pub(super) fn has(&self, column: &str) -> bool {
        self.columns.iter().any(|found| found.name == column)
    }

    /// # Errors
    /// `Schema`, naming those of the columns that the table lacks.
    pub(super) fn expect_columns(&self, name: &TableName, columns: &[&str]) -> Result<()> {
        let missing: Vec<&str> = columns.iter().copied().filter(|column| !self.has(column)).collect();
        if missing.is_empty() {
            return Ok(());
        }
        Err(Error::schema(format!(
            "table `{}` lacks `{}`; add what is missing, or name another table",
            name.table(),
            missing.join("`, `")
        )))
    }

    /// # Errors
    /// `Schema`, naming columns besides `known` that would refuse every row that we write: `row`
    /// describes such a row.
    pub(super) fn expect_no_more_than(&self, name: &TableName, known: &[&str], row: &str) -> Result<()> {
        let wanted: Vec<&str> = self
            .columns
            .iter()
            .filter(|column| column.must_be_given && !known.contains(&column.name.as_str()))
            .map(|column| column.name.as_str())
            .collect();
        if wanted.is_empty() {
            return Ok(());
        }
        Err(Error::schema(format!(
            "table `{}` wants a value for `{}` in every row, which a {row} does not have; give it a default, or name \
             another table",
            name.table(),
            wanted.join("`, `")
        )))
    }

    /// Whether `column` gives rows an order of arrival: SQLite itself counts it up. A column that
    /// is only unique may be filled in any order.
    pub(super) fn is_order_of_arrival(&self, column: &str) -> bool {
        let Some(found) = self.columns.iter().find(|found| found.name == column) else { return false };
        let alone = self.columns.iter().filter(|column| column.primary_key).count() == 1;
        found.primary_key && alone && found.declared == "INTEGER" && !self.without_rowid
    }

    /// Whether no statement may give it a value, because it is computed.
    pub(super) fn fills_itself(&self, column: &str) -> bool {
        self.columns.iter().any(|found| found.name == column && found.generated)
    }

    /// Whether an index begins with these columns, in this order.
    pub(super) fn has_index(&self, columns: &[&str]) -> bool {
        self.indexes.iter().any(|index| index.leads_with(columns))
    }

    /// Whether a plain index is on just these columns.
    pub(super) fn has_plain(&self, columns: &[&str]) -> bool {
        self.indexes.iter().any(|index| !index.unique && index.columns == columns)
    }

    /// Whether a unique index is on just these columns, in any order.
    pub(super) fn has_unique(&self, columns: &[&str]) -> bool {
        self.indexes.iter().any(|index| index.is_key(columns))
    }
}

/// Partial indexes serve neither look-ups nor uniqueness and are left out.
fn indexes(connection: &Connection, name: &TableName) -> Result<Vec<Index>> {
    let mut statement = connection.prepare_cached(
        "SELECT list.seq, list.\"unique\", coalesce(lower(info.name), '') \
         FROM pragma_index_list(?1) AS list JOIN pragma_index_info(list.name) AS info \
         WHERE list.partial = 0 ORDER BY list.seq, info.seqno",
    )?;
    let mut rows = statement.query([name.table()])?;
    let mut indexes: Vec<Index> = Vec::new();
    let mut current = None;
    while let Some(row) = rows.next()? {
        let seq: i64 = row.get(0)?;
        if current != Some(seq) {
            current = Some(seq);
            indexes.push(Index { columns: Vec::new(), unique: row.get(1)?, split: false });
        }
        if let Some(index) = indexes.last_mut() {
            index.columns.push(row.get(2)?);
        }
    }
    Ok(indexes)
}
