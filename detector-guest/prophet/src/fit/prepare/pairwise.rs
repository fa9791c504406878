//! Sums as numpy has them: in pairs of halves, with eight running sums in each block of 128
//! (`pairwise_sum` in numpy's `loops_utils.h`; the method is Higham's, "The accuracy of floating
//! point summation", 1993).
//!
//! The mean of a regressor stands in the model's file, and the features are counted from it.
//! Another order of additions would give another mean.

/// Values that are summed without a division into halves.
const BLOCK: usize = 128;

pub(super) fn sum(values: &[f64]) -> f64 {
    if values.len() < 8 {
        return values.iter().fold(0.0, |sum, value| sum + value);
    }
    if values.len() > BLOCK {
        let half = values.len() / 2;
        let (first, second) = values.split_at(half - half % 8);
        return sum(first) + sum(second);
    }
    let (eights, rest) = values.as_chunks::<8>();
    let mut sums = [0.0; 8];
    for (at, eight) in eights.iter().enumerate() {
        for (sum, value) in sums.iter_mut().zip(eight) {
            *sum = if at == 0 { *value } else { *sum + value };
        }
    }
    let [a, b, c, d, e, f, g, h] = sums;
    let whole = ((a + b) + (c + d)) + ((e + f) + (g + h));
    rest.iter().fold(whole, |sum, value| sum + value)
}

pub(super) fn mean(values: &[f64]) -> f64 {
    sum(values) / values.len() as f64
}

/// Of a sample: the squares are divided by one less than their number.
pub(super) fn deviation(values: &[f64], mean: f64) -> f64 {
    let squares: Vec<f64> = values.iter().map(|value| (value - mean) * (value - mean)).collect();
    (sum(&squares) / (values.len() as f64 - 1.0)).sqrt()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Sums that numpy 2.4 gives for `[1 / (i + 1) for i in range(n)]` differ from those in order.
    #[test]
    fn sums_are_numpys() {
        for (count, expected) in [
            (0_usize, 0.0),
            (7, 2.5928571428571425),
            (8, 2.7178571428571425),
            (100, 5.187377517639621),
            (129, 5.440899030573669),
            (1_000, 7.485470860550345),
            (10_007, 9.788305756184304),
        ] {
            let values: Vec<f64> = (0..count).map(|i| 1.0 / (i as f64 + 1.0)).collect();
            assert_eq!(sum(&values).to_bits(), f64::to_bits(expected), "{count}: {:?}", sum(&values));
        }
    }
}
