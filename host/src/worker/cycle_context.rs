//! What is fixed at the beginning of a cycle, and which readings the cycle judges.

use std::collections::HashSet;
use std::sync::Arc;

use crate::datetime::Datetime;
use crate::position::Ahead;
use crate::reading::Reading;
use crate::shard::Shard;

/// What is fixed at the beginning of a cycle.
pub(super) struct CycleContext {
    pub(super) now: Datetime,
    pub(super) oldest_allowed: Datetime,
    /// The watermark is not advanced beyond this: in a cycle, not beyond the clock.
    pub(super) until: Datetime,
    /// The watermark when the cycle began.
    pub(super) watermark: Option<Datetime>,
    /// The datetimes ahead of the clock that were known by then.
    pub(super) ahead: Ahead,
    pub(super) batch_rows: usize,
    pub(super) scope: Scope,
    /// Whether the rows were selected because they lack a verdict: then all of them count as new.
    pub(super) looked_for: bool,
}

/// Which of the readings within the allowed lateness are judged: in a cycle all of the worker's
/// share that have no verdict.
#[derive(Clone, Default)]
pub(super) struct Scope {
    pub(super) shard: Option<Shard>,
    /// None: every variable.
    pub(super) variables: Option<HashSet<Arc<str>>>,
    /// Whether readings that already have a verdict are judged again.
    pub(super) again: bool,
}

impl Scope {
    pub(super) fn holds(&self, reading: &Reading) -> bool {
        self.has(&reading.variable)
    }

    pub(super) fn has(&self, variable: &str) -> bool {
        self.shard.is_none_or(|shard| shard.holds(variable))
            && self.variables.as_ref().is_none_or(|variables| variables.contains(variable))
    }
}
