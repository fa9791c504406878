//! The embedded store: SQLite files with the same tables as a server's database.
//!
//! Input and output each have a connection of their own, to one file or to two, for as long as the
//! worker lives. SQLite's calls block, so each runs on a blocking thread ([`database_file`]). Every
//! error is a [`StoreError`] that names the file and says what a person can do about it.

mod column_form;
mod connect;
mod database_file;
mod datetime;
mod ensure_tables;
mod episodes;
mod error;
mod importer;
mod input;
mod input_table;
mod leader_lock;
mod log;
mod names;
mod outbox;
mod output;
mod page;
mod page_reader;
mod parts;
mod range;
mod row;
mod side;
mod state_row;
mod stored;
mod table;
mod verdicts;

use std::path::PathBuf;
use std::time::Duration;

use async_trait::async_trait;

pub use importer::SqliteImporter;
pub use input::SqliteInput;
pub use output::SqliteOutput;

use super::page_reader::{LOCK_PATIENCE, PATIENCE};
use super::{
    Clock, Connector, Importer, Input, LeaderLock, Output, PageReader, Store, StoreError, TableNames,
};
use database_file::DatabaseFile;
use side::Side;

/// How long a call waits for another program's lock. Commits take milliseconds, so a lock that is
/// held this long belongs to a person's open transaction or a backup; the next cycle tries again,
/// and nothing is lost.
pub const BUSY_TIMEOUT: Duration = Duration::from_secs(5);

/// The files and the tables.
#[derive(Clone, Debug)]
pub struct SqliteStore {
    /// It must exist: it is never created, and only read.
    pub input: PathBuf,
    /// It may be the same file.
    pub output: PathBuf,
    /// Whether an output file that does not exist is created.
    pub create_output: bool,
    pub tables: TableNames,
    pub clock: Clock,
    pub busy_timeout: Duration,
}

impl SqliteStore {
    /// One file for both, which must exist, with the default tables and this machine's clock.
    pub fn new(file: impl Into<PathBuf>) -> Self {
        let file = file.into();
        Self {
            input: file.clone(),
            output: file,
            create_output: false,
            tables: TableNames::default(),
            clock: Clock::system(),
            busy_timeout: BUSY_TIMEOUT,
        }
    }

    /// Opens the input, read-only.
    ///
    /// # Errors
    /// `Connection` for a file that does not exist, `Permission`, `Busy`; `Other` for a file that
    /// is not an SQLite database.
    pub async fn open_input(&self) -> Result<SqliteInput, StoreError> {
        let link = DatabaseFile::open(self.input.clone(), Side::Input, self.busy_timeout).await?;
        Ok(SqliteInput::new(link, self.tables.input.clone(), self.clock.clone()))
    }

    /// Opens the output.
    ///
    /// # Errors
    /// As for the input.
    pub async fn open_output(&self) -> Result<SqliteOutput, StoreError> {
        self.output_as(Side::Output { create: self.create_output }, None).await
    }

    async fn output_as(&self, side: Side, patience: Option<Duration>) -> Result<SqliteOutput, StoreError> {
        let link = DatabaseFile::open(self.output.clone(), side, self.busy_timeout).await?;
        Ok(SqliteOutput::new(link, self.tables.clone(), self.clock.clone(), patience))
    }
}

#[async_trait]
impl Connector for SqliteStore {
    async fn open(&self) -> Result<(Box<dyn Input>, Box<dyn Output>), StoreError> {
        // The input first: if both are one file, a mistyped path must not create an empty database.
        let input = self.open_input().await?;
        let output = self.open_output().await?;
        Ok((Box::new(input), Box::new(output)))
    }

    async fn open_output(&self) -> Result<Box<dyn Output>, StoreError> {
        Ok(Box::new(Self::open_output(self).await?))
    }

    async fn leader_lock(&self, worker: &str) -> Result<Box<dyn LeaderLock>, StoreError> {
        Ok(Box::new(leader_lock::FileLock::new(self, worker)))
    }

    async fn open_importer(&self, create: bool) -> Result<Box<dyn Importer>, StoreError> {
        let link = DatabaseFile::open(self.input.clone(), Side::Import { create }, self.busy_timeout).await?;
        Ok(Box::new(SqliteImporter::begin(link, self.tables.input.clone(), create).await?))
    }
}

#[async_trait]
impl Store for SqliteStore {
    async fn look_at_input(&self) -> Result<Box<dyn Input>, StoreError> {
        let link = DatabaseFile::open(self.input.clone(), Side::Look, self.busy_timeout).await?;
        Ok(Box::new(SqliteInput::new(link, self.tables.input.clone(), self.clock.clone())))
    }

    async fn look_at_output(&self) -> Result<Option<Box<dyn Output>>, StoreError> {
        if !self.output.exists() {
            return Ok(None);
        }
        Ok(Some(Box::new(self.output_as(Side::Look, None).await?)))
    }

    async fn try_output(&self) -> Result<Option<Box<dyn Output>>, StoreError> {
        if !self.output.exists() {
            return Ok(None);
        }
        Ok(Some(Box::new(self.output_as(Side::Trial, None).await?)))
    }

    async fn open_page(&self) -> Result<Option<Box<dyn PageReader>>, StoreError> {
        if !self.output.exists() {
            return Ok(None);
        }
        let store = Self { busy_timeout: LOCK_PATIENCE, ..self.clone() };
        Ok(Some(Box::new(store.output_as(Side::Input, Some(PATIENCE)).await?)))
    }

    fn input_place(&self) -> String {
        self.input.display().to_string()
    }

    fn output_place(&self) -> String {
        self.output.display().to_string()
    }
}
