//! A natural cubic spline over an even grid.

/// A smooth curve through given heights.
#[derive(Clone, Debug)]
pub(super) struct Spline {
    start: f64,
    step: f64,
    heights: Vec<f64>,
    /// Second derivatives at the knots, times `step² / 6`.
    bends: Vec<f64>,
}

impl Spline {
    /// Through `heights` at `start`, `start + step`, …; at least two of them.
    pub(super) fn new(start: f64, step: f64, heights: Vec<f64>) -> Self {
        let knots = heights.len();
        let mut bends = vec![0.0; knots];
        // b₍ᵢ₋₁₎ + 4 bᵢ + b₍ᵢ₊₁₎ = y₍ᵢ₋₁₎ - 2 yᵢ + y₍ᵢ₊₁₎, the ends being 0: eliminated downwards,
        // then solved upwards.
        let mut above = vec![0.0; knots];
        for i in 1..knots.saturating_sub(1) {
            let pivot = 4.0 - above[i - 1];
            above[i] = 1.0 / pivot;
            bends[i] = (heights[i - 1] - 2.0 * heights[i] + heights[i + 1] - bends[i - 1]) / pivot;
        }
        for i in (1..knots.saturating_sub(1)).rev() {
            bends[i] -= above[i] * bends[i + 1];
        }
        Self { start, step, heights, bends }
    }

    pub(super) fn start(&self) -> f64 {
        self.start
    }

    pub(super) fn end(&self) -> f64 {
        self.start + self.step * (self.heights.len().saturating_sub(1)) as f64
    }

    /// The height at `x`, which lies between start and end.
    pub(super) fn at(&self, x: f64) -> f64 {
        let place = (x - self.start) / self.step;
        let knot = (place.max(0.0) as usize).min(self.heights.len().saturating_sub(2));
        let right = place - knot as f64;
        let left = 1.0 - right;
        left * self.heights[knot]
            + right * self.heights[knot + 1]
            + (left * left * left - left) * self.bends[knot]
            + (right * right * right - right) * self.bends[knot + 1]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_goes_through_its_knots_and_follows_a_smooth_curve() {
        let curve = |x: f64| libm::sin(2.0 * x);
        let spline = Spline::new(
            0.0,
            std::f64::consts::PI / 400.0,
            (0..=400).map(|i| curve(f64::from(i) * std::f64::consts::PI / 400.0)).collect(),
        );
        assert!((spline.end() - std::f64::consts::PI).abs() < 1e-14);
        for i in 0..1_000 {
            let x = std::f64::consts::PI / 1_000.0 * f64::from(i);
            assert!((spline.at(x) - curve(x)).abs() < 1e-8, "{x}");
        }
    }
}
