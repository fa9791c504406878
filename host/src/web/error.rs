//! Why a view cannot be shown, and the status and text that the browser gets.

use axum::http::StatusCode;

use crate::chart::ChartError;
use crate::store::StoreError;

/// What went wrong.
#[derive(Debug, thiserror::Error)]
pub(super) enum WebError {
    #[error("{0}")]
    Store(#[from] StoreError),
    #[error("there is no `{0}` yet, where verdicts would be")]
    NoDatabase(String),
    #[error("too many requests at once")]
    Busy,
    #[error("there is no such page")]
    NotFound,
    #[error("the form is not one of this page")]
    NotOurs,
    #[error("{0}")]
    Chart(#[from] ChartError),
    #[error("a template cannot be filled: {0}")]
    Template(#[from] minijinja::Error),
}

impl WebError {
    pub(super) fn status(&self) -> StatusCode {
        match self {
            Self::NotFound => StatusCode::NOT_FOUND,
            Self::NotOurs => StatusCode::FORBIDDEN,
            Self::Store(_) | Self::NoDatabase(_) | Self::Busy => StatusCode::SERVICE_UNAVAILABLE,
            Self::Chart(_) | Self::Template(_) => StatusCode::INTERNAL_SERVER_ERROR,
        }
    }

    /// The key of its text in the table of words.
    pub(super) fn word(&self) -> &'static str {
        match self {
            Self::NotFound => "not_found",
            Self::NotOurs => "not_ours",
            Self::Store(_) => "store_failed",
            Self::NoDatabase(_) => "no_database",
            Self::Busy => "busy",
            Self::Chart(_) | Self::Template(_) => "broken",
        }
    }
}
