//! Tables and indexes, as SQLite makes them. A column keeps its type's T-SQL name, by which it is
//! recognised. An identity is INTEGER, as in SQLite.

use super::catalogue::{HYPOTHETICAL, PARTITIONED, ROW_END, ROW_START, ROW_VERSION};
use super::lexer::{Token, closing, items, text};
use super::{collation, quote, rewrite};
use crate::wire::types::Type;

/// A definition as SQLite's; None for one of another form. `resolve` tells a table's schema and
/// name.
pub(super) fn rewrite(
    tokens: &[Token],
    resolve: impl Fn(&[Token]) -> Option<(String, String)>,
) -> Option<String> {
    let says = |at: usize, words: &[&str]| tokens.get(at).is_some_and(|token| token.says_one_of(words));
    let full = |at: usize| {
        resolve(&tokens[at..]).map(|(schema, table)| format!("{}.{}", quote(&schema), quote(&table)))
    };
    if says(0, &["CREATE"]) && says(1, &["TABLE"]) {
        let open = tokens.iter().position(|token| token.is("("))?;
        let columns = items(&tokens[open + 1..closing(tokens, open)?]);
        let columns: Vec<String> = columns.into_iter().filter_map(column).collect();
        return Some(format!("CREATE TABLE {} ({})", full(2)?, columns.join(", ")));
    }
    if says(0, &["CREATE"]) && tokens.iter().take(4).any(|token| token.says("INDEX")) {
        let unique = if says(1, &["UNIQUE"]) { "UNIQUE " } else { "" };
        let index = tokens.iter().position(|token| token.says("INDEX"))?;
        let name = tokens.get(index + 1)?.name()?.to_owned();
        // The form of the tuning advisor.
        let hypothetical = tokens.iter().any(|token| token.says("STATISTICS_ONLY"));
        let name = if hypothetical { format!("{HYPOTHETICAL}{name}") } else { name };
        let (schema, table) = resolve(&tokens[index + 3..])?;
        let open = tokens.iter().position(|token| token.is("("))?;
        let close = closing(tokens, open)?;
        let columns = text(&tokens[open..=close]);
        // `ON scheme (column)`: in partitions by this column.
        let name = match &tokens[close + 1..] {
            [on, _, open, column, ..] if on.says("ON") && open.is("(") => {
                format!("{PARTITIONED}{} {name}", column.name()?)
            }
            _ => name,
        };
        return Some(format!(
            "CREATE {unique}INDEX {}.{} ON {} {columns}",
            quote(&schema),
            quote(&name),
            quote(&table)
        ));
    }
    if says(0, &["DROP"]) && says(1, &["TABLE"]) {
        let name = if says(2, &["IF"]) { 4 } else { 2 };
        return Some(format!("DROP TABLE {}{}", if name == 4 { "IF EXISTS " } else { "" }, full(name)?));
    }
    if says(0, &["DROP"]) && says(1, &["INDEX"]) {
        let name = tokens.get(2)?.name()?;
        let (schema, _) = resolve(&tokens[4..])?;
        return Some(format!("DROP INDEX {}.{}", quote(&schema), quote(name)));
    }
    if says(0, &["ALTER"]) && says(1, &["TABLE"]) {
        return alter(tokens, &resolve);
    }
    None
}

