//! `host demo`: a simulated plant, real cycles over it, and a table of what was found.
//!
//! [`plant`] says what each of the [`variables`] reads, [`faults`] what goes wrong, [`arrivals`]
//! which rows come of both and when; [`models`] were trained by Prophet on [`history`]; [`score`]
//! compares the verdicts with the faults and [`tables`] shows it: all pure. [`driver`] steps the
//! time and runs the cycles, over files in a [`directory`] and a database that the [`historian`]
//! fills; [`console`] shows it while it runs.

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
