//! `min ½ xᵀQx - rᵀx + λ Σ|x|`, exactly.
//!
//! The search goes over which coordinates are not 0 and with which sign (Lee, Battle, Raina and Ng,
//! "Efficient sparse coding algorithms", 2006, "feature-sign search"): for given signs the minimum
//! is a linear system. The objective falls with every change of signs, so none comes back, and what
//! is found is the minimum, with zeros that are exactly 0.

use super::cholesky::Cholesky;
use super::vectors::dot;

pub(super) struct Lasso<'a> {
    /// `Q`, row by row; symmetric, positive definite.
    pub(super) matrix: &'a [f64],
    pub(super) linear: &'a [f64],
    /// `λ`, above 0.
    pub(super) penalty: f64,
}

/// Of the penalty, by which a zero coordinate's slope may exceed it.
const TOLERANCE: f64 = 1e-9;

/// Nearer to 0 than this, of the way that it went, is 0.
const ROUNDING: f64 = 1e-14;

impl Lasso<'_> {
    /// Goes from `x` to the minimum. None if the matrix is not positive definite.
    pub(super) fn minimise(&self, x: &mut [f64]) -> Option<()> {
        let size = x.len();
        let mut signs: Vec<f64> = x.iter().map(|x| if *x == 0.0 { 0.0 } else { x.signum() }).collect();
        // Rounding could make signs come back.
        for _ in 0..40 * size + 100 {
            if self.toward(x, &mut signs)? {
                continue;
            }
            let Some((place, sign)) = self.steepest(x, &signs) else { return Some(()) };
            signs[place] = sign;
        }
        Some(())
    }

    /// Goes to the minimum for these signs, or as far as pays until one of them changes; whether
    /// one did.
    fn toward(&self, x: &mut [f64], signs: &mut [f64]) -> Option<bool> {
        let active: Vec<usize> = (0..x.len()).filter(|place| signs[*place] != 0.0).collect();
        if active.is_empty() {
            return Some(false);
        }
        let mut end: Vec<f64> =
            active.iter().map(|place| self.linear[*place] - self.penalty * signs[*place]).collect();
        let rows =
            active.iter().flat_map(|row| active.iter().map(|column| self.matrix[*row * x.len() + *column]));
        Cholesky::of(active.len(), rows.collect())?.solve(&mut end);
        if active.iter().zip(&end).all(|(place, end)| end * signs[*place] > 0.0) {
            for (place, end) in active.iter().zip(end) {
                x[*place] = end;
            }
            return Some(false);
        }
        // On the way the objective bends where a coordinate becomes 0. Its minimum is at such a
        // point, or at the end.
        let mut best: Option<(f64, Vec<f64>)> = None;
        let crossings = active.iter().zip(&end).filter_map(|(place, end)| {
            let way = x[*place] - end;
            let share = x[*place] / way;
            (way != 0.0 && share > 0.0 && share <= 1.0).then_some(share)
        });
        for share in crossings.chain([1.0]) {
            let mut point = x.to_vec();
            for (place, end) in active.iter().zip(&end) {
                let start = x[*place];
                let here = start + share * (end - start);
                let rounded = share < 1.0 && here.abs() < ROUNDING * (start.abs() + end.abs());
                point[*place] = if rounded { 0.0 } else { here };
            }
            let value = self.value(&point);
            if best.as_ref().is_none_or(|(least, _)| value < *least) {
                best = Some((value, point));
            }
        }
        if let Some((_, point)) = best {
            x.copy_from_slice(&point);
        }
        for place in active {
            signs[place] = if x[place] == 0.0 { 0.0 } else { x[place].signum() };
        }
        Some(true)
    }

    /// The zero coordinate from which the objective falls most steeply, with the sign of its way
    /// down.
    fn steepest(&self, x: &[f64], signs: &[f64]) -> Option<(usize, f64)> {
        let mut worst = (self.penalty * TOLERANCE, None);
        for place in (0..x.len()).filter(|place| signs[*place] == 0.0) {
            let slope = self.row(place, x) - self.linear[place];
            let excess = slope.abs() - self.penalty;
            if excess > worst.0 {
                worst = (excess, Some((place, -slope.signum())));
            }
        }
        worst.1
    }

    fn row(&self, row: usize, x: &[f64]) -> f64 {
        dot(&self.matrix[row * x.len()..(row + 1) * x.len()], x)
    }

    fn value(&self, x: &[f64]) -> f64 {
        let places = x.iter().enumerate().filter(|(_, at)| **at != 0.0);
        places.fold(0.0, |sum, (place, at)| {
            sum + at * (0.5 * self.row(place, x) - self.linear[place]) + self.penalty * at.abs()
        })
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test")]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        /// What a minimum is known by, from any start.
        #[test]
        fn the_conditions_of_a_minimum_hold(
            numbers in prop::collection::vec(-1.0..1.0, 36),
            linear in prop::collection::vec(-3.0..3.0, 6),
            start in prop::collection::vec(prop_oneof![Just(0.0), -2.0..2.0], 6),
            penalty in 0.01..3.0,
        ) {
            let entry = |i: usize, j: usize| {
                let product: f64 = (0..6).map(|k| numbers[i * 6 + k] * numbers[j * 6 + k]).sum();
                product + if i == j { 0.01 } else { 0.0 }
            };
            let matrix: Vec<f64> = (0..36).map(|at| entry(at / 6, at % 6)).collect();
            let mut x = start;
            Lasso { matrix: &matrix, linear: &linear, penalty }.minimise(&mut x).unwrap();
            for i in 0..6 {
                let slope: f64 = (0..6).map(|j| matrix[i * 6 + j] * x[j]).sum::<f64>() - linear[i];
                let miss = if x[i] == 0.0 { slope.abs() - penalty } else { (slope + penalty * x[i].signum()).abs() };
                prop_assert!(miss < 1e-8, "{miss} at {i} of {x:?}");
            }
        }
    }
}
