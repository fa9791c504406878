//! What a batch does between its statements: blocks, conditions, variables, settings, procedures.

use std::collections::BTreeMap;
use std::time::Duration;

use rusqlite::types::Value;

use super::lexer::{self, Token};
use super::script::Statement;
use super::{PATIENCE, Sql, Stop, Variables, unknown};
use crate::fault::SqlError;
use crate::server::lock;
use crate::wire::token::{Answer, Done, status};

impl Sql {
    pub(super) fn block(
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
            Statement::CreateDatabase(name, tells_case) => {
                self.shared.create(name)?;
                if *tells_case {
                    lock(&self.shared.made.tell_case).push(name.clone());
                }
            }
            Statement::DropDatabase(name) => {
                let name = name.clone();
                self.shared.remove(&name);
            }
            Statement::Sql(tokens) => {
                let text = lexer::text(tokens);
                self.strike(&text, false)?;
                let counted = self.sql(tokens, variables, answer)?;
                self.answer_triggers(tokens, variables, answer, done)?;
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

    /// The rows that triggers answer after an INSERT.
    fn answer_triggers(
        &mut self,
        tokens: &[Token],
        variables: &mut Variables,
        answer: &mut Answer,
        done: Done,
    ) -> Result<(), Stop> {
        let into = if tokens.get(1).is_some_and(|token| token.says("INTO")) { 2 } else { 1 };
        if !tokens[0].says("INSERT") {
            return Ok(());
        }
        let Some((schema, table)) = self.table(&tokens[into..]) else { return Ok(()) };
        let queries: Vec<String> = lock(&self.shared.made.triggers)
            .iter()
            .filter(|(database, of, on, _)| *database == self.database && *of == schema && *on == table)
            .map(|(_, _, _, query)| query.clone())
            .collect();
        for query in queries {
            if let Some(rows) = self.sql(&lexer::tokens(&query)?, variables, answer)? {
                answer.done(done, status::MORE | status::COUNT, rows.count);
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
            // The other settings say how a server executes statements, or are what SQLite does
            // anyway.
            _ => {}
        }
        Ok(())
    }

    /// The procedures that are known.
    pub(super) fn execute(&mut self, name: &str, arguments: Vec<(String, Value)>) -> Result<i32, Stop> {
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
                let answer = self.shared.locks.get(&resource, self.number, wait.min(PATIENCE));
                let of_transaction =
                    matches!(named.get("@lockowner"), Some(Value::Text(owner)) if owner == "Transaction");
                if answer >= 0 && of_transaction {
                    self.locked.push(resource);
                }
                Ok(answer)
            }
            "sp_releaseapplock" => Ok(self.shared.locks.release(&resource, self.number)),
            _ => Err(unknown(name).into()),
        }
    }
}
