//! Episodes as their table has them, and what a commit changes of it.

use std::sync::Arc;

use super::{Episode, Feedback};
use crate::datetime::Datetime;

/// A row of the table of episodes.
#[derive(Clone, Debug, PartialEq)]
pub struct StoredEpisode {
    /// Given by the table, in the order in which they came.
    pub id: i64,
    /// Counts the changes: who changes a row that somebody else has changed since changes nothing.
    pub version: i32,
    pub episode: Episode,
    /// Who wrote it last.
    pub worker: Arc<str>,
    pub feedback: Option<Feedback>,
    /// What a person wrote: with the feedback, or why the variable is shelved.
    pub note: Option<String>,
    pub feedback_at: Option<Datetime>,
    pub created_at: Datetime,
    pub updated_at: Datetime,
}

/// What becomes of one row. The row goes by variable, kind and begin.
#[derive(Clone, Debug, PartialEq)]
pub struct EpisodeChange {
    /// The begin and the version of the row that is there. None: it is a new one.
    pub before: Option<(Datetime, i32)>,
    /// What stands there then; with `gone`, what stood there.
    pub episode: Episode,
    /// Whether the row goes.
    pub gone: bool,
}

impl EpisodeChange {
    /// A new row.
    pub fn new(episode: Episode) -> Self {
        Self { before: None, episode, gone: false }
    }
}

/// Which episodes are asked for: those that begin or end in a range, or are open through it.
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

/// What is known of a variable that a person shelves.
#[derive(Clone, Debug, PartialEq)]
pub struct Shelving {
    pub variable: Arc<str>,
    pub from: Datetime,
    pub until: Datetime,
    pub reason: String,
    /// Who asks for it, as the table's `worker`.
    pub by: String,
}
