//! The sum of squares and its gradient from the rows: for logistic growth, and to check what came
//! of sums.

use std::ops::Range;

use super::problem::{CHANGES, OFFSET, Problem, RATE};
use super::vectors::{add_scaled, dot, multiply, sum};
use crate::fit::settings::Growth;

/// `1 / (1 + exp(-x))`.
pub(super) fn sigmoid(x: f64) -> f64 {
    1.0 / (1.0 + libm::exp(-x))
}

/// A model at the rows of a piece; each list has as many numbers.
#[derive(Default)]
pub(super) struct PieceModel {
    pub(super) rows: Range<usize>,
    /// The time since the stretch began.
    pub(super) u: Vec<f64>,
    pub(super) trend: Vec<f64>,
    /// What the trend changes by with its line's value: 1 but for logistic growth.
    pub(super) steepness: Vec<f64>,
    /// What the steepness changes by: 0 but for logistic growth.
    pub(super) bend: Vec<f64>,
    /// The sum of the additive terms, and one more than that of the multiplicative terms.
    added: Vec<f64>,
    pub(super) factor: Vec<f64>,
    /// `μ - y`.
    pub(super) residuals: Vec<f64>,
}

impl PieceModel {
    fn compute(&mut self, problem: &Problem, beta: &[f64], origin: f64, (value, slope): (f64, f64)) {
        let (table, rows) = (&problem.table, &self.rows);
        let reset = |list: &mut Vec<f64>, value: f64| {
            list.clear();
            list.resize(rows.len(), value);
        };
        self.u.clear();
        self.u.extend(table.t[rows.clone()].iter().map(|t| t - origin));
        reset(&mut self.trend, value);
        add_scaled(&mut self.trend, slope, &self.u);
        reset(&mut self.steepness, 1.0);
        reset(&mut self.bend, 0.0);
        if problem.growth == Growth::Logistic {
            let slopes = self.steepness.iter_mut().zip(&mut self.bend);
            for ((trend, (steepness, bend)), cap) in
                self.trend.iter_mut().zip(slopes).zip(&table.cap[rows.clone()])
            {
                let share = sigmoid(*trend);
                *trend = cap * share;
                *steepness = *trend * (1.0 - share);
                *bend = *steepness * (1.0 - 2.0 * share);
            }
        }
        reset(&mut self.added, 0.0);
        for column in &table.layout.additive {
            add_scaled(&mut self.added, beta[*column], problem.feature(*column, rows.clone()));
        }
        reset(&mut self.factor, 1.0);
        for column in &table.layout.multiplicative {
            add_scaled(&mut self.factor, beta[*column], problem.feature(*column, rows.clone()));
        }
        reset(&mut self.residuals, 0.0);
        multiply(&mut self.residuals, &self.trend, &self.factor);
        add_scaled(&mut self.residuals, 1.0, &self.added);
        add_scaled(&mut self.residuals, -1.0, &table.y[rows.clone()]);
    }
}

/// Goes through the rows, piece by piece; each belongs to one stretch.
pub(super) fn evaluate(problem: &Problem, theta: &[f64], mut each: impl FnMut(usize, &PieceModel)) {
    let beta = &theta[problem.weights()..];
    let mut model = PieceModel::default();
    for (stretch, line) in problem.lines(theta).into_iter().enumerate() {
        for rows in problem.pieces_of(stretch) {
            model.rows = rows;
            model.compute(problem, beta, problem.origin(stretch), line);
            each(stretch, &model);
        }
    }
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
    let mut squares = 0.0;
    evaluate(problem, theta, |_, model| squares += dot(&model.residuals, &model.residuals));
    squares
}

/// The sum of squares, and the gradient of half of it. What a change of rate does to all rows
/// behind it is a sum over the stretches, from the last to the first.
pub(super) fn slope(problem: &Problem, theta: &[f64], gradient: &mut [f64]) -> f64 {
    let layout = &problem.table.layout;
    gradient.fill(0.0);
    let (of_trend, of_weights) = gradient.split_at_mut(problem.weights());
    let mut sums = vec![(0.0, 0.0); problem.stretches()];
    let mut squares = 0.0;
    // What a row's residual pulls at its line, and at its multiplicative weights.
    let (mut pulls, mut by_trend) = (Vec::new(), Vec::new());
    evaluate(problem, theta, |stretch, model| {
        let residuals = &model.residuals;
        squares += dot(residuals, residuals);
        by_trend.resize(residuals.len(), 0.0);
        multiply(&mut by_trend, residuals, &model.steepness);
        pulls.resize(residuals.len(), 0.0);
        multiply(&mut pulls, &by_trend, &model.factor);
        sums[stretch].0 += sum(&pulls);
        sums[stretch].1 += dot(&pulls, &model.u);
        for column in &layout.additive {
            of_weights[*column] += dot(residuals, problem.feature(*column, model.rows.clone()));
        }
        multiply(&mut by_trend, residuals, &model.trend);
        for column in &layout.multiplicative {
            of_weights[*column] += dot(&by_trend, problem.feature(*column, model.rows.clone()));
        }
    });
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
