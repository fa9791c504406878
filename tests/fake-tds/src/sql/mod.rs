//! A session's SQL: T-SQL is read, SQLite executes it, and tokens are sent.
//!
//! A database is a directory and a schema in it a SQLite file, which the session attaches under the
//! schema's name; `#tables` are temporary ones. A connection that ends rolls back its transaction,
//! as SQLite does by itself, and releases its applocks.

mod batch;
mod catalogue;
mod collation;
mod ddl;
mod definition;
mod function;
mod lexer;
mod refusal;
mod resolved;
mod rewrite;
mod script;
mod select;
mod statement;
mod transaction;
mod writing;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use rusqlite::Connection;
use rusqlite::types::Value;

use crate::fault::{SqlError, What};
use crate::server::Shared;
use crate::wire::request::{Parameter, Transaction};
use crate::wire::token::{Answer, Done};
use crate::wire::types::Type;
use lexer::Token;
pub use refusal::UNKNOWN;
pub(crate) use refusal::unknown;
use refusal::{internal, no_database};

/// The schema of a name without one.
const DEFAULT: &str = "dbo";

/// Without a LOCK_TIMEOUT SQL Server waits for a lock for ever. A test should not.
const PATIENCE: Duration = Duration::from_secs(20);

/// Why a batch stops.
pub(crate) enum Stop {
    Error(SqlError),
    /// The connection is to be closed without an answer.
    Close,
    /// RETURN.
    Return,
}

impl From<SqlError> for Stop {
    fn from(error: SqlError) -> Self {
        Self::Error(error)
    }
}

/// What `INSERT BULK` announces.
pub(crate) struct Load {
    target: Vec<Token>,
    /// Each with its type.
    columns: Vec<(String, Type)>,
}

impl Load {
    /// None for any other statement.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let tokens = lexer::tokens(text).ok()?;
        let [insert, bulk, rest @ ..] = &tokens[..] else { return None };
        if !insert.says("INSERT") || !bulk.says("BULK") {
            return None;
        }
        let open = rest.iter().position(|token| token.is("("))?;
        let columns = lexer::items(&rest[open + 1..lexer::closing(rest, open)?]);
        let columns = columns.into_iter().map(|column| {
            let kind: String = column.get(1..)?.iter().map(ToString::to_string).collect();
            Some((column.first()?.name()?.to_owned(), Type::parse(&kind.replace('`', ""))?))
        });
        Some(Self { target: rest[..open].to_vec(), columns: columns.collect::<Option<_>>()? })
    }
}

impl Load {
    /// SQL Server refuses rows whose types differ from those announced. It allows a text to be
    /// announced with a greater length than it has, which drivers do. It does not allow that one is
    /// `max` and the other has a length.
    fn expect(&self, told: &[Type]) -> Result<(), SqlError> {
        let same = |announced: Type, told: Type| match (announced, told) {
            (Type::VarChar(a), Type::VarChar(b))
            | (Type::NVarChar(a), Type::NVarChar(b))
            | (Type::VarBinary(a), Type::VarBinary(b)) => a.is_none() == b.is_none() && a >= b,
            (announced, told) => announced == told,
        };
        let wrong = if self.columns.len() == told.len() {
            self.columns.iter().zip(told).position(|((_, announced), &told)| !same(*announced, told))
        } else {
            Some(self.columns.len().min(told.len()))
        };
        match wrong {
            None => Ok(()),
            Some(at) => {
                let message = format!("Invalid column type from bcp client for colid {}.", at + 1);
                Err(SqlError::new(4816, 16, message))
            }
        }
    }
}

/// The variables of a batch, by name in lower case.
type Variables = BTreeMap<String, (Type, Value)>;

/// A session.
pub(crate) struct Sql {
    connection: Connection,
    shared: Arc<Shared>,
    /// @@SPID.
    number: u16,
    user: String,
    database: String,
    schemas: Vec<String>,
    /// The state of each schema for which the catalogue's views were filled.
    known: Option<Vec<(String, i64)>>,
    wrong: function::Wrong,
    row_count: u64,
    /// @@TRANCOUNT.
    depth: u32,
    xact_abort: bool,
    no_count: bool,
    lock_timeout: Duration,
    /// Applocks that end with the transaction.
    locked: Vec<String>,
}

impl Drop for Sql {
    fn drop(&mut self) {
        self.shared.locks.leave(self.number);
    }
}

