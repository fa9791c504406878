//! The name of a table as people write it: `datos_proceso`, `dbo.datos_proceso`, `dbo.[my table]`,
//! `"a b"`.
//!
//! Names come from the configuration and become part of SQL, where a parameter cannot be used: this
//! type is the only way, and it always quotes. What cannot be a name is refused when it is read.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// One to three parts: `[[database.]schema.]table`.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct TableName {
    /// Never empty.
    parts: Vec<String>,
}

/// The text cannot be the name of a table.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error("`{text}` is not a table name: {why}; write it as `dbo.datos_proceso` or `dbo.[my table]`")]
pub struct NotATableName {
    text: String,
    why: &'static str,
}

impl TableName {
    /// A table of a schema, both without quotes.
    pub fn of(schema: &str, table: &str) -> Self {
        Self { parts: vec![schema.to_owned(), table.to_owned()] }
    }

    /// The table of checkpoints' parts beside a state table: named after it, so that workers of one
    /// name with different state tables never share one.
    #[must_use]
    pub fn of_parts(&self) -> Self {
        /// The most characters of a name, less those that are added.
        const ROOM: usize = 128 - SUFFIX.len();
        const SUFFIX: &str = "_checkpoint";
        let mut parts = self.parts.clone();
        if let Some(table) = parts.last_mut() {
            *table = table.chars().take(ROOM).chain(SUFFIX.chars()).collect();
        }
        Self { parts }
    }

    /// The table's own name, without quotes.
    pub fn table(&self) -> &str {
        self.parts.last().map_or("", String::as_str)
    }

    /// The parts before it, outermost first, without quotes: at most a database and a schema.
    pub fn qualifiers(&self) -> &[String] {
        &self.parts[..self.parts.len().saturating_sub(1)]
    }

    /// The table in a SQL Server statement, with the parts before it.
    pub fn sql_server(&self) -> String {
        self.parts.iter().map(|part| quote_sql_server(part)).collect::<Vec<_>>().join(".")
    }

    /// The table for a SQLite statement. SQLite has no schemas: `dbo.datos_proceso` is the table
    /// `datos_proceso`.
    pub fn sqlite(&self) -> String {
        quote_sqlite(self.table())
    }
}

/// A name between brackets, in which SQL Server accepts any character.
pub fn quote_sql_server(name: &str) -> String {
    format!("[{}]", name.replace(']', "]]"))
}

/// A name between double quotes, in which SQLite accepts any character.
pub fn quote_sqlite(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

impl FromStr for TableName {
    type Err = NotATableName;

    fn from_str(text: &str) -> Result<Self, NotATableName> {
        let wrong = |why| NotATableName { text: text.to_owned(), why };
        let mut parts = Vec::new();
        let mut rest = text.trim();
        loop {
            let (part, after) = first_part(rest).map_err(wrong)?;
            if part.trim().is_empty() {
                return Err(wrong("a part of it is empty"));
            }
            if part.contains('\0') {
                return Err(wrong("it holds a NUL character"));
            }
            parts.push(part);
            match after.strip_prefix('.') {
                Some(next) => rest = next,
                None if after.is_empty() => break,
                None => return Err(wrong("after a quoted part only a `.` may follow")),
            }
        }
        if parts.len() > 3 {
            return Err(wrong("it has more than three parts"));
        }
        Ok(Self { parts })
    }
}

/// The first part, unquoted, and what follows it.
fn first_part(text: &str) -> Result<(String, &str), &'static str> {
    let close = match text.chars().next() {
        Some('[') => ']',
        Some(quote @ ('"' | '`')) => quote,
        _ => {
            let end = text.find('.').unwrap_or(text.len());
            let (part, after) = text.split_at(end);
            if part.contains(['[', ']', '"', '`', ';']) {
                return Err("brackets, quotes and semicolons belong inside `[...]`");
            }
            return Ok((part.trim().to_owned(), after));
        }
    };
    let mut part = String::new();
    let mut chars = text.char_indices().skip(1).peekable();
    while let Some((at, c)) = chars.next() {
        if c != close {
            part.push(c);
        } else if chars.next_if(|&(_, next)| next == close).is_some() {
            part.push(close);
        } else {
            return Ok((part, &text[at + close.len_utf8()..]));
        }
    }
    Err("a quote or a bracket is not closed")
}

/// In the form in which it can be read again: parts that need brackets have them.
impl fmt::Display for TableName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, part) in self.parts.iter().enumerate() {
            let dot = if at == 0 { "" } else { "." };
            if part.chars().all(|c| c.is_alphanumeric() || c == '_') {
                write!(f, "{dot}{part}")?;
            } else {
                write!(f, "{dot}[{}]", part.replace(']', "]]"))?;
            }
        }
        Ok(())
    }
}

impl TryFrom<String> for TableName {
    type Error = NotATableName;

    fn try_from(text: String) -> Result<Self, NotATableName> {
        text.parse()
    }
}

impl From<TableName> for String {
    fn from(name: TableName) -> Self {
        name.to_string()
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

    use proptest::prelude::*;

    use super::*;

    #[test]
    fn names_are_read_as_people_write_them() {
        for (text, sqlite, sql_server, shown) in [
            ("datos_proceso", "\"datos_proceso\"", "[datos_proceso]", "datos_proceso"),
            (" dbo.datos_proceso ", "\"datos_proceso\"", "[dbo].[datos_proceso]", "dbo.datos_proceso"),
            ("dbo.[my table]", "\"my table\"", "[dbo].[my table]", "dbo.[my table]"),
            ("\"a b\"", "\"a b\"", "[a b]", "[a b]"),
            ("`a b`", "\"a b\"", "[a b]", "[a b]"),
            (
                "plant.dbo.[odd ]] \" name]",
                "\"odd ] \"\" name\"",
                "[plant].[dbo].[odd ]] \" name]",
                "plant.dbo.[odd ]] \" name]",
            ),
            ("\"say \"\"hi\"\"\"", "\"say \"\"hi\"\"\"", "[say \"hi\"]", "[say \"hi\"]"),
            ("[dbo].[a.b]", "\"a.b\"", "[dbo].[a.b]", "dbo.[a.b]"),
            ("dbo.año-1", "\"año-1\"", "[dbo].[año-1]", "dbo.[año-1]"),
        ] {
            let name: TableName = text.parse().unwrap();
            let found = (name.sqlite(), name.sql_server(), name.to_string());
            assert_eq!(found, (sqlite.to_owned(), sql_server.to_owned(), shown.to_owned()), "{text}");
        }
    }

    #[test]
    fn what_is_no_name_is_refused_with_the_reason() {
        for (text, why) in [
            ("", "a part of it is empty"),
            ("dbo.", "a part of it is empty"),
            ("dbo..t", "a part of it is empty"),
            ("[]", "a part of it is empty"),
            ("dbo.[open", "a quote or a bracket is not closed"),
            ("[a]b", "after a quoted part only a `.` may follow"),
            ("t; DROP TABLE x", "brackets, quotes and semicolons belong inside `[...]`"),
            ("a\0b", "it holds a NUL character"),
            ("a.b.c.d", "it has more than three parts"),
        ] {
            let found = text.parse::<TableName>().unwrap_err();
            assert_eq!(found, NotATableName { text: text.to_owned(), why });
        }
    }

    proptest! {
        #[test]
        fn what_is_shown_reads_back_as_the_same_name(parts in prop::collection::vec("[^\\x00]*[^\\x00\\s][^\\x00]*", 1..=3)) {
            let name = TableName { parts };
            prop_assert_eq!(name.to_string().parse::<TableName>().unwrap(), name);
        }
    }
}
