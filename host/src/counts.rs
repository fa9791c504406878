//! What became of the rows that were read, by fate. Every row that a cycle reads is counted under
//! exactly one of these.

use std::ops::AddAssign;

use serde::{Deserialize, Serialize};

/// Rows by fate. Kept per cycle for the log and summed over the worker's life in its state row.
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
        self.judged += other.judged;
        self.anomalies += other.anomalies;
        self.nulls += other.nulls;
        self.duplicates += other.duplicates;
        self.already_judged += other.already_judged;
        self.too_late += other.too_late;
        self.no_model += other.no_model;
        self.set_aside += other.set_aside;
        self.withheld += other.withheld;
        self.unfit += other.unfit;
        self.equal_names += other.equal_names;
        self.malformed += other.malformed;
    }
}
