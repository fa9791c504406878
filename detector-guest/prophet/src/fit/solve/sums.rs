//! What is left of the rows of linear and flat growth: sums of products, once for each stretch
//! between changepoints.
//!
//! Within a stretch the trend is `c + b u`, with `u` the time since the stretch began. A row is
//!
//! ```text
//! z = [ 1, X_m | u, u X_m | X_a | 0… | y ]
//! ```
//!
//! (features of multiplicative terms, of additive ones, zeros up to a length that `Gram` has) and
//! `G = Σ z zᵀ` over the rows of the stretch: the sum of squares is a quadratic form of `G` in the
//! weights that the model has there.
//! Local time keeps the sums well conditioned.
//!
//! A small sum of squares from sums of `y²` has few digits. [`Sums::recentre`] puts residuals of a
//! model that is nearly right in the place of `y`, and weights then count from those of that model.

use std::ops::Range;

use super::gram::{self, Gram, PIECE, Piece};
use super::problem::Problem;
use super::rows;
use super::vectors::{dot, multiply, sum};

pub(super) struct Sums<'a> {
    pub(super) problem: &'a Problem,
    /// One more than the number of multiplicative columns: the length of each of the first two
    /// blocks.
    pub(super) block: usize,
    /// The length of `z`.
    pub(super) width: usize,
    stretches: Vec<SegmentSums>,
}

pub(super) struct SegmentSums {
    /// `G`, row by row.
    pub(super) products: Vec<f64>,
    /// The weights from which the last column is a residual; at first 0.
    pub(super) centre: Vec<f64>,
}

impl<'a> Sums<'a> {
    pub(super) fn of(problem: &'a Problem) -> Self {
        let layout = &problem.table.layout;
        let block = 1 + layout.multiplicative.len();
        let width = (2 * block + layout.additive.len() + 1).next_multiple_of(gram::COLUMNS);
        let mut sums = Self { problem, block, width, stretches: Vec::new() };
        let mut z = Piece::new(width);
        for stretch in 0..problem.stretches() {
            let products = sums.products(stretch, &mut z);
            sums.stretches.push(SegmentSums { products, centre: vec![0.0; width] });
        }
        sums
    }

    pub(super) fn stretch(&self, stretch: usize) -> &SegmentSums {
        &self.stretches[stretch]
    }

    fn products(&self, stretch: usize, z: &mut Piece) -> Vec<f64> {
        let mut gram = Gram::new(self.width);
        for rows in self.problem.pieces_of(stretch) {
            self.fill(z, stretch, rows);
            gram.add(z);
        }
        gram.matrix()
    }

    /// The `z` of a piece's rows. Its columns of zeros are not touched.
    fn fill(&self, z: &mut Piece, stretch: usize, rows: Range<usize>) {
        let (problem, layout, block) = (self.problem, &self.problem.table.layout, self.block);
        let (mut u, mut product) = ([0.0; PIECE], [0.0; PIECE]);
        let (u, product) = (&mut u[..rows.len()], &mut product[..rows.len()]);
        let origin = problem.origin(stretch);
        for (u, t) in u.iter_mut().zip(&problem.table.t[rows.clone()]) {
            *u = t - origin;
        }
        z.put(0, &[1.0; PIECE][..rows.len()]);
        z.put(block, u);
        for (at, column) in layout.multiplicative.iter().enumerate() {
            let feature = problem.feature(*column, rows.clone());
            z.put(1 + at, feature);
            multiply(product, feature, u);
            z.put(block + 1 + at, product);
        }
        for (at, column) in layout.additive.iter().enumerate() {
            z.put(2 * block + at, problem.feature(*column, rows.clone()));
        }
        z.put(self.width - 1, &problem.table.y[rows]);
    }

    /// The weights that a model has in a stretch where its trend is `value + slope u`; 0 for `y`.
    pub(super) fn weights(&self, theta: &[f64], (value, slope): (f64, f64), weights: &mut [f64]) {
        let (layout, block) = (&self.problem.table.layout, self.block);
        let beta = &theta[self.problem.weights()..];
        weights[0] = value;
        weights[block] = slope;
        for (at, column) in layout.multiplicative.iter().enumerate() {
            weights[1 + at] = value * beta[*column];
            weights[block + 1 + at] = slope * beta[*column];
        }
        for (at, column) in layout.additive.iter().enumerate() {
            weights[2 * block + at] = beta[*column];
        }
        weights[self.width - 1] = 0.0;
    }

    /// Counts from this model: goes through the rows once.
    pub(super) fn recentre(&mut self, theta: &[f64]) {
        let (problem, block, width) = (self.problem, self.block, self.width);
        let layout = &problem.table.layout;
        // Of each stretch `Σ z r`, with `r` the residual `y - μ`.
        let mut last = vec![0.0; problem.stretches() * width];
        let mut moments = Vec::new();
        rows::evaluate(problem, theta, |stretch, model| {
            let last = &mut last[stretch * width..(stretch + 1) * width];
            let residuals = &model.residuals;
            moments.resize(residuals.len(), 0.0);
            multiply(&mut moments, residuals, &model.u);
            last[0] -= sum(residuals);
            last[block] -= sum(&moments);
            for (at, column) in layout.multiplicative.iter().enumerate() {
                let feature = problem.feature(*column, model.rows.clone());
                last[1 + at] -= dot(feature, residuals);
                last[block + 1 + at] -= dot(feature, &moments);
            }
            for (at, column) in layout.additive.iter().enumerate() {
                last[2 * block + at] -= dot(problem.feature(*column, model.rows.clone()), residuals);
            }
            last[width - 1] += dot(residuals, residuals);
        });
        let lines = problem.lines(theta);
        for ((stretch, line), last) in lines.into_iter().enumerate().zip(last.chunks_exact(width)) {
            let mut centre = vec![0.0; width];
            self.weights(theta, line, &mut centre);
            let stretch = &mut self.stretches[stretch];
            for (at, sum) in last.iter().enumerate() {
                stretch.products[at * width + width - 1] = *sum;
                stretch.products[(width - 1) * width + at] = *sum;
            }
            stretch.centre = centre;
        }
    }
}
