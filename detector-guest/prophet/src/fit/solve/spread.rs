//! From a stretch's line to the parameters that make it: `k`, `m` and the changes up to it.
//!
//! In stretch `g`, value and slope are sums over `k (s_g, 1) + m (1, 0) + δⱼ (s_g - sⱼ, 1)`. So
//! are, transposed, their parts of the gradient, and from both sides those of the Hessian.

use super::Curve;
use super::problem::{CHANGES, OFFSET, Problem, RATE};

/// Derivatives of half a sum of squares by the value `c` and the slope `b` of a stretch.
#[derive(Clone, Debug, Default)]
pub(super) struct SegmentDerivatives {
    pub(super) by_value: f64,
    pub(super) by_slope: f64,
    /// By `cc`, `cb`, `bb`.
    pub(super) second: [f64; 3],
    /// By `c`, and by `b`, and each `β`.
    pub(super) value_weights: Vec<f64>,
    pub(super) slope_weights: Vec<f64>,
}

impl SegmentDerivatives {
    /// With this many `β`.
    pub(super) fn zero(weights: usize) -> Self {
        let zeros = || vec![0.0; weights];
        Self { value_weights: zeros(), slope_weights: zeros(), ..Self::default() }
    }
}

/// What a parameter adds to value and slope of a stretch.
fn basis(problem: &Problem, stretch: usize, place: usize) -> (f64, f64) {
    let origin = problem.origin(stretch);
    match place {
        RATE => (origin, 1.0),
        OFFSET => (1.0, 0.0),
        change => (origin - problem.changepoints[change - CHANGES], 1.0),
    }
}

/// Adds a stretch's part of the gradient.
pub(super) fn gradient(problem: &Problem, stretch: usize, line: &SegmentDerivatives, gradient: &mut [f64]) {
    for (place, sum) in gradient.iter_mut().enumerate().take(CHANGES + stretch) {
        let (value, slope) = basis(problem, stretch, place);
        *sum += value * line.by_value + slope * line.by_slope;
    }
}

/// Adds a stretch's part of gradient and Hessian, below the diagonal and on it.
pub(super) fn curve(problem: &Problem, stretch: usize, line: &SegmentDerivatives, curve: &mut Curve) {
    gradient(problem, stretch, line, &mut curve.gradient);
    let (parameters, weights) = (problem.parameters(), problem.weights());
    let [cc, cb, bb] = line.second;
    for place in 0..CHANGES + stretch {
        let (value, slope) = basis(problem, stretch, place);
        let (by_value, by_slope) = (value * cc + slope * cb, value * cb + slope * bb);
        for (other, sum) in curve.hessian[place * parameters..].iter_mut().enumerate().take(place + 1) {
            let (value, slope) = basis(problem, stretch, other);
            *sum += by_value * value + by_slope * slope;
        }
        for (column, (c, b)) in line.value_weights.iter().zip(&line.slope_weights).enumerate() {
            curve.hessian[(weights + column) * parameters + place] += value * c + slope * b;
        }
    }
}
