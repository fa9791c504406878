//! The output, the state table and the table of checkpoints' parts: made if they are missing,
//! checked if they exist. Steps of one transaction.

use rusqlite::Connection;

use super::column_form::DatetimeColumn;
use super::datetime::DatetimeForm;
use super::error::{Error, Result};
use super::parts;
use super::table::Table;
use crate::store::schema::sqlite::{self as ddl, INDEXED, KEY};
use crate::store::schema::{OUTPUT_COLUMNS, STATE_COLUMNS};
use crate::store::{SchemaChanges, TableName};

/// Creates what is missing and reports it.
pub(super) fn ensure(
    connection: &Connection,
    output: &TableName,
    state: &TableName,
) -> Result<SchemaChanges> {
    let mut prepared = SchemaChanges::default();
    if Table::find(connection, output)?.is_none() {
        connection.execute_batch(&ddl::output(output))?;
        prepared.created.push(format!("table `{}`", output.table()));
    }
    if Table::find(connection, state)?.is_none() {
        connection.execute_batch(&ddl::state(state))?;
        prepared.created.push(format!("table `{}`", state.table()));
    }
    let parts = state.of_parts();
    if Table::find(connection, &parts)?.is_none() {
        connection.execute_batch(&ddl::parts(&parts))?;
        prepared.created.push(format!("table `{}`", parts.table()));
    }
    parts::expect(connection, &parts)?;
    let table = expect_tables(connection, output, state)?;
    make_indexes(connection, output, &table, &mut prepared)?;
    // A verdict with a `T` would not be found, and its reading would be judged again.
    datetimes(output).expect_one_form(connection, Some(DatetimeForm::Space))?;
    Ok(prepared)
}

/// Creates the missing tables of episodes and of the outbox, with their indexes.
pub(super) fn ensure_beside(
    connection: &Connection,
    episodes: &TableName,
    outbox: &TableName,
    prepared: &mut SchemaChanges,
) -> Result<()> {
    for (name, table, indexes) in [
        (episodes, ddl::episodes(episodes), ddl::episode_indexes(episodes)),
        (outbox, ddl::outbox(outbox), ddl::outbox_indexes(outbox)),
    ] {
        if Table::find(connection, name)?.is_none() {
            connection.execute_batch(&table)?;
            for index in indexes {
                connection.execute_batch(&index)?;
            }
            prepared.created.push(format!("table `{}`", name.table()));
        }
    }
    Ok(())
}

/// The output's column `ds`, once its indexes are made.
pub(super) fn datetimes(output: &TableName) -> DatetimeColumn<'_> {
    DatetimeColumn { table: output, name: "ds", is_indexed: true, has_key: false }
}

/// Checks that the output table and the state table exist and accept what a commit writes.
pub(super) fn expect_tables(connection: &Connection, output: &TableName, state: &TableName) -> Result<Table> {
    const ADVICE: &str = "it is created when the worker starts";
    let found = Table::expect(connection, state, ADVICE)?;
    found.expect_columns(state, &STATE_COLUMNS)?;
    found.expect_no_more_than(state, &STATE_COLUMNS, "verdict")?;
    if !found.has_unique(&["worker"]) {
        return Err(Error::schema(format!(
            "table `{}` may hold a worker twice; make `worker` its key",
            state.table()
        )));
    }
    let found = Table::expect(connection, output, ADVICE)?;
    found.expect_columns(output, &OUTPUT_COLUMNS)?;
    let mut known = OUTPUT_COLUMNS.to_vec();
    known.push("source_file");
    found.expect_no_more_than(output, &known, "verdict")?;
    Ok(found)
}

fn make_indexes(
    connection: &Connection,
    output: &TableName,
    table: &Table,
    prepared: &mut SchemaChanges,
) -> Result<()> {
    // If a plain index exists instead, the unique one was tried before, and trying sorts the table.
    let tried = table.has_plain(&KEY);
    if !table.has_unique(&KEY) && tried {
        prepared.warnings.push(format!(
            "table `{}` has no unique index on (variable, ds), and a plain one; it is not tried again by itself. When this shows no \
             duplicates any more: {} drop the plain one, and the next start makes it unique",
            output.table(),
            ddl::duplicates(output)
        ));
    } else if !table.has_unique(&KEY) {
        match connection.execute_batch(&ddl::index(output, &KEY, true)).map_err(Error::from) {
            Ok(()) => prepared.created.push("unique index on (variable, ds)".into()),
            Err(fault) if fault.is_constraint() => prepared.warnings.push(format!(
                "table `{}` holds several verdicts for one variable and datetime, so it gets no unique index; this worker \
                 adds none, and this shows them: {}",
                output.table(),
                ddl::duplicates(output)
            )),
            Err(fault) => return Err(fault),
        }
    }
    // The unique index may have been refused, or there may be one of another program on (ds,
    // variable).
    let table = Table::find(connection, output)?;
    let lacks = |columns: &[&str]| table.as_ref().is_some_and(|table| !table.has_index(columns));
    if lacks(&KEY) {
        connection.execute_batch(&ddl::index(output, &KEY, false))?;
        prepared.created.push("index on (variable, ds)".into());
    }
    for columns in INDEXED.into_iter().filter(|columns| lacks(columns)) {
        connection.execute_batch(&ddl::index(output, columns, false))?;
        prepared.created.push(match columns {
            [column] => format!("index on {column}"),
            columns => format!("index on ({})", columns.join(", ")),
        });
    }
    Ok(())
}
