//! The outbox, over a connection of its own that all channels share.
//!
//! One process delivers at a time, whatever the number of workers that write to the outbox: it
//! holds a lock for that. After a failure the connection is closed, and opened anew when it is
//! needed. The progress of the channels is kept in memory and written at each change; no other
//! process writes it.

use std::collections::HashMap;
use std::sync::Arc;

use crate::alert::outbox::{Mark, Progress};
use crate::datetime::Datetime;
use crate::episode::StoredEpisode;
use crate::store::{EntryState, LeaderLock, OutboxEntry, Output, Store, StoreError, Tried};

/// The name of the lock. The other locks have names of workers.
const LOCK: &str = "delivery of alerts";

/// Entries that are read at once.
pub(super) const PAGE: usize = 500;

/// The last datetime that every store can hold. All due entries are read, because each channel
/// decides itself when it tries an entry again.
const NEVER_LATER: Datetime = Datetime::from_micros(253_402_300_799_000_000);

/// The most pages that are read at once.
const MOST_PAGES: usize = 40;

/// See the module.
pub(super) struct Queue {
    store: Arc<dyn Store>,
    output: Option<Box<dyn Output>>,
    lock: Option<Box<dyn LeaderLock>>,
    /// The progress of entries that were read and are still due.
    progress: HashMap<i64, Progress>,
    /// The names of the channels that take events.
    channels: Vec<String>,
}

/// How far a channel is with an entry.
pub(super) struct EntryMark {
    pub(super) seq: i64,
    pub(super) created_at: Datetime,
    pub(super) mark: Mark,
    pub(super) error: Option<String>,
}

impl Queue {
    pub(super) fn new(store: Arc<dyn Store>, channels: Vec<String>) -> Self {
        Self { store, output: None, lock: None, progress: HashMap::new(), channels }
    }

    /// Whether this process is the one that delivers.
    pub(super) async fn is_ours(&mut self) -> Result<bool, StoreError> {
        if self.lock.is_none() {
            self.lock = Some(self.store.leader_lock(LOCK).await?);
        }
        let asked = match &mut self.lock {
            Some(lock) => lock.try_acquire().await,
            None => Ok(false),
        };
        match asked {
            Ok(true) => Ok(true),
            Ok(false) => {
                self.progress.clear();
                Ok(false)
            }
            Err(error) => {
                self.leave();
                Err(error)
            }
        }
    }

    /// Releases the lock, so that another process can deliver.
    pub(super) fn leave(&mut self) {
        self.lock = None;
        self.output = None;
        self.progress.clear();
    }

    async fn output(&mut self) -> Result<&mut Box<dyn Output>, StoreError> {
        let output = match self.output.take() {
            Some(output) => output,
            None => self.store.open_output().await?,
        };
        Ok(self.output.insert(output))
    }

    /// Passes a result of the output on, and closes the output if it is an error.
    fn kept<T>(&mut self, done: Result<T, StoreError>) -> Result<T, StoreError> {
        if done.is_err() {
            self.output = None;
        }
        done
    }

    /// The first entries after `after` that a channel is not done with, each with the number of its
    /// refusals; and the entry after which the next call can begin.
    pub(super) async fn waiting(
        &mut self,
        channel: &str,
        after: i64,
    ) -> Result<(Vec<(OutboxEntry, u32)>, i64), StoreError> {
        let mut after = after;
        for _ in 0..MOST_PAGES {
            let read = self.output().await?.due(after, NEVER_LATER, PAGE).await;
            let page = self.kept(read)?;
            let is_last = page.len() < PAGE;
            let last = page.last().map_or(after, |entry| entry.seq);
            let mut waiting = Vec::new();
            for entry in page {
                let progress = self.progress.entry(entry.seq).or_insert_with(|| Progress::of(&entry));
                if !progress.is_over(channel) {
                    waiting.push((entry, progress.tries(channel)));
                }
            }
            if let Some((first, _)) = waiting.first() {
                let next = first.seq - 1;
                return Ok((waiting, next));
            }
            after = last;
            if is_last {
                break;
            }
        }
        Ok((Vec::new(), after))
    }

    /// Notes how far a channel is with entries.
    pub(super) async fn note(
        &mut self,
        channel: &str,
        notes: Vec<EntryMark>,
        now: Datetime,
    ) -> Result<(), StoreError> {
        let mut tried = Vec::with_capacity(notes.len());
        for EntryMark { seq, created_at, mark, error } in notes {
            let progress = self.progress.entry(seq).or_default();
            progress.set(channel, mark);
            let names = self.channels.iter().map(String::as_str);
            tried.push((seq, progress.note(names, created_at, now, error)));
        }
        self.write(&tried).await
    }

    async fn write(&mut self, tried: &[(i64, Tried)]) -> Result<(), StoreError> {
        if tried.is_empty() {
            return Ok(());
        }
        let written = match self.output().await {
            Ok(output) => output.tried_all(tried).await,
            Err(error) => Err(error),
        };
        if let Err(error) = self.kept(written) {
            // The progress is read from the table again.
            tried.iter().for_each(|(seq, _)| drop(self.progress.remove(seq)));
            return Err(error);
        }
        for (seq, tried) in tried {
            if tried.state != EntryState::Due {
                self.progress.remove(seq);
            }
        }
        Ok(())
    }

    /// Marks entries as done that wait for no channel any more, because a channel was removed from
    /// the configuration or there is none. Deletes those that were delivered long ago.
    pub(super) async fn tidy(&mut self, now: Datetime, forget_before: Datetime) -> Result<(), StoreError> {
        let mut after = 0;
        for _ in 0..MOST_PAGES {
            let read = self.output().await?.due(after, NEVER_LATER, PAGE).await;
            let page = self.kept(read)?;
            let is_last = page.len() < PAGE;
            after = page.last().map_or(after, |entry| entry.seq);
            let mut done = Vec::new();
            for entry in &page {
                let progress = self.progress.get(&entry.seq).cloned().unwrap_or_else(|| Progress::of(entry));
                let names = self.channels.iter().map(String::as_str);
                let note = progress.note(names, entry.created_at, now, entry.last_error.clone());
                if note.state != EntryState::Due {
                    done.push((entry.seq, note));
                }
            }
            self.write(&done).await?;
            if is_last {
                break;
            }
        }
        let forgotten = self.output().await?.forget_delivered(forget_before, PAGE).await;
        self.kept(forgotten).map(drop)
    }

    /// The episodes that are open.
    pub(super) async fn open_episodes(&mut self) -> Result<Vec<StoredEpisode>, StoreError> {
        let read = self.output().await?.open_episodes().await;
        self.kept(read)
    }
}
