//! L-BFGS (Nocedal and Wright, "Numerical optimization", 2nd ed., algorithm 7.4) as Stan runs it:
//! five pairs, the first trial step from a cubic through the step before, one new start along the
//! gradient when a line search fails, and CmdStan's own tests of when to stop.

use std::collections::VecDeque;

use super::wolfe::{self, Point, Search, dot};

/// Pairs that are remembered.
const HISTORY: usize = 5;

const FIRST_STEP: f64 = 1e-3;

/// Prophet's own limit.
const MOST_STEPS: u32 = 10_000;

/// CmdStan's `tol_obj`, `tol_grad`, `tol_param`, and with units of rounding `tol_rel_obj` and
/// `tol_rel_grad`.
const VALUE: f64 = 1e-12;
const GRADIENT: f64 = 1e-8;
const MOVE: f64 = 1e-8;
const RELATIVE_VALUE: f64 = 1e4 * f64::EPSILON;
const RELATIVE_GRADIENT: f64 = 1e7 * f64::EPSILON;

/// Where it stopped, and after how many steps.
pub(super) struct SearchEnd {
    pub(super) point: Point,
    pub(super) steps: u32,
    /// No line search led on: Stan calls this an error.
    pub(super) failed: bool,
}

/// A step and what it did to the gradient.
struct CorrectionPair {
    moved: Vec<f64>,
    turned: Vec<f64>,
    /// One over their product.
    weight: f64,
}

/// What the first trial of the next line search is made of.
struct Before {
    value: f64,
    step: f64,
    slope: f64,
    direction: Vec<f64>,
}

/// Goes down from `point`.
pub(super) fn descend(function: &impl Fn(&[f64]) -> Option<Point>, point: Point) -> SearchEnd {
    let mut point = point;
    let mut history: VecDeque<CorrectionPair> = VecDeque::new();
    let mut direction = negative(&point.gradient);
    let mut before: Option<Before> = None;
    for steps in 1..=MOST_STEPS {
        let mut restarted = before.is_none();
        let trial = before.as_ref().map_or(FIRST_STEP, |before| {
            let slope = dot(&point.gradient, &before.direction);
            let value = point.value - before.value;
            let least = wolfe::cubic(before.slope, before.step, value, slope, [wolfe::LEAST, 1.0]);
            (1.01 * least).min(1.0)
        });
        let search = Search { function, from: &point, direction: &direction };
        let mut found = search.step(trial);
        if found.is_none() && !restarted {
            restarted = true;
            direction = negative(&point.gradient);
            found = Search { function, from: &point, direction: &direction }.step(FIRST_STEP);
        }
        let Some((mut step, next)) = found else { return SearchEnd { point, steps, failed: true } };
        let moved = difference(&next.x, &point.x);
        let turned = difference(&next.gradient, &point.gradient);
        let (product, turn) = (dot(&moved, &turned), dot(&turned, &turned));
        let size = dot(&moved, &moved).sqrt();
        let mut slope = dot(&point.gradient, &direction);
        if restarted {
            history.clear();
            let scale = turn / product;
            for along in &mut direction {
                *along /= scale;
            }
            slope /= scale;
            step *= scale;
        }
        if history.len() == HISTORY {
            history.pop_front();
        }
        history.push_back(CorrectionPair { moved, turned, weight: 1.0 / product });
        before = Some(Before { value: point.value, step, slope, direction });
        let fell = (point.value - next.value).abs();
        let magnitude = point.value.abs().max(next.value.abs()).max(1.0);
        point = next;
        direction = along(&history, &point.gradient, product / turn);
        if fell < VALUE
            || dot(&point.gradient, &point.gradient).sqrt() < GRADIENT
            || size < MOVE
            || fell / magnitude < RELATIVE_VALUE
            || -dot(&direction, &point.gradient) / point.value.abs().max(1.0) < RELATIVE_GRADIENT
        {
            return SearchEnd { point, steps, failed: false };
        }
    }
    SearchEnd { point, steps: MOST_STEPS, failed: false }
}

/// The direction, by two loops over the pairs.
fn along(history: &VecDeque<CorrectionPair>, gradient: &[f64], scale: f64) -> Vec<f64> {
    let mut direction = negative(gradient);
    let mut shares = Vec::with_capacity(history.len());
    for pair in history.iter().rev() {
        let share = pair.weight * dot(&pair.moved, &direction);
        shares.push(share);
        for (along, turned) in direction.iter_mut().zip(&pair.turned) {
            *along -= share * turned;
        }
    }
    for along in &mut direction {
        *along *= scale;
    }
    for (pair, share) in history.iter().zip(shares.into_iter().rev()) {
        let back = pair.weight * dot(&pair.turned, &direction);
        for (along, moved) in direction.iter_mut().zip(&pair.moved) {
            *along += (share - back) * moved;
        }
    }
    direction
}

fn negative(gradient: &[f64]) -> Vec<f64> {
    gradient.iter().map(|slope| -slope).collect()
}

fn difference(a: &[f64], b: &[f64]) -> Vec<f64> {
    a.iter().zip(b).map(|(a, b)| a - b).collect()
}
