//! The one way to write readings, for the one command that does: `host import`.

use std::sync::Arc;

use async_trait::async_trait;

use super::StoreError;
use crate::datetime::Datetime;
use crate::reading::Reading;

/// What became of readings that were to be inserted; those of neither kind were in the table
/// already.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Inserted {
    pub inserted: u64,
    /// To the table they are the same as one before them: the same datetime and variable, by its
    /// types and its collation.
    pub repeated: u64,
}

/// Writes readings into the input table.
#[async_trait]
pub trait Importer: Send {
    /// In one transaction: inserts those of the readings whose variable and datetime no row with a
    /// value has yet; of several with the same key the first. A reading's `id` is for the table
    /// to give, and one without a value is left out. A call has some thousands; it looks at the
    /// rows of their datetimes and, where an index finds those, at no others.
    async fn insert(&mut self, readings: &[Reading]) -> Result<Inserted, StoreError>;

    /// Those of the names that the table would not hold as they are: its column is too short, or
    /// its code page lacks a character.
    async fn foreign_names(&mut self, names: &[Arc<str>]) -> Result<Vec<Arc<str>>, StoreError>;

    /// What the table makes of an instant: its column may be coarser.
    fn held(&self, at: Datetime) -> Datetime;

    /// Whether an index finds the rows of a datetime. Without one, each call reads the table.
    fn has_datetime_index(&self) -> bool;

    /// Closes with nothing pending.
    async fn close(self: Box<Self>) -> Result<(), StoreError>;
}
