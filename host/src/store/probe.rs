//! What `probe` writes and rolls back, the same in every store: a verdict, a state row, an episode
//! and a message under names that no worker uses.

use std::collections::BTreeMap;

use super::parts::PartsWritten;
use crate::batch::Flags;
use crate::counts::Counts;
use crate::datetime::Datetime;
use crate::episode::{Episode, EpisodeChange, EpisodeKind, MessageKind, OutboxMessage};
use crate::position::{Position, TimePosition};
use crate::state::State;
use crate::verdict::VerdictRow;

/// The name of worker and variable; no worker has it.
pub(super) const PROBE: &str = "host check";

pub(super) fn verdict(ds: Datetime) -> VerdictRow {
    VerdictRow {
        ds,
        variable: PROBE.into(),
        y: 0.0,
        yhat: 0.0,
        yhat_lower: 0.0,
        yhat_upper: 0.0,
        residual: 0.0,
        flags: Flags::default(),
        anomaly_score: 0.0,
        prediction_error_pct: 0.0,
        source_file: None,
    }
}

/// One part inserted and one deleted.
pub(super) fn parts() -> PartsWritten {
    let changes = [("probe", Some([0].as_slice().into())), ("none", None)];
    let changes = changes.into_iter().map(|(name, bytes)| (name.into(), bytes)).collect();
    PartsWritten { anew: true, changes }
}

/// A new episode.
pub(super) fn episode(now: Datetime) -> EpisodeChange {
    EpisodeChange::new(probed(now))
}

/// An entry of the outbox on that episode.
pub(super) fn message(now: Datetime) -> OutboxMessage {
    OutboxMessage::on(MessageKind::Opened, &probed(now), now)
}

fn probed(now: Datetime) -> Episode {
    Episode::at(PROBE.into(), EpisodeKind::Anomaly, now)
}

pub(super) fn state(epoch: i64, now: Datetime) -> State {
    State {
        epoch,
        position: Position::Time(TimePosition { since: now, passed: None }),
        ahead: Default::default(),
        reconciliation: Default::default(),
        watermark: None,
        checkpoint: None,
        memory: Default::default(),
        set_digest: None,
        models: None,
        set_aside: BTreeMap::new(),
        counts: Counts::default(),
        updated_at: now,
    }
}
