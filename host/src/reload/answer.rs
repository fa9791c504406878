//! The result of a look, for the process that asked for it.

use std::fmt;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::detector::short_digest;

/// The answer to a request for a look.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Answer {
    /// The set that judges the next batch.
    pub set: String,
    pub found: Found,
}

/// The result.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Found {
    /// The files are those in use.
    Same,
    /// The files are new, and passed their trial.
    Ready,
    /// The files cannot be used, now or since an earlier look.
    Refused(String),
    /// Reading made no progress for this time.
    Hangs(Duration),
}

impl fmt::Display for Answer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let set = short_digest(&self.set);
        match &self.found {
            Found::Same => write!(f, "nothing has changed; set {set} goes on"),
            Found::Ready => write!(f, "set {set} passed its trial and judges the next batch"),
            Found::Refused(why) => write!(f, "the files are refused and set {set} goes on: {why}"),
            Found::Hangs(time) => write!(
                f,
                "reading has made no step for {} and set {set} goes on: a share that does not answer?",
                humantime::format_duration(*time)
            ),
        }
    }
}
