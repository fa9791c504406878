//! One proximal Newton step at a fixed `σ`: the minimum of the quadratic that half the sum of
//! squares is near `θ`, with the priors as they are.
//!
//! `k`, `m` and `β` have normal priors and are eliminated by a Cholesky factor; what is left is a
//! lasso in `δ`.

use super::Curve;
use super::cholesky::Cholesky;
use super::lasso::Lasso;
use super::problem::{CHANGES, Problem};
use super::vectors::dot;
use crate::fit::settings::Growth;

/// Equal changepoints and stretches without rows leave the matrix of `δ` singular; this, of its
/// largest entry, is added.
const RIDGE: f64 = 1e-13;

/// Times that a ridge that was not enough is made a thousand times larger.
const RIDGES: usize = 3;

/// None if the quadratic has no minimum.
pub(super) fn step(problem: &Problem, theta: &[f64], curve: &Curve, sigma: f64) -> Option<Vec<f64>> {
    let (parameters, first_weight) = (problem.parameters(), problem.weights());
    let precision = 1.0 / (sigma * sigma);
    let hessian = |row: usize, column: usize| curve.hessian[row * parameters + column] * precision;
    // With A the Hessian, the quadratic's linear part is (A θ - gradient).
    let linear: Vec<f64> = (0..parameters)
        .map(|row| {
            let entries = &curve.hessian[row * parameters..(row + 1) * parameters];
            let along = dot(entries, theta);
            (along - curve.gradient[row]) * precision
        })
        .collect();
    let smooth: Vec<usize> = (0..CHANGES).chain(first_weight..parameters).collect();
    let mut matrix = Vec::with_capacity(smooth.len() * smooth.len());
    for row in &smooth {
        for column in &smooth {
            let prior = if row == column { problem.precision(*row) } else { 0.0 };
            matrix.push(hessian(*row, *column) + prior);
        }
    }
    let factor = Cholesky::of(smooth.len(), matrix)?;
    let mut rest: Vec<f64> = smooth.iter().map(|place| linear[*place]).collect();
    factor.forward(&mut rest);

    let size = problem.changepoints.len();
    let mut changes = theta[CHANGES..first_weight].to_vec();
    let mut columns = Vec::new();
    if problem.growth != Growth::Flat {
        for change in 0..size {
            let mut column: Vec<f64> = smooth.iter().map(|place| hessian(*place, CHANGES + change)).collect();
            factor.forward(&mut column);
            columns.push(column);
        }
        let mut matrix = vec![0.0; size * size];
        let mut reduced = Vec::with_capacity(size);
        for row in 0..size {
            for column in 0..=row {
                let entry = hessian(CHANGES + row, CHANGES + column) - dot(&columns[row], &columns[column]);
                matrix[row * size + column] = entry;
                matrix[column * size + row] = entry;
            }
            reduced.push(linear[CHANGES + row] - dot(&columns[row], &rest));
        }
        minimise(&mut matrix, &reduced, 1.0 / problem.change_scale, &mut changes)?;
        for (column, change) in columns.iter().zip(&changes) {
            for (rest, entry) in rest.iter_mut().zip(column) {
                *rest -= entry * change;
            }
        }
    }
    factor.backward(&mut rest);
    let mut next = vec![0.0; parameters];
    next[CHANGES..first_weight].copy_from_slice(&changes);
    for (place, parameter) in smooth.into_iter().zip(rest) {
        next[place] = if problem.is_free(place) { parameter } else { 0.0 };
    }
    next.iter().all(|parameter| parameter.is_finite()).then_some(next)
}

fn minimise(matrix: &mut [f64], linear: &[f64], penalty: f64, changes: &mut [f64]) -> Option<()> {
    let size = linear.len();
    let largest = (0..size).map(|at| matrix[at * size + at]).fold(0.0, f64::max);
    let mut ridge = RIDGE * largest + f64::MIN_POSITIVE;
    for _ in 0..RIDGES {
        for at in 0..size {
            matrix[at * size + at] += ridge;
        }
        let mut found = changes.to_vec();
        if (Lasso { matrix, linear, penalty }).minimise(&mut found).is_some() {
            changes.copy_from_slice(&found);
            return Some(());
        }
        ridge *= 1e3;
    }
    None
}
