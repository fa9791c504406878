//! The only way to write readings, for the only command that does: `host import`.

use std::sync::Arc;

use async_trait::async_trait;

use super::StoreError;
use crate::datetime::Datetime;
use crate::reading::Reading;

/// The result of an insert of readings; those counted in neither field were in the table already.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Inserted {
    pub inserted: u64,
    /// The table takes them for the same as an earlier one: the same datetime and variable, by its
    /// types and its collation.
    pub repeated: u64,
}

/// Writes readings into the input table.
#[async_trait]
pub trait Importer: Send {
    /// In one transaction: inserts those of the readings for whose variable and datetime there is
    /// no row with a value yet; of several with the same key the first. The table assigns the `id`,
    /// and a reading without a value is left out. A call has some thousands of readings; it reads
    /// the rows of their datetimes and, if an index finds those, no others.
    async fn insert(&mut self, readings: &[Reading]) -> Result<Inserted, StoreError>;

    /// Those of the names that the table would change: its column is too short, or its code page
    /// lacks a character.
    async fn foreign_names(&mut self, names: &[Arc<str>]) -> Result<Vec<Arc<str>>, StoreError>;

    /// An instant as the table stores it: its column may be coarser.
    fn held(&self, at: Datetime) -> Datetime;

    /// Whether an index finds the rows of a datetime. Without one, each call reads the table.
    fn has_datetime_index(&self) -> bool;

    /// Closes the connection, with nothing pending.
    async fn close(self: Box<Self>) -> Result<(), StoreError>;
}
