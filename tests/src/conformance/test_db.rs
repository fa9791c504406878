//! What the suite asks of a database besides its store: it is set up, others write to it, and it is
//! read.

use anyhow::Result;
use host::datetime::Datetime;
use host::store::{Connector, PageReader, TableNames};
use host::verdict::VerdictRow;

/// A fresh database, or two, which are deleted when this is dropped. Nothing here uses the store
/// under test.
#[allow(
    async_fn_in_trait,
    reason = "the suite calls it from its own tasks only, which do not move between threads"
)]
pub trait TestDb: Sized {
    async fn start(setup: &Setup) -> Result<Self>;

    /// The store under test, on this database.
    fn connector(&self) -> Box<dyn Connector>;

    /// The page's own access to the output.
    async fn open_page(&self) -> Result<Box<dyn PageReader>>;

    /// Rows of the plant, in one transaction.
    async fn insert(&self, rows: &[Row<'_>]) -> Result<()>;

    /// The plant deletes all its rows, as TRUNCATE does.
    async fn empty_input(&self) -> Result<()>;

    /// The plant deletes the rows whose key is this one or less.
    async fn delete_up_to(&self, id: i64) -> Result<()>;

    /// The plant gives this value to all readings that have none.
    async fn fill_in(&self, value: f64) -> Result<()>;

    /// From now on triggers of output and state do all that triggers of this database can do at a
    /// write: they write elsewhere, and answer rows if that is possible.
    async fn add_triggers(&self) -> Result<()>;

    /// An output table that others made before the store uses it.
    async fn create_output(&self, kind: OutputKind) -> Result<()>;

    /// Verdicts of the Python worker: `ds` and variable, everything else 0.
    async fn insert_verdicts(&self, keys: &[(&str, &str)]) -> Result<()>;

    /// From now on the output table refuses verdicts on this variable, with an error.
    async fn refuse_verdicts_on(&self, variable: &str) -> Result<()>;

    /// From now on nobody may write the database of output and state. Connections are opened anew
    /// afterwards.
    async fn forbid_writing(&self) -> Result<()>;

    /// Deletes a worker's state row.
    async fn delete_worker(&self, worker: &str) -> Result<()>;

    /// The whole output table, by ds, variable and id.
    async fn verdicts(&self) -> Result<Vec<Written>>;

    /// The worker and the epoch of each row of the state table. Empty if there is no such table.
    async fn workers(&self) -> Result<Vec<(String, i64)>>;

    /// The columns of each of the output table's indexes, sorted, and whether it is unique. Without
    /// the primary key.
    async fn output_indexes(&self) -> Result<Vec<(Vec<String>, bool)>>;
}

/// How a database is before the store uses it.
#[derive(Clone, Debug)]
pub struct Setup {
    /// None: there is no input table.
    pub input: Option<InputKind>,
    pub tables: TableNames,
    /// Whether output and state have a database of their own.
    pub two_databases: bool,
}

/// Which of the optional columns and indexes the input table has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct InputKind {
    pub key: bool,
    pub source_file: bool,
    pub datetime_index: bool,
}

/// An output table that the store did not make.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OutputKind {
    /// As the Python worker makes it: every column, no unique index.
    Python,
    /// The same without the column `source_file`.
    WithoutSourceFile,
    /// The same without the columns `residual` and `anomaly_score`.
    WithoutResidual,
    /// With a collation in which case makes no difference between names.
    EqualNames,
    /// With a collation that distinguishes names by their bytes.
    ExactNames,
    /// With a computed `residual`, and one more computed column.
    Generated,
}

impl InputKind {
    /// As in the design.
    pub const DEFAULT: Self = Self { key: true, source_file: true, datetime_index: true };
    /// Every kind of table from which a range is read in a different way.
    pub const ALL: [Self; 4] = [
        Self::DEFAULT,
        Self { key: true, source_file: true, datetime_index: false },
        Self { key: false, source_file: false, datetime_index: true },
        Self { key: false, source_file: true, datetime_index: false },
    ];
}

impl Default for Setup {
    fn default() -> Self {
        Self { input: Some(InputKind::DEFAULT), tables: TableNames::default(), two_databases: false }
    }
}

impl From<InputKind> for Setup {
    fn from(kind: InputKind) -> Self {
        Self { input: Some(kind), ..Self::default() }
    }
}

/// A row for the input table. What the table has no column for is left out.
#[derive(Clone, Copy, Debug)]
pub struct Row<'a> {
    /// None for the next that the database gives.
    pub id: Option<i64>,
    /// In the form `2025-01-15 10:00:00.503`.
    pub datetime: &'a str,
    pub variable: &'a str,
    pub value: Option<f64>,
    pub source_file: Option<&'a str>,
}

/// A reading of 1.5 without a file.
pub fn row<'a>(id: i64, datetime: &'a str, variable: &'a str) -> Row<'a> {
    Row { id: Some(id), datetime, variable, value: Some(1.5), source_file: None }
}

/// A row of the output table.
#[derive(Clone, Debug, PartialEq)]
pub struct Written {
    pub verdict: VerdictRow,
    pub processed_at: Datetime,
}
