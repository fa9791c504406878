//! Reads a range of datetimes, in order and in bounded memory. See [`datetime`](super::datetime)
//! for the difficulty.
//!
//! With an index on the datetime the rows are read from it in time order, only as far as the page
//! needs. Without one, the table is read completely, once.

use rusqlite::Connection;
use rusqlite::types::Value;

use super::datetime::DatetimeForm;
use super::error::Result;
use super::input_table::InputTable;
use super::page::Gathering;
use super::row::RowReader;
use crate::datetime::Datetime;
use crate::reading::Page;

/// What to read.
#[derive(Clone, Copy)]
pub(super) struct ReadRange {
    pub(super) from: Datetime,
    pub(super) to: Option<Datetime>,
    pub(super) limit: usize,
}

impl ReadRange {
    fn holds(&self, at: Datetime) -> bool {
        self.from <= at && self.to.is_none_or(|to| at < to)
    }
}

pub(super) fn read(connection: &Connection, table: &InputTable<'_>, range: ReadRange) -> Result<Page> {
    let from = table.form.floor(range.from);
    // SQLite sorts every blob after every text.
    let end = range.to.map_or(Value::Blob(Vec::new()), |to| Value::Text(table.form.ceiling(to)));
    let mut spans = vec![(Value::Text(from.clone()), end)];
    // If datetimes have a `T`, rows without one sort before all others of their day. They are
    // malformed, and reported.
    if table.form == DatetimeForm::T && from.len() > 10 {
        let (day, late) = (from[..10].to_owned(), format!("{}T", &from[..10]));
        spans.insert(0, (Value::Text(day), Value::Text(late)));
    }
    let in_order = table.layout.has_datetime_index;
    let order = if in_order { " ORDER BY datetime" } else { "" };
    let sql = format!("{} WHERE datetime >= ?1 AND datetime < ?2{order}", table.select());
    let mut statement = connection.prepare_cached(&sql)?;
    let mut rows = RowReader::new(table.form);
    let mut gathering = Gathering::new(range.limit);
    let mut last = None;
    for (from, to) in spans {
        let mut found = statement.query([from, to])?;
        while let Some(row) = found.next()? {
            let found = rows.decode(row)?;
            let at = found.datetime();
            // All rows of the last instant are needed: the key decides which stay.
            if in_order && gathering.is_over() && at != last {
                break;
            }
            if at.is_none_or(|at| range.holds(at)) {
                gathering.push(found);
            }
            if gathering.len() > range.limit.saturating_add(1).saturating_mul(2) {
                gathering.settle();
            }
            last = at.or(last);
        }
    }
    Ok(gathering.finish())
}
