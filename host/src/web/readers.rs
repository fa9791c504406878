//! A pool of connections to the output.
//!
//! The pool is small and bounded. A request that finds no free connection waits for a few seconds,
//! and is then refused as busy. A connection that failed, or whose request was cancelled, is
//! closed.

use std::ops::{Deref, DerefMut};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::{Semaphore, SemaphorePermit};

use super::error::WebError;
use crate::store::{Output, PageReader, Store, StoreError};

/// Connections at a time. A chart uses one for some tens of milliseconds.
const MOST: usize = 3;

/// How long a request waits for one.
const WAIT: Duration = Duration::from_secs(4);

/// How long the list of variables is cached.
const NAMES_KEPT: Duration = Duration::from_secs(60);

/// The most variables of the list.
pub(super) const MOST_NAMES: usize = 5_000;

pub(super) struct Readers {
    store: Box<dyn Store>,
    idle: Mutex<Vec<Box<dyn PageReader>>>,
    places: Semaphore,
}

impl Readers {
    pub(super) fn new(store: Box<dyn Store>) -> Self {
        Self { store, idle: Mutex::default(), places: Semaphore::new(MOST) }
    }

    fn idle(&self) -> std::sync::MutexGuard<'_, Vec<Box<dyn PageReader>>> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes a connection that works.
    pub(super) async fn lend(&self) -> Result<Lent<'_>, WebError> {
        let place = tokio::time::timeout(WAIT, self.places.acquire()).await;
        let Ok(Ok(place)) = place else { return Err(WebError::Busy) };
        loop {
            let Some(mut reader) = self.idle().pop() else { break };
            // An idle connection may have been closed by the server.
            if reader.clock().await.is_ok() {
                return Ok(Lent { reader: Some(reader), of: self, _place: place });
            }
        }
        let reader = self.store.open_page().await?.ok_or_else(|| WebError::NoDatabase(self.place()))?;
        Ok(Lent { reader: Some(reader), of: self, _place: place })
    }

    /// A connection that may write, for one change.
    pub(super) async fn writer(&self) -> Result<Box<dyn Output>, WebError> {
        Ok(self.store.open().await?.1)
    }

    /// The place of the verdicts, for messages.
    pub(super) fn place(&self) -> String {
        self.store.output_place()
    }
}

/// A connection on loan. After a success it is given back; otherwise it is closed.
pub(super) struct Lent<'a> {
    /// None once it is given back.
    reader: Option<Box<dyn PageReader>>,
    of: &'a Readers,
    _place: SemaphorePermit<'a>,
}

impl Lent<'_> {
    pub(super) fn give_back(mut self) {
        if let Some(reader) = self.reader.take() {
            self.of.idle().push(reader);
        }
    }

    /// Gives it back after a success; after a failure it is closed.
    pub(super) fn after<T>(self, answer: Result<T, StoreError>) -> Result<T, WebError> {
        if answer.is_ok() {
            self.give_back();
        }
        Ok(answer?)
    }
}

impl Deref for Lent<'_> {
    type Target = dyn PageReader;

    fn deref(&self) -> &Self::Target {
        #[expect(clippy::expect_used, reason = "it is there until this is consumed")]
        &**self.reader.as_ref().expect("lent")
    }
}

impl DerefMut for Lent<'_> {
    fn deref_mut(&mut self) -> &mut Self::Target {
        #[expect(clippy::expect_used, reason = "it is there until this is consumed")]
        &mut **self.reader.as_mut().expect("lent")
    }
}

type KnownNames = (Instant, Arc<[Arc<str>]>);

/// The names of all variables, cached.
#[derive(Default)]
pub(super) struct VariableList(Mutex<Option<KnownNames>>);

impl VariableList {
    pub(super) async fn get(&self, reader: &mut dyn PageReader) -> Result<Arc<[Arc<str>]>, StoreError> {
        let known = self.0.lock().unwrap_or_else(PoisonError::into_inner).clone();
        if let Some((_, names)) = known.filter(|(read, _)| read.elapsed() < NAMES_KEPT) {
            return Ok(names);
        }
        let names: Arc<[Arc<str>]> = reader.variables(MOST_NAMES).await?.into();
        // An empty list is not cached: the table may be new.
        if !names.is_empty() {
            let known = Some((Instant::now(), Arc::clone(&names)));
            *self.0.lock().unwrap_or_else(PoisonError::into_inner) = known;
        }
        Ok(names)
    }
}
