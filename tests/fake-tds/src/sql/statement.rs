//! One statement, executed by SQLite.

use rusqlite::Statement;
use rusqlite::types::Value;

use super::lexer::{Token, find, text};
use super::writing::delete;
use super::{DEFAULT, Sql, Variables, catalogue, rewrite, unknown};
use crate::fault::SqlError;
use crate::server::lock;
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

    /// Updates the catalogue's views, if the tables have changed.
    fn know(&mut self) -> rusqlite::Result<()> {
        let mut seen = Vec::new();
        for schema in &self.schemas {
            let version =
                self.connection
                    .pragma_query_value(Some(schema.as_str()), "schema_version", |row| row.get(0))?;
            seen.push((schema.clone(), version));
        }
        if self.known != Some(seen.clone()) {
            let tells_case = lock(&self.shared.made.tell_case).contains(&self.database);
            catalogue::fill(&self.connection, &self.schemas, tells_case)?;
            self.known = Some(seen);
        }
        let synonyms = lock(&self.shared.made.synonyms);
        let ours = synonyms.iter().filter(|(database, ..)| *database == self.database);
        catalogue::fill_synonyms(
            &self.connection,
            ours.map(|(_, schema, name, base)| (&**schema, &**name, &**base)),
        )?;
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

    /// `SELECT TOP 0 … FROM t`, by which drivers learn what a bulk load writes: which columns are
    /// identities.
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
