//! What is stored of a checkpoint, and what a commit has to write of it.
//!
//! The parts are rows of a table of their own; the state row says whose they are and how large they
//! are together. A commit writes what differs from what the store has read or written last under
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
    pub(super) fn is_in_parts(&self) -> bool {
        matches!(self, Self::InParts { .. })
    }

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
        let checkpoint = state.and_then(|state| state.checkpoint.as_ref()).filter(in_parts);
        self.0 = checkpoint.map(|checkpoint| (worker.to_owned(), checkpoint.parts.clone()));
    }

    /// What makes this checkpoint of what is stored.
    pub(super) fn to(&self, worker: &str, checkpoint: Option<&Checkpoint>) -> PartsWritten {
        let none = Parts::default();
        let now = checkpoint.map_or(&none, |checkpoint| &checkpoint.parts);
        let (anew, before) = match &self.0 {
            Some((of, stored)) if of == worker => (false, stored),
            _ => (true, &none),
        };
        PartsWritten { anew, changes: now.since(before) }
    }

    /// A commit of this checkpoint has ended so.
    pub(super) fn after<T>(
        &mut self,
        worker: &str,
        checkpoint: Option<&Checkpoint>,
        ended: &Result<T, StoreError>,
    ) {
        match ended {
            Ok(_) => {
                let parts = checkpoint.map(|checkpoint| checkpoint.parts.clone()).unwrap_or_default();
                self.0 = Some((worker.to_owned(), parts));
            }
            // It was taken back.
            Err(error) if error.kind == ErrorKind::Refused => {}
            Err(_) => self.0 = None,
        }
    }
}
