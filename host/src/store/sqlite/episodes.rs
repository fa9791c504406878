//! The table of episodes. Steps of one transaction; each row is found by an index.

use rusqlite::{CachedStatement, Connection, OptionalExtension, Row, ToSql, params};

use super::error::{Error, Result};
use super::table::Table;
use crate::datetime::Datetime;
use crate::episode::{
    Direction, Episode, EpisodeChange, EpisodeKind, EpisodeRange, Feedback, Priority, Shelving,
    StoredEpisode, Told, WorstReading,
};
use crate::store::schema::{EPISODE_COLUMNS, EPISODE_KEY};
use crate::store::{ErrorKind, TableName, newest_first};

/// The number of one variable's episodes before a range that are read: those of one kind do not
/// overlap, so that only the last of each kind may reach into the range.
const BEFORE: usize = 16;

/// # Errors
/// `Schema`, if the table does not exist or does not accept what a commit writes.
pub(super) fn expect(connection: &Connection, episodes: &TableName) -> Result<()> {
    let found = Table::expect(connection, episodes, "it is created when the worker starts")?;
    found.expect_columns(episodes, &EPISODE_COLUMNS)?;
    found.expect_no_more_than(episodes, &EPISODE_COLUMNS, "row of an episode")?;
    if found.has_unique(&EPISODE_KEY) {
        return Ok(());
    }
    Err(Error::schema(format!(
        "table `{}` may hold an episode twice; make a unique index on `{}`",
        episodes.table(),
        EPISODE_KEY.join("`, `")
    )))
}

/// Makes the changes of a commit.
pub(super) fn write(
    connection: &Connection,
    episodes: &TableName,
    worker: &str,
    changes: &[EpisodeChange],
    now: Datetime,
) -> Result<()> {
    if changes.is_empty() {
        return Ok(());
    }
    expect(connection, episodes)?;
    let table = episodes.sqlite();
    let (mut goes, mut stays) = (Vec::new(), Vec::new());
    for change in changes {
        if change.gone { goes.push(change) } else { stays.push(change) }
    }
    let mut remove = connection.prepare_cached(&format!(
        "DELETE FROM {table} WHERE begin_at = ?1 AND variable = ?2 AND kind = ?3 AND version = ?4"
    ))?;
    for change in goes {
        let Some((begin, version)) = change.before else { continue };
        let episode = &change.episode;
        let key = params![begin.to_string(), &*episode.variable, episode.kind.word(), version];
        expect_hit(remove.execute(key)?, episodes, episode)?;
    }
    let mut update = connection.prepare_cached(&format!(
        "UPDATE {table} SET begin_at = ?, end_at = ?, closed_at = ?, is_open = ?, peak_score = ?, worst_ds = ?, worst_y = ?, \
         worst_yhat = ?, direction = ?, readings = ?, flagged = ?, cause = ?, priority = ?, told = ?, shelved = ?, worker = ?, \
         updated_at = ?, version = version + 1 WHERE begin_at = ? AND variable = ? AND kind = ? AND version = ?"
    ))?;
    let mut insert = connection.prepare_cached(&format!(
        "INSERT INTO {table} (begin_at, end_at, closed_at, is_open, peak_score, worst_ds, worst_y, worst_yhat, direction, \
         readings, flagged, cause, priority, told, shelved, worker, updated_at, created_at, variable, kind, version) \
         VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, 1)"
    ))?;
    // A row with the same key may exist, for instance if the output was emptied.
    let mut displace = connection.prepare_cached(&format!(
        "DELETE FROM {table} WHERE begin_at = ?1 AND variable = ?2 AND kind = ?3"
    ))?;
    for change in stays {
        let episode = &change.episode;
        let hit = match change.before {
            Some((begin, version)) => {
                let at = bind(&mut update, episode, worker, now)?;
                update.raw_bind_parameter(at, begin.to_string())?;
                update.raw_bind_parameter(at + 1, &*episode.variable)?;
                update.raw_bind_parameter(at + 2, episode.kind.word())?;
                update.raw_bind_parameter(at + 3, version)?;
                update.raw_execute()?
            }
            None => {
                let key = params![episode.begin.to_string(), &*episode.variable, episode.kind.word()];
                displace.execute(key)?;
                let at = bind(&mut insert, episode, worker, now)?;
                insert.raw_bind_parameter(at, now.to_string())?;
                insert.raw_bind_parameter(at + 1, &*episode.variable)?;
                insert.raw_bind_parameter(at + 2, episode.kind.word())?;
                insert.raw_execute()?
            }
        };
        expect_hit(hit, episodes, episode)?;
    }
    Ok(())
}

