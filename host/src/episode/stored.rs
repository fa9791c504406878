//! Episodes as their table has them, and what a commit changes of it.

use std::sync::Arc;

use super::{Episode, Feedback};
use crate::datetime::Datetime;

/// A row of the table of episodes.
#[derive(Clone, Debug, PartialEq)]
pub struct StoredEpisode {
    /// Given by the table, ascending.
    pub id: i64,
    /// Counts the changes, for optimistic locking.
    pub version: i32,
    pub episode: Episode,
    /// The worker that wrote it last.
    pub worker: Arc<str>,
    pub feedback: Option<Feedback>,
    /// What a person wrote: with the feedback, or why the variable is shelved.
    pub note: Option<String>,
    pub feedback_at: Option<Datetime>,
    pub created_at: Datetime,
    pub updated_at: Datetime,
}

/// A row of the table that is open: where it begins, and its version.
pub type OpenRow = (Datetime, i32);

/// An open episode, and its row as it is; None: it has none yet.
pub type OpenEpisode = (Episode, Option<OpenRow>);

/// A change of one row, which variable, kind and begin identify.
#[derive(Clone, Debug, PartialEq)]
pub struct EpisodeChange {
    /// The begin and the version of the existing row; None for a new one.
    pub before: Option<(Datetime, i32)>,
    /// The new content; with `gone`, the old one.
    pub episode: Episode,
    /// Whether the row is deleted.
    pub gone: bool,
}

impl EpisodeChange {
    /// A new row.
    pub fn new(episode: Episode) -> Self {
        Self { before: None, episode, gone: false }
    }
}

/// A query for the episodes that overlap a range.
#[derive(Clone, Debug, PartialEq)]
pub struct EpisodeRange {
    /// None: all.
    pub variable: Option<Arc<str>>,
    pub from: Datetime,
    /// Exclusive.
    pub to: Datetime,
    /// The newest come first.
    pub limit: usize,
}

/// A person's order to shelve a variable.
#[derive(Clone, Debug, PartialEq)]
pub struct Shelving {
    pub variable: Arc<str>,
    pub from: Datetime,
    pub until: Datetime,
    pub reason: String,
    /// Who asked for it; the column `worker` holds it.
    pub by: String,
}
