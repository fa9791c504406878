//! Training from the database: the readings of a time range become models, in a new directory that
//! replaces the one in use.
//!
//! Data flows one way. The range is read once, page by page, without the readings that `leave_out`
//! excludes. `collect` sorts it by variable, in a temporary file if it does not fit into memory.
//! `holdout` splits the end off each series and measures models on it. `decide` says whether the
//! new model is used. `directory` writes the new set with its `record`, and keeps the earlier sets,
//! the `generations`. A training that fails before its last step leaves the models in use
//! unchanged.
//!
//! Within a worker, `background` trains when `schedule` says that it is due, and `ageing` finds the
//! models whose errors have grown since their training.

pub mod ageing;
mod alone;
pub mod background;
pub mod backtest;
pub mod collect;
mod columns;
pub mod decide;
pub mod directory;
mod error;
mod flagged;
pub mod generations;
pub mod holdout;
pub mod leave_out;
mod new_set;
mod plan;
pub mod record;
pub mod rollback;
pub mod schedule;
mod session;
mod settings;

pub use self::error::TrainingError;
pub use self::leave_out::{LeaveOut, LeftOut};
pub use self::new_set::Placed;
pub use self::plan::{Pace, TrainingPlan};
pub use self::session::{TrainingSession, Variable};
pub use self::settings::{Settings, SettingsError};
