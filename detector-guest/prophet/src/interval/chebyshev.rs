//! The half-width over a stretch of rows as a polynomial, so that not every row is solved.
//!
//! A quantile costs microseconds, and it is a smooth function of two numbers: the time that a row
//! lies ahead, and its pace, the mean change of rate measured by the noise. It is solved at the
//! nodes of a grid,
//!
//! ```text
//! q(x, y) = Σ cₘₙ Tₘ(x) Tₙ(y)     x, y in [-1, 1] over the stretch's times and paces
//! ```
//!
//! and the coefficients fall off geometrically, at a rate that the singularity at time 0 or pace 0
//! sets (Trefethen 2013, "Approximation Theory and Approximation Practice", theorem 8.2). The last
//! ones are about what is left out: where they are not small there is no sheet, and who asks solves
//! row by row.

use std::ops::RangeInclusive;

/// Nodes along an axis; over a stretch that ends at twice its beginning they are as many as `SMALL`
/// takes.
const MOST_NODES: usize = 12;

/// What the last two coefficients of an axis may be, against the first.
const SMALL: f64 = 1e-8;

/// Heights over a rectangle of times and paces.
#[derive(Clone, Debug)]
pub(super) struct Sheet {
    time: Axis,
    pace: Axis,
    /// `cₘₙ`, a row for each power of time.
    coefficients: Vec<f64>,
}

#[derive(Clone, Copy, Debug)]
struct Axis {
    middle: f64,
    half: f64,
    nodes: usize,
}

/// Values of `T₀`, `T₁`, ….
type ChebyshevBasis = [f64; MOST_NODES];

impl Sheet {
    /// How many solutions it takes to know the heights over these times and paces, all above 0.
    pub(super) fn nodes(times: &RangeInclusive<f64>, paces: &RangeInclusive<f64>) -> usize {
        Axis::over(times).nodes * Axis::over(paces).nodes
    }

    /// Through what `height` says of a time and a pace; none if that is not smooth enough.
    pub(super) fn fit(
        times: &RangeInclusive<f64>,
        paces: &RangeInclusive<f64>,
        mut height: impl FnMut(f64, f64) -> f64,
    ) -> Option<Self> {
        let (time, pace) = (Axis::over(times), Axis::over(paces));
        let mut coefficients = vec![0.0; time.nodes * pace.nodes];
        for (m, row) in coefficients.chunks_exact_mut(pace.nodes).enumerate() {
            // There and back again, so that each solution is a good guess for the next.
            for n in 0..pace.nodes {
                let n = if m % 2 == 0 { n } else { pace.nodes - 1 - n };
                row[n] = height(time.node(m), pace.node(n));
            }
            pace.transform(row);
        }
        let mut column = vec![0.0; time.nodes];
        for n in 0..pace.nodes {
            for (m, height) in column.iter_mut().enumerate() {
                *height = coefficients[m * pace.nodes + n];
            }
            time.transform(&mut column);
            for (m, coefficient) in column.iter().enumerate() {
                coefficients[m * pace.nodes + n] = *coefficient;
            }
        }
        let last = |at: usize| time.is_last(at / pace.nodes) || pace.is_last(at % pace.nodes);
        let left_out: f64 =
            coefficients.iter().enumerate().filter(|(at, _)| last(*at)).map(|(_, c)| c.abs()).sum();
        (left_out <= SMALL * coefficients[0].abs()).then_some(Self { time, pace, coefficients })
    }

    /// The height at a time and a pace of the rectangle.
    pub(super) fn at(&self, time: f64, pace: f64) -> f64 {
        let (x, y) = (self.time.basis(time), self.pace.basis(pace));
        let rows = self.coefficients.chunks_exact(self.pace.nodes);
        rows.zip(&x).map(|(row, x)| x * row.iter().zip(&y).map(|(c, y)| c * y).sum::<f64>()).sum()
    }
}

impl Axis {
    fn over(range: &RangeInclusive<f64>) -> Self {
        let (middle, half) = (0.5 * (range.start() + range.end()), 0.5 * (range.end() - range.start()));
        if half <= f64::EPSILON * middle {
            return Self { middle, half: 0.0, nodes: 1 };
        }
        let zero = middle / half;
        let rate = libm::log(zero + (zero * zero - 1.0).max(0.0).sqrt());
        let terms = (-libm::log(SMALL) / rate).ceil();
        Self { middle, half, nodes: (terms.min(MOST_NODES as f64) as usize + 2).clamp(4, MOST_NODES) }
    }

    fn node(self, node: usize) -> f64 {
        self.middle + self.half * libm::cos(self.angle(node))
    }

    fn angle(self, node: usize) -> f64 {
        std::f64::consts::PI * (node as f64 + 0.5) / self.nodes as f64
    }

    fn is_last(self, coefficient: usize) -> bool {
        self.nodes > 1 && coefficient + 2 >= self.nodes
    }

    /// From heights at the nodes to coefficients.
    fn transform(self, heights: &mut [f64]) {
        let coefficient = |n: usize| {
            let sum: f64 = heights
                .iter()
                .enumerate()
                .map(|(at, height)| height * libm::cos(n as f64 * self.angle(at)))
                .sum();
            if n == 0 { sum / self.nodes as f64 } else { 2.0 * sum / self.nodes as f64 }
        };
        let mut coefficients = ChebyshevBasis::default();
        for (n, place) in coefficients[..self.nodes].iter_mut().enumerate() {
            *place = coefficient(n);
        }
        heights.copy_from_slice(&coefficients[..self.nodes]);
    }

    fn basis(self, at: f64) -> ChebyshevBasis {
        let x = if self.half > 0.0 { (at - self.middle) / self.half } else { 0.0 };
        let mut basis = ChebyshevBasis::default();
        (basis[0], basis[1]) = (1.0, x);
        for n in 2..self.nodes {
            basis[n] = 2.0 * x * basis[n - 1] - basis[n - 2];
        }
        basis
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test stops at the first surprise")]

    use super::*;

    #[test]
    fn a_smooth_surface_is_met_between_its_nodes() {
        let height = |time: f64, pace: f64| 2.0 + libm::log(1.0 + time) * pace.sqrt();
        let mut solved = 0;
        let counted = |time: f64, pace: f64| {
            solved += 1;
            height(time, pace)
        };
        let sheet = Sheet::fit(&(1.0..=2.0), &(3.0..=4.0), counted).unwrap();
        assert_eq!(solved, Sheet::nodes(&(1.0..=2.0), &(3.0..=4.0)));
        for step in 0..=50 {
            let (time, pace) = (1.0 + f64::from(step) / 50.0, 4.0 - f64::from(step * step) / 2_500.0);
            assert!((sheet.at(time, pace) - height(time, pace)).abs() < 1e-8, "{time} {pace}");
        }
    }

    #[test]
    fn a_constant_pace_takes_one_node() {
        let nodes = Sheet::nodes(&(1.0..=2.0), &(0.3..=0.3));
        assert!(nodes <= MOST_NODES, "{nodes}");
        let sheet = Sheet::fit(&(1.0..=2.0), &(0.3..=0.3), |time, pace| libm::log(time) + pace).unwrap();
        assert!((sheet.at(1.7, 0.3) - (libm::log(1.7) + 0.3)).abs() < 1e-8);
    }

    #[test]
    fn a_bend_or_a_number_that_is_none_is_refused() {
        for height in [|time: f64| (time - 1.3).abs(), |_| f64::NAN] {
            assert!(Sheet::fit(&(1.0..=2.0), &(1.0..=1.0), |time, _| height(time)).is_none());
        }
    }
}
