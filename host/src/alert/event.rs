//! What there is to tell: one thing that happened to a variable or to the service.
//!
//! Plain data, made from an entry of the outbox or by the schedule; the same at each delivery.
//! Names and words of others are kept as they are and made fit for people where they are shown.

use std::sync::Arc;
use std::time::Duration;

use serde::Serialize;

use crate::datetime::Datetime;
use crate::episode::{EpisodeKind, Priority};

/// Something that happened.
#[derive(Clone, Debug, PartialEq)]
pub struct Event {
    /// The same at each delivery, and of no other event.
    pub id: String,
    /// When it happened, by the plant's clock.
    pub at: Datetime,
    pub what: What,
}

/// What happened.
#[derive(Clone, Debug, PartialEq)]
pub enum What {
    Variable(Change, Box<Facts>),
    Service(Service),
    /// Nothing: a person tries a channel.
    Test,
}

/// What an episode came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Change {
    Opened,
    StillOpen,
    Closed,
}

/// An episode as far as it is known when something is told of it.
#[derive(Clone, Debug, PartialEq)]
pub struct Facts {
    /// Its key in the table of episodes.
    pub episode: i64,
    pub variable: Arc<str>,
    pub nature: EpisodeKind,
    pub priority: Priority,
    pub unit: Option<String>,
    pub description: Option<String>,
    pub begin: Datetime,
    /// How far it reaches; of an open one so far.
    pub end: Datetime,
    /// The reading that ended it. None: it is open.
    pub closed_at: Option<Datetime>,
    /// Of the readings, 0 to 100.
    pub peak: Option<f64>,
    pub readings: u64,
    pub flagged: u64,
    /// A word of the contract's.
    pub cause: Option<String>,
    /// Of an anomaly the worst reading; of a stuck variable its value.
    pub worst: Option<Worst>,
}

/// A reading and what was expected of it.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Worst {
    pub at: Datetime,
    pub value: f64,
    /// None where nothing was.
    pub expected: Option<f64>,
}

/// What happened to the service itself.
#[derive(Clone, Debug, PartialEq)]
pub enum Service {
    /// No cycle succeeded for three intervals.
    NoSuccess { worker: String, lasted: Duration, interval: Duration, why: String },
    /// Cycles succeed again.
    Recovered { worker: String, lasted: Duration },
    /// New files cannot be used; the set before goes on.
    SetRefused { worker: String, why: String },
    /// Readings that came after the allowed lateness, and have no verdict.
    TooLate { worker: String, readings: u64 },
}

/// What channels choose by.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Kind {
    Opened,
    StillOpen,
    Closed,
    Silent,
    Back,
    Service,
    Test,
}

impl Kind {
    /// As the configuration and the data of a message have it.
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

impl Event {
    /// What channels choose by.
    pub fn kind(&self) -> Kind {
        match &self.what {
            What::Variable(change, facts) => match (facts.nature, change) {
                (EpisodeKind::Service, _) => Kind::Service,
                (EpisodeKind::Silent, Change::Closed) => Kind::Back,
                (EpisodeKind::Silent, _) => Kind::Silent,
                (_, Change::Opened) => Kind::Opened,
                (_, Change::StillOpen) => Kind::StillOpen,
                (_, Change::Closed) => Kind::Closed,
            },
            What::Service(_) => Kind::Service,
            What::Test => Kind::Test,
        }
    }

    /// How much it matters.
    pub fn priority(&self) -> Priority {
        match &self.what {
            What::Variable(_, facts) => facts.priority,
            What::Service(Service::NoSuccess { .. } | Service::SetRefused { .. }) => Priority::High,
            What::Service(Service::Recovered { .. } | Service::TooLate { .. }) => Priority::Medium,
            What::Test => Priority::Low,
        }
    }

    /// The episode that it is about.
    pub fn facts(&self) -> Option<&Facts> {
        match &self.what {
            What::Variable(_, facts) => Some(facts),
            What::Service(_) | What::Test => None,
        }
    }

    /// The variable that it is about.
    pub fn variable(&self) -> Option<&str> {
        self.facts().filter(|facts| facts.nature != EpisodeKind::Service).map(|facts| &*facts.variable)
    }

    /// What its begin and its end have in common.
    pub fn key(&self) -> String {
        match &self.what {
            What::Variable(_, facts) => {
                let Facts { nature, variable, begin, .. } = &**facts;
                format!("{nature}/{variable}/{begin}")
            }
            What::Service(Service::NoSuccess { .. } | Service::Recovered { .. }) => "success".to_owned(),
            What::Service(Service::SetRefused { .. }) => "set".to_owned(),
            What::Service(Service::TooLate { .. }) => "late".to_owned(),
            What::Test => "test".to_owned(),
        }
    }

    /// Whether it ends what an earlier one began.
    pub fn is_end(&self) -> bool {
        matches!(self.what, What::Variable(Change::Closed, _) | What::Service(Service::Recovered { .. }))
    }
}

impl Facts {
    /// How long it has lasted so far, or did last.
    pub fn lasted(&self) -> Duration {
        self.closed_at.unwrap_or(self.end).since(self.begin)
    }
}
