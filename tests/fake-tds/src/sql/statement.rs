//! One statement, handed to SQLite.

use rusqlite::Statement;
use rusqlite::types::Value;

use super::lexer::{Token, closing, find, items, text};
use super::writing::delete;
use super::{DEFAULT, Sql, Variables, catalogue, ddl, lexer, rewrite, unknown};
use crate::fault::SqlError;
use crate::wire::token::{Answer, Column};
use crate::wire::types::Type;

/// What a statement did.
pub(super) struct Counted {
    pub(super) count: u64,
    pub(super) is_result: bool,
}

impl Sql {
    /// Runs a statement; None for one that counts nothing.
    pub(super) fn sql(
        &mut self,
        tokens: &[Token],
        variables: &mut Variables,
        answer: &mut Answer,
    ) -> Result<Option<Counted>, SqlError> {
        let tokens = self.resolved(tokens, variables)?;
        let says = |at: usize, word: &str| tokens.get(at).is_some_and(|token| token.says(word));
        let is_query = says(0, "SELECT") || says(0, "WITH");
        if says(0, "CREATE") || says(0, "ALTER") || says(0, "DROP") {
            return self.define(&tokens).map(|()| None);
        }
        if says(0, "GRANT") {
            return self.grant(&tokens).map(|()| None);
        }
        if says(0, "KILL") {
            self.shared.kill(tokens.get(1).map(ToString::to_string).and_then(|number| number.parse().ok()));
            return Ok(None);
        }
        let written = match &tokens[..] {
            [first, rest @ ..] if first.says("TRUNCATE") => {
                let mut written = vec![Token::word("DELETE"), Token::word("FROM")];
                written.extend_from_slice(rest.get(1..).unwrap_or_default());
                written
            }
            [first, ..] if first.says("INSERT") => self.insert(&tokens)?,
            [first, ..] if first.says("UPDATE") => self.update(&tokens)?,
            [first, ..] if first.says("DELETE") => rewrite::scope(&delete(&tokens)),
            _ if is_query => rewrite::scope(&tokens),
            _ => return Err(unknown(&text(&tokens))),
        };
        if !is_query {
            self.may_write(&tokens)?;
        }
        if tokens.iter().any(|token| token.says("sys")) {
            self.know().map_err(|error| self.error(&error, "sys"))?;
        }
        let sql = text(&written);
        let fail = |error: rusqlite::Error| self.error(&error, &sql);
        let mut statement = self.connection.prepare(&sql).map_err(fail)?;
        bind(&mut statement, variables).map_err(fail)?;
        if statement.column_count() == 0 {
            let count = statement.raw_execute().map_err(fail)?;
            return Ok(Some(Counted { count: count as u64, is_result: false }));
        }
        let (names, declared) = statement
            .columns()
            .map(|column| (column.name().to_owned(), column.decl_type().and_then(Type::parse)))
            .unzip::<_, _, Vec<_>, Vec<_>>();
        let rows = fetch(&mut statement, names.len()).map_err(fail)?;
        if let Some(assigned) = assignments(&tokens) {
            if let Some(row) = rows.last() {
                for (name, value) in assigned.iter().zip(row) {
                    if let Some((kind, variable)) = variables.get_mut(&name.to_lowercase()) {
                        *variable = kind.convert(value.clone())?;
                    }
                }
            }
            return Ok(Some(Counted { count: rows.len() as u64, is_result: false }));
        }
        let mut columns = self.columns(&tokens, &names, &declared, &rows, variables);
        self.mark(&tokens, &mut columns);
        let count = rows.len() as u64;
        answer.columns(&columns);
        for row in rows {
            let encoded = answer.row(&columns, row);
            encoded.map_err(|error| unknown(&format!("a result of {sql}: {error:#}")))?;
        }
        Ok(Some(Counted { count, is_result: true }))
    }