/// ALTER TABLE: drops a column, or adds a check of later rows.
fn alter(tokens: &[Token], resolve: impl Fn(&[Token]) -> Option<(String, String)>) -> Option<String> {
    let (schema, table) = resolve(&tokens[2..])?;
    let (_, length) = rewrite::qualified(&tokens[2..])?;
    let rest = &tokens[2 + length..];
    if rest.first()?.says("DROP") && rest.get(1)?.says("COLUMN") {
        let column = quote(rest.get(2)?.name()?);
        return Some(format!("ALTER TABLE {}.{} DROP COLUMN {column}", quote(&schema), quote(&table)));
    }
    // SQLite cannot add a check to an existing table. A trigger refuses the same rows, after they
    // have their identity.
    let check = rest.iter().position(|token| token.says("CHECK"))?;
    let name = rest.iter().position(|token| token.says("CONSTRAINT")).and_then(|at| rest.get(at + 1)?.name());
    let inside = &rest[check + 2..closing(rest, check + 1)?];
    let mut condition = String::new();
    for (at, token) in inside.iter().enumerate() {
        let is_column = matches!(token, Token::Name(_)) || matches!(token, Token::Word(_)) && at == 0;
        condition.push_str(if is_column { "NEW." } else { "" });
        condition.push_str(&format!("{token} "));
    }
    Some(format!(
        "CREATE TRIGGER {}.{} AFTER INSERT ON {} WHEN NOT ({condition}) BEGIN SELECT RAISE(ABORT, \
         'The INSERT statement conflicted with the CHECK constraint'); END",
        quote(&schema),
        quote(name.unwrap_or("check")),
        quote(&table),
    ))
}

/// A column or a constraint of a table; None for a constraint that says again what the identity
/// says.
fn column(item: &[Token]) -> Option<String> {
    let first = item.first()?;
    if first.says("PERIOD") {
        return None;
    }
    if first.says_one_of(&["CONSTRAINT", "PRIMARY", "UNIQUE", "FOREIGN", "CHECK"]) {
        return Some(plain(item));
    }
    let name = quote(first.name()?);
    if item.get(1)?.says("AS") {
        let end = closing(item, 2)?;
        // What a difference of two DECIMAL(18,6) is.
        return Some(format!("{name} DECIMAL(19,6) GENERATED ALWAYS AS {} STORED", text(&item[2..=end])));
    }
    if item.get(1)?.says_one_of(&["ROWVERSION", "TIMESTAMP"]) {
        return Some(format!("{name} {ROW_VERSION} NOT NULL DEFAULT (randomblob(8))"));
    }
    let ends = |word: &str| {
        item.iter().any(|token| token.says("GENERATED")) && item.iter().any(|token| token.says(word))
    };
    if ends("START") || ends("END") {
        let mark = if ends("START") { ROW_START } else { ROW_END };
        return Some(format!("{name} DATETIME2{mark} NOT NULL DEFAULT (sysutcdatetime())"));
    }
    if item.iter().any(|token| token.says("IDENTITY")) {
        return Some(format!("{name} INTEGER PRIMARY KEY AUTOINCREMENT"));
    }
    let after = if item.get(2).is_some_and(|token| token.is("(")) { closing(item, 2)? + 1 } else { 2 };
    let kind = item[1..after]
        .iter()
        .map(|token| if token.says("MAX") { "-1".to_owned() } else { token.to_string() });
    let kind: String = kind.collect();
    let kind = kind.replace('`', "");
    let is_text = matches!(Type::parse(&kind), Some(Type::VarChar(_) | Type::NVarChar(_)));
    let says_how = item.iter().any(|token| token.says("COLLATE"));
    let collation =
        if is_text && !says_how { format!("COLLATE {} ", collation::DEFAULT) } else { String::new() };
    Some(format!("{name} {kind} {collation}{}", plain(&item[after..])))
}

/// Constraints, without the words that SQLite does not have. A default is an expression.
fn plain(tokens: &[Token]) -> String {
    let mut out = String::new();
    let mut at = 0;
    while let Some(token) = tokens.get(at) {
        if token.says("DEFAULT") && tokens.get(at + 1).is_some_and(|token| token.name().is_some()) {
            let end = if tokens.get(at + 2).is_some_and(|token| token.is("(")) {
                closing(tokens, at + 2).unwrap_or(at + 2)
            } else {
                at + 1
            };
            out.push_str(&format!("DEFAULT ({}) ", text(&tokens[at + 1..=end])));
            at = end + 1;
            continue;
        }
        if !token.says_one_of(&["CLUSTERED", "NONCLUSTERED"]) {
            out.push_str(&format!("{token} "));
        }
        at += 1;
    }
    out
}
