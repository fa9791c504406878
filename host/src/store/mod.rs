//! The database interface of the cycle: readings come in through [`Input`], verdicts and the state
//! row go out through [`Output`]. The two may be one database, two, or two servers. [`Importer`] is
//! the only way to write readings, for the only command that does.
//!
//! A store lives as long as the worker. Its calls fail with a [`StoreError`], whose class decides
//! what the cycle does next; a call that fails has no partial effect. Every store passes the same
//! conformance suite (`tests/`).

pub mod clock;
mod commit;
mod episodes;
mod error;
mod importer;
mod index;
mod input;
mod leader_lock;
mod output;
pub mod page_reader;
mod parts;
mod probe;
pub mod schema;
pub mod sqlite;
pub mod sqlserver;
mod stored;
pub mod table_name;

use async_trait::async_trait;

pub use clock::{Clock, PlantClock};
pub use commit::Commit;
pub use episodes::{EntryState, EpisodeEditor, EpisodeReader, OutboxCounts, OutboxEntry, OutboxQueue, Tried};
use episodes::{changed_meanwhile, newest_first};
pub use error::{ErrorKind, StoreError};
pub use importer::{Importer, Inserted};
pub use input::{Input, InputLayout};
pub use leader_lock::LeaderLock;
pub use output::{
    Claim, Outline, Output, OutputLimits, OutputProbe, Probed, Rejudging, Replaced, SchemaChanges,
    VerdictReader, VerdictWriter,
};
pub use page_reader::{AnomalyQuery, AnomalyTally, Extent, FirstOf, PageReader, ReadFrom, Stretch};
pub use schema::TableNames;
pub use sqlite::SqliteStore;
pub use sqlserver::SqlServerStore;
pub use stored::{StoredVerdict, VerdictPage};
pub use table_name::TableName;

/// The place of the tables, and the way to connect. It lives as long as the worker, which uses it
/// to connect again after [`ErrorKind::Connection`].
#[async_trait]
pub trait Connector: Send + Sync {
    /// Opens both sides. Nothing is created except, if the configuration allows it, an empty output
    /// database.
    async fn open(&self) -> Result<(Box<dyn Input>, Box<dyn Output>), StoreError>;

    /// Opens the output alone, over a connection of its own: for callers that read no readings.
    async fn open_output(&self) -> Result<Box<dyn Output>, StoreError>;

    /// Makes a candidate for the one active worker of this name; [`LeaderLock::try_acquire`] tells
    /// whether it leads.
    async fn leader_lock(&self, worker: &str) -> Result<Box<dyn LeaderLock>, StoreError>;

    /// Opens the input table for `host import`, the only command that writes it, because a person
    /// asked for it. With `create` a missing table is made (and its file, if the database is a
    /// file); an existing one is never changed. [`ErrorKind::Schema`] for a table that is missing
    /// without `create`, or to which no reading could be written.
    async fn open_importer(&self, create: bool) -> Result<Box<dyn Importer>, StoreError>;
}

/// A store as the commands use it: besides what a worker opens, read-only access. A new store is a
/// folder with an implementation of this trait, and a line where the configuration's store is
/// chosen.
#[async_trait]
pub trait Store: Connector {
    /// Opens the input to read it once. Its files stay as they are, byte for byte.
    async fn look_at_input(&self) -> Result<Box<dyn Input>, StoreError>;

    /// Opens the output in the same way: writing fails, if the store can prevent it. None for a
    /// database that does not exist and that a worker would make.
    async fn look_at_output(&self) -> Result<Option<Box<dyn Output>>, StoreError>;

    /// Opens the output for [`OutputProbe`], which rolls back what it writes. None as before.
    async fn try_output(&self) -> Result<Option<Box<dyn Output>>, StoreError>;

    /// Opens the output for the page: read-only, over a connection of its own that waits for locks
    /// only briefly. None as before.
    async fn open_page(&self) -> Result<Option<Box<dyn PageReader>>, StoreError>;

    /// The place of the readings, for messages.
    fn input_place(&self) -> String;

    /// The place of the verdicts.
    fn output_place(&self) -> String;

    /// Remarks on the configured connection.
    fn warnings(&self) -> Vec<String> {
        Vec::new()
    }
}
