//! The database, as the cycle sees it: readings come in through [`Input`], verdicts and the state row go out through
//! [`Output`]. The two may be one database, two, or two servers. [`Importer`] is the one way to write readings, for the one
//! command that does.
//!
//! A store lives as long as the worker. Its calls fail with a [`StoreError`], whose class says what the cycle does next; a call
//! that fails leaves nothing half done. Every store passes the same conformance suite (`tests/`).

pub mod clock;
mod error;
mod index;
mod probe;
pub mod schema;
pub mod sqlite;
pub mod sqlserver;
mod stored;
pub mod table_name;

use std::collections::{BTreeMap, HashSet};
use std::sync::Arc;

use async_trait::async_trait;

pub use clock::{Clock, PlantClock};
pub use error::{ErrorKind, StoreError};
pub use schema::TableNames;
pub use sqlite::SqliteStore;
pub use sqlserver::SqlServerStore;
pub use stored::{StoredVerdict, VerdictPage};
pub use table_name::TableName;

use crate::datetime::Datetime;
use crate::reading::{Page, Reading, ReadingKey};
use crate::state::{SetAside, State};
use crate::verdict::VerdictRow;

/// Where the tables are, and how to get there. It lives as long as the worker, which opens again through it after
/// [`ErrorKind::Connection`].
#[async_trait]
pub trait Connector: Send + Sync {
    /// Opens both sides. Nothing is created but, where the configuration allows it, an empty output database.
    async fn open(&self) -> Result<(Box<dyn Input>, Box<dyn Output>), StoreError>;

    /// Lines up to be the one active worker of this name; whether it is, [`LeaderLock::try_acquire`] tells.
    async fn leader_lock(&self, worker: &str) -> Result<Box<dyn LeaderLock>, StoreError>;

    /// Opens the input table for `host import`, which alone writes it, and only because a person asked for it. With `create` a
    /// table that is missing is made (and the file that is to hold it, where a database is a file); one that is there is
    /// never changed. [`ErrorKind::Schema`] for a table that is missing without it, or that no reading could be written to.
    async fn open_importer(&self, create: bool) -> Result<Box<dyn Importer>, StoreError>;
}

/// A place in the line of those who would be the one active worker of a name. The first has the right to be until this is dropped or
/// its process dies, however it dies.
///
/// It keeps workers from competing and is no proof: a connection that it hangs on may break unseen. What each commit relies on is the
/// fence of [`Output::claim`].
#[async_trait]
pub trait LeaderLock: Send {
    /// Asks for the right, or whether it is still held. False: another one has it, and this one may ask again. After an error this is
    /// of no more use.
    async fn try_acquire(&mut self) -> Result<bool, StoreError>;
}

/// What an input table looks like.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct InputLayout {
    /// Whether an integer key `id` gives rows an order of arrival.
    pub has_key: bool,
    /// Whether there is a column `id` at all. One of a view gives no order: whatever it shows may come from anywhere, and twice.
    pub has_id: bool,
    pub has_source_file: bool,
    /// Whether an index leads with the datetime: without one, finding the first row of a range reads the table.
    pub has_datetime_index: bool,
}

/// The input table. It belongs to its users: these calls only read it, each with one bounded statement.
#[async_trait]
pub trait Input: Send {
    /// What the table looks like, read anew at each call.
    async fn layout(&mut self) -> Result<InputLayout, StoreError>;

    /// What stands between this store and reading, a sentence each; nothing means that reading would work. Asked once
    /// [`layout`](Input::layout) has found the table.
    async fn probe(&mut self) -> Result<Vec<StoreError>, StoreError> {
        Ok(Vec::new())
    }

    /// The server's clock, which is the plant's.
    async fn now(&mut self) -> Result<Datetime, StoreError>;

    /// The lowest key of a reading at or after `from`; None if there is none. Only for tables with a key.
    async fn first_key_from(&mut self, from: Datetime) -> Result<Option<i64>, StoreError>;

    /// The greatest key; None for an empty table. Only for tables with a key.
    async fn last_key(&mut self) -> Result<Option<i64>, StoreError>;

