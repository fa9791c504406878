//! Converts the worker's row of the state table to and from [`State`]. Steps of one transaction.

use std::collections::BTreeMap;
use std::fmt::Display;
use std::sync::Arc;

use rusqlite::{Connection, OptionalExtension, Row, params};
use serde::de::DeserializeOwned;

use super::error::{Error, Result};
use crate::checkpoint::{Checkpoint, Parts};
use crate::datetime::Datetime;
use crate::state::{SetAside, State, StoredPosition};
use crate::store::parts::RowCheckpoint;
use crate::store::{ErrorKind, TableName};

/// Raises the epoch of the worker's row, or makes one that holds only the epoch.
pub(super) fn claim(connection: &Connection, table: &TableName, worker: &str) -> Result<i64> {
    let sql = format!(
        "INSERT INTO {} (worker, epoch) VALUES (?1, 1) ON CONFLICT (worker) DO UPDATE SET epoch = epoch + 1 RETURNING epoch",
        table.sqlite()
    );
    Ok(connection.prepare_cached(&sql)?.query_row([worker], |row| row.get(0))?)
}

/// The names of all workers.
pub(super) fn workers(connection: &Connection, table: &TableName) -> Result<Vec<String>> {
    let sql = format!("SELECT worker FROM {} ORDER BY worker", table.sqlite());
    let mut statement = connection.prepare_cached(&sql)?;
    let names = statement.query_map([], |row| row.get(0))?.collect::<Result<_, _>>()?;
    Ok(names)
}

/// The worker's row, and its data on the checkpoint, which the state lacks; None if there is no
/// row, or nothing was committed yet.
pub(super) fn read(
    connection: &Connection,
    table: &TableName,
    worker: &str,
) -> Result<Option<(State, RowCheckpoint)>> {
    let sql = format!(
        "SELECT epoch, position, watermark, checkpoint, checkpoint_schema, checkpoint_digest, set_digest, set_aside, \
         counts, updated_at FROM {} WHERE worker = ?1 AND position IS NOT NULL",
        table.sqlite()
    );
    let mut statement = connection.prepare_cached(&sql)?;
    let mut rows = statement.query([worker])?;
    let Some(row) = rows.next()? else { return Ok(None) };
    let unreadable = |column: &str, why: &dyn Display| {
        Error::Found(
            ErrorKind::Other,
            format!(
                "the state of worker `{worker}` in table `{}` cannot be read: column {column}: {why}; put back what was \
                 there, or delete the row to go on from the newest verdict",
                table.table()
            ),
        )
    };
    state(row, &unreadable).map(Some)
}

fn state(row: &Row<'_>, unreadable: &dyn Fn(&str, &dyn Display) -> Error) -> Result<(State, RowCheckpoint)> {
    let datetime =
        |column: &str, text: &str| Datetime::parse(text).map_err(|error| unreadable(column, &error));
    let watermark: Option<String> = get(row, 2, "watermark", unreadable)?;
    let set_aside: BTreeMap<String, SetAside> = json(row, 7, "set_aside", unreadable)?;
    let StoredPosition { position, ahead, reconciliation, models, checkpoint } =
        json(row, 1, "position", unreadable)?;
    let checkpoint = match (row.get(3), row.get(4), row.get(5)) {
        (Ok(Some::<Vec<u8>>(bytes)), Ok(Some(schema)), Ok(Some(set_digest))) => {
            RowCheckpoint::Whole(Checkpoint {
                schema,
                detector: None,
                set_digest,
                parts: Parts::whole(bytes),
            })
        }
        (Ok(None), Ok(Some(schema)), Ok(Some(set_digest))) => match checkpoint {
            Some(stored) => RowCheckpoint::InParts { schema, set_digest, stored },
            None => RowCheckpoint::None,
        },
        (Ok(None), ..) => RowCheckpoint::None,
        _ => {
            return Err(unreadable("checkpoint", &"its bytes, its schema and its digest do not go together"));
        }
    };
    let state = State {
        epoch: get(row, 0, "epoch", unreadable)?,
        position,
        watermark: watermark.map(|text| datetime("watermark", &text)).transpose()?,
        ahead,
        reconciliation,
        models,
        checkpoint: None,
        memory: Parts::default(),
        set_digest: get(row, 6, "set_digest", unreadable)?,
        set_aside: set_aside.into_iter().map(|(variable, aside)| (Arc::from(variable), aside)).collect(),
        counts: json(row, 8, "counts", unreadable)?,
        updated_at: datetime("updated_at", &get::<String>(row, 9, "updated_at", unreadable)?)?,
    };
    Ok((state, checkpoint))
}

