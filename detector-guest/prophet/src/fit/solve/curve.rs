//! The sum of squares, its gradient and its Hessian from [`Sums`].
//!
//! With `ω` the weights of the centre less those of the model, and 1 for the last column, the sum
//! of squares is `Σ ωᵀ G ω` over the stretches; its derivatives follow from `e = G ω` and from `P =
//! G v` and `Q = G v` of the first and the second block, `v = (1, β of the multiplicative
//! columns)`.

use super::problem::{OFFSET, Problem};
use super::spread::{self, SegmentDerivatives};
use super::sums::Sums;
use super::vectors::{add_scaled, dot};
use super::{Curve, Objective};
use crate::fit::settings::Growth;

/// `out = Σ factorᵢ · row firstᵢ of the matrix`: the matrix is symmetric, so this is its product
/// with a vector.
fn product(matrix: &[f64], width: usize, first: usize, factors: &[f64], out: &mut [f64]) {
    out.fill(0.0);
    for (row, factor) in matrix[first * width..].chunks_exact(width).zip(factors) {
        add_scaled(out, *factor, row);
    }
}

/// Room for one stretch.
struct Work {
    omega: Vec<f64>,
    /// `e`, `P`, `Q`.
    e: Vec<f64>,
    p: Vec<f64>,
    q: Vec<f64>,
    v: Vec<f64>,
}

impl Sums<'_> {
    fn work(&self, theta: &[f64]) -> Work {
        let beta = &theta[self.problem.weights()..];
        let mut v = vec![1.0];
        v.extend(self.problem.table.layout.multiplicative.iter().map(|column| beta[*column]));
        let zeros = || vec![0.0; self.width];
        Work { omega: zeros(), e: zeros(), p: zeros(), q: zeros(), v }
    }

    /// A stretch's sum of squares, with `ω` and `e` left in `work`.
    fn residual(&self, stretch: usize, theta: &[f64], line: (f64, f64), work: &mut Work) -> f64 {
        let sums = self.stretch(stretch);
        self.weights(theta, line, &mut work.omega);
        for (omega, centre) in work.omega.iter_mut().zip(&sums.centre) {
            *omega = centre - *omega;
        }
        work.omega[self.width - 1] = 1.0;
        product(&sums.products, self.width, 0, &work.omega, &mut work.e);
        dot(&work.omega, &work.e)
    }

    /// Gradient by the line, and by each `β`, which is added to `by_weights`.
    fn gradient(
        &self,
        (value, slope): (f64, f64),
        work: &Work,
        by_weights: &mut [f64],
    ) -> SegmentDerivatives {
        let (layout, block) = (&self.problem.table.layout, self.block);
        let (first, second) = (&work.e[..block], &work.e[block..2 * block]);
        for (at, column) in layout.multiplicative.iter().enumerate() {
            by_weights[*column] -= value * first[1 + at] + slope * second[1 + at];
        }
        for (at, column) in layout.additive.iter().enumerate() {
            by_weights[*column] -= work.e[2 * block + at];
        }
        SegmentDerivatives {
            by_value: -dot(&work.v, first),
            by_slope: -dot(&work.v, second),
            ..SegmentDerivatives::default()
        }
    }

    /// Second derivatives in which the line has part.
    fn bend(
        &self,
        stretch: usize,
        (value, slope): (f64, f64),
        exact: bool,
        work: &mut Work,
        line: &mut SegmentDerivatives,
    ) {
        let (layout, block) = (&self.problem.table.layout, self.block);
        let products = &self.stretch(stretch).products;
        product(products, self.width, 0, &work.v, &mut work.p);
        product(products, self.width, block, &work.v, &mut work.q);
        let (p, q, v) = (&work.p, &work.q, &work.v);
        line.second = [dot(v, &p[..block]), dot(v, &q[..block]), dot(v, &q[block..2 * block])];
        line.value_weights = vec![0.0; self.problem.columns()];
        line.slope_weights = vec![0.0; self.problem.columns()];
        for (at, column) in layout.multiplicative.iter().enumerate() {
            let (first, second) = (1 + at, block + 1 + at);
            let [by_value, by_slope] = if exact { [work.e[first], work.e[second]] } else { [0.0, 0.0] };
            line.value_weights[*column] = value * p[first] + slope * p[second] - by_value;
            line.slope_weights[*column] = value * q[first] + slope * q[second] - by_slope;
        }
        for (at, column) in layout.additive.iter().enumerate() {
            line.value_weights[*column] = p[2 * block + at];
            line.slope_weights[*column] = q[2 * block + at];
        }
    }

    /// Second derivatives by two `β`, below the diagonal and on it.
    fn bend_of_weights(&self, stretch: usize, (c, b): (f64, f64), curve: &mut Curve) {
        let (layout, block, width) = (&self.problem.table.layout, self.block, self.width);
        let (parameters, weights) = (self.problem.parameters(), self.problem.weights());
        let products = &self.stretch(stretch).products;
        let entry = |row: usize, column: usize| products[row * width + column];
        let mut add = |one: usize, other: usize, sum: f64| {
            let (row, column) = (weights + one.max(other), weights + one.min(other));
            curve.hessian[row * parameters + column] += sum;
        };
        for (at, one) in layout.multiplicative.iter().enumerate() {
            let (first, second) = (1 + at, block + 1 + at);
            for (at, other) in layout.multiplicative.iter().enumerate().filter(|(_, other)| *other <= one) {
                let (to_first, to_second) = (1 + at, block + 1 + at);
                let mixed = entry(first, to_second) + entry(second, to_first);
                add(
                    *one,
                    *other,
                    c * c * entry(first, to_first) + c * b * mixed + b * b * entry(second, to_second),
                );
            }
            for (at, other) in layout.additive.iter().enumerate() {
                let to = 2 * block + at;
                add(*one, *other, c * entry(first, to) + b * entry(second, to));
            }
        }
        for (at, one) in layout.additive.iter().enumerate() {
            for (to, other) in layout.additive.iter().enumerate().filter(|(_, other)| *other <= one) {
                add(*one, *other, entry(2 * block + at, 2 * block + to));
            }
        }
    }
}

