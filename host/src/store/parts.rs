//! The stored parts of a checkpoint, and those that a commit has to write.
//!
//! The parts are rows of a table of their own; the state row identifies their owner and their total
//! size. The host's own memory is stored among them, under names that no detector can give. A
//! commit writes the difference from what the store has read or written last under the same epoch:
//! nothing else writes there meanwhile.

use super::{ErrorKind, StoreError};
use crate::checkpoint::{Checkpoint, PartChange, Parts, Size};
use crate::state::{State, StoredCheckpoint};

/// What a state row contains about its checkpoint.
pub(super) enum RowCheckpoint {
    None,
    /// The row holds the checkpoint itself: a row of an earlier version.
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

    /// The checkpoint, if these are all the parts that are stored. Parts other than those that were
    /// stored with the row are not a valid state.
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

/// Part of the name of each of the host's own parts.
const OWN: char = ':';

/// Rows of the table of parts, separated into the detector's and the host's own.
pub(super) fn tell_apart(parts: Vec<Part>) -> (Parts, Parts) {
    let (own, others): (Vec<Part>, Vec<Part>) = parts.into_iter().partition(|(name, _)| name.contains(OWN));
    (others.into_iter().collect(), own.into_iter().collect())
}

/// A part by its name.
pub(super) type Part = (std::sync::Arc<str>, std::sync::Arc<[u8]>);

/// Everything in the table of parts for this state.
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

/// The changes that a commit makes to a worker's parts.
#[derive(Clone, Default)]
pub(super) struct PartsWritten {
    /// Whether all existing parts are deleted first.
    pub(super) anew: bool,
    pub(super) changes: Vec<PartChange>,
}

impl PartsWritten {
    pub(super) fn is_nothing(&self) -> bool {
        !self.anew && self.changes.is_empty()
    }
}

/// The parts of a worker as they are stored; nothing if that is not known.
#[derive(Default)]
pub(super) struct StoredParts(Option<(String, Parts)>);

impl StoredParts {
    /// Found when the worker's name was taken. If there was no checkpoint, or one of an earlier
    /// version, the content of the table of parts is not known.
    pub(super) fn found(&mut self, worker: &str, state: Option<&State>) {
        let in_parts = |checkpoint: &&Checkpoint| checkpoint.detector.is_some();
        let state = state.filter(|state| state.checkpoint.as_ref().is_some_and(|it| in_parts(&it)));
        self.0 = state.map(|state| (worker.to_owned(), all_of(state)));
    }

    /// The changes from the stored parts to those of this state.
    pub(super) fn to(&self, worker: &str, state: &State) -> PartsWritten {
        let none = Parts::default();
        let now = all_of(state);
        let (anew, before) = match &self.0 {
            Some((of, stored)) if of == worker => (false, stored),
            _ => (true, &none),
        };
        PartsWritten { anew, changes: now.since(before) }
    }

    /// The result of a commit of this state.
    pub(super) fn after<T>(&mut self, worker: &str, state: &State, ended: &Result<T, StoreError>) {
        match ended {
            Ok(_) => self.0 = Some((worker.to_owned(), all_of(state))),
            // It was rolled back.
            Err(error) if error.kind == ErrorKind::Refused => {}
            Err(_) => self.0 = None,
        }
    }
}
