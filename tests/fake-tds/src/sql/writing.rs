//! Converts values to the type of their column, as SQL Server does by itself and SQLite does not.

use rusqlite::params_from_iter;
use rusqlite::types::Value;

use super::lexer::{Token, closing, find, items, text};
use super::statement::tokens_of;
use super::{Load, Sql, quote, rewrite, unknown};
use crate::fault::SqlError;
use crate::wire::types::Type;

impl Sql {
    /// The rows of a bulk load.
    pub(super) fn insert_rows(
        &self,
        Load { target, columns }: &Load,
        rows: &[Vec<Value>],
    ) -> Result<u64, SqlError> {
        let (schema, table) = self.table(target).ok_or_else(|| unknown(&text(target)))?;
        let known = self.columns_of(&schema, &table)?;
        let kinds: Vec<Type> = columns
            .iter()
            .map(|(name, _)| {
                known.iter().find(|column| column.name.eq_ignore_ascii_case(name)).map(|column| column.kind)
            })
            .collect::<Option<_>>()
            .ok_or_else(|| unknown(&text(target)))?;
        let names: Vec<_> = columns.iter().map(|(name, _)| quote(name)).collect();
        let holes = vec!["?"; columns.len()].join(", ");
        let sql = format!(
            "INSERT INTO {}.{} ({}) VALUES ({holes})",
            quote(&schema),
            quote(&table),
            names.join(", ")
        );
        let fail = |error: rusqlite::Error| self.error(&error, &sql);
        self.simple("SAVEPOINT bulk")?;
        let put = || {
            let mut statement = self.connection.prepare_cached(&sql).map_err(fail)?;
            let mut count = 0;
            for row in rows {
                let row = row.iter().zip(&kinds).map(|(value, kind)| kind.convert(value.clone()));
                statement.execute(params_from_iter(row.collect::<Result<Vec<_>, _>>()?)).map_err(fail)?;
                count += 1;
            }
            Ok(count)
        };
        let done = put();
        self.simple(if done.is_ok() { "RELEASE bulk" } else { "ROLLBACK TO bulk; RELEASE bulk" })?;
        done
    }

    /// `INSERT INTO t (a) SELECT …`, with the selected values converted to the columns' types.
    pub(super) fn insert(&self, tokens: &[Token]) -> Result<Vec<Token>, SqlError> {
        let start = 1 + usize::from(tokens.get(1).is_some_and(|token| token.says("INTO")));
        let (_, length) = rewrite::qualified(&tokens[start..]).ok_or_else(|| unknown(&text(tokens)))?;
        let (schema, table) = self.table(&tokens[start..]).ok_or_else(|| unknown(&text(tokens)))?;
        let known = self.columns_of(&schema, &table)?;
        let mut at = start + length;
        let named: Vec<String> =
            match tokens.get(at).filter(|token| token.is("(")).and_then(|_| closing(tokens, at)) {
                Some(close) => {
                    let names =
                        items(&tokens[at + 1..close]).into_iter().filter_map(|item| item.first()?.name());
                    let names = names.map(str::to_owned).collect();
                    at = close + 1;
                    names
                }
                None => {
                    known.iter().filter(|column| !column.identity).map(|column| column.name.clone()).collect()
                }
            };
        let mut out = tokens_of(&format!("INSERT INTO {}.{} (", quote(&schema), quote(&table)));
        let list = |names: &mut dyn Iterator<Item = Vec<Token>>| {
            let parts: Vec<Vec<Token>> = names.collect();
            parts.join(&Token::Symbol(","))
        };
        out.extend(list(&mut named.iter().map(|name| vec![Token::Name(name.clone())])));
        out.push(Token::Symbol(")"));
        if tokens.get(at).is_some_and(|token| token.says("DEFAULT")) {
            return Err(unknown(&text(tokens)));
        }
        let given = |number: usize| Token::word(&format!("given{number}"));
        out.extend([Token::word("WITH"), Token::word("given"), Token::Symbol("(")]);
        out.extend(list(&mut (0..named.len()).map(|number| vec![given(number)])));
        out.extend([Token::Symbol(")"), Token::word("AS"), Token::Symbol("(")]);
        out.extend(rewrite::scope(&tokens[at..]));
        out.extend([Token::Symbol(")"), Token::word("SELECT")]);
        let mut assigned = Vec::new();
        for (number, name) in named.iter().enumerate() {
            let column = known.iter().find(|column| column.name.eq_ignore_ascii_case(name));
            let column =
                column.ok_or_else(|| SqlError::new(207, 16, format!("Invalid column name '{name}'.")))?;
            assigned.push(rewrite::cast(vec![given(number)], &[Token::word(&declaration(column.kind))]));
        }
        out.extend(list(&mut assigned.into_iter()));
        // Without a condition SQLite would take what follows a SELECT in an INSERT for an upsert's.
        out.extend([Token::word("FROM"), Token::word("given"), Token::word("WHERE"), Token::word("true")]);
        Ok(out)
    }

