//! What is wrong with a configuration, and where: a sentence that is enough to correct it without
//! the manual.

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};

/// The configuration cannot be used. Nothing was started.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    #[error("cannot read the configuration `{}`: {source}", file.display())]
    Unreadable { file: PathBuf, source: io::Error },
    #[error("{place}{what}")]
    Wrong { place: KeyLocation, what: String },
}

/// The place of an error.
#[derive(Debug)]
pub enum KeyLocation {
    /// Both count from 1. A column is given if the text cannot be parsed.
    File {
        file: PathBuf,
        line: usize,
        column: Option<usize>,
    },
    /// A file, if the line is not known.
    Whole(PathBuf),
    Variable(String),
}

impl fmt::Display for KeyLocation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File { file, line, column: None } => write!(f, "`{}` line {line}: ", file.display()),
            Self::File { file, line, column: Some(column) } => {
                write!(f, "`{}` line {line}, column {column}: ", file.display())
            }
            Self::Whole(file) => write!(f, "`{}`: ", file.display()),
            Self::Variable(name) => write!(f, "environment variable `{name}` "),
        }
    }
}

impl KeyLocation {
    /// The place of a byte in a text.
    pub(super) fn line(file: &Path, text: &str, at: usize) -> Self {
        let line = before(text, at).split('\n').count();
        Self::File { file: file.to_owned(), line, column: None }
    }

    /// The place of a byte in a text, to the character.
    pub(super) fn column(file: &Path, text: &str, at: usize) -> Self {
        let before = before(text, at);
        let column = before.rsplit('\n').next().unwrap_or_default().chars().count() + 1;
        Self::File { file: file.to_owned(), line: before.split('\n').count(), column: Some(column) }
    }
}

fn before(text: &str, at: usize) -> &str {
    let at = (0..=at.min(text.len())).rev().find(|at| text.is_char_boundary(*at)).unwrap_or(0);
    &text[..at]
}

/// What was found, for one line: cut and without control characters.
pub(super) fn found(text: &str) -> String {
    let mut shown: String = text.chars().take(60).flat_map(escaped).collect();
    if text.chars().nth(60).is_some() {
        shown.push('…');
    }
    shown
}

fn escaped(c: char) -> impl Iterator<Item = char> {
    let escape = if c.is_control() { Some(c.escape_default()) } else { None };
    let plain = escape.is_none().then_some(c);
    escape.into_iter().flatten().chain(plain)
}
