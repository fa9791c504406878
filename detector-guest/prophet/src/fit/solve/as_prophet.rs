//! Where Prophet's own search stops: Stan's L-BFGS on `θ` and `ln σ`, from Prophet's start.
//!
//! The density has a kink at every change that is 0, and L-BFGS stalls there, short of the optimum.
//! Where it stalls depends on the last bits: Prophet run again on `y · (1 ± 10⁻¹³)` lands
//! elsewhere, and this lands no further from it. Below a hundred rows, and where the line search
//! fails, Prophet takes Newton's method, which mostly does reach the optimum; here it is the
//! optimum.

use super::logistic::Logistic;
use super::optimum::{self, at, checked, from_sums};
use super::problem::{CHANGES, Problem};
use super::sums::Sums;
use super::wolfe::Point;
use super::{LEAST_NOISE, Objective, Solution, lbfgs};
use crate::fit::settings::Growth;

/// Fewer rows than this go to Newton's method (`fit` in Prophet's `models.py`).
const LEAST_ROWS: usize = 100;

pub(in crate::fit) fn as_prophet(problem: &Problem, start: (f64, f64)) -> Option<Solution> {
    let theta = at(problem, start);
    if problem.growth == Growth::Logistic {
        if problem.rows() >= LEAST_ROWS
            && let Some(found) = search(&Logistic(problem), theta)
        {
            return Some(found);
        }
        return optimum::optimum(problem, start);
    }
    // Counted from the optimum, the sums have all their digits where the search ends.
    let mut sums = Sums::of(problem);
    let best = from_sums(&mut sums, theta.clone())?;
    if problem.rows() < LEAST_ROWS || best.sigma <= LEAST_NOISE {
        return Some(best);
    }
    search(&sums, theta).or(Some(best))
}

/// None if Stan would call the end an error.
fn search(shape: &impl Objective, theta: Vec<f64>) -> Option<Solution> {
    let problem = shape.problem();
    let mut x = theta;
    // ln σ of σ = 1, behind θ.
    x.push(0.0);
    let function = |x: &[f64]| evaluate(shape, x);
    let end = lbfgs::descend(&function, function(&x)?);
    if end.failed {
        return None;
    }
    let mut theta = end.point.x;
    let sigma = libm::exp(theta.pop()?).max(LEAST_NOISE);
    let found = Solution { theta, sigma, log_density: 0.0, steps: end.steps, violation: 0.0 };
    Some(checked(problem, found)).filter(|found| found.log_density.is_finite())
}

/// `-ln p` and its gradient. The derivative of `|δ|` at 0 is taken for 0, as Stan does.
fn evaluate(shape: &impl Objective, x: &[f64]) -> Option<Point> {
    let problem = shape.problem();
    let (theta, sigma) = x.split_at(problem.parameters());
    let sigma = libm::exp(sigma[0]);
    let precision = 1.0 / (sigma * sigma);
    let mut gradient = vec![0.0; x.len()];
    let squares = shape.slope(theta, &mut gradient[..problem.parameters()]);
    for (place, (slope, parameter)) in gradient.iter_mut().zip(theta).enumerate() {
        *slope *= precision;
        *slope += if !(CHANGES..problem.weights()).contains(&place) {
            parameter * problem.precision(place)
        } else if *parameter == 0.0 {
            0.0
        } else {
            parameter.signum() / problem.change_scale
        };
    }
    gradient[problem.parameters()] = 4.0 * sigma * sigma + problem.rows() as f64 - squares * precision;
    let value = problem.value(theta, sigma, squares);
    let finite = value.is_finite() && gradient.iter().all(|slope| slope.is_finite());
    finite.then(|| Point { x: x.to_vec(), value, gradient })
}
