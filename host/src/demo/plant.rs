//! The simulated plant: any variable at any datetime, when nothing is wrong.
//!
//! Pure and stateless: a value depends on the seed, the variable and the datetime alone, so
//! training history and demo come from the same source, in any order, and are the same numbers on
//! every machine.

use std::time::Duration;

use super::noise::standard_normal;
use super::variables::DemoVariable;
use crate::datetime::Datetime;

/// How often each variable is read.
pub const STEP: Duration = Duration::from_secs(5 * 60);

/// How long before the start the training history begins: four whole weeks.
pub const HISTORY: Duration = Duration::from_secs(28 * 24 * 3600);

/// The seed of the plant that the models in `models/demo` were trained on. Another seed is another
/// noise on the same plant.
pub const SEED: u64 = 20_250_307;

/// The plant; its seed decides its noise.
#[derive(Clone, Copy, Debug)]
pub struct Plant {
    seed: u64,
}

impl Plant {
    pub const fn new(seed: u64) -> Self {
        Self { seed }
    }

    /// What the variable reads at that datetime, as DECIMAL(18,6) keeps it.
    pub fn value(&self, variable: &DemoVariable, at: Datetime) -> f64 {
        let noise = standard_normal(self.seed, variable.name, at.micros());
        rounded(variable.expected(at) + variable.noise * noise)
    }
}

/// To six decimals.
pub(super) fn rounded(value: f64) -> f64 {
    (value * 1e6).round() / 1e6
}

/// Every [`STEP`] from `from` on, up to but without `to`.
pub(super) fn steps(from: Datetime, to: Datetime) -> impl Iterator<Item = Datetime> {
    std::iter::successors(Some(from), |at| Some(at.later(STEP))).take_while(move |at| *at < to)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test stops where it fails")]

    use sha2::{Digest, Sha256};

    use super::super::variables::{START, VARIABLES};
    use super::*;

    #[test]
    fn the_demo_starts_on_a_friday_at_midnight() {
        assert_eq!(START, Datetime::parse("2025-03-07").unwrap());
    }

    /// The models in `models/demo` belong to exactly these numbers. A change here means training
    /// them again.
    #[test]
    fn the_same_numbers_on_every_machine() {
        let plant = Plant::new(SEED);
        let mut digest = Sha256::new();
        for at in steps(START.earlier(HISTORY), START).take(400) {
            for variable in &VARIABLES {
                digest.update(format!("{at} {} {:.6}\n", variable.name, plant.value(variable, at)));
            }
        }
        let text: String = digest.finalize().iter().map(|byte| format!("{byte:02x}")).collect();
        assert_eq!(text, "61d7a5dcb769db2e80ff8760c9c436d7071a062ad853b8906dc53c07a1704263");
    }

    /// Standard deviation of a day of readings around what is expected: the variable's noise,
    /// within five standard errors.
    #[test]
    fn readings_scatter_around_the_expected_by_the_noise() {
        let plant = Plant::new(1);
        for variable in &VARIABLES {
            let squares: Vec<f64> = steps(START, START.later(HISTORY))
                .map(|at| ((plant.value(variable, at) - variable.expected(at)) / variable.noise).powi(2))
                .collect();
            let count = squares.len() as f64;
            let variance = squares.iter().sum::<f64>() / count;
            assert!((variance - 1.0).abs() < 5.0 * (2.0 / count).sqrt(), "{}: {variance}", variable.name);
        }
    }

    #[test]
    fn another_seed_is_another_noise() {
        let other = Plant::new(SEED + 1);
        assert!(
            VARIABLES
                .iter()
                .all(|variable| Plant::new(SEED).value(variable, START) != other.value(variable, START))
        );
    }
}
