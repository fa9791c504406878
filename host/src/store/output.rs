//! The database interface for verdicts and the state row, by caller: the commits of a worker, the
//! additional calls of a backfill, reading, and trials.
//!
//! A call that fails has no partial effect, and fails with a [`StoreError`].

use std::collections::{BTreeMap, HashSet};
use std::sync::Arc;

use async_trait::async_trait;

#[cfg(doc)]
use super::ErrorKind;
use super::page_reader::{ReadFrom, Stretch};
use super::stored::{StoredVerdict, VerdictPage};
use super::{Commit, EpisodeEditor, EpisodeReader, OutboxQueue, StoreError};
use crate::checkpoint::Size;
use crate::datetime::Datetime;
use crate::reading::ReadingKey;
use crate::state::{SetAside, State};
use crate::verdict::VerdictRow;

/// The result of taking a worker's name.
#[derive(Clone, Debug, PartialEq)]
pub struct Claim {
    /// The `State::epoch` that every commit from now on must have.
    pub epoch: i64,
    /// The row as the last commit stored it, with the new epoch; None before the first.
    pub state: Option<State>,
}

/// A summary of a worker's state.
#[derive(Clone, Debug, PartialEq)]
pub struct Outline {
    /// Without a checkpoint, even if it has one.
    pub state: State,
    /// The size of the checkpoint; None if there is none.
    pub checkpoint: Option<Size>,
}

/// The result of replacing verdicts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Replaced {
    /// Rows that were deleted.
    pub removed: u64,
    /// Rows that were inserted.
    pub inserted: u64,
}

/// What was done about missing tables and indexes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SchemaChanges {
    /// Each by its kind and name.
    pub created: Vec<String>,
    /// Sentences on what could not be made and is not required: duplicates in an output table that
    /// the Python worker filled prevent the unique index.
    pub warnings: Vec<String>,
}

/// The result of a trial of the output.
#[derive(Debug, Default)]
pub struct Probed {
    /// What prevents a commit, a sentence each; empty if a commit would work.
    pub problems: Vec<StoreError>,
    /// Remarks that prevent nothing.
    pub notes: Vec<String>,
}

/// Reads verdicts and workers' rows. Nothing is changed: read-only commands, and a worker that
/// finds its position, need no more.
#[async_trait]
pub trait VerdictReader: Send {
    /// The worker's complete state, without taking its name; None before its first commit.
    async fn peek(&mut self, worker: &str) -> Result<Option<State>, StoreError>;

    /// The same without the parts that may be large.
    async fn outline(&mut self, worker: &str) -> Result<Option<Outline>, StoreError>;

    /// The greatest ds of the output that is not later than `until`: a verdict dated ahead does not
    /// show how far a worker has come.
    async fn newest(&mut self, until: Datetime) -> Result<Option<Datetime>, StoreError>;

    /// The names of the workers that have a row.
    async fn workers(&mut self) -> Result<Vec<String>, StoreError>;

    /// Those of the keys for which the output holds a verdict.
    async fn already_judged(&mut self, keys: &[ReadingKey]) -> Result<HashSet<ReadingKey>, StoreError>;

    /// At most `limit` verdicts with `from <= ds < to`, by ds and then by variable; with
    /// `anomalies_only` only anomalies. A reader continues from the last ds. A row whose ds is not
    /// a datetime is left out.
    async fn read_verdicts(
        &mut self,
        from: Datetime,
        to: Datetime,
        anomalies_only: bool,
        limit: usize,
    ) -> Result<VerdictPage, StoreError>;

    /// Of each stretch at most `limit` verdicts, from that end of it; each list is by ds, whatever
    /// the end.
    async fn stretches(
        &mut self,
        stretches: &[Stretch],
        limit: usize,
        end: ReadFrom,
    ) -> Result<Vec<Vec<StoredVerdict>>, StoreError>;
}

/// What the output can hold, and which names it takes for the same.
#[async_trait]
pub trait OutputLimits: Send {
    /// The first and the last datetime that a verdict can have here.
    async fn datetimes(&mut self) -> Result<(Datetime, Datetime), StoreError> {
        Ok((Datetime::from_micros(i64::MIN), Datetime::from_micros(i64::MAX)))
    }

    /// Those of the names that the output would change: its column is too short, or its code page
    /// lacks a character.
    async fn foreign_names(&mut self, names: &[Arc<str>]) -> Result<Vec<Arc<str>>, StoreError>;

