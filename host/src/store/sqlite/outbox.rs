//! The outbox. Steps of one transaction; each row is found by an index.

use rusqlite::{Connection, OptionalExtension, Row, ToSql, params};

use super::episodes;
use super::error::{Error, Result};
use super::table::Table;
use crate::datetime::Datetime;
use crate::episode::{MessageKind, OutboxMessage};
use crate::store::schema::{OUTBOX_COLUMNS, OUTBOX_KEY};
use crate::store::{EntryState, ErrorKind, OutboxCounts, OutboxEntry, TableName, Tried};

/// # Errors
/// `Schema`, if the table does not exist or does not accept what a commit writes.
pub(super) fn expect(connection: &Connection, outbox: &TableName) -> Result<()> {
    let found = Table::expect(connection, outbox, "it is created when the worker starts")?;
    found.expect_columns(outbox, &OUTBOX_COLUMNS)?;
    found.expect_no_more_than(outbox, &OUTBOX_COLUMNS, "message")?;
    if found.has_unique(&OUTBOX_KEY) {
        return Ok(());
    }
    Err(Error::schema(format!(
        "table `{}` may hold a message twice; make a unique index on `id`",
        outbox.table()
    )))
}

/// Inserts new entries; an existing one stays as it is.
pub(super) fn write(
    connection: &Connection,
    outbox: &TableName,
    of: &TableName,
    messages: &[OutboxMessage],
) -> Result<()> {
    if messages.is_empty() {
        return Ok(());
    }
    expect(connection, outbox)?;
    let mut insert = connection.prepare_cached(&format!(
        "INSERT INTO {} (id, kind, variable, episode_id, created_at, payload, attempts, next_try_at, state) \
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, 0, ?5, ?7) ON CONFLICT (id) DO NOTHING",
        outbox.sqlite()
    ))?;
    for message in messages {
        let episode = episodes::number(connection, of, &message.about)?;
        insert.execute(params![
            message.id,
            message.kind.word(),
            message.variable.as_deref(),
            episode,
            message.created_at.to_string(),
            message.payload,
            EntryState::Due.word(),
        ])?;
    }
    Ok(())
}

/// Entries whose try is due.
pub(super) fn due(
    connection: &Connection,
    outbox: &TableName,
    after: i64,
    now: Datetime,
    limit: usize,
) -> Result<Vec<OutboxEntry>> {
    let which = "WHERE state = ?1 AND seq > ?2 AND next_try_at <= ?3 ORDER BY seq LIMIT ?4";
    let values: [&dyn ToSql; 4] = [&EntryState::Due.word(), &after, &now.to_string(), &limited(limit)];
    select(connection, outbox, which, &values)
}

/// The newest entries of a state.
pub(super) fn newest(
    connection: &Connection,
    outbox: &TableName,
    state: EntryState,
    limit: usize,
) -> Result<Vec<OutboxEntry>> {
    let which = "WHERE state = ?1 ORDER BY seq DESC LIMIT ?2";
    select(connection, outbox, which, &[&state.word(), &limited(limit)])
}

fn limited(limit: usize) -> i64 {
    i64::try_from(limit).unwrap_or(i64::MAX)
}

/// Stores the result of a try.
pub(super) fn tried(connection: &Connection, outbox: &TableName, seq: i64, tried: &Tried) -> Result<bool> {
    let sql = format!(
        "UPDATE {} SET state = ?1, attempts = attempts + 1, next_try_at = ?2, last_error = ?3, progress = ?4 WHERE seq = ?5",
        outbox.sqlite()
    );
    let values = params![tried.state.word(), tried.at.to_string(), tried.error, tried.progress, seq];
    Ok(connection.prepare_cached(&sql)?.execute(values)? > 0)
}

/// The numbers of due and dead entries.
pub(super) fn counts(connection: &Connection, outbox: &TableName) -> Result<OutboxCounts> {
    expect(connection, outbox)?;
    let table = outbox.sqlite();
    let count = |state: EntryState| -> Result<u64> {
        let sql = format!("SELECT count(*) FROM {table} WHERE state = ?1");
        let count: i64 = connection.prepare_cached(&sql)?.query_row([state.word()], |row| row.get(0))?;
        Ok(u64::try_from(count).unwrap_or_default())
    };
    let sql = format!("SELECT created_at FROM {table} WHERE state = ?1 ORDER BY seq LIMIT 1");
    let oldest: Option<String> =
        connection.prepare_cached(&sql)?.query_row([EntryState::Due.word()], |row| row.get(0)).optional()?;
    Ok(OutboxCounts {
        due: count(EntryState::Due)?,
        dead: count(EntryState::Dead)?,
        oldest_due: oldest.and_then(|text| Datetime::parse(&text).ok()),
    })
}

/// Deletes entries that were delivered long ago, the oldest first.
pub(super) fn forget(
    connection: &Connection,
    outbox: &TableName,
    before: Datetime,
    limit: usize,
) -> Result<u64> {
    let table = outbox.sqlite();
    let sql = format!(
        "DELETE FROM {table} WHERE seq IN (SELECT seq FROM {table} WHERE state = ?1 ORDER BY seq LIMIT ?2) AND created_at < ?3"
    );
    let values = params![EntryState::Delivered.word(), limited(limit), before.to_string()];
    Ok(u64::try_from(connection.prepare_cached(&sql)?.execute(values)?).unwrap_or_default())
}

fn select(
    connection: &Connection,
    outbox: &TableName,
    which: &str,
    values: &[&dyn ToSql],
) -> Result<Vec<OutboxEntry>> {
    expect(connection, outbox)?;
    let sql = format!("SELECT {} FROM {} {which}", OUTBOX_COLUMNS.join(", "), outbox.sqlite());
    let mut statement = connection.prepare_cached(&sql)?;
    let mut rows = statement.query(values)?;
    let mut found = Vec::new();
    while let Some(row) = rows.next()? {
        found.push(entry(row, outbox)?);
    }
    Ok(found)
}

fn entry(row: &Row<'_>, outbox: &TableName) -> Result<OutboxEntry> {
    let seq: i64 = row.get("seq")?;
    let wrong = |column: &str| {
        Error::Found(
            ErrorKind::Other,
            format!(
                "table `{}`, entry {seq}: `{column}` holds a value that no worker writes",
                outbox.table()
            ),
        )
    };
    let at = |column: &str| -> Result<Datetime> {
        Datetime::parse(&row.get::<_, String>(column)?).map_err(|_| wrong(column))
    };
    Ok(OutboxEntry {
        seq,
        id: row.get("id")?,
        kind: MessageKind::of_word(&row.get::<_, String>("kind")?).ok_or_else(|| wrong("kind"))?,
        variable: row.get::<_, Option<String>>("variable")?.map(Into::into),
        episode_id: row.get("episode_id")?,
        created_at: at("created_at")?,
        payload: row.get("payload")?,
        attempts: row.get("attempts")?,
        next_try_at: at("next_try_at")?,
        state: EntryState::of_word(&row.get::<_, String>("state")?).ok_or_else(|| wrong("state"))?,
        last_error: row.get("last_error")?,
        progress: row.get("progress")?,
    })
}
