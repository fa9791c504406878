//! What is maximised: the posterior density of Prophet's model (`prophet.stan`), in scaled units
//! and without constants.
//!
//! ```text
//! ln p = -(k² + m²)/50 - Σ |δⱼ|/τ - Σ β²/(2ς²) - 2σ² - n ln σ - Σ (y - μ)²/(2σ²)
//! μ = g · (1 + Σ multiplicative x β) + Σ additive x β
//! g = k t + m + Σ δⱼ (t - sⱼ)+          linear
//! g = m                                 flat
//! g = C / (1 + exp(-x)),  x = k (t - m) + Σ δⱼ (t - sⱼ)+     logistic
//! ```
//!
//! The hinges `(t - sⱼ)+` make trend and argument continuous, so that Prophet's offsets `γ` are not
//! needed.

use std::ops::Range;

use super::gram::PIECE;
use crate::fit::prepare::Layout;
use crate::fit::settings::Growth;

/// Scaled rows, sorted by time.
pub(in crate::fit) struct ProblemRows {
    pub(in crate::fit) t: Vec<f64>,
    pub(in crate::fit) y: Vec<f64>,
    /// Empty unless growth is logistic.
    pub(in crate::fit) cap: Vec<f64>,
    /// The features, column by column.
    pub(in crate::fit) x: Vec<f64>,
    pub(in crate::fit) layout: Layout,
}

pub(in crate::fit) struct Problem {
    pub(in crate::fit) growth: Growth,
    pub(super) table: ProblemRows,
    /// `s`, sorted; at least one.
    pub(super) changepoints: Vec<f64>,
    /// `τ`.
    pub(super) change_scale: f64,
    /// The first row of each stretch between changepoints, and the number of rows.
    bounds: Vec<usize>,
}

/// Of the prior of `k` and `m`, which are normal with deviation 5: one over the variance.
const TREND_PRECISION: f64 = 1.0 / 25.0;

/// Places of `k` and `m` in `θ`; `δ` follows, then `β`.
pub(super) const RATE: usize = 0;
pub(super) const OFFSET: usize = 1;
pub(super) const CHANGES: usize = 2;

impl Problem {
    pub(in crate::fit) fn new(
        growth: Growth,
        table: ProblemRows,
        changepoints: Vec<f64>,
        change_scale: f64,
    ) -> Self {
        let mut bounds = vec![0];
        bounds.extend(changepoints.iter().map(|at| table.t.partition_point(|t| t < at)));
        bounds.push(table.t.len());
        Self { growth, table, changepoints, change_scale, bounds }
    }

    pub(in crate::fit) fn rows(&self) -> usize {
        self.table.t.len()
    }

    /// Scaled times, values and capacities of the rows.
    pub(in crate::fit) fn times(&self) -> &[f64] {
        &self.table.t
    }

    pub(in crate::fit) fn values(&self) -> &[f64] {
        &self.table.y
    }

    pub(in crate::fit) fn capacities(&self) -> &[f64] {
        &self.table.cap
    }

    #[cfg(test)]
    pub(in crate::fit) fn layout(&self) -> &Layout {
        &self.table.layout
    }

    /// `K`.
    pub(in crate::fit) fn columns(&self) -> usize {
        self.table.layout.deviations.len()
    }

    /// The place of the first `β`.
    pub(in crate::fit) fn weights(&self) -> usize {
        CHANGES + self.changepoints.len()
    }

    /// Their number: the length of `θ`.
    pub(super) fn parameters(&self) -> usize {
        self.weights() + self.columns()
    }

    /// A feature at these rows.
    pub(super) fn feature(&self, column: usize, rows: Range<usize>) -> &[f64] {
        &self.table.x[column * self.rows()..(column + 1) * self.rows()][rows]
    }

    pub(super) fn stretches(&self) -> usize {
        self.bounds.len() - 1
    }

    pub(super) fn rows_of(&self, stretch: usize) -> Range<usize> {
        self.bounds[stretch]..self.bounds[stretch + 1]
    }

