//! The optimum of the density: steps in `θ` at a fixed `σ`, and between them the best `σ`.
//!
//! For linear growth without multiplicative terms there is one optimum for each `σ`, and `σ` falls
//! from step to step to its largest fixed point. Multiplicative terms are bilinear, logistic growth
//! is worse: a step is then halved until the density does not fall, and logistic growth is begun
//! from two places.

use super::logistic::Logistic;
use super::problem::{CHANGES, OFFSET, Problem, ProblemRows, RATE};
use super::step::step;
use super::sums::Sums;
use super::{Curve, LEAST_NOISE, Objective, Solution, rows};
use crate::fit::prepare::Layout;
use crate::fit::settings::Growth;

/// Conditions that hold to this are met.
const MET: f64 = 1e-7;

/// Steps at most in one go. Plausible series need at most some fifty; the most are needed by
/// logistic growth that is to be flat, for `k` goes to 0 along a valley that bends.
const MOST_STEPS: u32 = 1_000;

/// Halvings of one step at most.
const HALVINGS: usize = 30;

/// Times at most that sums are counted anew from the model found.
const RECENTRED: usize = 5;

/// The optimum; none if the numbers cannot be computed with.
pub(in crate::fit) fn optimum(problem: &Problem, start: (f64, f64)) -> Option<Solution> {
    let theta = at(problem, start);
    if problem.growth != Growth::Logistic {
        return from_sums(&mut Sums::of(problem), theta);
    }
    let shape = Logistic(problem);
    let first = descend(&shape, theta, None, true);
    let second = logit(problem).and_then(|theta| descend(&shape, theta, None, true));
    match (first, second) {
        (Some(first), Some(second)) if second.log_density > first.log_density => Some(second),
        (first, second) => first.or(second),
    }
}

/// `θ` with this `k` and `m`, and nothing else.
pub(super) fn at(problem: &Problem, (rate, offset): (f64, f64)) -> Vec<f64> {
    let mut theta = vec![0.0; problem.parameters()];
    (theta[RATE], theta[OFFSET]) = (rate, offset);
    theta
}

/// Leaves the sums counted from about the optimum.
pub(super) fn from_sums(sums: &mut Sums<'_>, theta: Vec<f64>) -> Option<Solution> {
    let problem = sums.problem;
    let mut found = descend(sums, theta, None, false)?;
    for _ in 0..RECENTRED {
        sums.recentre(&found.theta);
        let next = descend(sums, found.theta.clone(), Some(found.sigma), true)?;
        let steps = found.steps + next.steps;
        found = Solution { steps, ..checked(problem, next) };
        if found.violation <= MET || found.sigma <= LEAST_NOISE {
            break;
        }
    }
    Some(found)
}

/// With density and conditions as the rows have them.
pub(super) fn checked(problem: &Problem, found: Solution) -> Solution {
    let mut gradient = vec![0.0; problem.parameters()];
    let squares = rows::slope(problem, &found.theta, &mut gradient);
    Solution {
        log_density: -problem.value(&found.theta, found.sigma, squares),
        violation: problem.violation(&found.theta, &gradient, found.sigma),
        ..found
    }
}

