//! What is logged of a page.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

use crate::batch::{Cause, Column, Withheld};
use crate::counts::Counts;
use crate::datetime::Datetime;
use crate::detector::{Detector, as_said};
use crate::nfc::nfc;
use crate::notes::Notes;
use crate::reading::{Malformed, Reading};
use crate::verdict::VerdictRow;

/// What is logged of a page.
#[derive(Default)]
pub(super) struct BatchReport {
    /// Rows that no earlier cycle has seen, whatever their outcome.
    pub(super) rows: u64,
    /// Of what is judged.
    pub(super) datetimes: usize,
    pub(super) variables: usize,
    /// Models that are for one of these variables.
    pub(super) models: usize,
    pub(super) counts: Counts,
    /// Anomalies whose cause the detector says, by variable.
    pub(super) causes: BTreeMap<(Arc<str>, Cause), u64>,
    pub(super) notes: Notes,
    pub(super) malformed: Vec<Malformed>,
    /// Variables without a model.
    pub(super) without_model: Vec<Arc<str>>,
    /// Names that the output takes for the same as another, each with the one that is judged.
    pub(super) equal_names: Vec<(Arc<str>, Arc<str>)>,
    /// Variables that were set aside by this page, and why.
    pub(super) set_aside: Vec<(Arc<str>, String)>,
    /// New readings that are dated ahead of the database's clock.
    pub(super) ahead: Vec<(Arc<str>, Datetime)>,
    /// Datetimes withheld, by variable and reason.
    pub(super) withheld: Vec<(Arc<str>, String, usize)>,
    pub(super) judging: Duration,
    /// The latest datetime of each variable, whether it is judged or not.
    pub(super) heard: Vec<(Arc<str>, Datetime)>,
    /// The latest reading of each variable that already has a verdict.
    pub(super) judged_before: BTreeMap<Arc<str>, Datetime>,
}

impl BatchReport {
    /// The rows that are no readings.
    pub(super) fn of(malformed: Vec<Malformed>, too_late: u64) -> Self {
        let counts = Counts { malformed: malformed.len() as u64, too_late, ..Counts::default() };
        Self { malformed, counts, ..Self::default() }
    }

    /// Describes in numbers what is about to be judged.
    pub(super) fn describe(&mut self, new: &[Reading], detector: &Detector) {
        self.datetimes = new.iter().map(|reading| reading.datetime).collect::<HashSet<_>>().len();
        let mut heard: HashMap<&Arc<str>, Datetime> =
            self.judged_before.iter().map(|(variable, at)| (variable, *at)).collect();
        for reading in new {
            let latest = heard.entry(&reading.variable).or_insert(reading.datetime);
            *latest = reading.datetime.max(*latest);
        }
        self.heard = heard.into_iter().map(|(name, at)| (Arc::clone(name), at)).collect();
        let variables: HashSet<_> = new.iter().map(|reading| &*reading.variable).collect();
        self.variables = variables.len();
        let said = |name: &str| nfc(&as_said(name)).into_owned();
        let variables: HashSet<_> = variables.into_iter().map(said).collect();
        self.models =
            detector.summary().loaded().filter(|model| variables.contains(&said(&model.variable))).count();
    }

    pub(super) fn count_causes(&mut self, verdicts: &[VerdictRow]) {
        for verdict in verdicts {
            if let Some(cause) = verdict.flags.cause {
                *self.causes.entry((Arc::clone(&verdict.variable), cause)).or_default() += 1;
            }
        }
    }

    pub(super) fn withhold(&mut self, column: &Column, withheld: &[Withheld]) {
        for withheld in withheld {
            self.withheld.push((Arc::clone(&column.variable), withheld.reason.clone(), withheld.rows.len()));
        }
    }
}
