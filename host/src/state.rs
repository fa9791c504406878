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
    /// The latest datetime that was judged; it never goes back. None before the first batch.
    pub watermark: Option<Datetime>,
    pub checkpoint: Option<Checkpoint>,
    /// The digest of the module, models and settings that judged the last batch.
    pub set_digest: Option<String>,
    /// Variables that the detector could not judge, while that set is in use.
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
    /// The set at fault: another one is tried with the variable again.
    pub set_digest: String,
    /// The first and the last datetime passed over.
    pub first: Datetime,
    pub last: Datetime,
    pub readings: u64,
}
