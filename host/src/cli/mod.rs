//! The commands that a person types.

pub mod args;
