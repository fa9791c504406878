//! What is trained, on which readings and within which limits, and at which pace. Plain data of one
//! training.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::error::TrainingError;
use crate::datetime::Datetime;
use crate::shard::Shard;

/// What is to be trained.
#[derive(Clone, Debug)]
pub struct TrainingPlan {
    /// Readings from here on, and before `to`.
    pub from: Datetime,
    pub to: Datetime,
    /// None: all that have readings there.
    pub variables: Option<BTreeSet<Arc<str>>>,
    pub shard: Option<Shard>,
    /// How much of the end of each series is held out to measure models on.
    pub holdout: Duration,
    /// The most rows of one read.
    pub page_rows: usize,
    /// The most readings in memory; the others are in a temporary file.
    pub most_readings: usize,
    /// Memory in bytes and time of one call. None: the defaults.
    pub limits: Option<(usize, Duration)>,
    /// What the database's clock says.
    pub now: Datetime,
    /// How many earlier sets are kept.
    pub keep: usize,
}

/// How fast a training goes, and whether it goes on.
pub struct Pace<'a> {
    /// Asked after each page and each variable.
    pub goes_on: &'a (dyn Fn() -> bool + Sync),
    /// Whether it pauses after each page and variable for as long as that took.
    pub rests: bool,
}

impl Pace<'_> {
    /// As fast as it can, to the end.
    pub const FULL: Self = Pace { goes_on: &|| true, rests: false };

    pub(super) async fn after(&self, begun: Instant) -> Result<(), TrainingError> {
        if self.rests {
            tokio::time::sleep(begun.elapsed()).await;
        }
        if (self.goes_on)() { Ok(()) } else { Err(TrainingError::Ended) }
    }
}

impl TrainingPlan {
    pub(super) fn wants(&self, variable: &str) -> bool {
        self.shard.is_none_or(|shard| shard.holds(variable))
            && self.variables.as_ref().is_none_or(|wanted| wanted.contains(variable))
    }
}
