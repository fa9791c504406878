//! What turns the readings of one variable into alarms that people trust: a rule that learns what
//! is normal.
//!
//! [`Variable`] is all that is known of one variable. [`Variable::judge`] takes one reading at a
//! time and answers a [`Verdict`]: whether something new begins here, how rare that is on the scale
//! of the budget of false alarms, whether the variable is still away from what was normal, and why.
//! Pure, with a bounded state: what is given in any number of pieces gives the same answers to the
//! last bit, on every system. A [`Group`] judges the variables of one machine together. The state
//! goes to bytes and back ([`Variable::to_bytes`], [`Variable::from_bytes`]).
#![doc = include_str!("../README.md")]

mod average;
mod blocks;
mod boxes;
mod checkpoint;
mod episode;
mod expectation;
mod gauge;
mod group;
mod nearest;
mod novelty;
mod pace;
mod phase;
mod profile;
mod record;
mod settings;
mod signals;
mod tail;
mod variable;
mod verdict;

pub use checkpoint::CheckpointError;
pub use expectation::Basis;
pub use group::{Call, Group, GroupAlarm, Member};
pub use novelty::Novelty;
pub use settings::{Budget, BudgetError, RuleSettings};
pub use variable::{Looked, Seen, Variable};
pub use verdict::{Band, Cause, Verdict};
