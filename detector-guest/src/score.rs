//! From a reading and a prediction to a verdict.
//!
//! `s` is the scale of the residuals, which is the model's noise or the batch's own deviation:
//!
//! ```text
//! outside interval   y < lower or y > upper
//! high residual      |y - yhat| > threshold · s
//! anomaly            either
//! score              the larger of   50 · (distance beyond the bound) / (half-width on that side)   at most 100
//!                            and     20 · |y - yhat| / s                                            at most 100
//! ```
//!
//! A score that is not a number counts as 0. That happens where the batch's deviation is asked for
//! and there is none: one reading alone. The Python worker does the same, and its flags are these,
//! so both can run side by side.

use rule::Cause;

/// What is said of a reading: the bits of the contract's `verdicts.flags`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct FlagBits(u8);

impl FlagBits {
    pub const OUTSIDE_INTERVAL: Self = Self(1);
    pub const HIGH_RESIDUAL: Self = Self(2);
    pub const ANOMALY: Self = Self(4);
    /// It is too early to call anything of this variable an anomaly.
    pub const LEARNING: Self = Self(64);

    /// Whether all of `other` are set.
    #[must_use]
    pub fn contains(self, other: Self) -> bool {
        self.0 & other.0 == other.0
    }

    pub(crate) fn with(self, other: Self, set: bool) -> Self {
        if set { Self(self.0 | other.0) } else { self }
    }

    /// What is said of the interval and the residual.
    pub(crate) fn of_the_interval(self) -> Self {
        Self(self.0 & 0b11)
    }

    /// Of an anomaly: why. A number in the contract's three bits for it.
    pub(crate) fn because(self, cause: Cause) -> Self {
        let number = match cause {
            Cause::Spike => 1,
            Cause::Shift => 2,
            Cause::Drift => 3,
            Cause::Variance => 4,
            Cause::Pattern => 5,
            Cause::Stuck => 6,
        };
        Self(self.0 | number << 3)
    }

    /// As the contract has them.
    #[must_use]
    pub fn bits(self) -> u8 {
        self.0
    }
}

/// What readings of one variable are held against.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Measure {
    pub(crate) threshold: f64,
    /// The `s` above. Not a number: there is none.
    pub(crate) scale: f64,
}

impl Measure {
    /// Judges a slice of rows whose `expected`, `lower` and `upper` are there; a reading that is
    /// NaN gets score 0 and no flag.
    #[cfg_attr(target_family = "wasm", target_feature(enable = "simd128"))]
    pub(crate) fn judge(
        &self,
        values: &[f64],
        expected: &[f64],
        lower: &[f64],
        upper: &[f64],
        score: &mut [f64],
        flags: &mut [FlagBits],
    ) {
        let rows = values.len() / TILE * TILE;
        let [y, yhat, low, up] = [values, expected, lower, upper].map(|column| column.as_chunks().0);
        let readings = y.iter().zip(yhat).zip(low).zip(up);
        let verdicts = score.as_chunks_mut().0.iter_mut().zip(flags.as_chunks_mut().0);
        for ((((y, yhat), lower), upper), (score, flags)) in readings.zip(verdicts) {
            self.judge_tile(y, yhat, lower, upper, score, flags);
        }
        if rows < values.len() {
            let tile = |column: &[f64]| {
                let mut tile = [f64::NAN; TILE];
                tile[..column.len() - rows].copy_from_slice(&column[rows..]);
                tile
            };
            let (mut last_score, mut last_flags) = ([0.0; TILE], [FlagBits::default(); TILE]);
            let [y, yhat, low, up] = [values, expected, lower, upper].map(tile);
            self.judge_tile(&y, &yhat, &low, &up, &mut last_score, &mut last_flags);
            score[rows..].copy_from_slice(&last_score[..values.len() - rows]);
            flags[rows..].copy_from_slice(&last_flags[..values.len() - rows]);
        }
    }

    /// Without branches but for the few tiles that hold something special, so that rows fill
    /// vectors.
    #[inline(always)]
    fn judge_tile(
        &self,
        y: &[f64; TILE],
        yhat: &[f64; TILE],
        lower: &[f64; TILE],
        upper: &[f64; TILE],
        score: &mut [f64; TILE],
        flags: &mut [FlagBits; TILE],
    ) {
        let (mut scores, mut bits, mut special) = ([0.0; TILE], [0; TILE], 0);
        for row in 0..TILE {
            scores[row] = 20.0 * (y[row] - yhat[row]).abs() / self.scale;
        }
        for score in scores {
            special |= !all_bits(score <= 100.0);
        }
        let beyond = self.threshold * self.scale;
        for row in 0..TILE {
            let outside = all_bits((y[row] < lower[row]) | (y[row] > upper[row]));
            let high = all_bits((y[row] - yhat[row]).abs() > beyond);
            special |= outside;
            bits[row] = outside & 0b101 | high & 0b110;
        }
        for (flags, bits) in flags.iter_mut().zip(bits) {
            *flags = FlagBits(bits as u8);
        }
        if special != 0 {
            for row in 0..TILE {
                scores[row] = if scores[row].is_nan() {
                    0.0
                } else {
                    to_100(scores[row]).max(beyond_interval(y[row], yhat[row], lower[row], upper[row]))
                };
            }
        }
        *score = scores;
    }
}

