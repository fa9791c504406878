//! Reading a range of datetimes, in order and in bounded memory. See [`datetime`](super::datetime) for
//! why this takes a thought.
//!
//! With an index on the datetime it goes day by day: within a day the rows of either form come in
//! time order from the index, each only as far as the page needs. Without one, the table is read
//! through, once.

use rusqlite::types::{ToSqlOutput, ValueRef};
use rusqlite::{CachedStatement, Connection, ToSql, params};

use super::datetime::{self, FORMS};
use super::error::Result;
use super::page::Gathering;
use super::row::{self, RowReader};
use crate::datetime::Datetime;
use crate::reading::Page;
use crate::store::{InputLayout, TableName};

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

    /// No candidate sorts at or after this.
    fn end(&self, form: char) -> Bound {
        self.to.map_or(Bound::AfterAllText, |to| Bound::Text(datetime::ceiling(to, form).into_bytes()))
    }
}

/// Where a range of texts begins or ends. Bytes, because a database may hold text that is no UTF-8.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Bound {
    Text(Vec<u8>),
    AfterAllText,
}

impl ToSql for Bound {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        Ok(ToSqlOutput::Borrowed(match self {
            Self::Text(bytes) => ValueRef::Text(bytes),
            // SQLite sorts every blob after every text.
            Self::AfterAllText => ValueRef::Blob(&[]),
        }))
    }
}

pub(super) fn read(
    connection: &Connection,
    table: &TableName,
    layout: InputLayout,
    range: ReadRange,
) -> Result<Page> {
    let mut gathering = Gathering::new(range.limit);
    let mut rows = RowReader::default();
    let columns = row::columns(layout.has_key, layout.has_source_file);
    let candidates =
        format!("SELECT {columns} FROM {} WHERE datetime >= ?1 AND datetime < ?2", table.sqlite());
    if layout.has_datetime_index {
        let next =
            format!("SELECT min(datetime) FROM {} WHERE datetime >= ?1 AND datetime < ?2", table.sqlite());
        let mut next = connection.prepare_cached(&next)?;
        let mut form = connection.prepare_cached(&format!("{candidates} ORDER BY datetime"))?;
        by_day(&mut next, &mut form, range, &mut rows, &mut gathering)?;
    } else {
        let mut scan = connection.prepare_cached(&candidates)?;
        let mut found = scan.query(params![datetime::floor(range.from, ' '), range.end('T')])?;
        while let Some(row) = found.next()? {
            let found = rows.decode(row)?;
            if found.at().is_none_or(|at| range.holds(at)) {
                gathering.push(found);
            }
            if gathering.len() > range.limit.saturating_add(1).saturating_mul(2) {
                gathering.settle();
            }
        }
    }
    Ok(gathering.finish())
}

fn by_day(
    next: &mut CachedStatement<'_>,
    form: &mut CachedStatement<'_>,
    range: ReadRange,
    rows: &mut RowReader,
    gathering: &mut Gathering,
) -> Result<()> {
    let mut from = Bound::Text(datetime::floor(range.from, ' ').into_bytes());
    while !gathering.is_over() {
        let first: Option<Vec<u8>> = next.query_row(params![from, range.end('T')], |row| {
            Ok(row.get_ref(0)?.as_bytes_or_null()?.map(<[u8]>::to_vec))
        })?;
        let Some(first) = first else { break };
        let day = &first[..first.len().min(10)];
        let forms = Bound::Text([day, b"T"].concat());
        // No UTF-8 holds such a byte; should a text hold four, the next look goes on just after it.
        let end = Bound::Text([day, &[0xff; 4]].concat()).max(Bound::Text([&first[..], &[0]].concat()));
        let late_from = forms.clone().max(Bound::Text(datetime::floor(range.from, 'T').into_bytes()));
        let spans = [
            (from.max(Bound::Text(day.to_vec())), forms.min(range.end(FORMS[0]))),
            (late_from, end.clone().min(range.end(FORMS[1]))),
        ];
        let room = range.limit.saturating_add(1) - gathering.len();
        for (from, to) in spans {
            read_form(form, &from, &to, range, room, rows, gathering)?;
        }
        gathering.settle();
        from = end;
    }
    Ok(())
}

/// Rows of one form of one day, in time order: as many as there is `room`, and the rest of the last
/// instant, in which the key decides who stays.
fn read_form(
    form: &mut CachedStatement<'_>,
    from: &Bound,
    to: &Bound,
    range: ReadRange,
    room: usize,
    rows: &mut RowReader,
    gathering: &mut Gathering,
) -> Result<()> {
    let wanted = gathering.len().saturating_add(room);
    let mut last = None;
    let mut found = form.query(params![from, to])?;
    while let Some(row) = found.next()? {
        let found = rows.decode(row)?;
        let at = found.at();
        if gathering.len() >= wanted && at != last {
            break;
        }
        if at.is_none_or(|at| range.holds(at)) {
            gathering.push(found);
        }
        last = at.or(last);
    }
    Ok(())
}