    /// The value of an expression.
    pub(super) fn value(&self, expression: &[Token], variables: &Variables) -> Result<Value, SqlError> {
        let mut query = vec![Token::word("SELECT")];
        query.extend(rewrite::scope(&self.resolved(expression, variables)?));
        let sql = text(&query);
        let fail = |error: rusqlite::Error| self.error(&error, &sql);
        let mut statement = self.connection.prepare(&sql).map_err(fail)?;
        bind(&mut statement, variables).map_err(fail)?;
        let rows = fetch(&mut statement, 1).map_err(fail)?;
        Ok(rows.into_iter().flatten().next().unwrap_or(Value::Null))
    }

    /// CREATE, ALTER and DROP.
    fn define(&mut self, tokens: &[Token]) -> Result<(), SqlError> {
        let unknown = || unknown(&text(tokens));
        if tokens.get(1).is_some_and(|token| token.says("SCHEMA")) {
            let name = tokens.get(2).and_then(Token::name).ok_or_else(unknown)?.to_owned();
            let database = self.database.clone();
            self.shared.create_schema(&database, &name)?;
            self.attach(&database, &name, &name)?;
            self.schemas.push(name);
            return Ok(());
        }
        if tokens.get(1).is_some_and(|token| token.says("DATABASE")) {
            let name = tokens.get(2).and_then(Token::name).ok_or_else(unknown)?;
            let name = if name.eq_ignore_ascii_case("CURRENT") { &self.database } else { name };
            if tokens.iter().any(|token| token.says("READ_ONLY")) {
                self.shared.forbid_writing(name);
            }
            return Ok(());
        }
        if tokens.get(1).is_some_and(|token| token.says_one_of(&["LOGIN", "USER"])) {
            let name = tokens.get(2).and_then(Token::name).ok_or_else(unknown)?;
            match tokens.iter().find(|token| matches!(token, Token::Text(_))) {
                Some(Token::Text(password)) => self.shared.rights.create(name, password),
                _ if tokens[0].says("DROP") => self.shared.rights.remove(name),
                _ => {}
            }
            return Ok(());
        }
        self.may_write(tokens)?;
        let sql = ddl::rewrite(tokens, |name| self.table(name)).ok_or_else(unknown)?;
        self.simple(&sql)
    }

    /// `GRANT SELECT, INSERT ON dbo.t TO u`.
    fn grant(&self, tokens: &[Token]) -> Result<(), SqlError> {
        let unknown = || unknown(&text(tokens));
        let on = tokens.iter().position(|token| token.says("ON")).ok_or_else(unknown)?;
        let to = tokens.iter().position(|token| token.says("TO")).ok_or_else(unknown)?;
        let login = tokens.get(to + 1).and_then(Token::name).ok_or_else(unknown)?;
        for right in items(&tokens[1..on]) {
            self.shared.rights.grant(login, &text(right), &text(&tokens[on + 1..to]));
        }
        Ok(())
    }

    /// Has the catalogue's views say what is there, where that has changed.
    fn know(&mut self) -> rusqlite::Result<()> {
        let mut seen = Vec::new();
        for schema in &self.schemas {
            let version =
                self.connection
                    .pragma_query_value(Some(schema.as_str()), "schema_version", |row| row.get(0))?;
            seen.push((schema.clone(), version));
        }
        if self.known != Some(seen.clone()) {
            catalogue::fill(&self.connection, &self.schemas)?;
            self.known = Some(seen);
        }
        Ok(())
    }

    /// What a table's name means: its schema as it is attached, and itself.
    pub(super) fn table(&self, tokens: &[Token]) -> Option<(String, String)> {
        let (mut parts, _) = rewrite::qualified(tokens)?;
        let table = parts.pop()?;
        if table.starts_with('#') {
            return Some(("temp".into(), table));
        }
        Some((parts.pop().unwrap_or_else(|| DEFAULT.into()), table))
    }

    /// A table's columns.
    pub(super) fn columns_of(&self, schema: &str, table: &str) -> Result<Vec<catalogue::Column>, SqlError> {
        let columns = catalogue::columns(&self.connection, schema, table);
        let columns = columns.map_err(|error| self.error(&error, table))?;
        if columns.is_empty() {
            return Err(SqlError::new(208, 16, format!("Invalid object name '{schema}.{table}'.")));
        }
        Ok(columns)
    }

