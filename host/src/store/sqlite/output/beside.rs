//! Reads and writes of episodes and of the outbox, beside the commits.

use async_trait::async_trait;

use super::SqliteOutput;
use crate::datetime::Datetime;
use crate::episode::{EpisodeRange, Feedback, Shelving, StoredEpisode};
use crate::store::sqlite::{episodes, outbox};
use crate::store::{
    EntryState, EpisodeEditor, EpisodeReader, OutboxCounts, OutboxEntry, OutboxQueue, StoreError, Tried,
};

#[async_trait]
impl EpisodeReader for SqliteOutput {
    async fn open_episodes(&mut self) -> Result<Vec<StoredEpisode>, StoreError> {
        self.read(|connection, tables| episodes::open(connection, &tables.episodes)).await
    }

    async fn episode(&mut self, id: i64) -> Result<Option<StoredEpisode>, StoreError> {
        self.read(move |connection, tables| episodes::by_id(connection, &tables.episodes, id)).await
    }

    async fn episodes(&mut self, wanted: &EpisodeRange) -> Result<Vec<StoredEpisode>, StoreError> {
        let wanted = wanted.clone();
        self.read(move |connection, tables| episodes::within(connection, &tables.episodes, &wanted)).await
    }

    async fn shelved(&mut self) -> Result<Vec<StoredEpisode>, StoreError> {
        self.read(|connection, tables| episodes::shelved(connection, &tables.episodes)).await
    }
}

#[async_trait]
impl EpisodeEditor for SqliteOutput {
    async fn shelve(&mut self, shelving: &Shelving) -> Result<(), StoreError> {
        let shelving = shelving.clone();
        self.write(move |connection, tables| episodes::shelve(connection, &tables.episodes, &shelving)).await
    }

    async fn unshelve(&mut self, variable: &str, now: Datetime) -> Result<bool, StoreError> {
        let variable = variable.to_owned();
        self.write(move |connection, tables| episodes::unshelve(connection, &tables.episodes, &variable, now))
            .await
    }

    async fn say(
        &mut self,
        id: i64,
        feedback: Feedback,
        note: Option<&str>,
        now: Datetime,
    ) -> Result<bool, StoreError> {
        let note = note.map(str::to_owned);
        self.write(move |connection, tables| {
            episodes::say(connection, &tables.episodes, id, feedback, note.as_deref(), now)
        })
        .await
    }
}

#[async_trait]
impl OutboxQueue for SqliteOutput {
    async fn due(&mut self, after: i64, now: Datetime, limit: usize) -> Result<Vec<OutboxEntry>, StoreError> {
        self.read(move |connection, tables| outbox::due(connection, &tables.outbox, after, now, limit)).await
    }

    async fn tried(&mut self, seq: i64, tried: &Tried) -> Result<bool, StoreError> {
        let tried = tried.clone();
        self.write(move |connection, tables| outbox::tried(connection, &tables.outbox, seq, &tried)).await
    }

    async fn tried_all(&mut self, tried: &[(i64, Tried)]) -> Result<(), StoreError> {
        let all = tried.to_vec();
        self.write(move |connection, tables| {
            for (seq, tried) in &all {
                outbox::tried(connection, &tables.outbox, *seq, tried)?;
            }
            Ok(())
        })
        .await
    }

    async fn delivered(&mut self, seqs: &[i64], at: Datetime) -> Result<(), StoreError> {
        let seqs = seqs.to_vec();
        let delivered = Tried { state: EntryState::Delivered, at, error: None, progress: None };
        self.write(move |connection, tables| {
            for seq in seqs {
                outbox::tried(connection, &tables.outbox, seq, &delivered)?;
            }
            Ok(())
        })
        .await
    }

    async fn entries(&mut self, state: EntryState, limit: usize) -> Result<Vec<OutboxEntry>, StoreError> {
        self.read(move |connection, tables| outbox::newest(connection, &tables.outbox, state, limit)).await
    }

    async fn outbox_counts(&mut self) -> Result<OutboxCounts, StoreError> {
        self.read(|connection, tables| outbox::counts(connection, &tables.outbox)).await
    }

    async fn forget_delivered(&mut self, before: Datetime, limit: usize) -> Result<u64, StoreError> {
        self.write(move |connection, tables| outbox::forget(connection, &tables.outbox, before, limit)).await
    }
}
