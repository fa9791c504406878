//! The database's side where verdicts and the state row go, by who calls it: what a worker commits
//! through, what a backfill needs besides, what reads, and what tries.
//!
//! A call that fails leaves nothing half done, and fails with a [`StoreError`].

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

/// A hold on a worker's name.
#[derive(Clone, Debug, PartialEq)]
pub struct Claim {
    /// What `State::epoch` must be in every commit from now on.
    pub epoch: i64,
    /// The row as the last commit left it, with the new epoch; None before the first.
    pub state: Option<State>,
}

/// A worker's state at a glance.
#[derive(Clone, Debug, PartialEq)]
pub struct Outline {
    /// Without a checkpoint, whether it has one or not.
    pub state: State,
    /// How large that is; None if there is none.
    pub checkpoint: Option<Size>,
}

/// What became of verdicts that were to take the place of others.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Replaced {
    /// Rows that went.
    pub removed: u64,
    /// Rows that came.
    pub inserted: u64,
}

/// What became of tables and indexes that were missing.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SchemaChanges {
    /// Each by its kind and name.
    pub created: Vec<String>,
    /// Sentences on what could not be made and is done without: duplicates in an output table that
    /// the Python worker filled stand in the way of the unique index.
    pub warnings: Vec<String>,
}

/// What a trial of the output has shown.
#[derive(Debug, Default)]
pub struct Probed {
    /// What stands between this store and a commit, a sentence each; nothing means that a commit
    /// would work.
    pub problems: Vec<StoreError>,
    /// What stops nothing and should be known.
    pub notes: Vec<String>,
}

/// Reads verdicts and workers' rows. Nothing is changed: commands that look, and a worker that
/// finds its place, need no more.
#[async_trait]
pub trait VerdictReader: Send {
    /// The worker's state, whole, without taking it; None before its first commit.
    async fn peek(&mut self, worker: &str) -> Result<Option<State>, StoreError>;

    /// The same without what may be large in it.
    async fn outline(&mut self, worker: &str) -> Result<Option<Outline>, StoreError>;

    /// The greatest ds of the output that is not later than `until`: a verdict dated ahead says
    /// nothing of where a worker stands.
    async fn newest(&mut self, until: Datetime) -> Result<Option<Datetime>, StoreError>;

    /// The names of the workers that have a row.
    async fn workers(&mut self) -> Result<Vec<String>, StoreError>;

    /// Those of the keys for which the output holds a verdict.
    async fn already_judged(&mut self, keys: &[ReadingKey]) -> Result<HashSet<ReadingKey>, StoreError>;

    /// At most `limit` verdicts with `from <= ds < to`, by ds and then by variable; with
    /// `anomalies_only` only those that are anomalies. A reader goes on from the last ds. A row
    /// whose ds is no datetime has no place in time and is left out.
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

    /// Those of the names that the output would not hold as they are: its column is too short, or
    /// its code page lacks a character.
    async fn foreign_names(&mut self, names: &[Arc<str>]) -> Result<Vec<Arc<str>>, StoreError>;

    /// Those of the names that the output takes for the same as one before them in the list, each
    /// with the first such: of both it can hold one verdict at a datetime. What is the same is
    /// the matter of its collation: case, accents, width and blanks at the end may count for
    /// nothing. The names are none that [`foreign_names`](OutputLimits::foreign_names) gives.
    async fn equal_names(&mut self, names: &[Arc<str>]) -> Result<Vec<(Arc<str>, Arc<str>)>, StoreError>;

    /// Those of the names under which the output holds verdicts in another spelling, each with that
    /// one; of several that it holds, one that stays the same.
    async fn other_spellings(&mut self, names: &[Arc<str>]) -> Result<Vec<(Arc<str>, Arc<str>)>, StoreError>;
}

/// What a worker commits through: the tables, its claim to its name, and the transaction of
/// verdicts and state.
#[async_trait]
pub trait VerdictWriter: Send {
    /// Creates the tables and indexes that are missing, as far as that can be done.
    async fn ensure_tables(&mut self) -> Result<SchemaChanges, StoreError>;

    /// Whether the connection is still there. One that rests long may have been cut by whoever
    /// stands between.
    async fn alive(&mut self) -> Result<(), StoreError> {
        Ok(())
    }

    /// Takes the worker's name: raises the epoch of its row (or makes a row that holds nothing but
    /// the epoch), which fences off whoever held it.
    async fn claim(&mut self, worker: &str) -> Result<Claim, StoreError>;

    /// In one transaction: checks the fence (`state.epoch`), inserts the verdicts whose key is not
    /// there yet, writes the state row and, of checkpoint and memory, the parts that changed, and
    /// what becomes of episodes and outbox. Returns how many verdicts were inserted.
    /// [`ErrorKind::EpisodeChanged`] if somebody else has changed one of the episodes since it was read: read
    /// them again. [`ErrorKind::Refused`] if the table does not take one of the
    /// verdicts; [`ErrorKind::Fenced`] if another worker has taken the name since, or somebody
    /// has deleted the row: take the name again.
    async fn commit(&mut self, worker: &str, commit: &Commit<'_>) -> Result<u64, StoreError>;
}

/// What a backfill needs besides: verdicts in the place of others, and the rows of workers that are
/// not its own.
#[async_trait]
pub trait Rejudging: VerdictReader {
    /// As [`commit`](VerdictWriter::commit), but the verdicts take the place of those that are
    /// there for the same keys, of which an output of the Python worker's may hold several. Of
    /// a key given twice the first counts. Old and new are exchanged in the one transaction:
    /// whoever reads the table sees the one or the other. A verdict under a name that the output
    /// only takes for the same is another variable's: it stays, and nothing is written beside it.
    async fn replace(&mut self, worker: &str, commit: &Commit<'_>) -> Result<Replaced, StoreError>;

    /// Deletes the worker's row and its parts, if it still has this epoch; else
    /// [`ErrorKind::Fenced`].
    async fn forget(&mut self, worker: &str, epoch: i64) -> Result<(), StoreError>;

    /// Puts `after` in the place of `before` in the worker's row and touches nothing else: not the
    /// epoch, so that a worker at work under that name goes on. False, and nothing is written,
    /// if the row is gone or holds anything else than `before`.
    async fn exchange_set_aside(
        &mut self,
        worker: &str,
        before: &BTreeMap<Arc<str>, SetAside>,
        after: &BTreeMap<Arc<str>, SetAside>,
    ) -> Result<bool, StoreError>;
}

/// Tries what would be written, and takes it back.
#[async_trait]
pub trait OutputProbe: Send {
    /// Tries all that `ensure_tables`, `claim` and `commit` do, in a transaction that is rolled
    /// back.
    async fn probe(&mut self) -> Result<Probed, StoreError>;

    /// Inserts these verdicts and takes them back. [`ErrorKind::Refused`] if the table does not
    /// take one of them.
    async fn attempt(&mut self, verdicts: &[VerdictRow]) -> Result<(), StoreError>;
}

/// The output table and the tables beside it, which are in one database so that one transaction can
/// hold all. Whoever needs only part of it asks for that part.
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
    /// Closes with nothing pending.
    async fn close(self: Box<Self>) -> Result<(), StoreError>;
}
