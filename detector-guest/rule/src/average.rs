//! A mean that follows: of all values at first, then of about the last `span`, older ones counting
//! less and less.

use serde::{Deserialize, Serialize};

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Average {
    span: u32,
    count: u32,
    mean: f64,
}

impl Average {
    pub(crate) fn new(span: u32) -> Self {
        Self { span: span.max(1), count: 0, mean: 0.0 }
    }

    pub(crate) fn push(&mut self, x: f64) {
        self.count = self.count.saturating_add(1).min(self.span).max(1);
        self.mean += (x - self.mean) / f64::from(self.count);
    }

    pub(crate) fn mean(&self) -> f64 {
        self.mean
    }

    /// Whether it has seen anything.
    pub(crate) fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// Values that it has seen, at most its span.
    pub(crate) fn count(&self) -> u32 {
        self.count
    }

    /// Takes another value for the mean at once, and goes on from there.
    pub(crate) fn set(&mut self, mean: f64) {
        self.mean = mean;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mean_of_all_and_then_of_the_last() {
        let mut average = Average::new(4);
        assert!(average.is_empty());
        let means: Vec<f64> = [2.0, 4.0, 6.0, 8.0, 9.0].map(|x| (average.push(x), average.mean()).1).into();
        assert_eq!(means, [2.0, 3.0, 4.0, 5.0, 6.0]);
        average.set(100.0);
        average.push(96.0);
        assert_eq!(average.mean(), 99.0);
    }
}
