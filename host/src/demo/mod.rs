//! `host demo`: a simulated plant, real cycles over it, and a table of what was found.
//!
//! [`plant`] computes each of the [`variables`], [`faults`] what goes wrong, [`arrivals`] the
//! resulting rows and their times; [`models`] were trained by Prophet on [`history`]; [`score`]
//! compares the verdicts with the faults and [`tables`] shows the result: all pure. [`driver`]
//! advances the time and runs the cycles, over files in a [`directory`] and a database that the
//! [`historian`] fills; [`console`] shows it while it runs.

pub mod arrivals;
pub mod console;
pub mod directory;
pub mod driver;
pub mod faults;
pub mod historian;
pub mod history;
pub mod models;
mod noise;
pub mod plant;
pub mod score;
pub mod tables;
pub mod variables;
