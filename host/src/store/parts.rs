//! What is stored of a checkpoint, and what a commit has to write of it.
//!
//! The parts are rows of a table of their own; the state row says whose they are and how large they
//! are together. What the host remembers itself stands among them, under names that no detector can
//! give. A commit writes what differs from what the store has read or written last under
//! the same epoch: nobody else writes there meanwhile.

use super::{ErrorKind, StoreError};
use crate::checkpoint::{Checkpoint, PartChange, Parts, Size};
use crate::state::{State, StoredCheckpoint};

/// What a state row says of its checkpoint.
pub(super) enum RowCheckpoint {
    None,
    /// It holds it itself: a row of an earlier version.
    Whole(Checkpoint),
    InParts {
        schema: u32,
        set_digest: String,
        stored: StoredCheckpoint,
    },
}

impl RowCheckpoint {
    pub(super) fn size(&self) -> Option<Size> {
        match self {
            Self::None => None,
            Self::Whole(checkpoint) => Some(checkpoint.parts.size()),
            Self::InParts { stored, .. } => Some(stored.size),
        }
    }

    /// The checkpoint, where these are all the parts that are stored. Parts that are not those that
    /// were stored with the row are no state to go on from.
    pub(super) fn with(self, parts: Parts, worker: &str) -> Option<Checkpoint> {
        match self {
            Self::None => None,
            Self::Whole(checkpoint) => Some(checkpoint),
            Self::InParts { schema, set_digest, stored } if stored.size == parts.size() => {
                Some(Checkpoint { schema, detector: stored.detector, set_digest, parts })
            }
            Self::InParts { stored, .. } => {
                let (told, found) = (stored.size, parts.size());
                let parts = |size: Size| {
                    if size.parts == 1 { "1 part".into() } else { format!("{} parts", size.parts) }
                };
                tracing::warn!(
                    "the checkpoint of worker `{worker}` is not whole: stored were {} with {} bytes, found {} with {} bytes; the \
                     detector starts without it",
                    parts(told),
                    told.bytes,
                    parts(found),
                    found.bytes
                );
                None
            }
        }
    }
}

/// Stands in the name of each part that is the host's own.
const OWN: char = ':';

/// Rows of the table of parts, told apart: the detector's, and the host's own.
pub(super) fn tell_apart(parts: Vec<Part>) -> (Parts, Parts) {
    let (own, others): (Vec<Part>, Vec<Part>) = parts.into_iter().partition(|(name, _)| name.contains(OWN));
    (others.into_iter().collect(), own.into_iter().collect())
}

/// A part by its name.
pub(super) type Part = (std::sync::Arc<str>, std::sync::Arc<[u8]>);

/// All that the table of parts holds of this state.
fn all_of(state: &State) -> Parts {
    let clone = |parts: &Parts| {
        let parts = parts.iter().map(|(name, bytes)| (name.clone(), bytes.clone()));
        parts.collect::<Vec<Part>>()
    };
    match &state.checkpoint {
        Some(checkpoint) if state.memory.is_empty() => checkpoint.parts.clone(),
        Some(checkpoint) => clone(&checkpoint.parts).into_iter().chain(clone(&state.memory)).collect(),
        None => state.memory.clone(),
    }
}

/// What a commit does to a worker's parts.
#[derive(Clone, Default)]
pub(super) struct PartsWritten {
    /// Whether whatever is there goes first.
    pub(super) anew: bool,
    pub(super) changes: Vec<PartChange>,
}

impl PartsWritten {
    pub(super) fn is_nothing(&self) -> bool {
        !self.anew && self.changes.is_empty()
    }
}

/// The parts of a worker as they are stored; nothing where that is not known.
#[derive(Default)]
pub(super) struct StoredParts(Option<(String, Parts)>);

impl StoredParts {
    /// This was found with the worker's name. Where that is no checkpoint, or one of an earlier
    /// version, it is not known what lies in the table of parts.
    pub(super) fn found(&mut self, worker: &str, state: Option<&State>) {
        let in_parts = |checkpoint: &&Checkpoint| checkpoint.detector.is_some();
        let state = state.filter(|state| state.checkpoint.as_ref().is_some_and(|it| in_parts(&it)));
        self.0 = state.map(|state| (worker.to_owned(), all_of(state)));
    }

    /// What makes this state's parts of what is stored.
    pub(super) fn to(&self, worker: &str, state: &State) -> PartsWritten {
        let none = Parts::default();
        let now = all_of(state);
        let (anew, before) = match &self.0 {
            Some((of, stored)) if of == worker => (false, stored),
            _ => (true, &none),
        };
        PartsWritten { anew, changes: now.since(before) }
    }

    /// A commit of this state has ended so.
    pub(super) fn after<T>(&mut self, worker: &str, state: &State, ended: &Result<T, StoreError>) {
        match ended {
            Ok(_) => self.0 = Some((worker.to_owned(), all_of(state))),
            // It was taken back.
            Err(error) if error.kind == ErrorKind::Refused => {}
            Err(_) => self.0 = None,
        }
    }
}