    /// Refuses to write a database that is read-only.
    fn may_write(&self, tokens: &[Token]) -> Result<(), SqlError> {
        let into_temporary =
            tokens.iter().take(5).any(|token| token.name().is_some_and(|name| name.starts_with('#')));
        if into_temporary {
            return Ok(());
        }
        let target = tokens
            .iter()
            .position(|token| token.says_one_of(&["INTO", "UPDATE", "FROM"]))
            .map_or(0, |at| at + 1);
        if let (true, Some((schema, table))) =
            (target > 0, self.table(tokens.get(target..).unwrap_or_default()))
        {
            let right = tokens[0].to_string().to_uppercase();
            if !self.shared.rights.may(&self.user, &right, &format!("{schema}.{table}")) {
                let message = format!(
                    "The {right} permission was denied on the object '{table}', database '{}', schema '{schema}'.",
                    self.database
                );
                return Err(SqlError::new(229, 14, message));
            }
        } else if !self.shared.rights.may(&self.user, "CREATE TABLE", &self.database) {
            let message = format!("CREATE TABLE permission denied in database '{}'.", self.database);
            return Err(SqlError::new(262, 14, message));
        }
        if self.shared.may_write(&self.database) {
            return Ok(());
        }
        let message =
            format!("Failed to update database \"{}\" because the database is read-only.", self.database);
        Err(SqlError::new(3906, 16, message))
    }

    /// `SELECT TOP 0 … FROM t`, by which drivers learn what a bulk load writes: which columns are identities.
    fn mark(&self, tokens: &[Token], columns: &mut [Column]) {
        let Some(from) = find(tokens, 0, |token| token.says("FROM")) else { return };
        let Some((schema, table)) = self.table(&tokens[from + 1..]) else { return };
        let Ok(known) = self.columns_of(&schema, &table) else { return };
        for column in columns {
            if let Some(known) =
                known.iter().find(|known| known.name == column.name && known.kind == column.kind)
            {
                (column.nullable, column.identity) = (known.nullable, known.identity);
            }
        }
    }

    /// What only the session knows, put in: `@@ROWCOUNT`, `OBJECT_ID(…)`, names with a database.
    fn resolved(&self, tokens: &[Token], variables: &Variables) -> Result<Vec<Token>, SqlError> {
        let mut out = Vec::new();
        let mut at = 0;
        while let Some(token) = tokens.get(at) {
            let close =
                tokens.get(at + 1).filter(|token| token.is("(")).and_then(|_| closing(tokens, at + 1));
            let called = match (token, close) {
                (Token::Word(word), Some(close)) => {
                    let arguments = items(&tokens[at + 2..close]);
                    self.session_function(word, &arguments, variables)?.map(|value| (value, close + 1))
                }
                _ => None,
            };
            if let Some((value, past)) = called {
                out.push(value);
                at = past;
                continue;
            }
            if let Token::Global(name) = token {
                out.push(match &**name {
                    "ROWCOUNT" => Token::Number(self.row_count.to_string()),
                    "TRANCOUNT" => Token::Number(self.depth.to_string()),
                    "SPID" => Token::Number(self.number.to_string()),
                    "VERSION" => Token::Text("fake-tds: not SQL Server".into()),
                    other => return Err(unknown(&format!("@@{other}"))),
                });
                at += 1;
                continue;
            }
            let start_of_name =
                token.name().is_some() && !at.checked_sub(1).is_some_and(|at| tokens[at].is("."));
            if let Some((parts, length)) = rewrite::qualified(&tokens[at..]).filter(|_| start_of_name) {
                match &parts[..] {
                    [.., table] if length > 1 && table.starts_with('#') => {
                        out.push(Token::Name(table.clone()));
                    }
                    [database, schema, table] if self.shared.schemas(database).is_some() => {
                        let alias = if database.eq_ignore_ascii_case(&self.database) {
                            schema.clone()
                        } else {
                            format!("{database}.{schema}")
                        };
                        // Attached before, where this fails.
                        if alias != *schema {
                            let _ = self.attach(database, schema, &alias);
                        }
                        out.extend([Token::Name(alias), Token::Symbol("."), Token::Name(table.clone())]);
                    }
                    _ => out.extend_from_slice(&tokens[at..at + length]),
                }
                at += length;
                continue;
            }
            out.push(token.clone());
            at += 1;
        }
        Ok(out)
    }

