//! The database, as the cycle sees it: readings come in through [`Input`], verdicts and the state
//! row go out through [`Output`]. The two may be one database, two, or two servers. [`Importer`] is
//! the one way to write readings, for the one command that does.
//!
//! A store lives as long as the worker. Its calls fail with a [`StoreError`], whose class says what
//! the cycle does next; a call that fails leaves nothing half done. Every store passes the same
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

/// Where the tables are, and how to get there. It lives as long as the worker, which opens again
/// through it after [`ErrorKind::Connection`].
#[async_trait]
pub trait Connector: Send + Sync {
    /// Opens both sides. Nothing is created but, where the configuration allows it, an empty output
    /// database.
    async fn open(&self) -> Result<(Box<dyn Input>, Box<dyn Output>), StoreError>;

    /// Opens the output alone: for whoever writes it and reads no readings, over a connection of
    /// its own.
    async fn open_output(&self) -> Result<Box<dyn Output>, StoreError>;

    /// Lines up to be the one active worker of this name; whether it is,
    /// [`LeaderLock::try_acquire`] tells.
    async fn leader_lock(&self, worker: &str) -> Result<Box<dyn LeaderLock>, StoreError>;

    /// Opens the input table for `host import`, which alone writes it, and only because a person
    /// asked for it. With `create` a table that is missing is made (and the file that is to
    /// hold it, where a database is a file); one that is there is never changed.
    /// [`ErrorKind::Schema`] for a table that is missing without it, or that no reading could be
    /// written to.
    async fn open_importer(&self, create: bool) -> Result<Box<dyn Importer>, StoreError>;
}

/// A store as the commands use it: besides what a worker opens, looks that change nothing. Adding a
/// store is a folder with this trait in it, and a line where the configuration's store is chosen.
#[async_trait]
pub trait Store: Connector {
    /// Opens the input to read some of it once. What it is kept in stays as it is, byte for byte.
    async fn look_at_input(&self) -> Result<Box<dyn Input>, StoreError>;

    /// Opens the output in the same way: whatever writes fails, where the store can see to it. None
    /// for a database that is not there and that a worker would make.
    async fn look_at_output(&self) -> Result<Option<Box<dyn Output>>, StoreError>;

    /// Opens the output for [`OutputProbe`], which takes back what it writes. None as before.
    async fn try_output(&self) -> Result<Option<Box<dyn Output>>, StoreError>;

    /// Opens the output for the page: read-only, over a connection of its own that waits for
    /// nobody long. None as before.
    async fn open_page(&self) -> Result<Option<Box<dyn PageReader>>, StoreError>;

    /// Where the readings are, as a message names it.
    fn input_place(&self) -> String;

    /// Where the verdicts go.
    fn output_place(&self) -> String;

    /// What should be known of the way there.
    fn warnings(&self) -> Vec<String> {
        Vec::new()
    }
}
