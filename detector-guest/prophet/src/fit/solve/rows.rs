//! The sum of squares and its gradient from the rows: for logistic growth, and to check what came
//! of sums.

use super::problem::{CHANGES, OFFSET, Problem, RATE};
use crate::fit::settings::Growth;

/// The weights as both kinds of terms have them: 0 in the columns of the other kind.
pub(super) struct TermWeights {
    pub(super) additive: Vec<f64>,
    pub(super) multiplicative: Vec<f64>,
}

impl TermWeights {
    pub(super) fn of(problem: &Problem, theta: &[f64]) -> Self {
        let weights = &theta[problem.weights()..];
        let only = |columns: &[usize]| {
            let mut of_kind = vec![0.0; weights.len()];
            for column in columns {
                of_kind[*column] = weights[*column];
            }
            of_kind
        };
        let layout = &problem.table.layout;
        Self { additive: only(&layout.additive), multiplicative: only(&layout.multiplicative) }
    }

    /// The sum of a row's additive terms, and one more than that of its multiplicative terms.
    pub(super) fn terms(&self, features: &[f64]) -> (f64, f64) {
        let (mut added, mut share) = (0.0, 0.0);
        for ((x, a), m) in features.iter().zip(&self.additive).zip(&self.multiplicative) {
            added += x * a;
            share += x * m;
        }
        (added, 1.0 + share)
    }
}

/// `1 / (1 + exp(-x))`.
pub(super) fn sigmoid(x: f64) -> f64 {
    1.0 / (1.0 + libm::exp(-x))
}

/// Residuals `μ - y` of all rows, in their order.
pub(super) fn residuals(problem: &Problem, theta: &[f64]) -> Vec<f64> {
    let weights = TermWeights::of(problem, theta);
    let table = &problem.table;
    let mut residuals = Vec::with_capacity(problem.rows());
    for (row, trend) in trend(problem, theta).into_iter().enumerate() {
        let (added, factor) = weights.terms(problem.features(row));
        residuals.push(trend * factor + added - table.y[row]);
    }
    residuals
}

/// The trend at all rows, in scaled units.
pub(in crate::fit) fn trend(problem: &Problem, theta: &[f64]) -> Vec<f64> {
    let table = &problem.table;
    let mut trend = Vec::with_capacity(problem.rows());
    for (stretch, (value, slope)) in problem.lines(theta).into_iter().enumerate() {
        let origin = problem.origin(stretch);
        for row in problem.rows_of(stretch) {
            let line = value + slope * (table.t[row] - origin);
            trend.push(match problem.growth {
                Growth::Logistic => table.cap[row] * sigmoid(line),
                Growth::Linear | Growth::Flat => line,
            });
        }
    }
    trend
}

/// The sum of squares.
pub(super) fn squares(problem: &Problem, theta: &[f64]) -> f64 {
    residuals(problem, theta).iter().fold(0.0, |sum, residual| sum + residual * residual)
}

/// The sum of squares, and the gradient of half of it. What a change of rate does to all rows
/// behind it is a sum over the stretches, from the last to the first.
pub(super) fn slope(problem: &Problem, theta: &[f64], gradient: &mut [f64]) -> f64 {
    let table = &problem.table;
    let weights = TermWeights::of(problem, theta);
    let logistic = problem.growth == Growth::Logistic;
    gradient.fill(0.0);
    let (of_trend, of_weights) = gradient.split_at_mut(problem.weights());
    let mut sums = Vec::with_capacity(problem.stretches());
    let mut squares = 0.0;
    for (stretch, (value, slope)) in problem.lines(theta).into_iter().enumerate() {
        let origin = problem.origin(stretch);
        let mut sum = (0.0, 0.0);
        for row in problem.rows_of(stretch) {
            let (features, u) = (problem.features(row), table.t[row] - origin);
            let line = value + slope * u;
            let (trend, steepness) = if logistic {
                let share = sigmoid(line);
                (table.cap[row] * share, table.cap[row] * share * (1.0 - share))
            } else {
                (line, 1.0)
            };
            let (added, factor) = weights.terms(features);
            let residual = trend * factor + added - table.y[row];
            squares += residual * residual;
            let pull = residual * steepness * factor;
            sum.0 += pull;
            sum.1 += pull * u;
            for column in &table.layout.additive {
                of_weights[*column] += residual * features[*column];
            }
            for column in &table.layout.multiplicative {
                of_weights[*column] += residual * trend * features[*column];
            }
        }
        sums.push(sum);
    }
    // Sums over the rows of a stretch and all behind it, the second about the origin of time.
    let (mut pulls, mut moments) = (0.0, 0.0);
    for (stretch, sum) in sums.into_iter().enumerate().rev() {
        let origin = problem.origin(stretch);
        pulls += sum.0;
        moments += sum.1 + sum.0 * origin;
        if stretch > 0 && problem.growth != Growth::Flat {
            of_trend[CHANGES + stretch - 1] = moments - origin * pulls;
        }
    }
    (of_trend[RATE], of_trend[OFFSET]) = match problem.growth {
        Growth::Linear => (moments, pulls),
        Growth::Flat => (0.0, pulls),
        Growth::Logistic => (moments - theta[OFFSET] * pulls, -theta[RATE] * pulls),
    };
    squares
}
