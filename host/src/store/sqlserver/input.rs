//! The input table on a SQL Server. Each call is one statement or a few, which read what was
//! committed when they started.

mod first;

use async_trait::async_trait;
use futures_util::TryStreamExt;
use tiberius::Query;

use super::connect::SqlSession;
use super::connection::{self, Connection, Value};
use super::datetime::{self, Precision};
use super::error::{Error, Result};
use super::probe;
use super::row::{Padded, RowReader, integer};
use super::sql;
use super::sql::input::RangePart;
use super::table::{Table, TableColumn, text};
use crate::datetime::Datetime;
use crate::reading::Page;
use crate::store::schema::INPUT_COLUMNS;
use crate::store::{Input, InputLayout, PlantClock, StoreError, TableName};

/// The input side of a SQL Server.
pub struct SqlServerInput {
    link: Connection,
    table: TableName,
    clock: PlantClock,
    /// As read once on this connection.
    known: Option<TableFacts>,
}

/// The properties of the table on which the statements depend.
#[derive(Clone, Copy)]
struct TableFacts {
    layout: InputLayout,
    grain: Precision,
    /// Which texts are padded with blanks.
    padded: Padded,
    /// Whether there may be rows without a variable.
    nameless: bool,
    /// Whether a range of datetimes may be read: with an index, or if there are so few rows that it
    /// does not matter.
    ranges: bool,
}

/// The most rows that may be read whole if no index finds those of a datetime: some ten megabytes.
const FEW: i64 = 100_000;

impl SqlServerInput {
    pub(super) fn new(link: Connection, table: TableName, clock: PlantClock) -> Self {
        Self { link, table, clock, known: None }
    }

    async fn known(&mut self, session: &mut SqlSession) -> Result<TableFacts> {
        if let Some(known) = self.known {
            return Ok(known);
        }
        let known = look(session, &self.table).await?;
        self.known = Some(known);
        Ok(known)
    }

    /// As [`Self::known`], for calls by datetime.
    async fn ranged(&mut self, session: &mut SqlSession) -> Result<TableFacts> {
        let known = self.known(session).await?;
        if known.ranges {
            Ok(known)
        } else {
            Err(without_index(&self.table, ", without which this would read"))
        }
    }

    /// As [`Self::known`], for calls that need a key.
    async fn keyed(&mut self, session: &mut SqlSession) -> Result<TableFacts> {
        let known = self.known(session).await?;
        if known.layout.has_key {
            return Ok(known);
        }
        Err(Error::schema(format!(
            "table `{}` has no column `id` that it counts up itself and that is unique; read it by datetime",
            self.table
        )))
    }
}

/// Runs one call: the session is taken out meanwhile, and is dropped if the call is dropped.
macro_rules! call {
    ($self:ident, |$session:ident| $body:expr) => {{
        let mut session = $self.link.take()?;
        let $session = &mut session;
        let answer = answering(async { $body }).await;
        $self.link.done(session, answer)
    }};
}

/// Names the result type of the future, which the compiler does not infer.
fn answering<T>(call: impl Future<Output = Result<T>>) -> impl Future<Output = Result<T>> {
    call
}

#[async_trait]
impl Input for SqlServerInput {
    async fn layout(&mut self) -> Result<InputLayout, StoreError> {
        self.known = None;
        call!(self, |session| Ok(self.known(session).await?.layout))
    }

    async fn probe(&mut self) -> Result<Vec<StoreError>, StoreError> {
        let rights = [(&self.table, ["SELECT"].as_slice())];
        let lacking = call!(self, |session| probe::lacking_on(session, &rights).await)?;
        Ok(lacking.into_iter().map(|fault| fault.at(self.link.place())).collect())
    }

    async fn now(&mut self) -> Result<Datetime, StoreError> {
        call!(self, |session| {
            let zone = match &self.clock {
                PlantClock::Zone(zone) => vec![text(zone)],
                PlantClock::Server | PlantClock::Offset { .. } => Vec::new(),
            };
            let row = connection::row(session, sql::input::now(&self.clock), zone).await?;
            let now = row.and_then(|row| row.into_iter().next()).and_then(|value| datetime::read(&value));
            now.ok_or_else(|| Error::no_answer("the time"))
        })
    }