fn get<T: rusqlite::types::FromSql>(
    row: &Row<'_>,
    at: usize,
    column: &str,
    unreadable: &dyn Fn(&str, &dyn Display) -> Error,
) -> Result<T> {
    row.get(at).map_err(|error| unreadable(column, &error))
}

fn json<T: DeserializeOwned>(
    row: &Row<'_>,
    at: usize,
    column: &str,
    unreadable: &dyn Fn(&str, &dyn Display) -> Error,
) -> Result<T> {
    let text: String = get(row, at, column, unreadable)?;
    serde_json::from_str(&text).map_err(|error| unreadable(column, &error))
}

/// Writes the whole row; the parts of the checkpoint have a table of their own. The fence: the row
/// must still have the epoch with which this worker took its name.
pub(super) fn write(connection: &Connection, table: &TableName, worker: &str, state: &State) -> Result<()> {
    let sql = format!(
        "UPDATE {} SET position = ?3, watermark = ?4, checkpoint = NULL, checkpoint_schema = ?5, checkpoint_digest = ?6, \
         set_digest = ?7, set_aside = ?8, counts = ?9, updated_at = ?10 WHERE worker = ?1 AND epoch = ?2",
        table.sqlite()
    );
    let hit = connection.prepare_cached(&sql)?.execute(params![
        worker,
        state.epoch,
        to_json(&state.standing())?,
        state.watermark.map(|at| at.to_string()),
        state.checkpoint.as_ref().map(|checkpoint| checkpoint.schema),
        state.checkpoint.as_ref().map(|checkpoint| &checkpoint.set_digest),
        state.set_digest,
        set_aside(&state.set_aside)?,
        to_json(&state.counts)?,
        state.updated_at.to_string(),
    ])?;
    if hit == 1 { Ok(()) } else { Err(fenced(connection, table, worker, state.epoch)?) }
}

/// Deletes the row, if it is still this worker's.
pub(super) fn forget(connection: &Connection, table: &TableName, worker: &str, epoch: i64) -> Result<()> {
    let sql = format!("DELETE FROM {} WHERE worker = ?1 AND epoch = ?2", table.sqlite());
    let hit = connection.prepare_cached(&sql)?.execute(params![worker, epoch])?;
    if hit == 1 { Ok(()) } else { Err(fenced(connection, table, worker, epoch)?) }
}

/// Replaces what is set aside, if it is still what the caller has read.
pub(super) fn exchange_set_aside(
    connection: &Connection,
    table: &TableName,
    worker: &str,
    before: &BTreeMap<Arc<str>, SetAside>,
    after: &BTreeMap<Arc<str>, SetAside>,
) -> Result<bool> {
    // The texts can be compared: this program writes them, with the names in order.
    let sql = format!("UPDATE {} SET set_aside = ?3 WHERE worker = ?1 AND set_aside = ?2", table.sqlite());
    let hit =
        connection.prepare_cached(&sql)?.execute(params![worker, set_aside(before)?, set_aside(after)?])?;
    Ok(hit == 1)
}

fn set_aside(asides: &BTreeMap<Arc<str>, SetAside>) -> Result<String> {
    to_json(&asides.iter().map(|(name, aside)| (&**name, aside)).collect::<BTreeMap<_, _>>())
}

/// Why the row no longer belongs to this worker.
fn fenced(connection: &Connection, table: &TableName, worker: &str, epoch: i64) -> Result<Error> {
    let sql = format!("SELECT epoch FROM {} WHERE worker = ?1", table.sqlite());
    let found: Option<i64> = connection.query_row(&sql, [worker], |row| row.get(0)).optional()?;
    let why = match found {
        Some(found) => format!("another process has taken it since (epoch {found}, ours is {epoch})"),
        None => format!("its row in table `{}` is gone", table.table()),
    };
    let message = format!("this is no longer worker `{worker}`: {why}; nothing was written");
    Ok(Error::Found(ErrorKind::Fenced, message))
}

fn to_json(value: &impl serde::Serialize) -> Result<String> {
    serde_json::to_string(value).map_err(|error| {
        Error::Found(ErrorKind::Other, format!("the state cannot be written as JSON ({error})"))
    })
}
