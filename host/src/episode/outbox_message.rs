//! A message on an episode, as a new entry of the outbox.

use std::sync::Arc;

use sha2::{Digest as _, Sha256};

use super::words::words;
use super::{Episode, EpisodeKind};
use crate::datetime::Datetime;

words! {
    /// What a message says.
    MessageKind {
        Opened = "opened",
        /// It has been open for an hour.
        StillOpen = "still_open",
        Closed = "closed",
        /// A variable has fallen silent.
        Silent = "silent",
        /// A silent variable has readings again.
        Back = "back",
        /// On the service itself.
        Service = "service",
    }
}

/// What identifies an episode before the table has given it a number.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct EpisodeKey {
    pub variable: Arc<str>,
    pub kind: EpisodeKind,
    pub begin: Datetime,
}

/// A new entry of the outbox.
#[derive(Clone, Debug, PartialEq)]
pub struct OutboxMessage {
    /// Unique, and the same at each delivery.
    pub id: String,
    pub kind: MessageKind,
    /// None if the episode is one of the service.
    pub variable: Option<Arc<str>>,
    /// The episode that it is about; its number is looked up when the entry is stored.
    pub about: EpisodeKey,
    pub created_at: Datetime,
    /// The episode as it was then, as JSON.
    pub payload: String,
}

impl OutboxMessage {
    /// On an episode, as it is now.
    pub fn on(kind: MessageKind, episode: &Episode, now: Datetime) -> Self {
        let is_service = episode.kind == EpisodeKind::Service;
        Self {
            id: id(kind, episode, now),
            kind,
            variable: (!is_service).then(|| Arc::clone(&episode.variable)),
            about: episode.key(),
            created_at: now,
            // It has text keys and finite numbers, so this cannot fail.
            payload: serde_json::to_string(episode).unwrap_or_default(),
        }
    }
}

fn id(kind: MessageKind, episode: &Episode, now: Datetime) -> String {
    let mut digest = Sha256::new();
    let mut text = |text: &str| {
        digest.update((text.len() as u64).to_le_bytes());
        digest.update(text);
    };
    text(kind.word());
    text(&episode.variable);
    text(episode.kind.word());
    text(&episode.begin.micros().to_string());
    text(&now.micros().to_string());
    digest.finalize().iter().take(16).map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_that_differ_in_anything_have_different_ids() {
        let at = Datetime::from_micros;
        let episode = |variable: &str, kind, begin| Episode::at(variable.into(), kind, at(begin));
        let one = episode("T1", EpisodeKind::Anomaly, 1);
        let ids = [
            OutboxMessage::on(MessageKind::Opened, &one, at(9)),
            OutboxMessage::on(MessageKind::Closed, &one, at(9)),
            OutboxMessage::on(MessageKind::Opened, &one, at(10)),
            OutboxMessage::on(MessageKind::Opened, &episode("T2", EpisodeKind::Anomaly, 1), at(9)),
            OutboxMessage::on(MessageKind::Opened, &episode("T1", EpisodeKind::Stuck, 1), at(9)),
            OutboxMessage::on(MessageKind::Opened, &episode("T1", EpisodeKind::Anomaly, 2), at(9)),
        ]
        .map(|message| message.id);
        let different: std::collections::HashSet<_> = ids.iter().collect();
        assert_eq!(different.len(), ids.len());
        assert!(ids.iter().all(|id| id.len() == 32));
    }
}