    fn session_function(
        &self,
        word: &str,
        arguments: &[&[Token]],
        variables: &Variables,
    ) -> Result<Option<Token>, SqlError> {
        let argument = |at: usize| -> Result<String, SqlError> {
            match arguments.get(at).map(|argument| self.value(argument, variables)).transpose()? {
                Some(Value::Text(text)) => Ok(text),
                _ => Ok(String::new()),
            }
        };
        let object = |name: &str| -> Option<(String, String)> {
            let (schema, table) = self.table(&lexer::tokens(name).ok()?)?;
            self.columns_of(&schema, &table).ok().map(|_| (schema, table))
        };
        let null = || Token::word("NULL");
        Ok(Some(match &*word.to_ascii_uppercase() {
            "OBJECT_ID" => object(&argument(0)?).map_or_else(null, |(schema, table)| {
                Token::Number(catalogue::object_id(&schema, &table).to_string())
            }),
            "DB_NAME" => Token::Text(self.database.clone()),
            "DB_ID" => {
                let found = self
                    .shared
                    .databases()
                    .iter()
                    .position(|name| argument(0).is_ok_and(|asked| asked == *name));
                found.map_or_else(null, |at| Token::Number((at + 5).to_string()))
            }
            "SCHEMA_ID" => {
                let asked = argument(0)?;
                let found = self.schemas.iter().position(|name| *name == asked);
                found.map_or_else(null, |at| Token::Number((at + 1).to_string()))
            }
            "SCHEMA_NAME" => Token::Text(DEFAULT.into()),
            "SERVERPROPERTY" => Token::Text("16.0.1000.6".into()),
            "HAS_PERMS_BY_NAME" => {
                let (securable, class) = (argument(0)?, argument(1)?);
                let there = match &*class.to_ascii_uppercase() {
                    "OBJECT" => object(&securable).is_some(),
                    _ => true,
                };
                let may = self.shared.rights.may(&self.user, &argument(2)?, &securable);
                if there { Token::Number(i32::from(may).to_string()) } else { null() }
            }
            _ => return Ok(None),
        }))
    }
}

pub(super) fn tokens_of(sqlite: &str) -> Vec<Token> {
    vec![Token::word(sqlite)]
}

/// The variables that a SELECT gives values to, where it does.
fn assignments(tokens: &[Token]) -> Option<Vec<String>> {
    let (_, items) = rewrite::projection(tokens)?;
    items
        .into_iter()
        .map(|item| match item {
            [Token::Variable(name), equals, ..] if equals.is("=") => Some(name.clone()),
            _ => None,
        })
        .collect()
}

fn bind(statement: &mut Statement<'_>, variables: &Variables) -> rusqlite::Result<()> {
    for at in 1..=statement.parameter_count() {
        let name = statement.parameter_name(at).unwrap_or_default().to_lowercase();
        if let Some((_, value)) = variables.get(&name) {
            statement.raw_bind_parameter(at, value)?;
        }
    }
    Ok(())
}

fn fetch(statement: &mut Statement<'_>, width: usize) -> rusqlite::Result<Vec<Vec<Value>>> {
    let mut found = Vec::new();
    let mut rows = statement.raw_query();
    while let Some(row) = rows.next()? {
        found.push((0..width).map(|at| row.get(at)).collect::<rusqlite::Result<_>>()?);
    }
    Ok(found)
}
