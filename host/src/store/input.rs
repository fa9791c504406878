//! The database interface for readings. The tables belong to the users: nothing here writes.

use async_trait::async_trait;

use super::StoreError;
use crate::datetime::Datetime;
use crate::reading::Page;

/// The properties of an input table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct InputLayout {
    /// Whether it has an integer key `id` that gives rows an order of arrival.
    pub has_key: bool,
    /// Whether there is a column `id` at all. In a view it gives no order: its rows may come from
    /// anywhere, and twice.
    pub has_id: bool,
    pub has_source_file: bool,
    /// Whether an index leads with the datetime: without one, finding the first row of a range
    /// reads the table.
    pub has_datetime_index: bool,
}

/// The input table. It belongs to its users: these calls only read it, each with one bounded
/// statement.
#[async_trait]
pub trait Input: Send {
    /// The properties of the table, read at each call.
    async fn layout(&mut self) -> Result<InputLayout, StoreError>;

    /// What prevents reading, a sentence each; empty if reading would work. Called once
    /// [`layout`](Input::layout) has found the table.
    async fn probe(&mut self) -> Result<Vec<StoreError>, StoreError> {
        Ok(Vec::new())
    }

    /// The server's clock, which is the plant's.
    async fn now(&mut self) -> Result<Datetime, StoreError>;

    /// The lowest key of a reading at or after `from`; None if there is none. Only for tables with
    /// a key.
    async fn first_key_from(&mut self, from: Datetime) -> Result<Option<i64>, StoreError>;

    /// The greatest key; None for an empty table. Only for tables with a key.
    async fn last_key(&mut self) -> Result<Option<i64>, StoreError>;

    /// At most `limit` rows, malformed ones included, whose key lies in one of the spans (both ends
    /// inclusive; ascending, disjoint), by key.
    async fn read_keys(&mut self, spans: &[(i64, i64)], limit: usize) -> Result<Page, StoreError>;

    /// At most `limit` readings with `from <= datetime`, and `datetime < to` if `to` is given, by
    /// datetime and then by key (without a key, in any order). Malformed rows among them do not
    /// count, so that they cannot stop a reader that continues from the last datetime; no more than
    /// `limit` of them are listed. A row whose datetime is not valid has no place in the order: it
    /// may be listed or not.
    async fn read_range(
        &mut self,
        from: Datetime,
        to: Option<Datetime>,
        limit: usize,
    ) -> Result<Page, StoreError>;

    /// Every row at these datetimes, by datetime and then by key.
    async fn read_at(&mut self, datetimes: &[Datetime]) -> Result<Page, StoreError>;

    /// How many rows there are with `from <= datetime < to`, whatever their value.
    async fn count_range(&mut self, from: Datetime, to: Datetime) -> Result<u64, StoreError>;
}