    async fn first_key_from(&mut self, from: Datetime) -> Result<Option<i64>, StoreError> {
        call!(self, |session| {
            let known = self.keyed(session).await?;
            if known.layout.has_datetime_index {
                first::by_datetime(session, &self.table, known.grain, from).await
            } else {
                first::by_key(session, &self.table, known.grain, from).await
            }
        })
    }

    async fn last_key(&mut self) -> Result<Option<i64>, StoreError> {
        call!(self, |session| {
            self.keyed(session).await?;
            whole_number(session, sql::input::last_key(&self.table), Vec::new()).await
        })
    }

    async fn read_keys(&mut self, spans: &[(i64, i64)], limit: usize) -> Result<Page, StoreError> {
        call!(self, |session| {
            let known = self.keyed(session).await?;
            let mut page = Page::default();
            for spans in spans.chunks(sql::input::MOST_SPANS) {
                // One more than the limit shows that there are more.
                let room = limit.saturating_sub(page.readings.len() + page.malformed.len()).saturating_add(1);
                let shape = sql::input::spans_for(spans.len());
                let mut values = vec![count(room)];
                // A span that ends before it begins contains nothing.
                let filled = spans.iter().copied().chain(std::iter::repeat((1, 0)));
                values.extend(
                    filled.take(shape).flat_map(|(first, last)| [first, last]).map(|id| Value::I64(Some(id))),
                );
                read(session, sql::input::keys(&self.table, known.layout, shape), values, known, &mut page)
                    .await?;
                if cut_by_key(&mut page, limit) {
                    break;
                }
            }
            Ok(page)
        })
    }

    async fn read_range(
        &mut self,
        from: Datetime,
        to: Option<Datetime>,
        limit: usize,
    ) -> Result<Page, StoreError> {
        call!(self, |session| {
            let known = self.ranged(session).await?;
            let statement = |ends, part| sql::input::range(&self.table, known.layout, ends, part);
            let end = |to: Option<Datetime>| to.map_or(known.grain.last(), |to| known.grain.not_before(to));
            let part = if known.nameless { RangePart::Named } else { RangePart::Whole };
            let mut page = Page::default();
            let values = vec![count(limit.saturating_add(1)), known.grain.not_before(from), end(to)];
            read(session, statement(to.is_some(), part), values, known, &mut page).await?;
            page.full = page.readings.len() > limit;
            page.readings.truncate(limit);
            if known.nameless {
                // The reader continues from the last datetime, and then reads again what is
                // malformed there or later.
                let last = page.readings.last().filter(|_| page.full).map(|reading| reading.datetime);
                let past = last.or(to);
                let values = vec![count(limit), known.grain.not_before(from), end(past)];
                read(session, statement(past.is_some(), RangePart::Nameless), values, known, &mut page)
                    .await?;
            }
            Ok(page)
        })
    }

    async fn read_at(&mut self, datetimes: &[Datetime]) -> Result<Page, StoreError> {
        let mut wanted = datetimes.to_vec();
        wanted.sort_unstable();
        wanted.dedup();
        call!(self, |session| {
            let known = self.ranged(session).await?;
            let span = |first: Datetime, last: Datetime| {
                let past = Datetime::from_micros(last.micros().saturating_add(1));
                [known.grain.not_before(first), known.grain.not_before(past)]
            };
            let mut page = Page::default();
            let (Some(&first), Some(&last)) = (wanted.first(), wanted.last()) else { return Ok(page) };
            if !known.layout.has_datetime_index {
                // The table is read once for all.
                let sql = sql::input::between(&self.table, known.layout);
                read(session, sql, span(first, last).to_vec(), known, &mut page).await?;
                page.readings.retain(|reading| wanted.binary_search(&reading.datetime).is_ok());
                page.malformed.retain(|row| row.datetime.is_some_and(|at| wanted.binary_search(&at).is_ok()));
                return Ok(page);
            }
            for wanted in wanted.chunks(sql::input::MOST_DATETIMES) {
                let shape = sql::input::datetimes_for(wanted.len());
                let mut values: Vec<Value> = wanted.iter().flat_map(|&at| span(at, at)).collect();
                // Unused parameters of the statement are an empty range.
                let end = known.grain.not_before(last);
                values.resize(2 * shape, end);
                read(session, sql::input::at(&self.table, known.layout, shape), values, known, &mut page)
                    .await?;
            }
            Ok(page)
        })
    }

