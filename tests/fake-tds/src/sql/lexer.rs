//! T-SQL as tokens, and back to text that SQLite reads.

use std::fmt::{self, Write};

use crate::fault::SqlError;

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Token {
    /// A keyword or an unquoted name.
    Word(String),
    /// A name in brackets or quotes, or one with a `#`.
    Name(String),
    Text(String),
    Number(String),
    /// `@x`, with its `@`.
    Variable(String),
    /// `@@x`, without.
    Global(String),
    Symbol(&'static str),
}

const SYMBOLS: [&str; 20] =
    ["<>", "<=", ">=", "!=", "(", ")", ",", ";", ".", "=", "<", ">", "+", "-", "*", "/", "%", "&", "|", "||"];

impl Token {
    pub(crate) fn word(text: &str) -> Self {
        Self::Word(text.into())
    }

    pub(crate) fn is(&self, symbol: &str) -> bool {
        matches!(self, Self::Symbol(found) if *found == symbol)
    }

    /// Whether this is the keyword, whatever its case.
    pub(crate) fn says(&self, keyword: &str) -> bool {
        matches!(self, Self::Word(word) if word.eq_ignore_ascii_case(keyword))
    }

    pub(crate) fn says_one_of(&self, keywords: &[&str]) -> bool {
        keywords.iter().any(|keyword| self.says(keyword))
    }

    /// The name that this is, quoted or not.
    pub(crate) fn name(&self) -> Option<&str> {
        match self {
            Self::Word(name) | Self::Name(name) => Some(name),
            _ => None,
        }
    }
}

impl fmt::Display for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Word(text) | Self::Number(text) | Self::Variable(text) => f.write_str(text),
            // In backticks an unknown name is an error. In double quotes it would be a text.
            Self::Name(name) => write!(f, "`{}`", name.replace('`', "``")),
            Self::Text(text) => write!(f, "'{}'", text.replace('\'', "''")),
            Self::Global(name) => write!(f, "@@{name}"),
            Self::Symbol(symbol) => f.write_str(symbol),
        }
    }
}

/// As text.
pub(crate) fn text(tokens: &[Token]) -> String {
    let mut text = String::new();
    for token in tokens {
        // Writing to a String cannot fail.
        let _ = write!(text, "{token} ");
    }
    text
}

pub(crate) fn tokens(sql: &str) -> Result<Vec<Token>, SqlError> {
    let mut tokens = Vec::new();
    let mut rest = sql.trim_start();
    while let Some(first) = rest.chars().next() {
        if let Some(comment) = rest.strip_prefix("--") {
            rest = comment.split_once('\n').map_or("", |(_, rest)| rest).trim_start();
            continue;
        }
        if let Some(comment) = rest.strip_prefix("/*") {
            rest = comment.split_once("*/").map_or("", |(_, rest)| rest).trim_start();
            continue;
        }
        let (token, after) = match first {
            '[' => quoted(&rest[1..], ']').map(|(name, rest)| (Token::Name(name), rest)),
            '"' => quoted(&rest[1..], '"').map(|(name, rest)| (Token::Name(name), rest)),
            '\'' => quoted(&rest[1..], '\'').map(|(text, rest)| (Token::Text(text), rest)),
            'N' if rest[1..].starts_with('\'') => {
                quoted(&rest[2..], '\'').map(|(text, rest)| (Token::Text(text), rest))
            }
            _ if first.is_ascii_digit() => {
                let length =
                    rest.find(|c: char| !(c.is_ascii_alphanumeric() || c == '.')).unwrap_or(rest.len());
                Some((Token::Number(rest[..length].into()), &rest[length..]))
            }
            _ if first.is_alphabetic() || "_@#".contains(first) => {
                let part = |c: char| c.is_alphanumeric() || "_@#$".contains(c);
                let length = rest.find(|c| !part(c)).unwrap_or(rest.len());
                let word = &rest[..length];
                let token = match word.strip_prefix("@@") {
                    Some(global) => Token::Global(global.to_ascii_uppercase()),
                    None if first == '@' => Token::Variable(word.into()),
                    None if first == '#' => Token::Name(word.into()),
                    None => Token::word(word),
                };
                Some((token, &rest[length..]))
            }
            _ => SYMBOLS
                .iter()
                .find(|symbol| rest.starts_with(**symbol))
                .map(|symbol| (Token::Symbol(symbol), &rest[symbol.len()..])),
        }
        .ok_or_else(|| super::unknown(rest))?;
        tokens.push(token);
        rest = after.trim_start();
    }
    Ok(tokens)
}

/// The text before the closing quote. A doubled quote is one character of it.
fn quoted(rest: &str, close: char) -> Option<(String, &str)> {
    let mut name = String::new();
    let mut characters = rest.char_indices().peekable();
    while let Some((at, c)) = characters.next() {
        if c != close {
            name.push(c);
        } else if characters.next_if(|&(_, next)| next == close).is_some() {
            name.push(close);
        } else {
            return Some((name, &rest[at + close.len_utf8()..]));
        }
    }
    None
}

/// The place of the `)` for the `(` at `open`.
pub(crate) fn closing(tokens: &[Token], open: usize) -> Option<usize> {
    let mut depth = 0;
    for (at, token) in tokens.iter().enumerate().skip(open) {
        if token.is("(") {
            depth += 1;
        } else if token.is(")") {
            depth -= 1;
            if depth == 0 {
                return Some(at);
            }
        }
    }
    None
}

/// The parts between commas that stand in no parentheses.
pub(crate) fn items(tokens: &[Token]) -> Vec<&[Token]> {
    split(tokens, |token| token.is(","))
}

fn split(tokens: &[Token], at: impl Fn(&Token) -> bool) -> Vec<&[Token]> {
    let mut depth = 0;
    tokens
        .split(|token| {
            depth += i32::from(token.is("(")) - i32::from(token.is(")"));
            depth == 0 && at(token)
        })
        .collect()
}

/// The first place from `start` on, in no parentheses, for which this holds.
pub(crate) fn find(tokens: &[Token], start: usize, holds: impl Fn(&Token) -> bool) -> Option<usize> {
    let mut depth = 0;
    for (at, token) in tokens.iter().enumerate().skip(start) {
        if depth == 0 && holds(token) {
            return Some(at);
        }
        depth += i32::from(token.is("(")) - i32::from(token.is(")"));
    }
    None
}
