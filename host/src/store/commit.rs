//! What one transaction of a worker holds.

use crate::episode::{EpisodeChange, OutboxMessage};
use crate::state::State;
use crate::verdict::VerdictRow;

/// What is stored together, or not at all.
#[derive(Clone, Copy, Debug)]
pub struct Commit<'a> {
    pub verdicts: &'a [VerdictRow],
    /// With the fence: `state.epoch`.
    pub state: &'a State,
    /// What becomes of episodes. Each row is changed once at most.
    pub episodes: &'a [EpisodeChange],
    /// New entries of the outbox.
    pub messages: &'a [OutboxMessage],
}

impl<'a> Commit<'a> {
    /// Verdicts and state, and nothing of episodes.
    pub fn of(verdicts: &'a [VerdictRow], state: &'a State) -> Self {
        Self { verdicts, state, episodes: &[], messages: &[] }
    }
}