    /// Those of the names that the output takes for the same as an earlier one of the list, each
    /// with the first such: of both it can hold only one verdict at a datetime. Its collation
    /// decides what is the same: case, accents, width and blanks at the end may be ignored. Names
    /// that [`foreign_names`](OutputLimits::foreign_names) returns must not be passed.
    async fn equal_names(&mut self, names: &[Arc<str>]) -> Result<Vec<(Arc<str>, Arc<str>)>, StoreError>;

    /// Those of the names under which the output holds verdicts in another spelling, each with that
    /// spelling; if it holds several, always the same one.
    async fn other_spellings(&mut self, names: &[Arc<str>]) -> Result<Vec<(Arc<str>, Arc<str>)>, StoreError>;
}

/// The calls of a worker: the tables, the claim to its name, and the transaction of verdicts and
/// state.
#[async_trait]
pub trait VerdictWriter: Send {
    /// Creates the tables and indexes that are missing, as far as possible.
    async fn ensure_tables(&mut self) -> Result<SchemaChanges, StoreError>;

    /// Whether the connection still exists. An idle one may have been cut on the network.
    async fn alive(&mut self) -> Result<(), StoreError> {
        Ok(())
    }

    /// Takes the worker's name: raises the epoch of its row (or makes a row that holds only the
    /// epoch), which fences off the worker that had it.
    async fn claim(&mut self, worker: &str) -> Result<Claim, StoreError>;

    /// In one transaction: checks the fence (`state.epoch`), inserts the verdicts whose key is not
    /// there yet, writes the state row, the changed parts of checkpoint and memory, and the changes
    /// of episodes and outbox. Returns how many verdicts were inserted.
    /// [`ErrorKind::EpisodeChanged`] if another process has changed one of the episodes since it
    /// was read: read them again. [`ErrorKind::Refused`] if the table does not accept one of the
    /// verdicts; [`ErrorKind::Fenced`] if another worker has taken the name since, or the row was
    /// deleted: take the name again.
    async fn commit(&mut self, worker: &str, commit: &Commit<'_>) -> Result<u64, StoreError>;
}

/// The additional calls of a backfill: replacing verdicts, and changing the rows of other workers.
#[async_trait]
pub trait Rejudging: VerdictReader {
    /// As [`commit`](VerdictWriter::commit), but the verdicts replace those with the same keys, of
    /// which an output of the Python worker's may hold several. Of a key given twice the first
    /// counts. Old and new verdicts are exchanged in the one transaction: a reader of the table
    /// sees the old or the new ones. A verdict under another name that the output only takes for
    /// the same belongs to another variable: it stays, and nothing is written beside it.
    async fn replace(&mut self, worker: &str, commit: &Commit<'_>) -> Result<Replaced, StoreError>;

    /// Deletes the worker's row and its parts, if it still has this epoch; else
    /// [`ErrorKind::Fenced`].
    async fn forget(&mut self, worker: &str, epoch: i64) -> Result<(), StoreError>;

    /// Replaces `before` by `after` in the worker's row and changes nothing else: the epoch stays,
    /// so that a running worker of that name continues. False, and nothing is written, if the row
    /// is gone or holds anything else than `before`.
    async fn exchange_set_aside(
        &mut self,
        worker: &str,
        before: &BTreeMap<Arc<str>, SetAside>,
        after: &BTreeMap<Arc<str>, SetAside>,
    ) -> Result<bool, StoreError>;
}

/// Tries to write, and rolls back.
#[async_trait]
pub trait OutputProbe: Send {
    /// Tries everything that `ensure_tables`, `claim` and `commit` do, in a transaction that is
    /// rolled back.
    async fn probe(&mut self) -> Result<Probed, StoreError>;

    /// Inserts these verdicts and rolls back. [`ErrorKind::Refused`] if the table does not accept
    /// one of them.
    async fn attempt(&mut self, verdicts: &[VerdictRow]) -> Result<(), StoreError>;
}

/// The output table and the tables beside it, which are in one database so that one transaction can
/// contain all changes. Callers that need only part of it ask for that part.
#[async_trait]
pub trait Output:
    VerdictReader
    + OutputLimits
    + VerdictWriter
    + Rejudging
    + OutputProbe
    + EpisodeReader
    + EpisodeEditor
    + OutboxQueue
{
    /// Closes the connection, with nothing pending.
    async fn close(self: Box<Self>) -> Result<(), StoreError>;
}
