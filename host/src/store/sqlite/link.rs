//! A connection, kept where a blocking thread can use it.
//!
//! A call that was begun runs to its end even if its future is dropped: the next call waits for it, and nobody ever sees a
//! connection in the middle of something. A commit whose future was dropped may therefore have happened; the state row tells.

use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use rusqlite::Connection;

use super::fault::{Answer, Fault};
use super::open::{self, Identity};
use crate::store::{StoreError, Trouble};

/// What a connection is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Side {
    /// Reads only, creates nothing.
    Input,
    Output {
        /// Whether a missing file is created.
        create: bool,
    },
    /// Writes the input, for `host import`.
    Import {
        /// Whether a missing file is created.
        create: bool,
    },
}

/// An open database file.
pub(super) struct Link {
    shared: Arc<Shared>,
}

struct Shared {
    connection: Mutex<Connection>,
    path: PathBuf,
    identity: Identity,
    busy_timeout: Duration,
}

impl Link {
    pub(super) async fn open(path: PathBuf, side: Side, busy_timeout: Duration) -> Result<Self, StoreError> {
        blocking(move || {
            let (connection, identity) =
                open::open(&path, side, busy_timeout).map_err(|fault| fault.at(&path, busy_timeout))?;
            let shared = Shared { connection: Mutex::new(connection), path, identity, busy_timeout };
            Ok(Self { shared: Arc::new(shared) })
        })
        .await
    }

    /// Runs `work` on the connection, on a blocking thread.
    pub(super) async fn call<T, W>(&self, work: W) -> Result<T, StoreError>
    where
        T: Send + 'static,
        W: FnOnce(&mut Connection) -> Answer<T> + Send + 'static,
    {
        let shared = Arc::clone(&self.shared);
        blocking(move || shared.run(work)).await
    }

    /// Closes the connection, after what may still run on it.
    pub(super) async fn close(self) -> Result<(), StoreError> {
        blocking(move || {
            drop(self.shared.connection.lock());
            drop(self.shared);
            Ok(())
        })
        .await
    }
}

impl Shared {
    fn run<T>(&self, work: impl FnOnce(&mut Connection) -> Answer<T>) -> Result<T, StoreError> {
        // A panic in an earlier call has rolled its transaction back while it unwound: the connection is as good as before.
        let mut connection = self.connection.lock().unwrap_or_else(PoisonError::into_inner);
        self.still_there()
            .and_then(|()| work(&mut connection))
            .map_err(|fault| fault.at(&self.path, self.busy_timeout))
    }

    /// An open file goes on working after it was deleted or replaced: reads would say "nothing new" for ever, and writes
    /// would be lost.
    fn still_there(&self) -> Answer<()> {
        let why = match Identity::of(&self.path) {
            Ok(identity) if identity == self.identity => return Ok(()),
            Ok(_) => "the file was replaced by another while it was open".to_owned(),
            Err(error) => format!("the file has gone while it was open ({error})"),
        };
        Err(Fault::Found(Trouble::Connection, why))
    }
}

async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, StoreError> + Send + 'static,
) -> Result<T, StoreError> {
    tokio::task::spawn_blocking(work).await.unwrap_or_else(|died| {
        Err(StoreError {
            trouble: Trouble::Other,
            message: "a call to SQLite did not come to its end".to_owned(),
            source: Some(Box::new(died)),
        })
    })
}