impl Sql {
    pub(crate) fn open(
        shared: &Arc<Shared>,
        number: u16,
        user: &str,
        database: &str,
    ) -> Result<Self, SqlError> {
        let wrong = function::Wrong::default();
        let connection = Connection::open_in_memory().map_err(internal)?;
        function::add(&connection, shared, &wrong).map_err(internal)?;
        collation::add(&connection).map_err(internal)?;
        connection.execute_batch("ATTACH ':memory:' AS sys").map_err(internal)?;
        let mut sql = Self {
            connection,
            shared: Arc::clone(shared),
            number,
            user: user.to_owned(),
            database: String::new(),
            schemas: Vec::new(),
            known: None,
            wrong,
            row_count: 0,
            depth: 0,
            xact_abort: false,
            no_count: false,
            lock_timeout: PATIENCE,
            locked: Vec::new(),
        };
        sql.enter(database)?;
        Ok(sql)
    }

    /// Makes this the session's database.
    fn enter(&mut self, database: &str) -> Result<(), SqlError> {
        let schemas = self.shared.schemas(database).ok_or_else(|| no_database(database))?;
        self.known = None;
        for schema in std::mem::take(&mut self.schemas) {
            self.connection.execute_batch(&format!("DETACH {}", quote(&schema))).map_err(internal)?;
        }
        database.clone_into(&mut self.database);
        for schema in &schemas {
            self.attach(database, schema, schema)?;
        }
        self.schemas = schemas;
        Ok(())
    }

    /// Attaches a schema's file.
    fn attach(&self, database: &str, schema: &str, alias: &str) -> Result<(), SqlError> {
        let file = self.shared.file(database, schema);
        let done =
            self.connection.execute(&format!("ATTACH ?1 AS {}", quote(alias)), [file.to_string_lossy()]);
        done.map_err(internal)?;
        self.wait(self.lock_timeout)?;
        let done = self.connection.pragma_update(Some(alias), "synchronous", "OFF");
        done.map_err(internal)
    }

    fn wait(&self, time: Duration) -> Result<(), SqlError> {
        self.connection.busy_timeout(time).map_err(internal)
    }

    pub(crate) fn database(&self) -> &str {
        &self.database
    }

    /// Runs a batch. Its answer is in `answer`, without the last DONE.
    pub(crate) fn run(
        &mut self,
        text: &str,
        parameters: Vec<Parameter>,
        answer: &mut Answer,
        done: Done,
    ) -> Result<(), Stop> {
        let mut variables: Variables = parameters
            .into_iter()
            .map(|parameter| (parameter.name.to_lowercase(), (parameter.kind, parameter.value)))
            .collect();
        let statements = script::parse(&lexer::tokens(text)?)?;
        let ran = self.block(&statements, &mut variables, answer, done);
        if let Err(Stop::Error(error)) = &ran {
            self.take_back(error, answer);
        }
        match ran {
            Err(Stop::Return) => Ok(()),
            other => other,
        }
    }

    /// Runs a stored procedure; its return value.
    pub(crate) fn procedure(&mut self, name: &str, parameters: Vec<Parameter>) -> Result<i32, Stop> {
        let arguments =
            parameters.into_iter().map(|parameter| (parameter.name.to_lowercase(), parameter.value));
        self.execute(name, arguments.collect())
    }

    /// What a transaction manager's request does.
    pub(crate) fn transaction(&mut self, request: Transaction, answer: &mut Answer) -> Result<(), Stop> {
        match request {
            Transaction::Begin => self.begin(answer),
            Transaction::Commit => self.commit(answer),
            Transaction::RollBack => self.roll_back(answer),
        }
    }

    /// Puts the rows of a bulk load in: all or none. The types before the rows must be those that
    /// INSERT BULK announced.
    pub(crate) fn bulk(&mut self, load: &Load, kinds: &[Type], rows: &[Vec<Value>]) -> Result<u64, Stop> {
        self.strike("INSERT BULK", false)?;
        load.expect(kinds)?;
        let count = self.insert_rows(load, rows)?;
        self.strike("INSERT BULK", true)?;
        Ok(count)
    }

    /// Does the fault that a test asked for at such a statement.
    fn strike(&self, text: &str, after: bool) -> Result<(), Stop> {
        match self.shared.fault(text, after) {
            None => Ok(()),
            Some(What::Fail(error)) => Err(error.into()),
            Some(What::Wait(time)) => {
                std::thread::sleep(time);
                Ok(())
            }
            Some(What::Hang | What::Route { .. }) => Err(Stop::Close),
        }
    }
}

/// A name in SQLite's own quotes.
fn quote(name: &str) -> String {
    Token::Name(name.into()).to_string()
}