/// Binds the parameters with which update and insert both begin; returns the number of the next
/// one.
fn bind(
    statement: &mut CachedStatement<'_>,
    episode: &Episode,
    worker: &str,
    now: Datetime,
) -> Result<usize> {
    let text = |at: Datetime| at.to_string();
    let count = |count: u64| i64::try_from(count).unwrap_or(i64::MAX);
    let (closed_at, worst) = (episode.closed_at.map(text), episode.worst);
    let values: [&dyn ToSql; 17] = [
        &text(episode.begin),
        &text(episode.end),
        &closed_at,
        &episode.is_open(),
        &episode.peak_score,
        &worst.map(|worst| text(worst.ds)),
        &worst.map(|worst| worst.y),
        &worst.and_then(|worst| worst.yhat),
        &episode.direction.map(Direction::word),
        &count(episode.readings),
        &count(episode.flagged),
        &episode.cause.as_deref(),
        &episode.priority.word(),
        &episode.told.word(),
        &episode.shelved,
        &worker,
        &text(now),
    ];
    for (at, value) in values.iter().enumerate() {
        statement.raw_bind_parameter(at + 1, value)?;
    }
    Ok(values.len() + 1)
}

fn expect_hit(rows: usize, episodes: &TableName, episode: &Episode) -> Result<()> {
    if rows == 1 {
        return Ok(());
    }
    Err(Error::Found(ErrorKind::EpisodeChanged, crate::store::changed_meanwhile(episodes, episode)))
}

/// Those that are open.
pub(super) fn open(connection: &Connection, episodes: &TableName) -> Result<Vec<StoredEpisode>> {
    let mut found = select(connection, episodes, "WHERE is_open = 1", &[])?;
    found.sort_by_key(|found| (found.episode.begin, found.id));
    Ok(found)
}

/// What is shelved.
pub(super) fn shelved(connection: &Connection, episodes: &TableName) -> Result<Vec<StoredEpisode>> {
    let kind = EpisodeKind::Shelved.word();
    select(connection, episodes, "WHERE is_open = 1 AND kind = ?1 ORDER BY begin_at", &[&kind])
}

/// The episode of this number.
pub(super) fn by_id(connection: &Connection, episodes: &TableName, id: i64) -> Result<Option<StoredEpisode>> {
    Ok(select(connection, episodes, "WHERE id = ?1", &[&id])?.pop())
}

/// Those of a range, with one seek for each way in which an episode may overlap it.
pub(super) fn within(
    connection: &Connection,
    episodes: &TableName,
    wanted: &EpisodeRange,
) -> Result<Vec<StoredEpisode>> {
    let (from, to) = (wanted.from.to_string(), wanted.to.to_string());
    let limit = i64::try_from(wanted.limit).unwrap_or(i64::MAX);
    let mut found;
    if let Some(variable) = wanted.variable.as_deref() {
        let key = "WHERE variable = ?1 AND begin_at";
        let begun = format!("{key} >= ?2 AND begin_at < ?3 ORDER BY begin_at DESC LIMIT ?4");
        found = select(connection, episodes, &begun, &[&variable, &from, &to, &limit])?;
        let before = format!("{key} < ?2 ORDER BY begin_at DESC LIMIT {BEFORE}");
        found.extend(select(connection, episodes, &before, &[&variable, &from])?);
    } else {
        let begun = "WHERE begin_at >= ?1 AND begin_at < ?2 ORDER BY begin_at DESC LIMIT ?3";
        found = select(connection, episodes, begun, &[&from, &to, &limit])?;
        let ended = "WHERE end_at >= ?1 AND end_at < ?2 ORDER BY end_at DESC LIMIT ?3";
        found.extend(select(connection, episodes, ended, &[&from, &to, &limit])?);
        found.extend(select(connection, episodes, "WHERE is_open = 1 AND begin_at < ?1", &[&from])?);
    }
    Ok(newest_first(found, wanted))
}

/// Shelves a variable until then, whether or not it is shelved already.
pub(super) fn shelve(connection: &Connection, episodes: &TableName, shelving: &Shelving) -> Result<()> {
    expect(connection, episodes)?;
    let kind = EpisodeKind::Shelved.word();
    let (from, until) = (shelving.from.to_string(), shelving.until.to_string());
    let sql = format!(
        "UPDATE {} SET end_at = ?1, note = ?2, worker = ?3, updated_at = ?4, version = version + 1 \
         WHERE is_open = 1 AND kind = ?5 AND variable = ?6",
        episodes.sqlite()
    );
    let values = params![until, shelving.reason, shelving.by, from, kind, &*shelving.variable];
    if connection.prepare_cached(&sql)?.execute(values)? > 0 {
        return Ok(());
    }
    let sql = format!(
        "INSERT INTO {} (variable, kind, begin_at, end_at, is_open, readings, flagged, priority, told, shelved, note, worker, \
         version, created_at, updated_at) VALUES (?1, ?2, ?3, ?4, 1, 0, 0, 'low', 'never', 1, ?5, ?6, 1, ?3, ?3) \
         ON CONFLICT (begin_at, variable, kind) DO UPDATE SET end_at = excluded.end_at, closed_at = NULL, is_open = 1, \
         note = excluded.note, worker = excluded.worker, version = version + 1",
        episodes.sqlite()
    );
    let values = params![&*shelving.variable, kind, from, until, shelving.reason, shelving.by];
    connection.prepare_cached(&sql)?.execute(values)?;
    Ok(())
}

