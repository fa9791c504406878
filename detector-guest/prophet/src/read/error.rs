//! Why a file is not used.

use std::fmt::Display;

/// Why a file did not become a [`Model`](crate::Model). The texts go on from the model's name:
/// "model `T1` …".
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ReadError {
    /// It is not JSON, or not the JSON that Prophet writes.
    #[error("is not what Prophet's `model_to_json` writes: {0}")]
    Json(#[source] serde_json::Error),
    /// It ends in the middle, as a copy does that is not finished.
    #[error("is cut short: copy the file again, whole ({0})")]
    CutShort(#[source] serde_json::Error),
    /// It begins as a compact model and goes on as none.
    #[error("is no compact model that can be read: {0}")]
    Compact(String),
    /// Prophet's file names the country and leaves the dates to a Python package.
    #[error("has the country holidays of `{country}` but not their dates; the export tool adds them")]
    NoCountryHolidays { country: String },
    /// A value that no trained model has.
    #[error("has {found} in `{key}`; expected {expected}")]
    Invalid { key: String, found: String, expected: &'static str },
    /// Two lists that belong together differ in length.
    #[error("has {found} entries in `{key}` where `{other}` makes it {expected}")]
    Count { key: &'static str, found: usize, other: &'static str, expected: usize },
}

impl From<serde_json::Error> for ReadError {
    fn from(error: serde_json::Error) -> Self {
        if error.is_eof() { Self::CutShort(error) } else { Self::Json(error) }
    }
}

impl ReadError {
    pub(crate) fn invalid(key: &str, found: impl Display, expected: &'static str) -> Self {
        Self::Invalid { key: key.to_owned(), found: found.to_string(), expected }
    }

    pub(super) fn season(name: &str, found: impl Display, expected: &'static str) -> Self {
        Self::Invalid { key: format!("seasonalities.{name}"), found: found.to_string(), expected }
    }

    pub(super) fn count(key: &'static str, found: usize, other: &'static str, expected: usize) -> Self {
        Self::Count { key, found, other, expected }
    }
}
