//! The worker's state row: everything that a worker knows after a restart.
//!
//! It is written in the transaction that writes a batch's verdicts, so it always agrees with the
//! output.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::aged::Aged;
use crate::checkpoint::{Checkpoint, Parts, Size};
use crate::counts::Counts;
use crate::datetime::Datetime;
use crate::position::{Ahead, Position};
use crate::reconciliation::Reconciliation;
use crate::retry_pause::retry_pause;

/// One worker's row of the state table.
#[derive(Clone, Debug, PartialEq)]
pub struct State {
    /// The fence: raised when a worker takes the name, checked by every commit.
    pub epoch: i64,
    pub position: Position,
    /// The latest datetime that was read and dealt with, whether or not anything could be judged
    /// there: a batch of nothing but unknown variables moves it too. It never goes ahead of the
    /// server's clock, and never back, unless that clock was days ahead. None before the first
    /// batch.
    pub watermark: Option<Datetime>,
    /// Datetimes beyond it that were dealt with and are ahead of the clock.
    pub ahead: Ahead,
    /// The result of the last look for unjudged readings, and the progress of one that is not
    /// finished.
    pub reconciliation: Reconciliation,
    pub checkpoint: Option<Checkpoint>,
    /// What is remembered of each variable for its episodes; see [`crate::episode`].
    pub memory: Parts,
    /// The digest of the module, models and settings that judged the last batch.
    pub set_digest: Option<String>,
    /// The models of that set. None in a row of an earlier version.
    pub models: Option<ModelsInUse>,
    /// Variables with readings that the detector could not judge and that await `backfill`.
    pub set_aside: BTreeMap<Arc<str>, SetAside>,
    pub counts: Counts,
    /// The server's time of the last commit.
    pub updated_at: Datetime,
}

impl State {
    /// The watermark, by a clock that has advanced since the last commit.
    pub fn watermark_at(&self, now: Datetime) -> Option<Datetime> {
        self.watermark.max(self.ahead.reached(now))
    }

    /// Advances past a page with these datetimes, the last of its scan or not. The watermark goes
    /// no further than `until`; later datetimes are remembered.
    pub fn advance(&mut self, position: Position, datetimes: &[Datetime], until: Datetime, is_last: bool) {
        self.position = position;
        if is_last {
            // Not before everything in between was read.
            self.watermark = self.watermark.max(self.ahead.reached(until));
            self.ahead.forget(until);
        }
        self.watermark = self.watermark.max(datetimes.iter().copied().filter(|at| *at <= until).max());
        self.ahead.take_in(datetimes.iter().copied(), until);
    }

    /// The content of the column `position`.
    pub fn standing(&self) -> StoredPosition {
        StoredPosition {
            position: self.position.clone(),
            ahead: self.ahead.clone(),
            reconciliation: self.reconciliation.clone(),
            models: self.models.clone(),
            checkpoint: self.checkpoint.as_ref().map(StoredCheckpoint::of),
        }
    }
}

/// The column `position`. A row of an earlier version has the position alone.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct StoredPosition {
    #[serde(flatten)]
    pub position: Position,
    #[serde(default, skip_serializing_if = "Ahead::is_empty")]
    pub ahead: Ahead,
    #[serde(default)]
    pub reconciliation: Reconciliation,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub models: Option<ModelsInUse>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub checkpoint: Option<StoredCheckpoint>,
}

/// The row's data on the checkpoint, whose parts are in a table of their own. None in a row of an
/// earlier version, which holds a checkpoint of one piece itself.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct StoredCheckpoint {
    pub detector: Option<String>,
    #[serde(flatten)]
    pub size: Size,
}

impl StoredCheckpoint {
    fn of(checkpoint: &Checkpoint) -> Self {
        Self { detector: checkpoint.detector.clone(), size: checkpoint.parts.size() }
    }
}

/// The models that a set has loaded, in a form for people.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ModelsInUse {
    pub count: u64,
    pub directory: String,
    /// Why the files on disk are not the set in use; None if they are.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub refused: Option<String>,
    /// Those whose errors have outgrown their training, by variable.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub aged: BTreeMap<String, Aged>,
}

/// Why a variable is set aside, and which of its readings await `backfill`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SetAside {
    pub reason: String,
    /// Whether the detector is not given this variable again, because it fails at it. Another set
    /// is given it.
    #[serde(alias = "held")]
    pub quarantined: bool,
    /// The set at fault.
    pub set_digest: String,
    /// The first and the last datetime that were left out.
    pub first: Datetime,
    pub last: Datetime,
    pub readings: u64,
    /// When the detector is given it again all the same. None: not before another set is in use.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub again: Option<Again>,
}

/// Another try at a variable that was set aside because it took too long, by the database's clock.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Again {
    pub at: Datetime,
    /// The pause before it; the next one is twice as long.
    pub pause_seconds: u64,
}

impl Again {
    /// The try after this one, which failed at `now`.
    pub fn after(failed: Option<&Self>, now: Datetime) -> Self {
        let pause = retry_pause(failed.map(|failed| Duration::from_secs(failed.pause_seconds)));
        Self { at: now.later(pause), pause_seconds: pause.as_secs() }
    }
}

impl State {
    /// The most bytes of all reasons together, however many variables are set aside: the row is
    /// written with each commit.
    const REASONS: usize = 64 << 10;
    /// The part of a reason that is always kept.
    const LEAST_OF_A_REASON: usize = 60;

    /// Cuts the reasons, if they are too long together.
    pub fn shorten_reasons(&mut self) {
        let total: usize = self.set_aside.values().map(|aside| aside.reason.len()).sum();
        if total > Self::REASONS {
            let share = (Self::REASONS / self.set_aside.len()).max(Self::LEAST_OF_A_REASON);
            for reason in self.set_aside.values_mut().map(|aside| &mut aside.reason) {
                reason.truncate(reason.floor_char_boundary(share));
            }
        }
    }
}

impl SetAside {
    /// No readings yet; the first will be at `datetime`.
    pub fn empty(datetime: Datetime) -> Self {
        Self {
            reason: String::new(),
            quarantined: false,
            set_digest: String::new(),
            first: datetime,
            last: datetime,
            readings: 0,
            again: None,
        }
    }

    /// Whether it is time to give it to the detector again. A clock that was set back does not
    /// delay it for longer than its pause.
    pub fn is_due(&self, now: Datetime) -> bool {
        let due =
            |again: &Again| now >= again.at || again.at.since(now) > Duration::from_secs(again.pause_seconds);
        self.quarantined && self.again.as_ref().is_some_and(due)
    }

    /// One more reading awaits `backfill`.
    pub fn pass_over(&mut self, datetime: Datetime) {
        self.first = self.first.min(datetime);
        self.last = self.last.max(datetime);
        self.readings += 1;
    }
}