/// Ends the shelving of a variable.
pub(super) fn unshelve(
    connection: &Connection,
    episodes: &TableName,
    variable: &str,
    now: Datetime,
) -> Result<bool> {
    let sql = format!(
        "UPDATE {} SET closed_at = ?1, end_at = ?1, is_open = 0, updated_at = ?1, version = version + 1 \
         WHERE is_open = 1 AND kind = ?2 AND variable = ?3",
        episodes.sqlite()
    );
    let values = params![now.to_string(), EpisodeKind::Shelved.word(), variable];
    Ok(connection.prepare_cached(&sql)?.execute(values)? > 0)
}

/// Stores a person's feedback. The version stays the same: a worker's writes do not change these
/// columns.
pub(super) fn say(
    connection: &Connection,
    episodes: &TableName,
    id: i64,
    feedback: Feedback,
    note: Option<&str>,
    now: Datetime,
) -> Result<bool> {
    let sql = format!(
        "UPDATE {} SET feedback = ?1, note = ?2, feedback_at = ?3, updated_at = ?3 WHERE id = ?4",
        episodes.sqlite()
    );
    let values = params![feedback.word(), note, now.to_string(), id];
    Ok(connection.prepare_cached(&sql)?.execute(values)? > 0)
}

fn select(
    connection: &Connection,
    episodes: &TableName,
    which: &str,
    values: &[&dyn ToSql],
) -> Result<Vec<StoredEpisode>> {
    expect(connection, episodes)?;
    let sql = format!("SELECT {} FROM {} {which}", EPISODE_COLUMNS.join(", "), episodes.sqlite());
    let mut statement = connection.prepare_cached(&sql)?;
    let mut rows = statement.query(values)?;
    let mut found = Vec::new();
    while let Some(row) = rows.next()? {
        found.push(stored(row, episodes)?);
    }
    Ok(found)
}

/// A row, in the order of [`EPISODE_COLUMNS`].
fn stored(row: &Row<'_>, episodes: &TableName) -> Result<StoredEpisode> {
    let id: i64 = row.get("id")?;
    let wrong = |column: &str| {
        Error::Found(
            ErrorKind::Other,
            format!(
                "table `{}`, episode {id}: `{column}` holds a value that no worker writes",
                episodes.table()
            ),
        )
    };
    let text = |column: &str| row.get::<_, Option<String>>(column);
    let at = |column: &str| -> Result<Option<Datetime>> {
        let Some(text) = text(column)? else { return Ok(None) };
        Datetime::parse(&text).map(Some).map_err(|_| wrong(column))
    };
    let must = |column: &str| at(column)?.ok_or_else(|| wrong(column));
    let word = |column: &str| -> Result<String> { text(column)?.ok_or_else(|| wrong(column)) };
    let count =
        |column: &str| -> Result<u64> { Ok(u64::try_from(row.get::<_, i64>(column)?).unwrap_or_default()) };
    let (worst_ds, worst_y) = (at("worst_ds")?, row.get::<_, Option<f64>>("worst_y")?);
    let yhat: Option<f64> = row.get("worst_yhat")?;
    let is_open: bool = row.get("is_open")?;
    let closed_at = at("closed_at")?;
    Ok(StoredEpisode {
        id,
        version: row.get("version")?,
        episode: Episode {
            variable: word("variable")?.into(),
            kind: EpisodeKind::of_word(&word("kind")?).ok_or_else(|| wrong("kind"))?,
            begin: must("begin_at")?,
            end: must("end_at")?,
            closed_at: if is_open { None } else { closed_at },
            peak_score: row.get("peak_score")?,
            worst: worst_ds.zip(worst_y).map(|(ds, y)| WorstReading { ds, y, yhat }),
            direction: text("direction")?.as_deref().and_then(Direction::of_word),
            readings: count("readings")?,
            flagged: count("flagged")?,
            cause: text("cause")?,
            priority: Priority::of_word(&word("priority")?).ok_or_else(|| wrong("priority"))?,
            told: Told::of_word(&word("told")?).ok_or_else(|| wrong("told"))?,
            shelved: row.get("shelved")?,
        },
        worker: word("worker")?.into(),
        feedback: text("feedback")?.as_deref().and_then(Feedback::of_word),
        note: text("note")?,
        feedback_at: at("feedback_at")?,
        created_at: must("created_at")?,
        updated_at: must("updated_at")?,
    })
}

/// The number of an episode, for an entry of the outbox.
pub(super) fn number(
    connection: &Connection,
    episodes: &TableName,
    key: &crate::episode::EpisodeKey,
) -> Result<Option<i64>> {
    let sql =
        format!("SELECT id FROM {} WHERE begin_at = ?1 AND variable = ?2 AND kind = ?3", episodes.sqlite());
    let key = params![key.begin.to_string(), &*key.variable, key.kind.word()];
    Ok(connection.prepare_cached(&sql)?.query_row(key, |row| row.get(0)).optional()?)
}
