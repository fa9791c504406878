//! Finds the first key of a time range.
//!
//! Rows need not arrive in the order of their datetimes, so a single seek does not find the least
//! key. With an index on datetime the rows from that time on are read in parts, in the index alone;
//! each is a row that will be read anyway. Without one a binary search over the key finds where the
//! rows of that time begin, which is correct as far as keys rise with time: if history was loaded
//! behind the live rows of a table, reading starts too late, and `backfill` finds the rest.

use crate::datetime::Datetime;
use crate::store::TableName;
use crate::store::sqlserver::connect::SqlSession;
use crate::store::sqlserver::connection::{self, Value};
use crate::store::sqlserver::datetime::{self, Precision};
use crate::store::sqlserver::error::{Error, Result};
use crate::store::sqlserver::row::integer;
use crate::store::sqlserver::sql;

/// Rows that one statement reads: some megabytes of an index.
const STRETCH: i64 = 50_000;

/// Rows that are read at one point of the search. A few late ones among them do not hide that the
/// time has come.
const PLACE: i64 = 64;

/// With an index on datetime.
pub(super) async fn by_datetime(
    session: &mut SqlSession,
    table: &TableName,
    grain: Precision,
    from: Datetime,
) -> Result<Option<i64>> {
    let (mut first, mut from) = (None, from);
    loop {
        let values = vec![whole(STRETCH), grain.not_before(from), grain.last()];
        let found = connection::row(session, sql::input::stretch(table), values).await?;
        let found: Vec<Value> = found.map(|row| row.into_iter().collect()).unwrap_or_default();
        let [key, last, rows] = found.as_slice() else {
            return Err(Error::no_answer("a stretch of readings"));
        };
        first = first.into_iter().chain(integer(key)).min();
        match (integer(rows), datetime::read(last)) {
            (Some(rows), Some(last)) if rows >= STRETCH => {
                from = last.max(Datetime::from_micros(from.micros().saturating_add(1)));
            }
            _ => return Ok(first),
        }
    }
}

/// Without one.
pub(super) async fn by_key(
    session: &mut SqlSession,
    table: &TableName,
    grain: Precision,
    from: Datetime,
) -> Result<Option<i64>> {
    let (Some(mut low), Some(last)) =
        (end(session, sql::input::first_key(table)).await?, end(session, sql::input::last_key(table)).await?)
    else {
        return Ok(None);
    };
    // Before `low` nothing is of that time; from `high` on everything is, as far as was read.
    let (mut high, mut first) = (last.saturating_add(1), None);
    // A table with no more rows than this is read completely.
    let mut middle = low;
    while low < high {
        let values = vec![whole(PLACE), whole(middle), whole(last), grain.not_before(from)];
        let found = connection::row(session, sql::input::probe(table), values).await?;
        let found: Vec<Option<i64>> =
            found.map(|row| row.into_iter().map(|value| integer(&value)).collect()).unwrap_or_default();
        match found.as_slice() {
            [Some(reached), _] => {
                first = Some(*reached);
                high = middle;
            }
            [None, Some(passed)] => low = passed.saturating_add(1),
            _ => high = middle,
        }
        // The middle of two negative keys may be rounded up.
        middle = low.midpoint(high).min(high.saturating_sub(1));
    }
    Ok(first)
}

async fn end(session: &mut SqlSession, sql: String) -> Result<Option<i64>> {
    let row = connection::row(session, sql, Vec::new()).await?;
    Ok(row.and_then(|row| row.into_iter().next()).and_then(|value| integer(&value)))
}

fn whole(number: i64) -> Value {
    Value::I64(Some(number))
}
