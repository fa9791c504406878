//! Converts the worker's row of the state table to and from [`State`].

use std::collections::BTreeMap;
use std::fmt::Display;
use std::sync::Arc;

use serde::de::DeserializeOwned;
use tiberius::{ColumnData, Row};

use super::connection::Value;
use super::datetime;
use super::error::{Error, Result};
use super::row::integer;
use super::sql;
use super::table::text;
use crate::checkpoint::{Checkpoint, Parts};
use crate::datetime::Datetime;
use crate::state::{SetAside, State, StoredPosition};
use crate::store::parts::RowCheckpoint;
use crate::store::{ErrorKind, TableName};

/// The statement of a commit, and its parameters. Staged verdicts come with the range in which the
/// output is read; `beside` and `guard` are parts of the statement.
pub(super) fn commit(
    table: &TableName,
    worker: &str,
    state: &State,
    staged: Option<(sql::output::CommitParts<'_>, [Value; 2])>,
    beside: &str,
    guard: &str,
) -> Result<(String, Vec<Value>)> {
    let checkpoint = state.checkpoint.as_ref();
    let columns = [
        Some(text(&to_json(&state.standing())?)),
        state.watermark.map(datetime::fine),
        // Its parts have a table of their own.
        None,
        checkpoint.map(|checkpoint| Value::I64(Some(i64::from(checkpoint.schema)))),
        checkpoint.map(|checkpoint| text(&checkpoint.set_digest)),
        state.set_digest.as_deref().map(text),
        Some(text(&set_aside(&state.set_aside)?)),
        Some(text(&to_json(&state.counts)?)),
        Some(datetime::fine(state.updated_at)),
    ];
    let given = columns.each_ref().map(Option::is_some);
    let mut values = vec![text(worker), Value::I64(Some(state.epoch))];
    let staged = staged.map(|(staged, within)| {
        values.extend(within);
        staged
    });
    values.extend(columns.into_iter().flatten());
    Ok((sql::output::commit(table, given, staged, beside, guard), values))
}

/// The content of a row.
pub(super) struct StateRow {
    pub(super) epoch: i64,
    /// The state, without its checkpoint, and the row's data on the checkpoint; None if nothing was
    /// committed yet.
    pub(super) state: Option<(State, RowCheckpoint)>,
}

pub(super) fn read(row: Row, table: &TableName, worker: &str) -> Result<StateRow> {
    let unreadable = |column: &str, why: &dyn Display| {
        Error::Found(
            ErrorKind::Other,
            format!(
                "the state of worker `{worker}` in table `{table}` cannot be read: column {column}: {why}; put back what was \
                 there, or delete the row to go on from the newest verdict"
            ),
        )
    };
    let mut cells = StateCells { row: row.into_iter().collect(), unreadable: &unreadable };
    let epoch = integer(&cells.next()).ok_or_else(|| unreadable("epoch", &"no whole number"))?;
    let ColumnData::String(Some(position)) = cells.next() else { return Ok(StateRow { epoch, state: None }) };
    let StoredPosition { position, ahead, reconciliation, models, checkpoint: stored } =
        cells.json("position", &position)?;
    let watermark = match cells.next() {
        value @ ColumnData::DateTime2(Some(_)) => datetime::read(&value),
        _ => None,
    };
    let number = |schema: &Value| {
        let schema = integer(schema).and_then(|schema| u32::try_from(schema).ok());
        schema.ok_or_else(|| unreadable("checkpoint_schema", &"no number of 32 bits"))
    };
    let checkpoint = match (cells.next(), cells.next(), cells.next()) {
        (ColumnData::Binary(Some(bytes)), schema, ColumnData::String(Some(set_digest))) => {
            let (schema, parts) = (number(&schema)?, Parts::whole(bytes.into_owned()));
            let set_digest = set_digest.into_owned();
            RowCheckpoint::Whole(Checkpoint { schema, detector: None, set_digest, parts })
        }
        (ColumnData::Binary(None), schema, ColumnData::String(Some(set_digest))) => match stored {
            Some(stored) => {
                let (schema, set_digest) = (number(&schema)?, set_digest.into_owned());
                RowCheckpoint::InParts { schema, set_digest, stored }
            }
            None => RowCheckpoint::None,
        },
        (ColumnData::Binary(None), ..) => RowCheckpoint::None,
        _ => {
            return Err(unreadable("checkpoint", &"its bytes, its schema and its digest do not go together"));
        }
    };
    let set_digest = match cells.next() {
        ColumnData::String(digest) => digest.map(std::borrow::Cow::into_owned),
        _ => None,
    };
    let set_aside: BTreeMap<String, SetAside> = cells.next_json("set_aside")?;
    let counts = cells.next_json("counts")?;
    let updated_at: Option<Datetime> = datetime::read(&cells.next());
    let state = State {
        epoch,
        position,
        watermark,
        ahead,
        reconciliation,
        models,
        checkpoint: None,
        memory: Parts::default(),
        set_digest,
        set_aside: set_aside.into_iter().map(|(variable, aside)| (Arc::from(variable), aside)).collect(),
        counts,
        updated_at: updated_at.ok_or_else(|| unreadable("updated_at", &"no datetime"))?,
    };
    Ok(StateRow { epoch, state: Some((state, checkpoint)) })
}

struct StateCells<'a> {
    row: std::collections::VecDeque<Value>,
    unreadable: &'a dyn Fn(&str, &dyn Display) -> Error,
}

impl StateCells<'_> {
    /// The next column's value; NULL after the last.
    fn next(&mut self) -> Value {
        self.row.pop_front().unwrap_or(ColumnData::String(None))
    }

    fn next_json<T: DeserializeOwned>(&mut self, column: &str) -> Result<T> {
        match self.next() {
            ColumnData::String(Some(text)) => self.json(column, &text),
            _ => Err((self.unreadable)(column, &"no text")),
        }
    }

    fn json<T: DeserializeOwned>(&self, column: &str, text: &str) -> Result<T> {
        serde_json::from_str(text).map_err(|error| (self.unreadable)(column, &error))
    }
}

/// Why the row no longer belongs to this worker. `found` is its epoch now, if it exists.
pub(super) fn fenced(table: &TableName, worker: &str, ours: i64, found: Option<i64>) -> Error {
    let why = match found {
        Some(found) => format!("another process has taken it since (epoch {found}, ours is {ours})"),
        None => format!("its row in table `{table}` is gone"),
    };
    Error::Found(
        ErrorKind::Fenced,
        format!("this is no longer worker `{worker}`: {why}; nothing was written"),
    )
}

/// What is set aside, as stored in the row: with the names in order, so that equal sets are equal
/// texts.
pub(super) fn set_aside(asides: &BTreeMap<Arc<str>, SetAside>) -> Result<String> {
    to_json(&asides.iter().map(|(name, aside)| (&**name, aside)).collect::<BTreeMap<_, _>>())
}

fn to_json(value: &impl serde::Serialize) -> Result<String> {
    serde_json::to_string(value).map_err(|error| {
        Error::Found(ErrorKind::Other, format!("the state cannot be written as JSON ({error})"))
    })
}
