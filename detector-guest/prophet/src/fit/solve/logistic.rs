//! Logistic growth: value, gradient and Hessian go through the rows at each step.
//!
//! With `e = g/C` the share of the capacity, `∂g/∂x = g(1-e)` and `∂²g/∂x² = g(1-e)(1-2e)`. A
//! stretch's argument is `c + b u` as for linear growth; that of the first begins at `-k m`, from
//! where the last step goes to `m`.

use super::problem::{OFFSET, Problem, RATE};
use super::rows::{self, TermWeights};
use super::spread::{self, SegmentDerivatives};
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
        let weights = TermWeights::of(problem, theta);
        let mut curve = Curve::zero(problem.parameters());
        for (stretch, line) in problem.lines(theta).into_iter().enumerate() {
            let derivatives = self.stretch(stretch, line, &weights, exact, &mut curve);
            spread::curve(problem, stretch, &derivatives, &mut curve);
        }
        curve.mirror();
        to_offset(&mut curve, theta[RATE], theta[OFFSET], exact);
        curve
    }
}

impl Logistic<'_> {
    /// Derivatives by a stretch's line; those by weights alone are added to `curve`.
    fn stretch(
        &self,
        stretch: usize,
        (value, slope): (f64, f64),
        weights: &TermWeights,
        exact: bool,
        curve: &mut Curve,
    ) -> SegmentDerivatives {
        let problem = self.0;
        let (table, columns, first) = (&problem.table, problem.columns(), problem.weights());
        let parameters = problem.parameters();
        let origin = problem.origin(stretch);
        let mut line = SegmentDerivatives {
            value_weights: vec![0.0; columns],
            slope_weights: vec![0.0; columns],
            ..SegmentDerivatives::default()
        };
        // ∂μ/∂β of a row, and ∂²μ/∂x∂β in units of ∂g/∂x.
        let (mut by_weight, mut bent) = (vec![0.0; columns], vec![0.0; columns]);
        for row in problem.rows_of(stretch) {
            let u = table.t[row] - origin;
            let features = problem.features(row);
            let share = rows::sigmoid(value + slope * u);
            let trend = table.cap[row] * share;
            let steepness = trend * (1.0 - share);
            let (added, factor) = weights.terms(features);
            let residual = trend * factor + added - table.y[row];
            curve.squares += residual * residual;
            let by_argument = steepness * factor;
            line.by_value += residual * by_argument;
            line.by_slope += residual * by_argument * u;
            let mut second = by_argument * by_argument;
            if exact {
                second += residual * steepness * (1.0 - 2.0 * share) * factor;
            }
            line.second[0] += second;
            line.second[1] += second * u;
            line.second[2] += second * u * u;
            for column in &table.layout.additive {
                by_weight[*column] = features[*column];
            }
            for column in &table.layout.multiplicative {
                by_weight[*column] = trend * features[*column];
                bent[*column] = if exact { residual * features[*column] } else { 0.0 };
            }
            for column in 0..columns {
                let mixed = by_argument * by_weight[column] + steepness * bent[column];
                line.value_weights[column] += mixed;
                line.slope_weights[column] += mixed * u;
                curve.gradient[first + column] += residual * by_weight[column];
                let hessian = &mut curve.hessian[(first + column) * parameters + first..];
                for (sum, other) in hessian.iter_mut().zip(&by_weight[..=column]) {
                    *sum += by_weight[column] * other;
                }
            }
        }
        line
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
