//! Episodes: the stretches of time in which a variable needs to be looked at.
//!
//! Pure. An episode of a variable opens after a number of anomalous readings in a row and closes
//! after a number of normal ones. A silent variable, a stuck one and a shelved one are states of
//! the same kind. All are rows of one table, which other programs may read: see `docs/episodes.md`.

mod machine;
mod memory;
mod mend;
mod notifier;
mod outbox_message;
mod past_states;
mod point;
mod rewrite;
mod settings;
mod state_limits;
mod stored;
mod track;
mod tracker;
mod weekly_window;
pub(crate) mod words;

use std::sync::Arc;

use serde::{Deserialize, Serialize};

pub use machine::Machine;
pub use mend::{Changed, Mended, Past, PastEnd};
pub use notifier::Notifier;
pub use outbox_message::{EpisodeKey, MessageKind, OutboxMessage};
pub use past_states::{CurrentRun, LookedAt, RunStart, run_in_rows, run_start};
pub use point::Point;
pub use settings::{PatternSettings, Side, StateDelay, VariableRules, VariableSettings};
pub use state_limits::StateLimits;
pub use stored::{EpisodeChange, EpisodeRange, OpenEpisode, OpenRow, Shelving, StoredEpisode};
pub use tracker::{Anew, Draft, EpisodeTracker, TrackerSettings};
pub use weekly_window::WeeklyWindow;
use words::words;

use crate::datetime::Datetime;

words! {
    /// What kind of state it is.
    EpisodeKind {
        /// Anomalous readings in a row.
        Anomaly = "anomaly",
        /// No reading for much longer than usual.
        Silent = "silent",
        /// The same value for longer than usual.
        Stuck = "stuck",
        /// No variable has readings. It belongs to the worker, not to a variable.
        Service = "service",
        /// A person wants no messages on this variable.
        Shelved = "shelved",
    }
}

words! {
    /// On which side of the expectation the readings are.
    Direction {
        Above = "above",
        Below = "below",
    }
}

words! {
    /// How soon somebody should look at it.
    Priority {
        Low = "low",
        Medium = "medium",
        High = "high",
    }
}

words! {
    /// What a person who has looked at an episode says of it.
    Feedback {
        /// It was to be expected: a stop, a cleaning.
        Expected = "expected",
        /// Something was wrong with the plant.
        Real = "real",
        /// Something was wrong with the sensor.
        Sensor = "sensor",
    }
}

words! {
    /// Which messages were made of an episode.
    Told {
        /// None yet.
        Nothing = "nothing",
        /// That it has opened.
        Opened = "opened",
        /// That it is still open.
        StillOpen = "still_open",
        /// That it has closed.
        Closed = "closed",
        /// There will be none: it was past when it was found, or the variable was shelved.
        Never = "never",
    }
}

/// A state of a variable, with its begin and its end.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Episode {
    /// Of a state of the service, the worker's name.
    #[serde(with = "shared")]
    pub variable: Arc<str>,
    pub kind: EpisodeKind,
    /// The first reading that belongs to it; of silence, the last one before it.
    pub begin: Datetime,
    /// The last reading that belongs to it so far; of silence, the end so far.
    pub end: Datetime,
    /// The reading that ended it. None: it is open.
    pub closed_at: Option<Datetime>,
    /// The greatest score, 0 to 100.
    pub peak_score: Option<f64>,
    pub worst: Option<WorstReading>,
    pub direction: Option<Direction>,
    /// Readings from begin to end.
    pub readings: u64,
    /// How many of them were anomalous.
    pub flagged: u64,
    /// Why the worst reading is an anomaly, if the detector says so: a word of the contract's.
    pub cause: Option<String>,
    pub priority: Priority,
    pub told: Told,
    /// Whether the variable was shelved when it opened.
    pub shelved: bool,
}

/// The reading of an episode that has the greatest score; of several, the first.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct WorstReading {
    pub ds: Datetime,
    pub y: f64,
    /// None if there was no expectation.
    pub yhat: Option<f64>,
}

/// A shared text in JSON.
mod shared {
    use std::sync::Arc;

    use serde::{Deserialize, Deserializer, Serializer};

    pub(super) fn serialize<S: Serializer>(text: &Arc<str>, to: S) -> Result<S::Ok, S::Error> {
        to.serialize_str(text)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Arc<str>, D::Error> {
        String::deserialize(from).map(Arc::from)
    }
}

impl Episode {
    /// A new episode, of which only the begin is known.
    pub fn at(variable: Arc<str>, kind: EpisodeKind, begin: Datetime) -> Self {
        Self {
            variable,
            kind,
            begin,
            end: begin,
            closed_at: None,
            peak_score: None,
            worst: None,
            direction: None,
            readings: 0,
            flagged: 0,
            cause: None,
            priority: Priority::Low,
            told: Told::Nothing,
            shelved: false,
        }
    }

    pub fn is_open(&self) -> bool {
        self.closed_at.is_none()
    }

    /// What identifies it.
    pub fn key(&self) -> EpisodeKey {
        EpisodeKey { variable: Arc::clone(&self.variable), kind: self.kind, begin: self.begin }
    }
}
