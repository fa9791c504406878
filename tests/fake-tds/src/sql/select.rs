//! The types of a result's columns. SQLite gives the declared type of a table's column. The types
//! that T-SQL derives are derived here, for the few forms that are needed. The others follow from
//! the values.

use rusqlite::types::Value;

use super::lexer::{Token, closing, items, text};
use super::{Sql, Variables, rewrite};
use crate::wire::token::Column;
use crate::wire::types::{KEPT, Type, datetime};

/// Functions whose type is their first argument's.
const PASSED_ON: [&str; 7] = ["MIN", "MAX", "SUM", "ISNULL", "COALESCE", "LOWER", "UPPER"];

impl Sql {
    /// The columns of a query, given as T-SQL and as SQLite reads it, with the rows that it gave.
    pub(super) fn columns(
        &self,
        query: &[Token],
        names: &[String],
        declared: &[Option<Type>],
        rows: &[Vec<Value>],
        variables: &Variables,
    ) -> Vec<Column> {
        let items = rewrite::projection(query).map(|(_, items)| items).unwrap_or_default();
        let known = if items.len() == names.len() {
            self.derived(query, &items, variables)
        } else {
            vec![None; names.len()]
        };
        let kinds = declared.iter().zip(known).map(|(declared, known)| known.or(*declared));
        names
            .iter()
            .zip(kinds)
            .enumerate()
            .map(|(at, (name, kind))| Column {
                name: name.clone(),
                kind: kind.unwrap_or_else(|| of_values(rows.iter().filter_map(|row| row.get(at)))),
                nullable: true,
                identity: false,
            })
            .collect()
    }

    fn derived(&self, query: &[Token], items: &[&[Token]], variables: &Variables) -> Vec<Option<Type>> {
        let mut passed_on = Vec::new();
        let mut kinds: Vec<Option<Type>> = Vec::new();
        for (at, item) in items.iter().enumerate() {
            let (kind, argument) = of_item(item, variables);
            if let Some(argument) = argument {
                passed_on.push((at, argument));
            }
            kinds.push(kind);
        }
        if passed_on.is_empty() {
            return kinds;
        }
        // The same query with the arguments in place of the functions: what they were declared as
        // is what the functions give.
        let mut probe = vec![Token::word("SELECT")];
        for (at, item) in items.iter().enumerate() {
            if at > 0 {
                probe.push(Token::Symbol(","));
            }
            let argument = passed_on.iter().find(|(other, _)| *other == at).map(|(_, argument)| *argument);
            probe.extend_from_slice(argument.unwrap_or(item));
        }
        if let Some((start, all)) = rewrite::projection(query) {
            let length = all.iter().map(|item| item.len() + 1).sum::<usize>() - 1;
            probe.extend_from_slice(&query[start + length..]);
        }
        if let Ok(statement) = self.connection.prepare(&text(&rewrite::scope(&probe))) {
            let declared: Vec<_> =
                statement.columns().map(|column| column.decl_type().and_then(Type::parse)).collect();
            for (at, _) in passed_on {
                kinds[at] = kinds[at].or(declared.get(at).copied().flatten());
            }
        }
        kinds
    }
}

/// What an item is by its form, or the argument whose type it has.
fn of_item<'a>(item: &'a [Token], variables: &Variables) -> (Option<Type>, Option<&'a [Token]>) {
    let Some(first) = item.first() else { return (None, None) };
    match first {
        Token::Variable(name) if item.len() == 1 || !item[1].is("=") => {
            return (variables.get(&name.to_lowercase()).map(|(kind, _)| *kind), None);
        }
        Token::Global(name) if name == "SPID" => return (Some(Type::Int(2)), None),
        Token::Global(name) if name != "VERSION" => return (Some(Type::INT), None),
        _ => {}
    }
    let Some(close) = item.get(1).filter(|token| token.is("(")).and_then(|_| closing(item, 1)) else {
        return (None, None);
    };
    let inside = &item[2..close];
    // A whole function, with an alias at most.
    if item.get(close + 1).is_some_and(|token| token.name().is_none()) {
        return (None, None);
    }
    let fixed = |kind| (Some(kind), None);
    match first {
        Token::Word(word) => match &*word.to_ascii_uppercase() {
            "CAST" | "TRY_CAST" => {
                let by = inside.iter().rposition(|token| token.says("AS"));
                (by.and_then(|by| Type::parse(&text(&inside[by + 1..]))), None)
            }
            "CONVERT" => (items(inside).first().and_then(|kind| Type::parse(&text(kind))), None),
            "COUNT" | "OBJECT_ID" | "HAS_PERMS_BY_NAME" | "DB_ID" | "DATEDIFF" | "LEN" => fixed(Type::INT),
            "COUNT_BIG" | "ROW_NUMBER" => fixed(Type::BIGINT),
            "GETDATE" | "GETUTCDATE" => fixed(Type::DateTime),
            "SYSDATETIME" | "SYSUTCDATETIME" => fixed(Type::DateTime2(7)),
            "DB_NAME" | "SERVERPROPERTY" => fixed(Type::NVarChar(Some(128))),
            upper if PASSED_ON.contains(&upper) => {
                let argument = items(inside).into_iter().next();
                let inner = argument.map_or((None, None), |argument| of_item(argument, variables));
                if inner.0.is_some() { inner } else { (None, inner.1.or(argument)) }
            }
            _ => (None, None),
        },
        _ => (None, None),
    }
}

/// The narrowest type that holds all the values.
fn of_values<'a>(values: impl Iterator<Item = &'a Value>) -> Type {
    let mut kind = None;
    for value in values {
        let needed = match value {
            Value::Null => continue,
            Value::Integer(whole) if i32::try_from(*whole).is_ok() => Type::INT,
            Value::Integer(_) => Type::BIGINT,
            Value::Real(_) => Type::Float(8),
            Value::Text(text) if text.len() == KEPT && datetime(text).is_ok() => Type::DateTime2(7),
            Value::Text(text) if text.len() > 4000 => Type::NVarChar(None),
            Value::Text(_) => Type::TEXT,
            Value::Blob(_) => Type::VarBinary(None),
        };
        kind = match kind {
            Some(wider @ (Type::BIGINT | Type::NVarChar(None))) => Some(wider),
            _ => Some(needed),
        };
    }
    kind.unwrap_or(Type::INT)
}
