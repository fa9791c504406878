//! The tables of episodes and of the outbox, by caller: reading episodes, changes by people, and
//! the delivery of messages. All other changes are made in a worker's commit.
//!
//! Each call is a few index seeks, whatever the size of the tables.

use std::sync::Arc;

use async_trait::async_trait;

use super::{StoreError, TableName};
use crate::datetime::Datetime;
use crate::episode::words::words;
use crate::episode::{Episode, EpisodeRange, Feedback, MessageKind, Shelving, StoredEpisode};

/// Reads episodes of any kind.
#[async_trait]
pub trait EpisodeReader: Send {
    /// Those that are open, by begin, shelved ones among them.
    async fn open_episodes(&mut self) -> Result<Vec<StoredEpisode>, StoreError>;

    /// The episode of this number.
    async fn episode(&mut self, id: i64) -> Result<Option<StoredEpisode>, StoreError>;

    /// The newest first, each up to the reading that closed it. For all variables, an episode that
    /// began before the range and was closed after it is not found; for one variable it is.
    async fn episodes(&mut self, wanted: &EpisodeRange) -> Result<Vec<StoredEpisode>, StoreError>;

    /// What is shelved now: the open rows of that kind, one seek.
    async fn shelved(&mut self) -> Result<Vec<StoredEpisode>, StoreError>;
}

/// Changes of episodes that people make.
#[async_trait]
pub trait EpisodeEditor: Send {
    /// Shelves a variable. If it is shelved already, the new end applies.
    async fn shelve(&mut self, shelving: &Shelving) -> Result<(), StoreError>;

    /// Ends the shelving; false if it was not shelved.
    async fn unshelve(&mut self, variable: &str, now: Datetime) -> Result<bool, StoreError>;

    /// Stores feedback on an episode; false if there is none of this number.
    async fn say(
        &mut self,
        id: i64,
        feedback: Feedback,
        note: Option<&str>,
        now: Datetime,
    ) -> Result<bool, StoreError>;
}

words! {
    /// The state of an entry of the outbox.
    EntryState {
        Due = "due",
        Delivered = "delivered",
        /// Given up.
        Dead = "dead",
    }
}

/// An entry of the outbox.
#[derive(Clone, Debug, PartialEq)]
pub struct OutboxEntry {
    /// Assigned by the table, in the order of insertion.
    pub seq: i64,
    /// Unique, and the same at each try.
    pub id: String,
    pub kind: MessageKind,
    pub variable: Option<Arc<str>>,
    pub episode_id: Option<i64>,
    pub created_at: Datetime,
    /// JSON: the episode as it was then.
    pub payload: String,
    pub attempts: i32,
    pub next_try_at: Datetime,
    pub state: EntryState,
    pub last_error: Option<String>,
    /// The deliverer's own notes: the channels that have it already.
    pub progress: Option<String>,
}

/// The result of a try.
#[derive(Clone, Debug, PartialEq)]
pub struct Tried {
    pub state: EntryState,
    /// The time of its next try; once it is delivered or dead, the time of that.
    pub at: Datetime,
    pub error: Option<String>,
    pub progress: Option<String>,
}

/// The number of entries.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct OutboxCounts {
    pub due: u64,
    pub dead: u64,
    /// When the oldest entry that is due was made.
    pub oldest_due: Option<Datetime>,
}

/// Delivery of the entries of the outbox.
#[async_trait]
pub trait OutboxQueue: Send {
    /// At most `limit` entries that are due, follow the entry `after`, and whose next try is not
    /// later than `now`, in the order of insertion.
    async fn due(&mut self, after: i64, now: Datetime, limit: usize) -> Result<Vec<OutboxEntry>, StoreError>;

    /// Stores the result of a try, and counts the try; false if there is no such entry.
    async fn tried(&mut self, seq: i64, tried: &Tried) -> Result<bool, StoreError>;

    /// The same for several, in one transaction.
    async fn tried_all(&mut self, tried: &[(i64, Tried)]) -> Result<(), StoreError>;

    /// Stores that these were delivered, in one transaction.
    async fn delivered(&mut self, seqs: &[i64], at: Datetime) -> Result<(), StoreError>;

    /// The newest entries of this state, the newest first.
    async fn entries(&mut self, state: EntryState, limit: usize) -> Result<Vec<OutboxEntry>, StoreError>;

    /// The numbers of due and dead entries. Delivered ones are not counted.
    async fn outbox_counts(&mut self) -> Result<OutboxCounts, StoreError>;

    /// Deletes at most `limit` entries that were delivered before that; returns their number.
    async fn forget_delivered(&mut self, before: Datetime, limit: usize) -> Result<u64, StoreError>;
}

/// The results of several seeks for a range: each episode once, the newest first, no more than the
/// limit.
pub(super) fn newest_first(mut found: Vec<StoredEpisode>, wanted: &EpisodeRange) -> Vec<StoredEpisode> {
    found.retain(|found| {
        let episode = &found.episode;
        episode.begin < wanted.to && episode.closed_at.is_none_or(|closed_at| closed_at >= wanted.from)
    });
    found.sort_by_key(|found| std::cmp::Reverse((found.episode.begin, found.id)));
    found.dedup_by_key(|found| found.id);
    found.truncate(wanted.limit);
    found
}

/// The error if an episode that a commit changes was changed by another process.
pub(super) fn changed_meanwhile(episodes: &TableName, episode: &Episode) -> String {
    format!(
        "table `{episodes}`: somebody else has changed the episode of `{}` from {} meanwhile; nothing was written, and it is tried \
         again with what stands there now",
        episode.variable, episode.begin
    )
}
