//! How far a distance exceeds those of the past: 0 is their mean, 1 their decaying maximum.
//!
//! What a variable's distances are depends on the variable; the share of its own record does not.
//! Cannot fail.

use serde::{Deserialize, Serialize};

/// The most that one distance counts, in records.
const MOST: f64 = 5.0;

/// Below this, mean and maximum are the same.
const SAME: f64 = 1e-12;

/// Mean and decaying maximum of some distances.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Record {
    /// Distances before the first that is judged.
    warm: u32,
    /// What is left of the maximum's lead after one more distance.
    keep: f64,
    count: u32,
    mean: f64,
    greatest: f64,
}

impl Record {
    /// The maximum loses half of its lead in `half_life` distances.
    pub(crate) fn new(warm: u32, half_life: f64) -> Self {
        Self { warm, keep: libm::pow(0.5, 1.0 / half_life), count: 0, mean: 0.0, greatest: 0.0 }
    }

    /// How far `x` exceeds the record; then takes it in. Negative below the mean, at most 5.
    pub(crate) fn push(&mut self, x: f64) -> f64 {
        let lead = self.greatest - self.mean;
        let excess = match () {
            () if self.count < self.warm => 0.0,
            () if lead > SAME => (x - self.mean) / lead,
            () if x <= self.mean + SAME => 0.0,
            () => MOST,
        };
        if self.count == 0 {
            self.mean = x;
        } else {
            let weight = (1.0 - self.keep).max(1.0 / (f64::from(self.count) + 1.0));
            self.mean += weight * (x.min(self.greatest) - self.mean);
        }
        self.greatest = x.max(self.mean + (self.greatest - self.mean) * self.keep);
        self.count = self.count.saturating_add(1);
        excess.min(MOST)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_distance_is_measured_against_the_record() {
        let mut record = Record::new(2, 1e9);
        for (x, excess) in [(1.0, 0.0), (3.0, 0.0), (3.0, 1.0), (1.0, -0.5)] {
            let found = record.push(x);
            assert!((found - excess).abs() < 1e-6, "{x}: {found}, not {excess}");
        }
        let mut constant = Record::new(1, 100.0);
        assert_eq!([0.0, 0.0, 7.0, 0.0].map(|x| constant.push(x)), [0.0, 0.0, 5.0, 0.0]);
    }
}
