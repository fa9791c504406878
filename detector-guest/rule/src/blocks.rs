//! Readings squeezed into blocks: so many readings become one number, their mean, or their extreme
//! where there is a spike.
//!
//! A mean alone hides a spike of one reading; an extreme alone is noise. Lives as long as its
//! phase; cannot fail.

use serde::{Deserialize, Serialize};

/// A block is its extreme if that lies so far from its mean, as a share of the range that was seen.
const SPIKE: f64 = 0.05;

/// The block in the making, and what is known of those before it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Blocks {
    /// Readings of a block.
    size: u32,
    count: u32,
    sum: f64,
    least: f64,
    greatest: f64,
    /// Follows the means with half of each difference. None before the first block.
    level: Option<f64>,
    /// Least and greatest reading of all blocks so far.
    range: Option<(f64, f64)>,
}

impl Blocks {
    pub(crate) fn new(size: u32) -> Self {
        Self { size, count: 0, sum: 0.0, least: 0.0, greatest: 0.0, level: None, range: None }
    }

    pub(crate) fn is_sound(&self) -> bool {
        self.count < self.size
    }

    /// Takes in a reading; answers a block when it completes one.
    pub(crate) fn push(&mut self, x: f64) -> Option<f64> {
        if self.count == 0 {
            (self.sum, self.least, self.greatest) = (0.0, x, x);
        }
        self.sum += x;
        self.least = self.least.min(x);
        self.greatest = self.greatest.max(x);
        self.count += 1;
        if self.count < self.size {
            return None;
        }
        self.count = 0;
        let mean = self.sum / f64::from(self.size);
        let (low, high) = self.range.map_or((self.least, self.greatest), |(low, high)| {
            (low.min(self.least), high.max(self.greatest))
        });
        self.range = Some((low, high));
        let level = self.level.map_or(mean, |level| f64::midpoint(level, mean));
        self.level = Some(level);
        let below = (self.greatest - level).abs() < (self.least - level).abs();
        let extreme = if below { self.least } else { self.greatest };
        Some(if (extreme - mean).abs() >= SPIKE * (high - low) { extreme } else { mean })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_block_is_its_mean_or_its_spike() {
        let mut blocks = Blocks::new(3);
        let readings = [
            1.0, 2.0, 3.0, /* a spike */ 2.0, 2.0, 50.0, /* small beside it */ 2.0, 2.1, 1.9,
            -50.0, 2.0, 2.0,
        ];
        let found: Vec<Option<f64>> = readings.iter().map(|x| blocks.push(*x)).collect();
        let at = |n: usize| found[n];
        assert_eq!([at(2), at(5), at(8), at(11)], [Some(3.0), Some(50.0), Some(2.0), Some(-50.0)]);
        assert_eq!(found.iter().flatten().count(), 4);
    }
}