/// The interval's part of the score.
fn beyond_interval(y: f64, yhat: f64, lower: f64, upper: f64) -> f64 {
    if y < lower {
        to_100(50.0 * (lower - y) / (yhat - lower))
    } else if y > upper {
        to_100(50.0 * (y - upper) / (upper - yhat))
    } else {
        0.0
    }
}

/// Rows that are judged at once.
pub(crate) const TILE: usize = 16;

/// As wide as a number, so that vectors of both go together.
#[inline(always)]
fn all_bits(set: bool) -> u64 {
    0_u64.wrapping_sub(u64::from(set))
}

/// Not a number is 0.
fn to_100(score: f64) -> f64 {
    if score > 0.0 { score.min(100.0) } else { 0.0 }
}

/// The sample deviation (n - 1) of the residuals of the readings that are there and have an
/// expectation; NaN with fewer than two.
pub(crate) fn deviation(values: &[f64], expected: &[f64]) -> f64 {
    let residuals =
        || values.iter().zip(expected).map(|(y, yhat)| y - yhat).filter(|residual| residual.is_finite());
    let count = residuals().count();
    if count < 2 {
        return f64::NAN;
    }
    let mean = residuals().sum::<f64>() / count as f64;
    let squares: f64 = residuals().map(|residual| (residual - mean) * (residual - mean)).sum();
    (squares / (count - 1) as f64).sqrt()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// One reading against 100 in [90, 120], at threshold 2.
    fn judged(y: f64, scale: f64) -> (f64, u8) {
        let (mut score, mut flags) = ([f64::NAN], [FlagBits::default()]);
        Measure { threshold: 2.0, scale }.judge(&[y], &[100.0], &[90.0], &[120.0], &mut score, &mut flags);
        (score[0], flags[0].bits())
    }

    #[test]
    fn verdicts() {
        let (none, outside, high, both) = (0, 0b101, 0b110, 0b111);
        for (y, scale, expected) in [
            (100.0, 5.0, (0.0, none)),
            (104.0, 5.0, (16.0, none)),
            (96.0, 5.0, (16.0, none)),
            (110.0, 5.0, (40.0, none)),
            (110.5, 5.0, (42.0, high)),
            (120.0, 50.0, (8.0, none)),
            // 5 beyond a half-width of 20; 2 beyond a half-width of 10.
            (125.0, 50.0, (12.5, outside)),
            (88.0, 50.0, (10.0, outside)),
            (88.0, 5.0, (48.0, both)),
            (161.0, 50.0, (100.0, outside)),
            (1e300, 5.0, (100.0, both)),
            (f64::NAN, 5.0, (0.0, none)),
            // A batch of equal residuals: any of them is infinitely many deviations away.
            (101.0, 0.0, (100.0, high)),
            (100.0, 0.0, (0.0, none)),
            // A batch of one reading.
            (101.0, f64::NAN, (0.0, none)),
            (500.0, f64::NAN, (0.0, outside)),
        ] {
            assert_eq!(judged(y, scale), expected, "{y} at scale {scale}");
        }
    }

    #[test]
    fn an_interval_without_width_scores_100_beyond_and_0_on_it() {
        let (mut score, mut flags) = ([f64::NAN; 3], [FlagBits::default(); 3]);
        let flat = [7.0; 3];
        let measure = Measure { threshold: 2.0, scale: 1.0 };
        measure.judge(&[6.9, 7.0, 7.1], &flat, &flat, &flat, &mut score, &mut flags);
        assert_eq!((score, flags.map(FlagBits::bits)), ([100.0, 0.0, 100.0], [0b101, 0, 0b101]));
    }

    #[test]
    fn deviations() {
        for (values, expected) in [
            (&[1.0, 2.0, 3.0, 4.0][..], 1.666_666_666_666_666_7_f64.sqrt()),
            (&[1.0, f64::NAN, 3.0], 2.0_f64.sqrt()),
            (&[5.0, 5.0], 0.0),
        ] {
            assert_eq!(deviation(values, &vec![10.0; values.len()]), expected);
        }
        // A row that the model cannot predict takes nothing from the others.
        for infinite in [f64::INFINITY, f64::NEG_INFINITY, f64::NAN] {
            assert_eq!(deviation(&[5.0, 7.0, 9.0], &[4.0, infinite, 6.0]), 2.0_f64.sqrt());
        }
        for values in [&[][..], &[1.0], &[f64::NAN, 1.0]] {
            assert!(deviation(values, &vec![10.0; values.len()]).is_nan(), "{values:?}");
        }
    }

    proptest! {
        #[test]
        fn scores_are_0_to_100_and_flags_agree(y in any::<f64>(), scale in prop_oneof![0.0..1e6, any::<f64>()]) {
            let (score, flags) = judged(y, scale);
            prop_assert!((0.0..=100.0).contains(&score));
            prop_assert_eq!(flags & 1 == 1, !(90.0..=120.0).contains(&y) && !y.is_nan());
            prop_assert_eq!(flags & 4 == 4, flags & 3 != 0);
        }
    }
}
