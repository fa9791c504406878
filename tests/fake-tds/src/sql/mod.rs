//! A session's SQL: T-SQL comes in, SQLite does the work, tokens go out.
//!
//! A database is a directory and a schema in it a SQLite file, which the session attaches under the schema's name; `#tables` are
//! temporary ones. A connection that ends takes its transaction back, as SQLite does by itself, and gives its applocks up.

mod catalogue;
mod ddl;
mod function;
mod lexer;
mod rewrite;
mod script;
mod select;
mod statement;
mod writing;

use std::collections::BTreeMap;
use std::sync::{Arc, PoisonError};
use std::time::Duration;

use rusqlite::types::Value;
use rusqlite::{Connection, ErrorCode, ffi};

use crate::fault::{SqlError, What};
use crate::server::Shared;
use crate::wire::request::{Parameter, Transaction};
use crate::wire::token::{Answer, Done, status};
use crate::wire::types::Type;
use lexer::Token;
use script::Statement;

/// The error number of what the fake does not know.
pub const UNKNOWN: i32 = 50_999;

/// The schema of a name without one.
const DEFAULT: &str = "dbo";

/// What SQL Server waits for a lock without a LOCK_TIMEOUT is for ever; a test is not to.
const PATIENCE: Duration = Duration::from_secs(20);

