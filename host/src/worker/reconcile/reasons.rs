//! The readings that the detector in use was given and left without a verdict, so that not every
//! look gives them to it again.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use crate::datetime::Datetime;
use crate::reading::{Reading, ReadingKey};
use crate::worker::batch::JudgedBatch;

/// How many readings without a verdict are remembered with their reason: some ten megabytes. Those
/// beyond are given to the detector again.
const MOST_REASONS: usize = 200_000;

/// The answers of the detector in use on readings without a verdict.
#[derive(Default)]
pub(in crate::worker) struct Reasons {
    set_digest: String,
    pub(super) without_model: HashSet<Arc<str>>,
    /// Whether it withheld the verdict; else the verdict did not fit.
    pub(super) withheld: HashMap<ReadingKey, bool>,
    /// Whether it was logged that there is no index.
    pub(super) told: bool,
}

impl Reasons {
    pub(super) fn begin(&mut self, set_digest: &str, from: Datetime) {
        if self.set_digest != set_digest {
            *self = Self { set_digest: set_digest.to_owned(), told: self.told, ..Self::default() };
        }
        self.withheld.retain(|(_, at), _| *at >= from);
    }

    /// Records what a batch left without a verdict.
    pub(super) fn learn(&mut self, asked: &[Reading], judged_batch: &JudgedBatch) {
        self.without_model.extend(judged_batch.report.without_model.iter().cloned());
        let judged: HashSet<(&Arc<str>, Datetime)> =
            judged_batch.verdicts.iter().map(|row| (&row.variable, row.ds)).collect();
        let withheld: HashSet<&Arc<str>> =
            judged_batch.report.withheld.iter().map(|(name, ..)| name).collect();
        for reading in asked {
            let known = judged.contains(&(&reading.variable, reading.datetime))
                || self.without_model.contains(&reading.variable)
                || judged_batch.state.set_aside.contains_key(&reading.variable);
            if !known && self.withheld.len() < MOST_REASONS {
                self.withheld.insert(reading.key(), withheld.contains(&reading.variable));
            }
        }
    }
}