    /// `UPDATE t SET a = …`, with the set values converted to the columns' types.
    pub(super) fn update(&self, tokens: &[Token]) -> Result<Vec<Token>, SqlError> {
        let unknown = || unknown(&text(tokens));
        let (schema, table) = self.table(&tokens[1..]).ok_or_else(unknown)?;
        let known = self.columns_of(&schema, &table)?;
        let set = find(tokens, 1, |token| token.says("SET")).ok_or_else(unknown)?;
        let ends = ["FROM", "WHERE", "OUTPUT"];
        let end = find(tokens, set, |token| token.says_one_of(&ends)).unwrap_or(tokens.len());
        let mut out = tokens_of(&format!("UPDATE {}.{} SET", quote(&schema), quote(&table)));
        for (number, item) in items(&tokens[set + 1..end]).into_iter().enumerate() {
            let [name, equals, value @ ..] = item else { return Err(unknown()) };
            let column = name.name().filter(|_| equals.is("=")).ok_or_else(unknown)?;
            let kind =
                known.iter().find(|known| known.name.eq_ignore_ascii_case(column)).map(|column| column.kind);
            let kind =
                kind.ok_or_else(|| SqlError::new(207, 16, format!("Invalid column name '{column}'.")))?;
            if number > 0 {
                out.push(Token::Symbol(","));
            }
            out.extend([name.clone(), equals.clone()]);
            out.extend(rewrite::cast(rewrite::scope(value), &[Token::word(&declaration(kind))]));
        }
        let mut rest = tokens[end..].to_vec();
        let mut returning = Vec::new();
        if rest.first().is_some_and(|token| token.says("OUTPUT")) {
            let past = find(&rest, 1, |token| token.says_one_of(&["FROM", "WHERE"])).unwrap_or(rest.len());
            returning = rest.drain(..past).skip(1).collect();
            returning.insert(0, Token::word("RETURNING"));
        }
        out.extend(rewrite::scope(&rest));
        // `inserted.x` is the new row's, as everything in RETURNING.
        let mut returned = returning.into_iter().peekable();
        while let Some(token) = returned.next() {
            if token.says("inserted") && returned.next_if(|next| next.is(".")).is_some() {
                continue;
            }
            out.push(token);
        }
        Ok(out)
    }
}

/// `DELETE a FROM t AS a` without its first `a`.
pub(super) fn delete(tokens: &[Token]) -> Vec<Token> {
    let named = tokens.get(1).is_some_and(|token| !token.says("FROM"));
    let mut tokens = tokens.to_vec();
    if named && tokens.get(2).is_some_and(|token| token.says("FROM")) {
        tokens.remove(1);
    }
    tokens
}

/// A type as a text that `Type::parse` takes.
fn declaration(kind: Type) -> String {
    let length = |length: Option<u16>| length.map_or_else(|| "max".to_owned(), |length| length.to_string());
    match kind {
        Type::Decimal { precision, scale } => format!("decimal({precision},{scale})"),
        Type::DateTime2(scale) => format!("datetime2({scale})"),
        Type::VarChar(most) | Type::NVarChar(most) | Type::VarBinary(most) => {
            format!("{}({})", kind.name(), length(most))
        }
        other => other.name().to_owned(),
    }
}