pub(crate) fn unknown(text: &str) -> SqlError {
    SqlError::new(UNKNOWN, 16, format!("the fake does not know this: {}", text.trim()))
}

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
    columns: Vec<String>,
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
        let columns = columns.into_iter().map(|column| Some(column.first()?.name()?.to_owned()));
        Some(Self { target: rest[..open].to_vec(), columns: columns.collect::<Option<_>>()? })
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

    /// Runs a batch. What it answers is in `answer`, but the last DONE.
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

    /// Puts the rows of a bulk load in: all or none.
    pub(crate) fn bulk(&mut self, load: &Load, rows: &[Vec<Value>]) -> Result<u64, Stop> {
        self.strike("INSERT BULK", false)?;
        let count = self.insert_rows(load, rows)?;
        self.strike("INSERT BULK", true)?;
        Ok(count)
    }

    fn block(
        &mut self,
        statements: &[Statement],
        variables: &mut Variables,
        answer: &mut Answer,
        done: Done,
    ) -> Result<(), Stop> {
        statements.iter().try_for_each(|statement| self.statement(statement, variables, answer, done))
    }

    fn statement(
        &mut self,
        statement: &Statement,
        variables: &mut Variables,
        answer: &mut Answer,
        done: Done,
    ) -> Result<(), Stop> {
        match statement {
            Statement::Block(statements) => self.block(statements, variables, answer, done)?,
            Statement::If { condition, then, otherwise } => {
                let mut asked = vec![Token::word("CASE"), Token::word("WHEN")];
                asked.extend_from_slice(condition);
                asked.extend(["THEN", "1", "ELSE", "0", "END"].map(Token::word));
                if self.value(&asked, variables)? == Value::Integer(1) {
                    self.statement(then, variables, answer, done)?;
                } else if let Some(otherwise) = otherwise {
                    self.statement(otherwise, variables, answer, done)?;
                }
            }
            Statement::Declare(declared) => {
                for (name, kind, value) in declared {
                    let value =
                        value.as_ref().map_or(Ok(Value::Null), |value| self.value(value, variables))?;
                    variables.insert(name.to_lowercase(), (*kind, kind.convert(value)?));
                }
            }
            Statement::Assign(name, value) => {
                let value = self.value(value, variables)?;
                let Some((kind, old)) = variables.get_mut(&name.to_lowercase()) else {
                    return Err(SqlError::new(
                        137,
                        15,
                        format!("Must declare the scalar variable \"{name}\"."),
                    )
                    .into());
                };
                *old = kind.convert(value)?;
            }
            Statement::Option(option) => self.option(option)?,
            Statement::Begin => self.begin(answer)?,
            Statement::Commit => self.commit(answer)?,
            Statement::RollBack => self.roll_back(answer)?,
            Statement::Execute { result, procedure, arguments } => {
                let arguments = arguments
                    .iter()
                    .map(|(name, value)| Ok((name.to_lowercase(), self.value(value, variables)?)))
                    .collect::<Result<_, SqlError>>()?;
                let returned = self.execute(procedure, arguments)?;
                if let Some((_, value)) =
                    result.as_ref().and_then(|name| variables.get_mut(&name.to_lowercase()))
                {
                    *value = Value::Integer(returned.into());
                }
            }
            Statement::Throw(tokens) => {
                let number = match tokens.first() {
                    Some(Token::Number(number)) => number.parse().unwrap_or(50_000),
                    _ => 50_000,
                };
                let message = tokens.iter().find_map(|token| match token {
                    Token::Text(text) => Some(text.clone()),
                    _ => None,
                });
                return Err(SqlError::new(number, 16, message.unwrap_or_default()).into());
            }
            Statement::Return => return Err(Stop::Return),
            Statement::Use(name) => {
                let old = self.database.clone();
                self.enter(name)?;
                answer.database(name, &old);
            }
            Statement::CreateDatabase(name) => self.shared.create(name)?,
            Statement::DropDatabase(name) => {
                let name = name.clone();
                self.shared.remove(&name);
            }
            Statement::Sql(tokens) => {
                let text = lexer::text(tokens);
                self.strike(&text, false)?;
                let counted = self.sql(tokens, variables, answer)?;
                self.strike(&text, true)?;
                if let Some(rows) = counted {
                    self.row_count = rows.count;
                    if rows.is_result || !self.no_count {
                        answer.done(done, status::MORE | status::COUNT, rows.count);
                    }
                }
            }
        }
        Ok(())
    }

    fn option(&mut self, option: &[Token]) -> Result<(), SqlError> {
        let on = option.last().is_some_and(|token| token.says("ON"));
        match option {
            [name, ..] if name.says("XACT_ABORT") => self.xact_abort = on,
            [name, ..] if name.says("NOCOUNT") => self.no_count = on,
            [name, Token::Number(millis)] if name.says("LOCK_TIMEOUT") => {
                let millis = millis.parse().map_err(|_| unknown(&lexer::text(option)))?;
                self.lock_timeout = Duration::from_millis(millis);
                self.wait(self.lock_timeout)?;
            }
            // Anything else says how a server is to go about it, or is what SQLite does anyway.
            _ => {}
        }
        Ok(())
    }

    fn begin(&mut self, answer: &mut Answer) -> Result<(), Stop> {
        self.strike("BEGIN TRANSACTION", false)?;
        if self.depth == 0 {
            self.simple("BEGIN")?;
            answer.begun();
        }
        self.depth += 1;
        self.strike("BEGIN TRANSACTION", true)
    }

    fn commit(&mut self, answer: &mut Answer) -> Result<(), Stop> {
        self.strike("COMMIT TRANSACTION", false)?;
        match self.depth {
            0 => {
                let message = "The COMMIT TRANSACTION request has no corresponding BEGIN TRANSACTION.";
                return Err(SqlError::new(3902, 16, message).into());
            }
            1 => {
                self.simple("COMMIT")?;
                answer.ended(true);
            }
            _ => {}
        }
        self.depth -= 1;
        self.strike("COMMIT TRANSACTION", true)
    }

    fn roll_back(&mut self, answer: &mut Answer) -> Result<(), Stop> {
        if self.depth == 0 {
            let message = "The ROLLBACK TRANSACTION request has no corresponding BEGIN TRANSACTION.";
            return Err(SqlError::new(3903, 16, message).into());
        }
        self.simple("ROLLBACK")?;
        answer.ended(false);
        (self.depth, self.known) = (0, None);
        Ok(())
    }

    fn simple(&self, sql: &str) -> Result<(), SqlError> {
        self.connection.execute_batch(sql).map_err(|error| self.error(&error, sql))
    }

    /// What an error does to an open transaction.
    fn take_back(&mut self, error: &SqlError, answer: &mut Answer) {
        const VICTIMS: [i32; 2] = [1205, 3960];
        let gone = self.depth > 0 && self.connection.is_autocommit();
        if self.depth > 0 && (gone || self.xact_abort || VICTIMS.contains(&error.number)) {
            // Where SQLite has taken it back already there is nothing more to do.
            let _ = self.connection.execute_batch("ROLLBACK");
            (self.depth, self.known) = (0, None);
            answer.ended(false);
        }
    }

    /// The procedures that are known.
    fn execute(&mut self, name: &str, arguments: Vec<(String, Value)>) -> Result<i32, Stop> {
        let positional = ["@resource", "@lockmode", "@lockowner", "@locktimeout"];
        let mut named: BTreeMap<String, Value> = BTreeMap::new();
        for (at, (key, value)) in arguments.into_iter().enumerate() {
            let key =
                if key.is_empty() { positional.get(at).copied().unwrap_or_default().to_owned() } else { key };
            named.insert(key, value);
        }
        let resource = match named.get("@resource") {
            Some(Value::Text(text)) => format!("{}/{text}", self.database),
            _ => String::new(),
        };
        let wait = match named.get("@locktimeout") {
            Some(Value::Integer(millis)) => Duration::from_millis(u64::try_from(*millis).unwrap_or(u64::MAX)),
            _ => self.lock_timeout,
        };
        match &*name.to_lowercase() {
            "sp_getapplock" => {
                self.strike("sp_getapplock", false)?;
                Ok(self.shared.locks.get(&resource, self.number, wait.min(PATIENCE)))
            }
            "sp_releaseapplock" => Ok(self.shared.locks.release(&resource, self.number)),
            _ => Err(unknown(name).into()),
        }
    }

    /// Does what a test asked for at such a statement.
    fn strike(&self, text: &str, after: bool) -> Result<(), Stop> {
        match self.shared.fault(text, after) {
            None => Ok(()),
            Some(What::Fail(error)) => Err(error.into()),
            Some(What::Hang | What::Route { .. }) => Err(Stop::Close),
        }
    }

    /// SQLite's error as SQL Server's.
    fn error(&self, error: &rusqlite::Error, sql: &str) -> SqlError {
        if let Some(error) = self.wrong.lock().unwrap_or_else(PoisonError::into_inner).take() {
            return error;
        }
        let (code, message) = match error {
            rusqlite::Error::SqliteFailure(code, message) => (*code, message.clone().unwrap_or_default()),
            rusqlite::Error::SqlInputError { error, msg, .. } => (*error, msg.clone()),
            other => return unknown(&format!("{sql} ({other})")),
        };
        match code.code {
            ErrorCode::DatabaseBusy if code.extended_code == ffi::SQLITE_BUSY_SNAPSHOT => {
                let message = "Transaction was deadlocked on lock resources with another process and has been chosen as the \
                               deadlock victim. Rerun the transaction.";
                SqlError::new(1205, 13, message)
            }
            ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked => {
                SqlError::new(1222, 16, "Lock request time out period exceeded.")
            }
            ErrorCode::ConstraintViolation => match code.extended_code {
                ffi::SQLITE_CONSTRAINT_UNIQUE => {
                    SqlError::new(2601, 14, format!("Cannot insert duplicate key row: {message}."))
                }
                ffi::SQLITE_CONSTRAINT_PRIMARYKEY | ffi::SQLITE_CONSTRAINT_ROWID => {
                    SqlError::new(2627, 14, format!("Violation of PRIMARY KEY constraint: {message}."))
                }
                ffi::SQLITE_CONSTRAINT_NOTNULL => {
                    SqlError::new(515, 16, format!("Cannot insert NULL: {message}."))
                }
                _ => SqlError::new(547, 16, message),
            },
            ErrorCode::DiskFull => SqlError::new(9002, 17, "The transaction log is full."),
            _ if message.starts_with("no such table") => {
                SqlError::new(208, 16, format!("Invalid object name: {message}."))
            }
            _ if message.starts_with("no such column") || message.contains("has no column named") => {
                SqlError::new(207, 16, format!("Invalid column name: {message}."))
            }
            _ if message.contains("already exists") => SqlError::new(
                2714,
                16,
                format!("There is already an object named so in the database: {message}."),
            ),
            _ => unknown(&format!("{sql} ({message})")),
        }
    }
}

fn no_database(name: &str) -> SqlError {
    SqlError::new(
        4060,
        11,
        format!("Cannot open database \"{name}\" requested by the login. The login failed."),
    )
}

#[allow(clippy::needless_pass_by_value, reason = "the form that map_err wants")]
fn internal(error: rusqlite::Error) -> SqlError {
    unknown(&error.to_string())
}

/// A name in SQLite's own quotes.
fn quote(name: &str) -> String {
    Token::Name(name.into()).to_string()
}
