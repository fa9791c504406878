//! The tables of episodes and of the outbox, by who calls: what reads episodes, what a person
//! changes of them, and what delivers messages. They change otherwise only in a worker's commit.
//!
//! Each call is a few seeks, whatever the tables hold.

use std::sync::Arc;

use async_trait::async_trait;

use super::{StoreError, TableName};
use crate::datetime::Datetime;
use crate::episode::words::words;
use crate::episode::{Episode, EpisodeRange, Feedback, MessageKind, Shelving, StoredEpisode};

/// Reads episodes, of whatever kind.
#[async_trait]
pub trait EpisodeReader: Send {
    /// Those that are open, by begin. What is shelved is among them.
    async fn open_episodes(&mut self) -> Result<Vec<StoredEpisode>, StoreError>;

    /// The one of this number.
    async fn episode(&mut self, id: i64) -> Result<Option<StoredEpisode>, StoreError>;

    /// The newest first, each up to the reading that closed it. Of all variables, one that began
    /// before the range and was closed after it is not found; of one variable it is.
    async fn episodes(&mut self, wanted: &EpisodeRange) -> Result<Vec<StoredEpisode>, StoreError>;

    /// What is shelved now: the open rows of that kind, a seek.
    async fn shelved(&mut self) -> Result<Vec<StoredEpisode>, StoreError>;
}

/// What a person does about episodes.
#[async_trait]
pub trait EpisodeEditor: Send {
    /// Shelves a variable. One that is shelved already is so until then.
    async fn shelve(&mut self, shelving: &Shelving) -> Result<(), StoreError>;

    /// Ends it; false if it was not shelved.
    async fn unshelve(&mut self, variable: &str, now: Datetime) -> Result<bool, StoreError>;

    /// Says something of an episode; false if there is none of this number.
    async fn say(
        &mut self,
        id: i64,
        feedback: Feedback,
        note: Option<&str>,
        now: Datetime,
    ) -> Result<bool, StoreError>;
}

words! {
    /// Where an entry of the outbox stands.
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
    /// Given by the table, in the order in which they came.
    pub seq: i64,
    /// Of no other message, and the same at each try.
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
    /// What the deliverer has noted for itself: which channels have it already.
    pub progress: Option<String>,
}

/// What became of a try.
#[derive(Clone, Debug, PartialEq)]
pub struct Tried {
    pub state: EntryState,
    /// When it is tried again; once it is delivered or dead, when that was.
    pub at: Datetime,
    pub error: Option<String>,
    pub progress: Option<String>,
}

/// How many entries there are.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct OutboxCounts {
    pub due: u64,
    pub dead: u64,
    /// When the oldest of those that are due was made.
    pub oldest_due: Option<Datetime>,
}

/// What delivers the entries of the outbox.
#[async_trait]
pub trait OutboxQueue: Send {
    /// At most `limit` entries that are due, that came after the entry `after`, and whose next try
    /// is not after `now`, in the order in which they came.
    async fn due(&mut self, after: i64, now: Datetime, limit: usize) -> Result<Vec<OutboxEntry>, StoreError>;

    /// Notes what became of a try, and counts it; false if there is no such entry.
    async fn tried(&mut self, seq: i64, tried: &Tried) -> Result<bool, StoreError>;

    /// The same of several, in one go.
    async fn tried_all(&mut self, tried: &[(i64, Tried)]) -> Result<(), StoreError>;

    /// Notes that these were delivered, in one go.
    async fn delivered(&mut self, seqs: &[i64], at: Datetime) -> Result<(), StoreError>;

    /// The newest entries of this state, the newest first.
    async fn entries(&mut self, state: EntryState, limit: usize) -> Result<Vec<OutboxEntry>, StoreError>;

    /// How many are due and dead. Those that are delivered are not counted.
    async fn outbox_counts(&mut self) -> Result<OutboxCounts, StoreError>;

    /// Deletes at most `limit` entries that were delivered before that; how many those were.
    async fn forget_delivered(&mut self, before: Datetime, limit: usize) -> Result<u64, StoreError>;
}

/// What was found for a range in several seeks: each once, the newest first, no more than asked
/// for.
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

/// Why a commit was not made that builds on a row of the table of episodes.
pub(super) fn changed_meanwhile(episodes: &TableName, episode: &Episode) -> String {
    format!(
        "table `{episodes}`: somebody else has changed the episode of `{}` from {} meanwhile; nothing was written, and it is tried \
         again with what stands there now",
        episode.variable, episode.begin
    )
}
