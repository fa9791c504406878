//! What is told of an episode: an entry of the outbox, as it is made.

use std::sync::Arc;

use serde::Serialize;
use sha2::{Digest as _, Sha256};

use super::words::words;
use super::{Episode, EpisodeKind};
use crate::datetime::Datetime;

words! {
    /// What a message says.
    MessageKind {
        Opened = "opened",
        /// It is open for an hour.
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

/// What an episode goes by before the table has given it a number.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct EpisodeKey {
    pub variable: Arc<str>,
    pub kind: EpisodeKind,
    pub begin: Datetime,
}

/// A new entry of the outbox.
#[derive(Clone, Debug, PartialEq)]
pub struct OutboxMessage {
    /// Of no other message, and the same whenever this one is sent.
    pub id: String,
    pub kind: MessageKind,
    /// None: on the service.
    pub variable: Option<Arc<str>>,
    /// The episode that it is about; its number is looked up when the entry is stored.
    pub about: Option<EpisodeKey>,
    pub created_at: Datetime,
    /// What it is about, as it was then, as JSON.
    pub payload: String,
}

impl OutboxMessage {
    /// On an episode, as it is now.
    pub fn on(kind: MessageKind, episode: &Episode, now: Datetime) -> Self {
        let is_service = episode.kind == EpisodeKind::Service;
        Self {
            id: id(kind, &episode.variable, Some((episode.kind, episode.begin)), now),
            kind,
            variable: (!is_service).then(|| Arc::clone(&episode.variable)),
            about: Some(episode.key()),
            created_at: now,
            payload: json(episode),
        }
    }

    /// On the service itself: `payload` is what there is to say.
    pub fn on_service(worker: &str, payload: &impl Serialize, now: Datetime) -> Self {
        let payload = json(payload);
        Self {
            id: id(MessageKind::Service, &format!("{worker}\0{payload}"), None, now),
            kind: MessageKind::Service,
            variable: None,
            about: None,
            created_at: now,
            payload,
        }
    }
}

fn json(value: &impl Serialize) -> String {
    // What is told here has text keys and finite numbers: it always is JSON.
    serde_json::to_string(value).unwrap_or_default()
}

fn id(kind: MessageKind, variable: &str, about: Option<(EpisodeKind, Datetime)>, now: Datetime) -> String {
    let mut digest = Sha256::new();
    let mut text = |text: &str| {
        digest.update((text.len() as u64).to_le_bytes());
        digest.update(text);
    };
    text(kind.word());
    text(variable);
    text(about.map_or("", |(kind, _)| kind.word()));
    text(&about.map_or(0, |(_, begin)| begin.micros()).to_string());
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
            OutboxMessage::on_service("a", &"b", at(9)),
            OutboxMessage::on_service("a", &"c", at(9)),
        ]
        .map(|message| message.id);
        let different: std::collections::HashSet<_> = ids.iter().collect();
        assert_eq!(different.len(), ids.len());
        assert!(ids.iter().all(|id| id.len() == 32));
    }
}