/// Flat growth has no data for `k` and `δ`.
fn flatten(problem: &Problem, gradient: &mut [f64]) {
    if problem.growth == Growth::Flat {
        for (place, slope) in gradient.iter_mut().enumerate().take(problem.weights()) {
            if place != OFFSET {
                *slope = 0.0;
            }
        }
    }
}

impl Objective for Sums<'_> {
    fn problem(&self) -> &Problem {
        self.problem
    }

    fn is_quadratic(&self) -> bool {
        self.problem.table.layout.multiplicative.is_empty()
    }

    fn squares(&self, theta: &[f64]) -> f64 {
        let mut work = self.work(theta);
        let lines = self.problem.lines(theta).into_iter().enumerate();
        let squares =
            lines.fold(0.0, |sum, (stretch, line)| sum + self.residual(stretch, theta, line, &mut work));
        squares.max(0.0)
    }

    fn slope(&self, theta: &[f64], gradient: &mut [f64]) -> f64 {
        let mut work = self.work(theta);
        gradient.fill(0.0);
        let mut squares = 0.0;
        for (stretch, line) in self.problem.lines(theta).into_iter().enumerate() {
            squares += self.residual(stretch, theta, line, &mut work);
            let (of_trend, by_weights) = gradient.split_at_mut(self.problem.weights());
            let line = self.gradient(line, &work, by_weights);
            spread::gradient(self.problem, stretch, &line, of_trend);
        }
        flatten(self.problem, gradient);
        squares.max(0.0)
    }

    fn curve(&self, theta: &[f64], exact: bool) -> Curve {
        let (problem, weights) = (self.problem, self.problem.weights());
        let mut work = self.work(theta);
        let mut curve = Curve::zero(problem.parameters());
        for (stretch, line) in problem.lines(theta).into_iter().enumerate() {
            if problem.rows_of(stretch).is_empty() {
                continue;
            }
            curve.squares += self.residual(stretch, theta, line, &mut work);
            let mut derivatives = self.gradient(line, &work, &mut curve.gradient[weights..]);
            self.bend(stretch, line, exact, &mut work, &mut derivatives);
            spread::curve(problem, stretch, &derivatives, &mut curve);
            self.bend_of_weights(stretch, line, &mut curve);
        }
        curve.squares = curve.squares.max(0.0);
        curve.mirror();
        flatten(problem, &mut curve.gradient);
        if problem.growth == Growth::Flat {
            let parameters = problem.parameters();
            for place in (0..weights).filter(|place| *place != OFFSET) {
                for other in 0..parameters {
                    curve.hessian[place * parameters + other] = 0.0;
                    curve.hessian[other * parameters + place] = 0.0;
                }
            }
        }
        curve
    }
}