    /// The rows of a stretch, as many at once as fill a piece.
    pub(super) fn pieces_of(&self, stretch: usize) -> impl Iterator<Item = Range<usize>> + use<> {
        let Range { start, end } = self.rows_of(stretch);
        (start..end).step_by(PIECE).map(move |first| first..end.min(first + PIECE))
    }

    /// Where the time of a stretch is counted from.
    pub(super) fn origin(&self, stretch: usize) -> f64 {
        if stretch == 0 { 0.0 } else { self.changepoints[stretch - 1] }
    }

    /// Of each stretch the value at its origin and the slope: of the trend, or of the argument of
    /// logistic growth.
    pub(super) fn lines(&self, theta: &[f64]) -> Vec<(f64, f64)> {
        let (rate, offset) = (theta[RATE], theta[OFFSET]);
        let (mut value, mut slope) = match self.growth {
            Growth::Linear => (offset, rate),
            Growth::Logistic => (-rate * offset, rate),
            Growth::Flat => (offset, 0.0),
        };
        let mut origin = 0.0;
        let mut lines = vec![(value, slope)];
        for (at, change) in self.changepoints.iter().zip(&theta[CHANGES..]) {
            value += slope * (at - origin);
            origin = *at;
            if self.growth != Growth::Flat {
                slope += change;
            }
            lines.push((value, slope));
        }
        lines
    }

    /// Whether the data say anything of this parameter; otherwise it is 0.
    pub(super) fn is_free(&self, place: usize) -> bool {
        self.growth != Growth::Flat || place == OFFSET || place >= self.weights()
    }

    /// One over the variance of the prior of `k`, `m` or a `β`.
    pub(super) fn precision(&self, place: usize) -> f64 {
        if place < CHANGES {
            return TREND_PRECISION;
        }
        let deviation = self.table.layout.deviations[place - self.weights()];
        1.0 / (deviation * deviation)
    }

    /// What the prior has of `-ln p`, `σ` left out.
    fn prior(&self, theta: &[f64]) -> f64 {
        let (trend, rest) = theta.split_at(CHANGES);
        let (changes, weights) = rest.split_at(self.changepoints.len());
        let mut sum = 0.0;
        for parameter in trend {
            sum += parameter * parameter * TREND_PRECISION / 2.0;
        }
        for change in changes {
            sum += change.abs() / self.change_scale;
        }
        for (weight, deviation) in weights.iter().zip(&self.table.layout.deviations) {
            sum += weight * weight / (2.0 * deviation * deviation);
        }
        sum
    }

    /// `-ln p`.
    pub(super) fn value(&self, theta: &[f64], sigma: f64, squares: f64) -> f64 {
        let variance = sigma * sigma;
        let rows = self.rows() as f64;
        self.prior(theta) + 2.0 * variance + rows * libm::log(sigma) + squares / (2.0 * variance)
    }

    /// The `σ` that is best for a sum of squares: `4σ⁴ + nσ² - squares = 0`, in a form that does
    /// not cancel.
    pub(super) fn noise(&self, squares: f64) -> f64 {
        let rows = self.rows() as f64;
        (2.0 * squares / (rows + (rows * rows + 16.0 * squares).sqrt())).sqrt()
    }

    /// By how much the conditions of an optimum at this `σ` are missed at worst. `gradient` is that
    /// of half the sum of squares. Zero changes may have any slope up to `1/τ`; changes count in
    /// units of it.
    pub(super) fn violation(&self, theta: &[f64], gradient: &[f64], sigma: f64) -> f64 {
        let scale = self.change_scale;
        let mut worst: f64 = 0.0;
        for (place, (parameter, slope)) in theta.iter().zip(gradient).enumerate() {
            if !self.is_free(place) {
                continue;
            }
            let slope = slope / (sigma * sigma);
            let miss = if !(CHANGES..self.weights()).contains(&place) {
                (slope + parameter * self.precision(place)).abs() * scale.min(1.0)
            } else if *parameter == 0.0 {
                (slope.abs() * scale - 1.0).max(0.0)
            } else {
                (slope * scale + parameter.signum()).abs()
            };
            // Not `max`, which would pass over a NaN.
            if miss.is_nan() || miss > worst {
                worst = miss;
            }
        }
        worst
    }
}