    /// At most `limit` rows, malformed ones included, whose key lies in one of the spans (both ends inclusive; ascending,
    /// disjoint), by key.
    async fn read_keys(&mut self, spans: &[(i64, i64)], limit: usize) -> Result<Page, StoreError>;

    /// At most `limit` readings with `from <= datetime`, and `datetime < to` where `to` is given, by datetime and then by key
    /// (where there is none, in any order). Malformed rows among them do not count, so that they cannot stop a reader that
    /// goes on from the last datetime; no more than `limit` of them are listed. A row whose datetime is none has no place
    /// in time: it may be listed or not.
    async fn read_range(
        &mut self,
        from: Datetime,
        to: Option<Datetime>,
        limit: usize,
    ) -> Result<Page, StoreError>;

    /// Every row at these datetimes, by datetime and then by key.
    async fn read_at(&mut self, datetimes: &[Datetime]) -> Result<Page, StoreError>;

    /// How many rows there are with `from <= datetime < to`, whatever their value.
    async fn count_range(&mut self, from: Datetime, to: Datetime) -> Result<u64, StoreError>;
}

/// What became of readings that were to be inserted; those of neither kind were in the table already.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Inserted {
    pub inserted: u64,
    /// To the table they are the same as one before them: the same datetime and variable, by its types and its collation.
    pub repeated: u64,
}

/// Writes readings into the input table.
#[async_trait]
pub trait Importer: Send {
    /// In one transaction: inserts those of the readings whose variable and datetime no row with a value has yet; of several
    /// with the same key the first. A reading's `id` is for the table to give, and one without a value is left out.
    /// A call has some thousands; it looks at the rows of their datetimes and, where an index finds those, at no others.
    async fn insert(&mut self, readings: &[Reading]) -> Result<Inserted, StoreError>;

    /// Those of the names that the table would not hold as they are: its column is too short, or its code page lacks a character.
    async fn foreign_names(&mut self, names: &[Arc<str>]) -> Result<Vec<Arc<str>>, StoreError>;

    /// What the table makes of an instant: its column may be coarser.
    fn held(&self, at: Datetime) -> Datetime;

    /// Whether an index finds the rows of a datetime. Without one, each call reads the table.
    fn has_datetime_index(&self) -> bool;

    /// Closes with nothing pending.
    async fn close(self: Box<Self>) -> Result<(), StoreError>;
}

/// A hold on a worker's name.
#[derive(Clone, Debug, PartialEq)]
pub struct Claim {
    /// What `State::epoch` must be in every commit from now on.
    pub epoch: i64,
    /// The row as the last commit left it, with the new epoch; None before the first.
    pub state: Option<State>,
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
    /// Sentences on what could not be made and is done without: duplicates in an output table that the Python worker filled
    /// stand in the way of the unique index.
    pub warnings: Vec<String>,
}

/// What a trial of the output has shown.
#[derive(Debug, Default)]
pub struct Probed {
    /// What stands between this store and a commit, a sentence each; nothing means that a commit would work.
    pub problems: Vec<StoreError>,
    /// What is in nobody's way and should be known.
    pub notes: Vec<String>,
}

/// The output table and the state table, which are in one database so that one transaction can hold both.
#[async_trait]
pub trait Output: Send {
    /// Creates the tables and indexes that are missing, as far as that can be done.
    async fn ensure_tables(&mut self) -> Result<SchemaChanges, StoreError>;

    /// Tries all that `ensure_tables`, `claim` and `commit` do, in a transaction that is rolled back.
    async fn probe(&mut self) -> Result<Probed, StoreError>;

    /// Whether the connection is still there. One that rests long may have been cut by whoever stands between.
    async fn alive(&mut self) -> Result<(), StoreError> {
        Ok(())
    }

    /// Inserts these verdicts and takes them back. [`ErrorKind::Refused`] if the table does not take one of them.
    async fn attempt(&mut self, verdicts: &[VerdictRow]) -> Result<(), StoreError>;

    /// The first and the last datetime that a verdict can have here.
    async fn datetimes(&mut self) -> Result<(Datetime, Datetime), StoreError> {
        Ok((Datetime::from_micros(i64::MIN), Datetime::from_micros(i64::MAX)))
    }

