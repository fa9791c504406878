//! `host demo`: a simulated plant, real cycles over it, and a table of what was found.
//!
//! [`plant`] says what each of the [`variables`] reads, [`faults`] what goes wrong, [`arrivals`] which rows come of both and when;
//! [`models`] were trained by Prophet on [`history`]; [`score`] compares the verdicts with the faults and [`tables`] shows it. All
//! pure: the driver, which steps the time and runs the cycles, is the only one with a database.

pub mod arrivals;
pub mod faults;
pub mod history;
pub mod models;
mod noise;
pub mod plant;
pub mod score;
pub mod tables;
pub mod variables;
