//! Training from the database: readings of a range become models, a model beside the one in use,
//! and a directory that is swapped in whole.
//!
//! Data flows one way: `collect` reads the range page by page, as many variables at a time as fit
//! into memory; `holdout` sets the end of each series aside and measures models on it; `decide`
//! says whether the new one is used; `directory` writes what was decided. Nothing is changed before
//! the last variable is through.

pub mod collect;
pub mod decide;
pub mod directory;
pub mod holdout;
mod session;
mod settings;

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

pub use self::session::{Placed, Session, TrainingError, Variable};
pub use self::settings::{Settings, SettingsError};
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
    /// How much of the end of each series is set aside to measure models on.
    pub holdout: Duration,
    /// Rows of one read.
    pub page_rows: usize,
    /// Readings in memory at a time.
    pub most_readings: usize,
}

impl TrainingPlan {
    fn wants(&self, variable: &str) -> bool {
        self.shard.is_none_or(|shard| shard.holds(variable))
            && self.variables.as_ref().is_none_or(|wanted| wanted.contains(variable))
    }
}
