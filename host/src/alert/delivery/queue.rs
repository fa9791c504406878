//! The outbox, over a connection of its own that all channels share.
//!
//! One process delivers at a time, whatever the number of workers that write to the outbox: it
//! holds a lock of its own. After any failure the connection is thrown away, and what is known with
//! it. What the channels are done with is known here and written through, because this is the only
//! one that writes it.

use std::collections::HashMap;
use std::sync::Arc;

use crate::alert::outbox::{Mark, Progress};
use crate::datetime::Datetime;
use crate::episode::StoredEpisode;
use crate::store::{EntryState, LeaderLock, OutboxEntry, Output, Store, StoreError, Tried};

/// What the lock goes by beside the workers' names.
const LOCK: &str = "delivery of alerts";

/// Entries that are read at once.
pub(super) const PAGE: usize = 500;

/// When an entry is tried is each channel's own affair: all that are due are read. The last moment
/// that every store can hold.
const NEVER_LATER: Datetime = Datetime::from_micros(253_402_300_799_000_000);

/// How many pages a look takes.
const MOST_PAGES: usize = 40;

/// See the module.
pub(super) struct Queue {
    store: Arc<dyn Store>,
    output: Option<Box<dyn Output>>,
    lock: Option<Box<dyn LeaderLock>>,
    /// Of entries that were read and are still due.
    progress: HashMap<i64, Progress>,
    /// Those that are told what happens.
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

    /// Lets another one deliver.
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

    /// What has to do with the output, which is not used again after a failure.
    fn kept<T>(&mut self, done: Result<T, StoreError>) -> Result<T, StoreError> {
        if done.is_err() {
            self.output = None;
        }
        done
    }

    /// The first entries from `after` on that a channel is not done with, and what it refused of
    /// them how often; and where the next look can begin.
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
            // What the table says is read again.
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

    /// Entries that wait for no channel any more, because one was taken out of the configuration or
    /// there is none, are done; and those that were done long ago go.
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
