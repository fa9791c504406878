//! How many rows have a verdict, and how many have none, by reason. Every row that a cycle reads is
//! counted once: as judged, or under the first reason that holds for it.

use std::ops::AddAssign;

use serde::{Deserialize, Serialize};

/// Kept per cycle for the log and summed over the worker's life in its state row.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Counts {
    /// A verdict was written.
    pub judged: u64,
    /// Of those, anomalies.
    pub anomalies: u64,
    /// NULL values.
    pub nulls: u64,
    /// A reading with a lower key has the same variable and datetime.
    pub duplicates: u64,
    /// The output held a verdict for that variable and datetime.
    pub already_judged: u64,
    /// Older than the watermark less the allowed lateness: left to `backfill`.
    pub too_late: u64,
    /// No model for the variable.
    pub no_model: u64,
    /// The detector failed on this variable, or it is set aside.
    pub set_aside: u64,
    /// The detector withheld its verdict for this datetime, and said why.
    pub withheld: u64,
    /// A value or a name does not fit the output's columns.
    pub unfit: u64,
    /// The output takes the name for another's, which is judged.
    pub equal_names: u64,
    /// Not a reading: a datetime that is none, a value that is text.
    pub malformed: u64,
}

impl AddAssign for Counts {
    fn add_assign(&mut self, other: Self) {
        // By name, so that a field that is added and not summed does not compile.
        let Self {
            judged,
            anomalies,
            nulls,
            duplicates,
            already_judged,
            too_late,
            no_model,
            set_aside,
            withheld,
            unfit,
            equal_names,
            malformed,
        } = other;
        self.judged += judged;
        self.anomalies += anomalies;
        self.nulls += nulls;
        self.duplicates += duplicates;
        self.already_judged += already_judged;
        self.too_late += too_late;
        self.no_model += no_model;
        self.set_aside += set_aside;
        self.withheld += withheld;
        self.unfit += unfit;
        self.equal_names += equal_names;
        self.malformed += malformed;
    }
}
