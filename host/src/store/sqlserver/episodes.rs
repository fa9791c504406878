//! Rows of the tables of episodes and of the outbox, with the columns in the order of
//! [`EPISODE_COLUMNS`](crate::store::schema::EPISODE_COLUMNS) and
//! [`OUTBOX_COLUMNS`](crate::store::schema::OUTBOX_COLUMNS).

use tiberius::{ColumnData, Row};

use super::datetime;
use super::error::{Error, Result};
use super::row::{integer, number};
use crate::datetime::Datetime;
use crate::episode::{
    Direction, Episode, EpisodeKind, Feedback, MessageKind, Priority, StoredEpisode, Told, WorstReading,
};
use crate::store::schema::{EPISODE_COLUMNS, OUTBOX_COLUMNS};
use crate::store::{EntryState, ErrorKind, OutboxEntry, TableName};

/// The cells of a row by name.
struct NamedCells<'a> {
    names: &'static [&'static str],
    cells: Vec<ColumnData<'static>>,
    table: &'a TableName,
}

impl NamedCells<'_> {
    fn get(&self, column: &str) -> &ColumnData<'static> {
        let at = self.names.iter().position(|name| *name == column);
        at.and_then(|at| self.cells.get(at)).unwrap_or(&ColumnData::String(None))
    }

    fn wrong(&self, column: &str) -> Error {
        let number = integer(self.get(self.names.first().copied().unwrap_or_default())).unwrap_or_default();
        let (table, key) = (self.table, self.names.first().copied().unwrap_or_default());
        let message =
            format!("table `{table}`, {key} {number}: `{column}` holds a value that no worker writes");
        Error::Found(ErrorKind::Other, message)
    }

    fn text(&self, column: &str) -> Option<String> {
        match self.get(column) {
            ColumnData::String(text) => text.as_ref().map(std::string::ToString::to_string),
            _ => None,
        }
    }

    fn at(&self, column: &str) -> Option<Datetime> {
        datetime::read(self.get(column))
    }

    fn must<T>(&self, column: &str, found: Option<T>) -> Result<T> {
        found.ok_or_else(|| self.wrong(column))
    }

    fn word<T>(&self, column: &str, of_word: fn(&str) -> Option<T>) -> Result<T> {
        self.must(column, self.text(column).as_deref().and_then(of_word))
    }

    fn moment(&self, column: &str) -> Result<Datetime> {
        self.must(column, self.at(column))
    }

    fn whole(&self, column: &str) -> Result<i64> {
        self.must(column, integer(self.get(column)))
    }

    fn count(&self, column: &str) -> Result<u64> {
        Ok(u64::try_from(self.whole(column)?).unwrap_or_default())
    }

    fn small(&self, column: &str) -> Result<i32> {
        i32::try_from(self.whole(column)?).map_err(|_| self.wrong(column))
    }

    fn flag(&self, column: &str) -> bool {
        match self.get(column) {
            ColumnData::Bit(flag) => *flag == Some(true),
            other => integer(other).is_some_and(|number| number != 0),
        }
    }
}

/// An episode.
pub(super) fn episode(row: Row, table: &TableName) -> Result<StoredEpisode> {
    let cells = NamedCells { names: &EPISODE_COLUMNS, cells: row.into_iter().collect(), table };
    let yhat = number(cells.get("worst_yhat"));
    let worst = cells.at("worst_ds").zip(number(cells.get("worst_y")));
    Ok(StoredEpisode {
        id: cells.whole("id")?,
        version: cells.small("version")?,
        episode: Episode {
            variable: cells.must("variable", cells.text("variable"))?.into(),
            kind: cells.word("kind", EpisodeKind::of_word)?,
            begin: cells.moment("begin_at")?,
            end: cells.moment("end_at")?,
            closed_at: if cells.flag("is_open") { None } else { cells.at("closed_at") },
            peak_score: number(cells.get("peak_score")),
            worst: worst.map(|(ds, y)| WorstReading { ds, y, yhat }),
            direction: cells.text("direction").as_deref().and_then(Direction::of_word),
            readings: cells.count("readings")?,
            flagged: cells.count("flagged")?,
            cause: cells.text("cause"),
            priority: cells.word("priority", Priority::of_word)?,
            told: cells.word("told", Told::of_word)?,
            shelved: cells.flag("shelved"),
        },
        worker: cells.must("worker", cells.text("worker"))?.into(),
        feedback: cells.text("feedback").as_deref().and_then(Feedback::of_word),
        note: cells.text("note"),
        feedback_at: cells.at("feedback_at"),
        created_at: cells.moment("created_at")?,
        updated_at: cells.moment("updated_at")?,
    })
}

/// An entry of the outbox.
pub(super) fn entry(row: Row, table: &TableName) -> Result<OutboxEntry> {
    let cells = NamedCells { names: &OUTBOX_COLUMNS, cells: row.into_iter().collect(), table };
    Ok(OutboxEntry {
        seq: cells.whole("seq")?,
        id: cells.must("id", cells.text("id"))?,
        kind: cells.word("kind", MessageKind::of_word)?,
        variable: cells.text("variable").map(Into::into),
        episode_id: integer(cells.get("episode_id")),
        created_at: cells.moment("created_at")?,
        payload: cells.must("payload", cells.text("payload"))?,
        attempts: cells.small("attempts")?,
        next_try_at: cells.moment("next_try_at")?,
        state: cells.word("state", EntryState::of_word)?,
        last_error: cells.text("last_error"),
        progress: cells.text("progress"),
    })
}
