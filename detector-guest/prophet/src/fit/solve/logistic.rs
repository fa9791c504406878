//! Logistic growth: value, gradient and Hessian go through the rows at each step.
//!
//! With `e = g/C` the share of the capacity, `∂g/∂x = g(1-e)` and `∂²g/∂x² = g(1-e)(1-2e)`. A
//! stretch's argument is `c + b u` as for linear growth; that of the first begins at `-k m`, from
//! where the last step goes to `m`.

use super::gram::{self, Gram, Piece};
use super::problem::{OFFSET, Problem, RATE};
use super::rows::{self, PieceModel};
use super::spread::{self, SegmentDerivatives};
use super::vectors::{dot, multiply, sum};
use super::{Curve, Objective};

pub(super) struct Logistic<'a>(pub(super) &'a Problem);

impl Objective for Logistic<'_> {
    fn problem(&self) -> &Problem {
        self.0
    }

    fn is_quadratic(&self) -> bool {
        false
    }

    fn squares(&self, theta: &[f64]) -> f64 {
        rows::squares(self.0, theta)
    }

    fn slope(&self, theta: &[f64], gradient: &mut [f64]) -> f64 {
        rows::slope(self.0, theta, gradient)
    }

    fn curve(&self, theta: &[f64], exact: bool) -> Curve {
        let problem = self.0;
        let (parameters, weights, columns) = (problem.parameters(), problem.weights(), problem.columns());
        let mut curve = Curve::zero(parameters);
        let mut lines = vec![SegmentDerivatives::zero(columns); problem.stretches()];
        // ∂μ/∂β of the rows.
        let width = columns.next_multiple_of(gram::COLUMNS);
        let (mut gram, mut by_weight) = (Gram::new(width), Piece::new(width));
        let mut work = Work::default();
        rows::evaluate(problem, theta, |stretch, model| {
            curve.squares += dot(&model.residuals, &model.residuals);
            work.compute(model, exact);
            work.add(problem, model, &mut lines[stretch], &mut curve.gradient[weights..]);
            let layout = &problem.table.layout;
            for column in &layout.additive {
                by_weight.put(*column, problem.feature(*column, model.rows.clone()));
            }
            for column in &layout.multiplicative {
                multiply(&mut work.moment, problem.feature(*column, model.rows.clone()), &model.trend);
                by_weight.put(*column, &work.moment);
            }
            gram.add(&by_weight);
        });
        let products = gram.matrix();
        for column in 0..columns {
            for other in 0..=column {
                curve.hessian[(weights + column) * parameters + weights + other] =
                    products[column * width + other];
            }
        }
        for (stretch, line) in lines.iter().enumerate() {
            spread::curve(problem, stretch, line, &mut curve);
        }
        curve.mirror();
        to_offset(&mut curve, theta[RATE], theta[OFFSET], exact);
        curve
    }
}

/// Factors of a piece's rows, from which its sums follow.
#[derive(Default)]
struct Work {
    /// `∂μ/∂x`.
    by_argument: Vec<f64>,
    /// The second derivative of half a square by the argument.
    second: Vec<f64>,
    /// Of `∂²/∂x∂β` the factor of a multiplicative feature; that of an additive one is
    /// `by_argument`.
    mixed: Vec<f64>,
    /// `residual · trend`.
    by_trend: Vec<f64>,
    /// A list times `u`.
    moment: Vec<f64>,
}

impl Work {
    fn compute(&mut self, model: &PieceModel, exact: bool) {
        let many = model.residuals.len();
        let Self { by_argument, second, mixed, by_trend, moment } = self;
        for list in [&mut *by_argument, second, mixed, by_trend, moment] {
            list.resize(many, 0.0);
        }
        multiply(by_argument, &model.steepness, &model.factor);
        multiply(by_trend, &model.residuals, &model.trend);
        multiply(second, by_argument, by_argument);
        multiply(mixed, by_argument, &model.trend);
        if exact {
            for row in 0..many {
                second[row] += model.residuals[row] * model.bend[row] * model.factor[row];
                mixed[row] += model.residuals[row] * model.steepness[row];
            }
        }
    }

    /// Adds to the derivatives by the line, and to those by each `β`.
    fn add(
        &mut self,
        problem: &Problem,
        model: &PieceModel,
        line: &mut SegmentDerivatives,
        gradient: &mut [f64],
    ) {
        let (residuals, u, moment) = (&model.residuals, &model.u, &mut self.moment);
        line.by_value += dot(residuals, &self.by_argument);
        multiply(moment, residuals, u);
        line.by_slope += dot(moment, &self.by_argument);
        line.second[0] += sum(&self.second);
        line.second[1] += dot(&self.second, u);
        multiply(moment, &self.second, u);
        line.second[2] += dot(moment, u);
        let layout = &problem.table.layout;
        for (columns, mixed, pulls) in [
            (&layout.additive, &self.by_argument, residuals),
            (&layout.multiplicative, &self.mixed, &self.by_trend),
        ] {
            multiply(moment, mixed, u);
            for column in columns {
                let feature = problem.feature(*column, model.rows.clone());
                line.value_weights[*column] += dot(mixed, feature);
                line.slope_weights[*column] += dot(moment, feature);
                gradient[*column] += dot(pulls, feature);
            }
        }
    }
}

/// From derivatives by `k` and `q = -k m` to those by `k` and `m`.
fn to_offset(curve: &mut Curve, rate: f64, offset: f64, exact: bool) {
    let parameters = curve.gradient.len();
    let by_q = curve.gradient[OFFSET];
    let h = &mut curve.hessian;
    let (kk, kq, qq) = (h[0], h[OFFSET], h[OFFSET * parameters + OFFSET]);
    for other in 2..parameters {
        let (by_k, by_q) = (h[other], h[parameters + other]);
        let (by_k, by_m) = (by_k - offset * by_q, -rate * by_q);
        (h[other], h[other * parameters]) = (by_k, by_k);
        (h[parameters + other], h[other * parameters + OFFSET]) = (by_m, by_m);
    }
    h[0] = kk - 2.0 * offset * kq + offset * offset * qq;
    h[parameters + OFFSET] = rate * rate * qq;
    // The mixed derivative of q itself is -1.
    let mixed = -rate * kq + rate * offset * qq - if exact { by_q } else { 0.0 };
    (h[OFFSET], h[parameters]) = (mixed, mixed);
    curve.gradient[RATE] -= offset * by_q;
    curve.gradient[OFFSET] = -rate * by_q;
}
