//! The worker's state row: all that a worker knows after a restart.
//!
//! It is written in the transaction that writes a batch's verdicts, so it never claims more or less than the output holds.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::counts::Counts;
use crate::datetime::Datetime;
use crate::position::Position;

/// One worker's row of the state table.
#[derive(Clone, Debug, PartialEq)]
pub struct State {
    /// The fence: raised by whoever takes the worker's name, checked by every commit.
    pub epoch: i64,
    pub position: Position,
    /// The latest datetime that was read and dealt with, whether or not anything could be judged there: a batch of nothing but
    /// unknown variables moves it too. It never goes back. None before the first batch.
    pub watermark: Option<Datetime>,
    pub checkpoint: Option<Checkpoint>,
    /// The digest of the module, models and settings that judged the last batch.
    pub set_digest: Option<String>,
    /// Variables with readings that the detector could not judge and that await `backfill`.
    pub set_aside: BTreeMap<Arc<str>, SetAside>,
    pub counts: Counts,
    /// The server's time of the last commit.
    pub updated_at: Datetime,
}

/// The detector's own state, and the set that wrote it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Checkpoint {
    pub schema: u32,
    pub bytes: Vec<u8>,
    pub set_digest: String,
}

/// Why a variable is set aside, and which of its readings await `backfill`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SetAside {
    pub reason: String,
    /// Whether the detector is not shown this variable again, because it does not survive it. Another set is.
    pub held: bool,
    /// The set at fault.
    pub set_digest: String,
    /// The first and the last datetime passed over.
    pub first: Datetime,
    pub last: Datetime,
    pub readings: u64,
}

impl SetAside {
    /// No readings yet; the first will be at `datetime`.
    pub fn empty(datetime: Datetime) -> Self {
        Self {
            reason: String::new(),
            held: false,
            set_digest: String::new(),
            first: datetime,
            last: datetime,
            readings: 0,
        }
    }

    /// One more reading awaits `backfill`.
    pub fn pass_over(&mut self, datetime: Datetime) {
        self.first = self.first.min(datetime);
        self.last = self.last.max(datetime);
        self.readings += 1;
    }
}