    async fn count_range(&mut self, from: Datetime, to: Datetime) -> Result<u64, StoreError> {
        call!(self, |session| {
            let known = self.ranged(session).await?;
            let values = vec![known.grain.not_before(from), known.grain.not_before(to)];
            let counted = whole_number(session, sql::input::count(&self.table), values).await?;
            Ok(counted.and_then(|rows| u64::try_from(rows).ok()).unwrap_or_default())
        })
    }
}

async fn look(session: &mut SqlSession, name: &TableName) -> Result<TableFacts> {
    let advice = format!(
        "name the one that holds the readings in the configuration, or, if that is it, GRANT SELECT ON {} TO the user of \
         this login, which does not see it without",
        name.sql_server()
    );
    let table = Table::expect(session, name, &advice).await?;
    table.expect_columns(name, &INPUT_COLUMNS)?;
    let wrong = |column: &str, kind: String, right: &str| {
        Error::schema(format!("column `{column}` of table `{name}` is {kind}; it must be {right}"))
    };
    let column =
        |name: &str| table.column(name).ok_or_else(|| Error::schema(format!("there is no column `{name}`")));
    let (datetime, variable, value) = (column("datetime")?, column("variable_name")?, column("value")?);
    let Some(grain) = Precision::of(&datetime.kind) else {
        return Err(wrong("datetime", datetime.declared(), "DATETIME or DATETIME2"));
    };
    if !variable.is_text() {
        return Err(wrong("variable_name", variable.declared(), "VARCHAR or NVARCHAR"));
    }
    if !value.is_number() {
        return Err(wrong("value", value.declared(), "DECIMAL, FLOAT or REAL"));
    }
    let (has_key, has_datetime_index) = (table.is_order_of_arrival("id"), table.has_order(&["datetime"]));
    let ranges = has_datetime_index || is_small(session, name).await?;
    if !has_key && !ranges {
        return Err(without_index(
            name,
            " and no `id` that gives an order of arrival: each cycle would read",
        ));
    }
    Ok(TableFacts {
        layout: InputLayout {
            has_key,
            has_id: table.has("id"),
            has_source_file: table.has("source_file"),
            has_datetime_index,
        },
        grain,
        padded: Padded {
            name: variable.is_padded(),
            file: table.column("source_file").is_some_and(TableColumn::is_padded),
        },
        nameless: variable.nullable,
        ranges,
    })
}

/// Whether the table has so few rows that all of them may be read. Counts no further than that.
async fn is_small(session: &mut SqlSession, name: &TableName) -> Result<bool> {
    let most = vec![Value::I64(Some(FEW + 1)), text(&name.sql_server())];
    let rows = whole_number(session, sql::input::size(name), most).await?;
    Ok(rows.is_none_or(|rows| rows <= FEW))
}

fn without_index(name: &TableName, what: &str) -> Error {
    Error::schema(format!(
        "table `{name}` has no index on `datetime`{what} all of it, and it has more than {FEW} rows; have one made: CREATE INDEX \
         [IX_{}_datetime] ON {} ([datetime])",
        name.table().replace([']', '`'], ""),
        name.sql_server()
    ))
}

/// Reads the rows of a statement to the page's end, one after the other.
async fn read(
    session: &mut SqlSession,
    sql: String,
    values: Vec<Value>,
    known: TableFacts,
    page: &mut Page,
) -> Result<()> {
    let mut query = Query::new(sql);
    query.bind_iter(values);
    let mut found = query.query(session).await?.into_row_stream();
    let mut rows = RowReader::new(known.padded);
    while let Some(row) = found.try_next().await? {
        page.push(rows.decode(row)?);
    }
    Ok(())
}

/// Cuts a page that is one row over its limit; returns whether it was.
fn cut_by_key(page: &mut Page, limit: usize) -> bool {
    page.full = page.readings.len() + page.malformed.len() > limit;
    if page.full {
        let reading = page.readings.last().and_then(|reading| reading.id);
        let malformed = page.malformed.last().and_then(|row| row.id);
        if reading > malformed {
            page.readings.pop();
        } else {
            page.malformed.pop();
        }
    }
    page.full
}

fn count(rows: usize) -> Value {
    Value::I64(Some(i64::try_from(rows).unwrap_or(i64::MAX)))
}

/// The only value of the only row.
async fn whole_number(session: &mut SqlSession, sql: String, values: Vec<Value>) -> Result<Option<i64>> {
    let row = connection::row(session, sql, values).await?;
    Ok(row.and_then(|row| row.into_iter().next()).and_then(|value| integer(&value)))
}
