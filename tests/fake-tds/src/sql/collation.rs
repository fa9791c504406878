//! Which texts are equal, by a collation's name. It says whether case and accents count. Blanks at
//! the end never count, and the composition of a letter counts only by its bytes (`_BIN`). SQLite
//! is told of each collation when it meets it.

use std::cmp::Ordering;

use rusqlite::Connection;
use unicode_normalization::UnicodeNormalization;
use unicode_normalization::char::is_combining_mark;

use super::lexer::Token;

/// The name that means the databases' own.
const OF_DATABASE: &str = "DATABASE_DEFAULT";

/// The databases' own.
pub(super) const DEFAULT: &str = "Latin1_General_100_CI_AS_SC_UTF8";

/// Makes every collation known to the connection.
pub(super) fn add(connection: &Connection) -> rusqlite::Result<()> {
    connection.collation_needed(|connection, name| {
        let rules = name.to_ascii_uppercase();
        let rules = if rules == OF_DATABASE { DEFAULT.to_ascii_uppercase() } else { rules };
        connection.create_collation(name, move |one: &str, other: &str| compare(&rules, one, other))
    })
}

fn compare(rules: &str, one: &str, other: &str) -> Ordering {
    let (one, other) = (one.trim_end_matches(' '), other.trim_end_matches(' '));
    if rules.contains("_BIN") { one.cmp(other) } else { key(rules, one).cmp(&key(rules, other)) }
}

fn key(rules: &str, text: &str) -> String {
    let accents = !rules.contains("_AI");
    let text: String = text.nfd().filter(|&c| accents || !is_combining_mark(c)).collect();
    if rules.contains("_CI") { text.to_lowercase() } else { text }
}

/// Takes a collation off the end of an expression.
pub(super) fn split(mut value: Vec<Token>) -> (Vec<Token>, Option<Vec<Token>>) {
    let collates = value.len() > 2 && value[value.len() - 2].says("COLLATE");
    let collation = collates.then(|| value.split_off(value.len() - 2));
    (value, collation)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_collation_says_what_is_the_same() {
        let pairs = [("a", "A"), ("a", "a "), ("é", "e"), ("\u{e9}", "e\u{301}")];
        for (name, same) in [
            (DEFAULT, [true, true, false, true]),
            ("Latin1_General_CI_AI", [true, true, true, true]),
            ("Latin1_General_CS_AS", [false, true, false, true]),
            ("Latin1_General_100_BIN2", [false, true, false, false]),
        ] {
            let rules = name.to_ascii_uppercase();
            assert_eq!(pairs.map(|(one, other)| compare(&rules, one, other).is_eq()), same, "{name}");
        }
    }
}
