//! Entries of the outbox: the event of each, and how far each channel is with it.
//!
//! Pure. An entry that one channel has delivered and another has not must not go to the first
//! again, so each entry says which channels are done with it.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::event::{AlertEvent, Change, EventDetail, Facts, Worst};
use crate::datetime::Datetime;
use crate::episode::{Episode, EpisodeKind, MessageKind, StoredEpisode};
use crate::store::{EntryState, OutboxEntry, Tried};

/// What the configuration says of a variable, for people.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Described {
    pub unit: Option<String>,
    pub description: Option<String>,
    /// The address of the page, without a slash at its end.
    pub page: Option<String>,
}

/// Looks a variable up.
pub type About<'a> = &'a (dyn Fn(&str) -> Described + Send + Sync);

/// The event of an entry.
///
/// # Errors
/// A sentence, if no worker can have written the entry.
pub fn event(entry: &OutboxEntry, about: About<'_>) -> Result<AlertEvent, String> {
    let episode: Episode = serde_json::from_str(&entry.payload)
        .map_err(|error| format!("the payload of entry {} is no episode: {error}", entry.seq))?;
    if episode.kind == EpisodeKind::Shelved {
        return Err(format!(
            "entry {} is of a variable that is shelved, and no messages are sent on that",
            entry.seq
        ));
    }
    let change = match entry.kind {
        MessageKind::StillOpen => Change::StillOpen,
        MessageKind::Closed | MessageKind::Back => Change::Closed,
        MessageKind::Service if !episode.is_open() => Change::Closed,
        MessageKind::Opened | MessageKind::Silent | MessageKind::Service => Change::Opened,
    };
    let facts = facts(entry.episode_id, episode, about);
    Ok(AlertEvent {
        id: entry.id.clone(),
        at: entry.created_at,
        what: EventDetail::Variable(change, Box::new(facts)),
    })
}

/// An open episode, for receivers of states; None if no messages are sent on it.
pub fn open(stored: StoredEpisode, now: Datetime, about: About<'_>) -> Option<AlertEvent> {
    let StoredEpisode { id, episode, .. } = stored;
    if episode.kind == EpisodeKind::Shelved || episode.shelved {
        return None;
    }
    let facts = facts(Some(id), episode, about);
    Some(AlertEvent {
        id: id.to_string(),
        at: now,
        what: EventDetail::Variable(Change::Opened, Box::new(facts)),
    })
}

fn facts(id: Option<i64>, episode: Episode, about: About<'_>) -> Facts {
    let Described { unit, description, page } = match about(&episode.variable) {
        Described { page, .. } if episode.kind == EpisodeKind::Service => {
            Described { page, ..Described::default() }
        }
        described => described,
    };
    Facts {
        episode: id.unwrap_or_default(),
        variable: episode.variable,
        nature: episode.kind,
        priority: episode.priority,
        unit,
        description,
        link: page.zip(id).map(|(page, id)| format!("{page}/episode?id={id}")),
        begin: episode.begin,
        end: episode.end,
        closed_at: episode.closed_at,
        peak: episode.peak_score,
        readings: episode.readings,
        flagged: episode.flagged,
        cause: episode.cause,
        worst: episode.worst.map(|worst| Worst { at: worst.ds, value: worst.y, expected: worst.yhat }),
    }
}

/// How far a channel is with an entry.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Mark {
    /// It was sent, or the channel does not take such events.
    Done,
    /// Given up.
    Dead,
    /// The receiver refused it so many times.
    Tried(u32),
}

/// How far the channels are with an entry, by name.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Progress(BTreeMap<String, Mark>);

impl Progress {
    /// The progress in an entry; empty if it cannot be read.
    pub fn of(entry: &OutboxEntry) -> Self {
        entry.progress.as_deref().and_then(|text| serde_json::from_str(text).ok()).unwrap_or_default()
    }

    /// Whether a channel is done with it.
    pub fn is_over(&self, channel: &str) -> bool {
        matches!(self.0.get(channel), Some(Mark::Done | Mark::Dead))
    }

    /// How often a channel's receiver refused it.
    pub fn tries(&self, channel: &str) -> u32 {
        match self.0.get(channel) {
            Some(Mark::Tried(tries)) => *tries,
            _ => 0,
        }
    }

    /// Sets how far a channel is.
    pub fn set(&mut self, channel: &str, mark: Mark) {
        self.0.insert(channel.to_owned(), mark);
    }

    /// Makes the channels that gave it up try again; false if there are none.
    pub fn revive(&mut self) -> bool {
        let before = self.0.len();
        self.0.retain(|_, mark| *mark != Mark::Dead);
        self.0.len() < before
    }

    /// The state of the entry, with these channels.
    pub fn state<'c>(&self, channels: impl IntoIterator<Item = &'c str>) -> EntryState {
        let mut state = EntryState::Delivered;
        for channel in channels {
            match self.0.get(channel) {
                Some(Mark::Done) => {}
                Some(Mark::Dead) => state = EntryState::Dead,
                Some(Mark::Tried(_)) | None => return EntryState::Due,
            }
        }
        state
    }

    /// What is written to an entry. One that is not done keeps its time, because each channel
    /// decides itself when it tries it again, and the entries of a variable must be read in their
    /// order.
    pub fn note<'c>(
        &self,
        channels: impl IntoIterator<Item = &'c str>,
        created_at: Datetime,
        now: Datetime,
        error: Option<String>,
    ) -> Tried {
        let state = self.state(channels);
        Tried {
            state,
            at: if state == EntryState::Due { created_at } else { now.max(created_at) },
            error,
            progress: serde_json::to_string(self).ok(),
        }
    }
}

#[cfg(test)]
mod tests;
