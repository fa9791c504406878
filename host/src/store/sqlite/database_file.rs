//! A connection that blocking threads can use.
//!
//! A call that has started runs to its end even if its future is dropped. The next call waits for
//! it, so that no call finds the connection within a transaction. A commit whose future was dropped
//! may therefore have happened; the state row shows it.

use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use rusqlite::Connection;

use super::connect::{self, Identity, OpenFile};
use super::error::{Error, Result};
use super::log;
use super::side::Side;
use crate::store::{ErrorKind, StoreError};

/// An open database file.
pub(super) struct DatabaseFile {
    shared: Arc<FileState>,
}

struct FileState {
    connection: Mutex<OpenFile>,
    path: PathBuf,
    side: Side,
    identity: Identity,
    busy_timeout: Duration,
}

impl DatabaseFile {
    pub(super) async fn open(path: PathBuf, side: Side, busy_timeout: Duration) -> Result<Self, StoreError> {
        blocking(move || {
            let opened = connect::open(&path, side, busy_timeout);
            let (open, identity) = opened.map_err(|fault| fault.at(&path, busy_timeout))?;
            let shared = FileState { connection: Mutex::new(open), path, side, identity, busy_timeout };
            Ok(Self { shared: Arc::new(shared) })
        })
        .await
    }

    /// Runs `work` on the connection, on a blocking thread.
    pub(super) async fn call<T, W>(&self, work: W) -> Result<T, StoreError>
    where
        T: Send + 'static,
        W: FnOnce(&mut Connection) -> Result<T> + Send + 'static,
    {
        let shared = Arc::clone(&self.shared);
        blocking(move || shared.run(work)).await
    }

    /// Closes the connection, after a call that may still run on it.
    pub(super) async fn close(self) -> Result<(), StoreError> {
        blocking(move || {
            drop(self.shared.connection.lock());
            drop(self.shared);
            Ok(())
        })
        .await
    }
}

impl FileState {
    fn run<T>(&self, work: impl FnOnce(&mut Connection) -> Result<T>) -> Result<T, StoreError> {
        // A panic in an earlier call has rolled its transaction back while unwinding: the
        // connection can be used.
        let mut open = self.connection.lock().unwrap_or_else(PoisonError::into_inner);
        self.run_on(&mut open, work).map_err(|fault| fault.at(&self.path, self.busy_timeout))
    }

    fn run_on<T>(&self, open: &mut OpenFile, work: impl FnOnce(&mut Connection) -> Result<T>) -> Result<T> {
        self.still_there()?;
        if open.was_written(&self.path) {
            (*open, _) = connect::open(&self.path, self.side, self.busy_timeout)?;
        }
        let done = work(&mut open.connection)?;
        if open.was_written(&self.path) {
            let why = "it was written while it was looked at; look again";
            return Err(Error::Found(ErrorKind::Busy, why.to_owned()));
        }
        if matches!(self.side, Side::Output { .. } | Side::Import { .. }) {
            log::cut(&open.connection, self.busy_timeout);
        }
        Ok(done)
    }

    /// A deleted or replaced file still works while it is open: reads would find nothing new for
    /// ever, and writes would be lost.
    fn still_there(&self) -> Result<()> {
        let why = match Identity::of(&self.path) {
            Ok(identity) if identity == self.identity => return Ok(()),
            Ok(_) => "the file was replaced by another while it was open".to_owned(),
            Err(error) => format!("the file has gone while it was open ({error})"),
        };
        Err(Error::Found(ErrorKind::Connection, why))
    }
}

async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, StoreError> + Send + 'static,
) -> Result<T, StoreError> {
    tokio::task::spawn_blocking(work).await.unwrap_or_else(|died| {
        Err(StoreError {
            kind: ErrorKind::Other,
            message: "a call to SQLite did not come to its end".to_owned(),
            source: Some(Box::new(died)),
        })
    })
}
