//! A step along a direction that meets the strong Wolfe conditions (Nocedal and Wright, "Numerical
//! optimization", 2nd ed., algorithms 3.5 and 3.6), with the choices that Stan makes: brackets grow
//! tenfold, steps within them are minima of cubics, and the decrease is asked of the first trial
//! step while a bracket is sought.

/// Decrease of the value, and of the slope.
const DECREASE: f64 = 1e-4;
const CURVATURE: f64 = 0.9;

/// Brackets that are narrower are given up.
const NARROWEST: f64 = 1e-16;

/// The least step.
pub(super) const LEAST: f64 = 1e-12;

const MOST_BRACKETS: usize = 20;
const MOST_HALVINGS: usize = 10;

/// A point with its value and its gradient.
#[derive(Clone, Debug)]
pub(super) struct Point {
    pub(super) x: Vec<f64>,
    pub(super) value: f64,
    pub(super) gradient: Vec<f64>,
}

pub(super) fn dot(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).fold(0.0, |sum, (a, b)| sum + a * b)
}

/// A line from a point.
pub(super) struct Search<'a, F> {
    /// None where the function is not finite.
    pub(super) function: &'a F,
    pub(super) from: &'a Point,
    pub(super) direction: &'a [f64],
}

/// A trial along the line: step, value, slope.
#[derive(Clone, Copy)]
struct TrialStep {
    step: f64,
    value: f64,
    slope: f64,
}

impl<F: Fn(&[f64]) -> Option<Point>> Search<'_, F> {
    /// A step and the point it leads to. None if none is found.
    pub(super) fn step(&self, first: f64) -> Option<(f64, Point)> {
        let start = dot(&self.from.gradient, self.direction);
        let mut low = TrialStep { step: LEAST, value: self.from.value, slope: start };
        let (mut step, mut halvings) = (first, 0);
        let mut brackets = 0;
        while brackets < MOST_BRACKETS {
            let Some((here, point)) = self.at(step) else {
                if halvings >= MOST_HALVINGS {
                    return None;
                }
                step = 0.5 * (low.step + step);
                halvings += 1;
                continue;
            };
            halvings = 0;
            let decreased = here.value <= self.from.value + first * DECREASE * start;
            if !decreased || brackets > 0 && here.value >= low.value {
                return self.zoom(start, low, here);
            }
            if here.slope.abs() <= -CURVATURE * start {
                return Some((step, point));
            }
            if here.slope >= 0.0 {
                return self.zoom(start, here, low);
            }
            low = here;
            step *= 10.0;
            brackets += 1;
        }
        None
    }

    fn at(&self, step: f64) -> Option<(TrialStep, Point)> {
        let x: Vec<f64> = self.from.x.iter().zip(self.direction).map(|(x, along)| x + step * along).collect();
        let point = (self.function)(&x)?;
        let slope = dot(&point.gradient, self.direction);
        Some((TrialStep { step, value: point.value, slope }, point))
    }

    /// Between a lower end and another that bracket such a step.
    fn zoom(&self, start: f64, mut low: TrialStep, mut high: TrialStep) -> Option<(f64, Point)> {
        let mut turn = 0;
        loop {
            turn += 1;
            let width = (low.step - high.step).abs();
            if width.is_nan() || width < NARROWEST {
                return None;
            }
            let nearer = low.step.min(high.step);
            let middle = 0.5 * (low.step + high.step);
            let mut step = if turn % 5 == 0 { middle } else { between(low, high) };
            let margin = 0.01 * width;
            if !(step >= nearer + margin && step <= low.step.max(high.step) - margin) {
                step = middle;
            }
            let (here, point) = loop {
                if let Some(found) = self.at(step) {
                    break found;
                }
                step = 0.5 * (step + nearer);
                if (nearer - step).abs() < NARROWEST {
                    return None;
                }
            };
            if here.value > self.from.value + step * DECREASE * start || here.value >= low.value {
                high = here;
                continue;
            }
            if here.slope.abs() <= -CURVATURE * start {
                return Some((step, point));
            }
            if here.slope * (high.step - low.step) >= 0.0 {
                high = low;
            }
            low = here;
        }
    }
}

/// The minimum of the cubic through two trials (Nocedal and Wright, eq. 3.59).
fn between(low: TrialStep, high: TrialStep) -> f64 {
    let d1 = low.slope + high.slope - 3.0 * (low.value - high.value) / (low.step - high.step);
    let root = (d1 * d1 - low.slope * high.slope).sqrt();
    let d2 = if high.step < low.step { -root } else { root };
    high.step - (high.step - low.step) * (high.slope + d2 - d1) / (high.slope - low.slope + 2.0 * d2)
}

/// The minimum, on `[least, most]`, of the cubic with value 0 and slope `start` at 0, and `value`
/// and `slope` at `step`.
pub(super) fn cubic(start: f64, step: f64, value: f64, slope: f64, [least, most]: [f64; 2]) -> f64 {
    let third = (-12.0 * value + 6.0 * step * (start + slope)) / (step * step * step);
    let second = -(4.0 * start + 2.0 * slope) / step + 6.0 * value / (step * step);
    let at = |x: f64| x * (x * (x * third / 3.0 + second) / 2.0 + start);
    let root = (second * second - 2.0 * start * third).sqrt();
    let mut best = least;
    for x in [most, -(second + root) / third, -(second - root) / third] {
        if x >= least && x <= most && at(x) < at(best) {
            best = x;
        }
    }
    best
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `(x - 1)³ - 12x + 1` is 0 at 0, falls from there to `x = 3` and rises again.
    #[test]
    fn minima_of_cubics() {
        let value = |x: f64| (x - 1.0) * (x - 1.0) * (x - 1.0) - 12.0 * x + 1.0;
        let slope = |x: f64| 3.0 * (x - 1.0) * (x - 1.0) - 12.0;
        for (range, expected) in [([0.0, 10.0], 3.0), ([0.0, 2.0], 2.0), ([4.0, 6.0], 4.0)] {
            let found = cubic(slope(0.0), 5.0, value(5.0), slope(5.0), range);
            assert!((found - expected).abs() < 1e-12, "{range:?}: {found}");
        }
    }
}