/// From `theta` down to where no condition is missed; `strictly`, or as far as the sums have
/// digits.
fn descend(shape: &impl Objective, theta: Vec<f64>, sigma: Option<f64>, strictly: bool) -> Option<Solution> {
    let problem = shape.problem();
    let exact = !shape.is_quadratic();
    let mut theta = theta;
    let mut curve = shape.curve(&theta, exact);
    let mut sigma = sigma.unwrap_or(problem.noise(curve.squares).clamp(LEAST_NOISE, 1.0));
    let (mut steps, mut quiet, mut last_change) = (0, 0, f64::NAN);
    loop {
        steps += 1;
        let before = problem.value(&theta, sigma, curve.squares);
        let moved = next(shape, &theta, &curve, sigma);
        let stuck = moved.is_none();
        if let Some(next) = moved {
            theta = next;
            curve = shape.curve(&theta, exact);
        }
        if !curve.squares.is_finite() {
            return None;
        }
        let gain = before - problem.value(&theta, sigma, curve.squares);
        let best = problem.noise(curve.squares).max(LEAST_NOISE);
        let change = libm::log(best / sigma);
        let settled = change.abs() < 1e-9 && gain.abs() < 1e-10 * before.abs().max(1.0);
        quiet = if settled { quiet + 1 } else { 0 };
        let violation = problem.violation(&theta, &curve.gradient, best);
        let done = quiet >= 3 || quiet >= 1 && (!strictly || violation <= MET);
        if stuck || done || steps >= MOST_STEPS || best <= LEAST_NOISE {
            let log_density = -problem.value(&theta, best, curve.squares);
            let found = Solution { theta, sigma: best, log_density, steps, violation };
            return found.log_density.is_finite().then_some(found);
        }
        sigma = best;
        if !exact {
            // Aitken's extrapolation: the way to a fixed point of one number shrinks by a constant
            // ratio.
            let ratio = change / last_change;
            if ratio > 0.05 && ratio < 0.9 && change.abs() < 0.3 {
                sigma *= libm::exp((change * ratio / (1.0 - ratio)).clamp(-0.5, 0.5));
            }
        }
        last_change = change;
    }
}

/// The next point at this `σ`. None if there is none that is not worse.
fn next(shape: &impl Objective, theta: &[f64], curve: &Curve, sigma: f64) -> Option<Vec<f64>> {
    let problem = shape.problem();
    let whole = step(problem, theta, curve, sigma);
    if shape.is_quadratic() {
        return whole;
    }
    whole.and_then(|to| shorten(shape, theta, &to, curve.squares, sigma)).or_else(|| {
        let to = step(problem, theta, &shape.curve(theta, false), sigma)?;
        shorten(shape, theta, &to, curve.squares, sigma)
    })
}

/// Half the way, until the density does not fall.
fn shorten(shape: &impl Objective, from: &[f64], to: &[f64], squares: f64, sigma: f64) -> Option<Vec<f64>> {
    let problem = shape.problem();
    let before = problem.value(from, sigma, squares);
    let allowed = before + 1e-13 * before.abs().max(1.0);
    let mut to = to.to_vec();
    for _ in 0..HALVINGS {
        if problem.value(&to, sigma, shape.squares(&to)) <= allowed {
            return Some(to);
        }
        for (to, from) in to.iter_mut().zip(from) {
            *to = from + 0.5 * (*to - from);
        }
    }
    None
}

/// The second start of logistic growth: the argument as a linear trend through the logit of `y`,
/// without features.
fn logit(problem: &Problem) -> Option<Vec<f64>> {
    let table = &problem.table;
    let rows = table.y.iter().zip(&table.cap).map(|(y, cap)| {
        let share = (y / cap).clamp(0.02, 0.98);
        libm::log(share / (1.0 - share))
    });
    let table = ProblemRows {
        t: table.t.clone(),
        y: rows.collect(),
        cap: Vec::new(),
        x: vec![0.0; problem.rows()],
        layout: Layout { deviations: vec![1.0], additive: Vec::new(), multiplicative: Vec::new() },
    };
    let straight = Problem::new(Growth::Linear, table, problem.changepoints.clone(), 1.0);
    let theta = vec![0.0; straight.parameters()];
    let found = descend(&Sums::of(&straight), theta, None, false)?.theta;
    let rate = if found[RATE].abs() < 1e-3 { 1e-3 } else { found[RATE] };
    let mut theta = at(problem, (rate, -found[OFFSET] / rate));
    theta[CHANGES..problem.weights()].copy_from_slice(&found[CHANGES..straight.weights()]);
    Some(theta)
}
