//! What is left of the rows of linear and flat growth: sums of products, once for each stretch
//! between changepoints.
//!
//! Within a stretch the trend is `c + b u`, with `u` the time since the stretch began. A row is
//!
//! ```text
//! z = [ 1, X_m | u, u X_m | X_a | y ]
//! ```
//!
//! (features of multiplicative terms, of additive ones) and `G = Σ z zᵀ` over the rows of the
//! stretch: the sum of squares is a quadratic form of `G` in the weights that the model has there.
//! Local time keeps the sums well conditioned.
//!
//! A small sum of squares from sums of `y²` has few digits. [`Sums::recentre`] puts residuals of a
//! model that is nearly right in the place of `y`, and weights then count from those of that model.

use super::problem::Problem;
use super::rows;

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

/// Rows whose products are added at once, so that a sum is read and written once for all of them.
const TOGETHER: usize = 4;

impl<'a> Sums<'a> {
    pub(super) fn of(problem: &'a Problem) -> Self {
        let layout = &problem.table.layout;
        let block = 1 + layout.multiplicative.len();
        let width = 2 * block + layout.additive.len() + 1;
        let mut sums = Self { problem, block, width, stretches: Vec::new() };
        for stretch in 0..problem.stretches() {
            let products = sums.products(stretch);
            sums.stretches.push(SegmentSums { products, centre: vec![0.0; width] });
        }
        sums
    }

    pub(super) fn stretch(&self, stretch: usize) -> &SegmentSums {
        &self.stretches[stretch]
    }

    fn products(&self, stretch: usize) -> Vec<f64> {
        let width = self.width;
        let mut products = vec![0.0; width * width];
        let mut z = vec![0.0; TOGETHER * width];
        let mut filled = 0;
        for row in self.problem.rows_of(stretch) {
            self.fill(&mut z[filled * width..(filled + 1) * width], stretch, row);
            filled += 1;
            if filled == TOGETHER {
                add_products(&mut products, &z, width);
                filled = 0;
            }
        }
        z[filled * width..].fill(0.0);
        if filled > 0 {
            add_products(&mut products, &z, width);
        }
        for row in 0..width {
            for column in 0..row {
                products[row * width + column] = products[column * width + row];
            }
        }
        products
    }

    /// A row's `z`.
    fn fill(&self, z: &mut [f64], stretch: usize, row: usize) {
        let (table, block) = (&self.problem.table, self.block);
        let u = table.t[row] - self.problem.origin(stretch);
        let features = self.problem.features(row);
        z[0] = 1.0;
        z[block] = u;
        for (at, column) in table.layout.multiplicative.iter().enumerate() {
            z[1 + at] = features[*column];
            z[block + 1 + at] = u * features[*column];
        }
        for (at, column) in table.layout.additive.iter().enumerate() {
            z[2 * block + at] = features[*column];
        }
        z[self.width - 1] = table.y[row];
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
        let (problem, width) = (self.problem, self.width);
        let residuals = rows::residuals(problem, theta);
        let lines = problem.lines(theta);
        let mut z = vec![0.0; width];
        for (stretch, line) in lines.into_iter().enumerate() {
            let mut last = vec![0.0; width];
            for row in problem.rows_of(stretch) {
                self.fill(&mut z, stretch, row);
                let left = -residuals[row];
                z[width - 1] = left;
                for (sum, z) in last.iter_mut().zip(&z) {
                    *sum += z * left;
                }
            }
            let mut centre = vec![0.0; width];
            self.weights(theta, line, &mut centre);
            let stretch = &mut self.stretches[stretch];
            for (at, sum) in last.into_iter().enumerate() {
                stretch.products[at * width + width - 1] = sum;
                stretch.products[(width - 1) * width + at] = sum;
            }
            stretch.centre = centre;
        }
    }
}

/// Adds the products of four rows, on and above the diagonal.
#[cfg_attr(target_family = "wasm", target_feature(enable = "simd128"))]
fn add_products(products: &mut [f64], z: &[f64], width: usize) {
    let (first, rest) = z.split_at(width);
    let (second, rest) = rest.split_at(width);
    let (third, fourth) = rest.split_at(width);
    for (at, products) in products.chunks_exact_mut(width).enumerate() {
        let [a, b, c, d] = [first[at], second[at], third[at], fourth[at]];
        let pairs = first[at..].iter().zip(&second[at..]).zip(third[at..].iter().zip(&fourth[at..]));
        for (sum, ((first, second), (third, fourth))) in products[at..].iter_mut().zip(pairs) {
            *sum += a * first + b * second + c * third + d * fourth;
        }
    }
}
