//! An event: one thing that happened to a variable or to the service, and that messages are about.
//!
//! Plain data, made from an entry of the outbox or by the schedule; the same at each delivery.
//! Texts from outside are kept as they are, and escaped where they are shown.

use std::sync::Arc;
use std::time::Duration;

use serde::Serialize;

use crate::datetime::Datetime;
use crate::episode::{EpisodeKind, Priority};

/// Something that happened.
#[derive(Clone, Debug, PartialEq)]
pub struct AlertEvent {
    /// Unique, and the same at each delivery.
    pub id: String,
    /// When it happened, by the plant's clock.
    pub at: Datetime,
    pub what: EventDetail,
}

/// What happened.
#[derive(Clone, Debug, PartialEq)]
pub enum EventDetail {
    Variable(Change, Box<Facts>),
    Service(ServiceEvent),
    /// A person tests a channel.
    Test,
}

/// What changed about an episode.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Change {
    Opened,
    StillOpen,
    Closed,
}

/// An episode as it was at the event.
#[derive(Clone, Debug, PartialEq)]
pub struct Facts {
    /// Its key in the table of episodes.
    pub episode: i64,
    pub variable: Arc<str>,
    pub nature: EpisodeKind,
    pub priority: Priority,
    pub unit: Option<String>,
    pub description: Option<String>,
    /// The address of its page, if the configuration has one.
    pub link: Option<String>,
    pub begin: Datetime,
    /// The last reading of it; for an open one, so far.
    pub end: Datetime,
    /// The reading that ended it. None: it is open.
    pub closed_at: Option<Datetime>,
    /// The greatest score of its readings, 0 to 100.
    pub peak: Option<f64>,
    pub readings: u64,
    pub flagged: u64,
    /// A word of the detector contract.
    pub cause: Option<String>,
    /// For an anomaly the worst reading; for a stuck variable its value.
    pub worst: Option<Worst>,
}

/// A reading and what was expected of it.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Worst {
    pub at: Datetime,
    pub value: f64,
    /// None: nothing was expected.
    pub expected: Option<f64>,
}

/// What happened to the service itself.
#[derive(Clone, Debug, PartialEq)]
pub enum ServiceEvent {
    /// No cycle succeeded for three intervals.
    NoSuccess { worker: String, lasted: Duration, interval: Duration, why: String },
    /// Cycles succeed again.
    Recovered { worker: String, lasted: Duration },
    /// New files cannot be used; the set before goes on.
    SetRefused { worker: String, why: String },
    /// Readings that came after the allowed lateness, and have no verdict.
    TooLate { worker: String, readings: u64 },
}

/// The kind of an event, by which channels filter.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum EventKind {
    Opened,
    StillOpen,
    Closed,
    Silent,
    Back,
    Service,
    Test,
}

impl EventKind {
    /// As it is written in the configuration and in the data of a message.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Opened => "opened",
            Self::StillOpen => "still-open",
            Self::Closed => "closed",
            Self::Silent => "silent",
            Self::Back => "back",
            Self::Service => "service",
            Self::Test => "test",
        }
    }
}

impl AlertEvent {
    /// Its kind, by which channels filter.
    pub fn kind(&self) -> EventKind {
        match &self.what {
            EventDetail::Variable(change, facts) => match (facts.nature, change) {
                (EpisodeKind::Service, _) => EventKind::Service,
                (EpisodeKind::Silent, Change::Closed) => EventKind::Back,
                (EpisodeKind::Silent, _) => EventKind::Silent,
                (_, Change::Opened) => EventKind::Opened,
                (_, Change::StillOpen) => EventKind::StillOpen,
                (_, Change::Closed) => EventKind::Closed,
            },
            EventDetail::Service(_) => EventKind::Service,
            EventDetail::Test => EventKind::Test,
        }
    }

    /// Its priority: that of its episode, or a fixed one for events of the service.
    pub fn priority(&self) -> Priority {
        match &self.what {
            EventDetail::Variable(_, facts) => facts.priority,
            EventDetail::Service(ServiceEvent::NoSuccess { .. } | ServiceEvent::SetRefused { .. }) => {
                Priority::High
            }
            EventDetail::Service(ServiceEvent::Recovered { .. } | ServiceEvent::TooLate { .. }) => {
                Priority::Medium
            }
            EventDetail::Test => Priority::Low,
        }
    }

    /// The episode that it is about.
    pub fn facts(&self) -> Option<&Facts> {
        match &self.what {
            EventDetail::Variable(_, facts) => Some(facts),
            EventDetail::Service(_) | EventDetail::Test => None,
        }
    }

    /// The page of the episode that it is about.
    pub fn link(&self) -> Option<&str> {
        self.facts()?.link.as_deref()
    }

    /// The variable that it is about.
    pub fn variable(&self) -> Option<&str> {
        self.facts().filter(|facts| facts.nature != EpisodeKind::Service).map(|facts| &*facts.variable)
    }

    /// The key that an event shares with the one that ends it.
    pub fn key(&self) -> String {
        match &self.what {
            EventDetail::Variable(_, facts) => {
                let Facts { nature, variable, begin, .. } = &**facts;
                format!("{nature}/{variable}/{begin}")
            }
            EventDetail::Service(ServiceEvent::NoSuccess { .. } | ServiceEvent::Recovered { .. }) => {
                "success".to_owned()
            }
            EventDetail::Service(ServiceEvent::SetRefused { .. }) => "set".to_owned(),
            EventDetail::Service(ServiceEvent::TooLate { .. }) => "late".to_owned(),
            EventDetail::Test => "test".to_owned(),
        }
    }

    /// Whether it ends what an earlier one began.
    pub fn is_end(&self) -> bool {
        matches!(
            self.what,
            EventDetail::Variable(Change::Closed, _) | EventDetail::Service(ServiceEvent::Recovered { .. })
        )
    }
}

impl Facts {
    /// How long it lasted, or has lasted so far.
    pub fn lasted(&self) -> Duration {
        self.closed_at.unwrap_or(self.end).since(self.begin)
    }
}