    /// Takes the worker's name: raises the epoch of its row (or makes a row that holds nothing but the epoch), which fences off
    /// whoever held it.
    async fn claim(&mut self, worker: &str) -> Result<Claim, StoreError>;

    /// The worker's row, without taking it; None before its first commit.
    async fn peek(&mut self, worker: &str) -> Result<Option<State>, StoreError>;

    /// The greatest ds of the output that is not later than `until`: a verdict dated ahead says nothing of where a worker stands.
    async fn newest(&mut self, until: Datetime) -> Result<Option<Datetime>, StoreError>;

    /// The names of the workers that have a row.
    async fn workers(&mut self) -> Result<Vec<String>, StoreError>;

    /// Those of the names that the output would not hold as they are: its column is too short, or its code page lacks a character.
    async fn foreign_names(&mut self, names: &[Arc<str>]) -> Result<Vec<Arc<str>>, StoreError>;

    /// Those of the names that the output takes for the same as one before them in the list, each with the first such: of both it
    /// can hold one verdict at a datetime. What is the same is the matter of its collation: case, accents, width and
    /// blanks at the end may count for nothing. The names are none that [`foreign_names`](Output::foreign_names) gives.
    async fn equal_names(&mut self, names: &[Arc<str>]) -> Result<Vec<(Arc<str>, Arc<str>)>, StoreError>;

    /// Those of the names under which the output holds verdicts in another spelling, each with that one; of several that it
    /// holds, one that stays the same.
    async fn other_spellings(&mut self, names: &[Arc<str>]) -> Result<Vec<(Arc<str>, Arc<str>)>, StoreError>;

    /// Those of the keys for which the output holds a verdict.
    async fn already_judged(&mut self, keys: &[ReadingKey]) -> Result<HashSet<ReadingKey>, StoreError>;

    /// In one transaction: checks the fence (`state.epoch`), inserts the verdicts whose key is not there yet, writes the state
    /// row. Returns how many were inserted. [`ErrorKind::Refused`] if the table does not take one of the verdicts;
    /// [`ErrorKind::Fenced`] if another worker has taken the name since, or somebody has
    /// deleted the row: take the name again.
    async fn commit(
        &mut self,
        worker: &str,
        verdicts: &[VerdictRow],
        state: &State,
    ) -> Result<u64, StoreError>;

    /// As [`commit`](Output::commit), but the verdicts take the place of those that are there for the same keys, of which
    /// an output of the Python worker's may hold several. Of a key given twice the first counts. Old and new are exchanged in
    /// the one transaction: whoever reads the table sees the one or the other. A verdict under a name that the output
    /// only takes for the same is another variable's: it stays, and nothing is written beside it.
    async fn replace(
        &mut self,
        worker: &str,
        verdicts: &[VerdictRow],
        state: &State,
    ) -> Result<Replaced, StoreError>;

    /// At most `limit` verdicts with `from <= ds < to`, by ds and then by variable; with `anomalies_only` only those that are
    /// anomalies. A reader goes on from the last ds. A row whose ds is no datetime has no place in time and is left out.
    async fn read_verdicts(
        &mut self,
        from: Datetime,
        to: Datetime,
        anomalies_only: bool,
        limit: usize,
    ) -> Result<VerdictPage, StoreError>;

    /// Deletes the worker's row, if it still has this epoch; else [`ErrorKind::Fenced`].
    async fn forget(&mut self, worker: &str, epoch: i64) -> Result<(), StoreError>;

    /// Puts `after` in the place of `before` in the worker's row and touches nothing else: not the epoch, so that a worker at
    /// work under that name goes on. False, and nothing is written, if the row is gone or holds anything else than `before`.
    async fn exchange_set_aside(
        &mut self,
        worker: &str,
        before: &BTreeMap<Arc<str>, SetAside>,
        after: &BTreeMap<Arc<str>, SetAside>,
    ) -> Result<bool, StoreError>;

    /// Closes with nothing pending.
    async fn close(self: Box<Self>) -> Result<(), StoreError>;
}
