//! Readings of many variables by variable, as many as fit into memory.
//!
//! Pure. A range is read from its begin to its end. Where its readings do not fit, the last
//! variables by name are given up, and the range is read again for these; so a plant of any size
//! takes the same memory, and one that fits is read once.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use crate::datetime::Datetime;
use crate::detector::trainer::MOST_ROWS;
use crate::reading::Reading;

/// The readings of one variable, one a datetime, by datetime.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct History {
    pub datetimes: Vec<Datetime>,
    pub values: Vec<f64>,
    /// Whether there are more than one series may have; the rest is not kept.
    pub too_long: bool,
}

impl History {
    /// Of readings of one datetime the first counts. An infinity is no reading.
    fn push(&mut self, at: Datetime, value: f64) -> bool {
        if !value.is_finite() || self.datetimes.last() == Some(&at) {
            return false;
        }
        if self.datetimes.len() == MOST_ROWS {
            self.too_long = true;
            return false;
        }
        self.datetimes.push(at);
        self.values.push(value);
        true
    }
}

/// One pass over the range.
#[derive(Debug)]
pub struct Collector {
    histories: BTreeMap<Arc<str>, History>,
    readings: usize,
    most: usize,
    /// Those from this one on by name are for a later pass.
    later: Option<Arc<str>>,
    /// Those up to this one were dealt with in earlier passes.
    done: Option<Arc<str>>,
}

impl Collector {
    /// The first pass, with so many readings in memory.
    pub fn new(most: usize) -> Self {
        Self { histories: BTreeMap::new(), readings: 0, most, later: None, done: None }
    }

    /// Takes a reading; those of one variable come by datetime.
    pub fn push(&mut self, reading: &Reading) {
        let variable = &reading.variable;
        let not_now = self.done.as_ref().is_some_and(|done| variable <= done)
            || self.later.as_ref().is_some_and(|later| variable >= later);
        let Some(value) = reading.value.filter(|_| !not_now) else { return };
        let history = match self.histories.get_mut(variable) {
            Some(history) => history,
            None => self.histories.entry(Arc::clone(variable)).or_default(),
        };
        self.readings += usize::from(history.push(reading.datetime, value));
        while self.readings > self.most && self.histories.len() > 1 {
            let Some((given_up, history)) = self.histories.pop_last() else { break };
            self.readings -= history.datetimes.len();
            self.later = Some(given_up);
        }
    }

    /// What was collected, and the next pass where there must be one.
    pub fn finish(self) -> (BTreeMap<Arc<str>, History>, Option<Self>) {
        let done = self.histories.keys().next_back().cloned().or(self.done);
        let next = self.later.is_some().then(|| Self { done, ..Self::new(self.most) });
        (self.histories, next)
    }
}

/// Those that were asked for and have no readings.
pub fn unseen(wanted: Option<&BTreeSet<Arc<str>>>, seen: &BTreeSet<Arc<str>>) -> Vec<Arc<str>> {
    wanted.into_iter().flatten().filter(|name| !seen.contains(*name)).cloned().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reading(variable: &str, at: i64, value: Option<f64>) -> Reading {
        Reading {
            id: None,
            datetime: Datetime::from_micros(at),
            variable: variable.into(),
            value,
            source_file: None,
        }
    }

    fn passes(readings: &[Reading], most: usize) -> Vec<Vec<(String, Vec<f64>)>> {
        let mut passes = Vec::new();
        let mut next = Some(Collector::new(most));
        while let Some(mut collector) = next {
            for reading in readings {
                collector.push(reading);
                assert!(collector.readings <= most || collector.histories.len() == 1);
            }
            let (histories, more) = collector.finish();
            let plain = histories.into_iter().map(|(name, history)| (name.to_string(), history.values));
            passes.push(plain.collect());
            next = more;
        }
        passes
    }

    #[test]
    fn every_variable_is_collected_once_in_as_many_passes_as_memory_asks_for() {
        let mut readings = Vec::new();
        for at in 0..4 {
            for name in ["C", "A", "B", "D"] {
                readings.push(reading(name, at, Some(at as f64)));
            }
        }
        let all = |name: &str| (name.to_owned(), vec![0.0, 1.0, 2.0, 3.0]);
        assert_eq!(passes(&readings, 100), [["A", "B", "C", "D"].map(all).to_vec()]);
        assert_eq!(passes(&readings, 8), [["A", "B"].map(all).to_vec(), ["C", "D"].map(all).to_vec()]);
        // One that does not fit alone is taken alone.
        assert_eq!(passes(&readings, 1), ["A", "B", "C", "D"].map(|name| vec![all(name)]));
        assert_eq!(passes(&[], 1), [Vec::new()]);
    }

    #[test]
    fn nulls_infinities_and_repeats_are_no_readings() {
        let readings = [
            reading("A", 1, Some(1.0)),
            reading("A", 1, Some(7.0)),
            reading("A", 2, None),
            reading("A", 3, Some(f64::INFINITY)),
            reading("A", 4, Some(4.0)),
        ];
        assert_eq!(passes(&readings, 10), [[("A".to_owned(), vec![1.0, 4.0])]]);
    }
}
