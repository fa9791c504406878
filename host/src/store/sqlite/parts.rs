//! The parts of checkpoints. Steps of one transaction.

use rusqlite::{Connection, params};

use super::error::{Error, Result};
use super::table::Table;
use crate::store::TableName;
use crate::store::parts::{Part, PartsWritten};
use crate::store::schema::PARTS_COLUMNS;

/// # Errors
/// `Schema`, if the table does not exist or does not accept what a commit writes.
pub(super) fn expect(connection: &Connection, parts: &TableName) -> Result<()> {
    let found = Table::expect(connection, parts, "it is created when the worker starts")?;
    found.expect_columns(parts, &PARTS_COLUMNS)?;
    found.expect_no_more_than(parts, &PARTS_COLUMNS, "part of a checkpoint")?;
    if found.has_unique(&["worker", "name"]) {
        return Ok(());
    }
    Err(Error::schema(format!(
        "table `{}` may hold a part twice; make `worker`, `name` its key",
        parts.table()
    )))
}

/// All parts of a worker.
pub(super) fn read(connection: &Connection, parts: &TableName, worker: &str) -> Result<Vec<Part>> {
    let sql = format!("SELECT name, bytes FROM {} WHERE worker = ?1", parts.sqlite());
    let mut statement = connection.prepare_cached(&sql)?;
    let rows = statement
        .query_map([worker], |row| Ok((row.get::<_, String>(0)?.into(), row.get::<_, Vec<u8>>(1)?.into())))?;
    Ok(rows.collect::<Result<_, _>>()?)
}

/// Makes the changes of a commit. Each part is found by its key.
pub(super) fn write(
    connection: &Connection,
    parts: &TableName,
    worker: &str,
    written: &PartsWritten,
) -> Result<()> {
    if written.is_nothing() {
        return Ok(());
    }
    expect(connection, parts)?;
    let table = parts.sqlite();
    if written.anew {
        forget(connection, parts, worker)?;
    }
    let mut put = connection.prepare_cached(&format!(
        "INSERT INTO {table} (worker, name, bytes) VALUES (?1, ?2, ?3) \
         ON CONFLICT (worker, name) DO UPDATE SET bytes = excluded.bytes"
    ))?;
    let mut remove =
        connection.prepare_cached(&format!("DELETE FROM {table} WHERE worker = ?1 AND name = ?2"))?;
    for (name, bytes) in &written.changes {
        match bytes {
            Some(bytes) => put.execute(params![worker, name, bytes])?,
            None => remove.execute(params![worker, name])?,
        };
    }
    Ok(())
}

/// Deletes all parts of a worker.
pub(super) fn forget(connection: &Connection, parts: &TableName, worker: &str) -> Result<()> {
    connection
        .prepare_cached(&format!("DELETE FROM {} WHERE worker = ?1", parts.sqlite()))?
        .execute([worker])?;
    Ok(())
}
