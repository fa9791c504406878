//! The content of one transaction of a worker.

use crate::episode::{EpisodeChange, OutboxMessage};
use crate::state::State;
use crate::verdict::VerdictRow;

/// Data that is stored together, or not at all.
#[derive(Clone, Copy, Debug)]
pub struct Commit<'a> {
    pub verdicts: &'a [VerdictRow],
    /// The state; its `epoch` is the fence.
    pub state: &'a State,
    /// The changes of episodes. Each row is changed once at most.
    pub episodes: &'a [EpisodeChange],
    /// New entries of the outbox.
    pub messages: &'a [OutboxMessage],
}

impl<'a> Commit<'a> {
    /// Verdicts and state, without changes of episodes.
    pub fn of(verdicts: &'a [VerdictRow], state: &'a State) -> Self {
        Self { verdicts, state, episodes: &[], messages: &[] }
    }
}
