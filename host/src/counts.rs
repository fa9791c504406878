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
    /// The output takes the name for the same as another's, which is judged.
    pub equal_names: u64,
    /// Not a reading: for instance a datetime that is not valid, or a value that is text.
    pub malformed: u64,
}

impl AddAssign for Counts {
    fn add_assign(&mut self, other: Self) {
        // By name, so that a new field that is not summed does not compile.
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

/// The number of rows with one outcome, and its name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RowOutcome {
    /// As a label of metrics, and as a key of the page's words.
    pub label: &'static str,
    /// Why such rows have no verdict, to follow a number; None for judged ones.
    pub reason: Option<&'static str>,
    pub rows: u64,
}

impl Counts {
    /// Every outcome, with its count. Anomalies are among the judged ones and are counted besides.
    pub fn outcomes(&self) -> [RowOutcome; 12] {
        // By name, so that a new field that is not listed does not compile.
        let &Self {
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
        } = self;
        let with_verdict = |label, rows| RowOutcome { label, reason: None, rows };
        let without = |label, reason, rows| RowOutcome { label, reason: Some(reason), rows };
        [
            with_verdict("judged", judged),
            with_verdict("judged_anomalous", anomalies),
            without("null", "NULL", nulls),
            without("duplicate", "duplicate", duplicates),
            without("already_judged", "judged before", already_judged),
            without("too_late", "too late, left to `backfill`", too_late),
            without("no_model", "without a model", no_model),
            without("set_aside", "set aside", set_aside),
            without("withheld", "withheld by the detector", withheld),
            without("unfit", "that fit no column of the output", unfit),
            without("equal_name", "under a name that the output takes for another's", equal_names),
            without("malformed", "malformed", malformed),
        ]
    }
}
