//! Connections to the output that requests lend each other.
//!
//! There are a few of them and no more, however many requests come: who finds none waits a little,
//! and is then told to come again. One that failed, or whose request was given up, is closed.

use std::ops::{Deref, DerefMut};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::{Semaphore, SemaphorePermit};

use super::error::WebError;
use crate::store::{Output, PageReader, Store, StoreError};

/// Connections at once: a chart takes some tens of milliseconds of one.
const MOST: usize = 3;

/// How long a request waits for one.
const WAIT: Duration = Duration::from_secs(4);

/// How long the list of variables is believed.
const NAMES_KEPT: Duration = Duration::from_secs(60);

/// So many variables are listed.
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

    /// A connection that works.
    pub(super) async fn lend(&self) -> Result<Lent<'_>, WebError> {
        let place = tokio::time::timeout(WAIT, self.places.acquire()).await;
        let Ok(Ok(place)) = place else { return Err(WebError::Busy) };
        loop {
            let Some(mut reader) = self.idle().pop() else { break };
            // One that rested may be gone.
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

    /// Where the verdicts are, in words.
    pub(super) fn place(&self) -> String {
        self.store.output_place()
    }
}

/// A connection that is lent. Whoever got its answer gives it back; else it is closed.
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

    /// The same after an answer; after a failure it is closed.
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

/// The variables that there are, as they were a little while ago.
#[derive(Default)]
pub(super) struct VariableList(Mutex<Option<KnownNames>>);

impl VariableList {
    pub(super) async fn get(&self, reader: &mut dyn PageReader) -> Result<Arc<[Arc<str>]>, StoreError> {
        let known = self.0.lock().unwrap_or_else(PoisonError::into_inner).clone();
        if let Some((_, names)) = known.filter(|(read, _)| read.elapsed() < NAMES_KEPT) {
            return Ok(names);
        }
        let names: Arc<[Arc<str>]> = reader.variables(MOST_NAMES).await?.into();
        // A table that is still empty is asked again.
        if !names.is_empty() {
            let known = Some((Instant::now(), Arc::clone(&names)));
            *self.0.lock().unwrap_or_else(PoisonError::into_inner) = known;
        }
        Ok(names)
    }
}
