//! Readings that a file has twice: in autumn an hour comes twice on the plant's clock, and some
//! files are put together from overlapping ones.
//!
//! Of several readings of one variable and datetime the first counts. Where datetimes are in order,
//! equal ones follow each other. Where they are not, all of them are kept in a temporary database.
//! It is written to the disk when it grows, because memory is limited and a file may be of any
//! length.

use anyhow::Context;
use rusqlite::{Connection, OptionalExtension, params};

use crate::datetime::Datetime;

/// The readings that were met so far.
pub(super) enum Repeats {
    InOrder(Option<Met>),
    InDisorder(Connection),
}

/// A datetime that was met.
pub(super) struct Met {
    at: Datetime,
    columns: ColumnSet,
}

/// A set of columns, with a bit for each.
#[derive(Default)]
struct ColumnSet(Vec<u8>);

impl ColumnSet {
    /// False if it was there already.
    fn add(&mut self, column: usize) -> bool {
        let (byte, bit) = (column / 8, 1 << (column % 8));
        if self.0.len() <= byte {
            self.0.resize(byte + 1, 0);
        }
        let new = self.0[byte] & bit == 0;
        self.0[byte] |= bit;
        new
    }
}

impl Repeats {
    /// # Errors
    /// There is no room for a temporary database.
    pub(super) fn new(in_order: bool) -> anyhow::Result<Self> {
        if in_order {
            return Ok(Self::InOrder(None));
        }
        Ok(Self::InDisorder(temporary().context(NO_ROOM)?))
    }

    /// Removes those readings of a row, each with its column's number, that were met before at this
    /// datetime. Returns how many it removed.
    ///
    /// # Errors
    /// There is no room for a temporary database.
    pub(super) fn drop_known(
        &mut self,
        at: Datetime,
        readings: &mut Vec<(usize, f64)>,
    ) -> anyhow::Result<u64> {
        let before = readings.len();
        match self {
            Self::InOrder(met) => {
                let met = match met {
                    Some(met) if met.at == at => met,
                    _ => met.insert(Met { at, columns: ColumnSet::default() }),
                };
                readings.retain(|(column, _)| met.columns.add(*column));
            }
            Self::InDisorder(_) if before == 0 => {}
            Self::InDisorder(database) => among(database, at, readings).context(NO_ROOM)?,
        }
        Ok((before - readings.len()) as u64)
    }
}

const NO_ROOM: &str = "the datetimes of the file cannot be kept in a temporary database";

fn temporary() -> rusqlite::Result<Connection> {
    // A database without a name is in memory while it is small, and then in a file of its own that
    // is deleted when the database is closed.
    let database = Connection::open("")?;
    database.execute_batch(
        "PRAGMA journal_mode = OFF; PRAGMA synchronous = OFF; BEGIN; \
         CREATE TABLE met (at INTEGER PRIMARY KEY, columns BLOB NOT NULL)",
    )?;
    Ok(database)
}

fn among(database: &Connection, at: Datetime, readings: &mut Vec<(usize, f64)>) -> rusqlite::Result<()> {
    let mut find = database.prepare_cached("SELECT columns FROM met WHERE at = ?1")?;
    let known: Option<Vec<u8>> = find.query_row([at.micros()], |row| row.get(0)).optional()?;
    let mut columns = ColumnSet(known.unwrap_or_default());
    readings.retain(|(column, _)| columns.add(*column));
    let mut keep = database.prepare_cached("INSERT OR REPLACE INTO met (at, columns) VALUES (?1, ?2)")?;
    keep.execute(params![at.micros(), columns.0])?;
    Ok(())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test stops at the first surprise")]

    use super::*;

    /// How many readings of each row are removed.
    fn dropped(in_order: bool, rows: &[(i64, &[usize])]) -> Vec<u64> {
        let mut repeats = Repeats::new(in_order).unwrap();
        let mut of_row = |&(at, columns): &(i64, &[usize])| {
            let mut readings: Vec<_> = columns.iter().map(|column| (*column, 1.0)).collect();
            repeats.drop_known(Datetime::from_micros(at), &mut readings).unwrap()
        };
        rows.iter().map(&mut of_row).collect()
    }

    #[test]
    fn the_first_reading_of_a_variable_and_datetime_counts() {
        let rows: [(i64, &[usize]); 6] =
            [(1, &[0, 9]), (1, &[0, 1]), (1, &[1, 9, 20]), (2, &[0]), (2, &[]), (2, &[0])];
        assert_eq!(dropped(true, &rows), [0, 1, 2, 0, 0, 1]);
        assert_eq!(dropped(false, &rows), [0, 1, 2, 0, 0, 1]);
        let apart: [(i64, &[usize]); 4] = [(1, &[0]), (-2, &[0]), (1, &[0, 1]), (1, &[1])];
        assert_eq!(dropped(false, &apart), [0, 0, 1, 1]);
    }
}
