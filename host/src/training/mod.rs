//! Training from the database: readings of a range become models, a model beside the one in use,
//! and a directory that is swapped in whole.
//!
//! Data flows one way: the range is read once, page by page, without what `leave_out` says;
//! `collect` gathers it by variable, in a file where it does not fit into memory; `holdout` sets
//! the end of each series aside and measures models on it; `decide` says whether the new one is
//! used; `directory` writes what was decided, with a `record` of it, and keeps the `generations`
//! before. Nothing is changed before the last variable is through.
//!
//! Within a worker `background` does it, when `schedule` says so, and tells by `ageing` which
//! models are due before that.

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
