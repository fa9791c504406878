//! The store on a SQL Server: readings from one database, verdicts and state into the same,
//! another, or one on another server.
//!
//! Input and output each have a connection of their own until an error occurs on it: a connection
//! whose call was cancelled is out of sync with the server and is never used again, and the caller
//! opens the store again ([`connection`]). All statements are in [`sql`]. They use only what every
//! T-SQL server supports: no MERGE, no hints except the import's, no settings of the database.
//! Every error is a [`StoreError`] that names server, database and table, with the server's own
//! text.
//!
//! The users' database is in production. The input is only read, by statements that each read a
//! bounded number of rows by seeking; no lock is waited for longer than [`Timeouts::lock`], and the
//! one transaction of a commit lasts one round trip.

mod class;
mod connect;
mod connection;
mod connection_string;
mod datetime;
mod encryption;
mod endpoint;
mod ensure_tables;
mod episodes;
mod error;
mod importer;
mod input;
mod leader_lock;
mod output;
mod page_reader;
mod probe;
mod row;
pub mod sql;
mod staging;
mod state_row;
mod stored;
mod table;
mod target;

use async_trait::async_trait;

pub use encryption::Encryption;
pub use endpoint::endpoint;
pub use importer::SqlServerImporter;
pub use input::SqlServerInput;
pub use output::SqlServerOutput;
pub use target::{Address, Login, Password, Target, Timeouts, Trust};

use super::page_reader::{LOCK_PATIENCE, PATIENCE};
use super::{
    Connector, Importer, Input, LeaderLock, Output, PageReader, PlantClock, Store, StoreError, TableNames,
};
use connection::Connection;

/// The databases and the tables.
#[derive(Clone, Debug)]
pub struct SqlServerStore {
    pub input: Target,
    /// It may be the same.
    pub output: Target,
    pub tables: TableNames,
    /// The clock that gives the plant's time.
    pub clock: PlantClock,
}

impl SqlServerStore {
    /// Opens the input.
    ///
    /// # Errors
    /// `Connection` for a server that does not answer, or not in time; `Permission` for a login
    /// that it refuses.
    pub async fn open_input(&self) -> Result<SqlServerInput, StoreError> {
        Ok(SqlServerInput::new(
            Connection::open(&self.input).await?,
            self.tables.input.clone(),
            self.clock.clone(),
        ))
    }

    /// Opens the output. Nothing is created.
    ///
    /// # Errors
    /// As for the input.
    pub async fn open_output(&self) -> Result<SqlServerOutput, StoreError> {
        let link = Connection::open(&self.output).await?;
        Ok(SqlServerOutput::new(link, self.output.clone(), self.tables.clone()))
    }
}

#[async_trait]
impl Connector for SqlServerStore {
    async fn open(&self) -> Result<(Box<dyn Input>, Box<dyn Output>), StoreError> {
        let input = self.open_input().await?;
        let output = self.open_output().await?;
        Ok((Box::new(input), Box::new(output)))
    }

    async fn open_output(&self) -> Result<Box<dyn Output>, StoreError> {
        Ok(Box::new(Self::open_output(self).await?))
    }

    async fn leader_lock(&self, worker: &str) -> Result<Box<dyn LeaderLock>, StoreError> {
        Ok(Box::new(leader_lock::AppLock::line_up(&self.output, &self.tables.state, worker).await?))
    }

    async fn open_importer(&self, create: bool) -> Result<Box<dyn Importer>, StoreError> {
        let link = Connection::open(&self.input).await?;
        Ok(Box::new(SqlServerImporter::begin(link, self.tables.input.clone(), create).await?))
    }
}

#[async_trait]
impl Store for SqlServerStore {
    async fn look_at_input(&self) -> Result<Box<dyn Input>, StoreError> {
        Ok(Box::new(self.open_input().await?))
    }

    async fn look_at_output(&self) -> Result<Option<Box<dyn Output>>, StoreError> {
        Ok(Some(Box::new(self.open_output().await?)))
    }

    async fn try_output(&self) -> Result<Option<Box<dyn Output>>, StoreError> {
        self.look_at_output().await
    }

    async fn open_page(&self) -> Result<Option<Box<dyn PageReader>>, StoreError> {
        let timeouts = Timeouts {
            connect: PATIENCE.min(self.output.timeouts.connect),
            query: PATIENCE.min(self.output.timeouts.query),
            lock: LOCK_PATIENCE.min(self.output.timeouts.lock),
        };
        let output = Target { timeouts, ..self.output.clone() };
        let mut reader = Self { output, ..self.clone() }.open_output().await?;
        reader.clock = self.clock.clone();
        Ok(Some(Box::new(reader)))
    }

    fn input_place(&self) -> String {
        self.input.place()
    }

    fn output_place(&self) -> String {
        self.output.place()
    }

    fn warnings(&self) -> Vec<String> {
        let targets = [&self.input, &self.output];
        let mut files: Vec<_> = targets.iter().filter_map(|target| target.exposed_password()).collect();
        files.dedup();
        let exposed = files.iter().map(|file| {
            format!("everybody on this machine can read the password in `{}`: `chmod o-r` it", file.display())
        });
        let mut servers: Vec<String> =
            targets.iter().filter(|target| target.trusts_any()).map(ToString::to_string).collect();
        servers.dedup();
        let warning = |server| format!("the certificate of `{server}` is not checked, as it was configured");
        servers.into_iter().map(warning).chain(exposed).collect()
    }
}
