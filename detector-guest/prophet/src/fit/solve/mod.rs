//! The search for parameters.
//!
//! `problem` has the density that is maximised, and `rows` evaluates it row by row. For linear and
//! flat growth the rows are needed once: `sums` has what is left of them, and a step costs the same
//! for two hundred rows and for two hundred thousand. `logistic` goes through the rows at each
//! step. Both are a [`Objective`] to the two searches:
//!
//! * `optimum`: proximal Newton steps, `step` one of them, with the Laplace prior solved exactly by
//!   `lasso`;
//! * `as_prophet`: `lbfgs` with the line search of `wolfe`, which stops where Prophet's does.
//!
//! The time goes into the rows: `gram` has the sums of their products, `vectors` and `pair` the
//! loops, shaped so that WebAssembly fills vectors too.
//!
//! Matrices are at most some hundreds wide, dense and positive definite, so `cholesky` is all the
//! linear algebra there is. Libraries for it choose their kernels by the processor they find (fused
//! multiply-add, width of vectors), and with them the last bits; here the same series must have the
//! same model on every machine and in WebAssembly.

mod as_prophet;
mod cholesky;
mod curve;
mod gram;
mod lasso;
mod lbfgs;
mod logistic;
mod optimum;
mod pair;
mod problem;
mod rows;
mod spread;
mod step;
mod sums;
mod vectors;
mod wolfe;

pub(super) use as_prophet::as_prophet;
pub(super) use optimum::optimum;
pub(super) use problem::{Problem, ProblemRows};
pub(super) use rows::trend;

/// The noise of a model that fits exactly, in scaled units: what Prophet writes for a constant
/// series. Below it the density has no bound.
pub(super) const LEAST_NOISE: f64 = 1e-9;

/// Parameters, and how they were found.
#[derive(Clone, Debug)]
pub(super) struct Solution {
    /// `k`, `m`, `δ…`, `β…`.
    pub(super) theta: Vec<f64>,
    pub(super) sigma: f64,
    /// Without constants, as Stan's `lp__`.
    pub(super) log_density: f64,
    pub(super) steps: u32,
    /// By how much a condition of optimality is missed at worst.
    pub(super) violation: f64,
}

/// Half the sum of squares as a function of `θ`: what the searches need to know of rows.
trait Objective {
    fn problem(&self) -> &Problem;

    /// Whether the sum is quadratic in `θ`, so that a step needs no second look.
    fn is_quadratic(&self) -> bool;

    /// The sum of squares.
    fn squares(&self, theta: &[f64]) -> f64;

    /// The sum of squares, and the gradient of half of it.
    fn slope(&self, theta: &[f64], gradient: &mut [f64]) -> f64;

    /// With the Hessian of half the sum: the exact one, or Gauss and Newton's, which is never
    /// indefinite.
    fn curve(&self, theta: &[f64], exact: bool) -> Curve;
}

/// Half the sum of squares near a point.
struct Curve {
    /// The sum of squares itself.
    squares: f64,
    gradient: Vec<f64>,
    /// Row by row, symmetric.
    hessian: Vec<f64>,
}

impl Curve {
    fn zero(parameters: usize) -> Self {
        Self { squares: 0.0, gradient: vec![0.0; parameters], hessian: vec![0.0; parameters * parameters] }
    }

    /// Copies what is below the diagonal to above it.
    fn mirror(&mut self) {
        let parameters = self.gradient.len();
        for row in 0..parameters {
            for column in 0..row {
                self.hessian[column * parameters + row] = self.hessian[row * parameters + column];
            }
        }
    }
}
