//! `Σ z zᵀ` over rows: the greatest part of a training.
//!
//! Rows come in pieces, a column after the other, and blocks of 4 × 2 sums are taken through a
//! piece at a time: six numbers are read for eight products, and the sums stay in the processor's
//! registers. Each sum is two, of the rows with an even and with an odd place, as two numbers fill
//! a vector.

use super::vectors::products;
use crate::lanes::{LANES, Lanes};

/// Rows in a piece at most: 32 columns of them fill half of a processor's nearest cache.
pub(super) const PIECE: usize = 4 * LANES;

/// The rows of one column of a piece.
pub(super) type PieceColumn = [Lanes; PIECE / LANES];

pub(super) const EMPTY_COLUMN: PieceColumn = [[0.0; LANES]; PIECE / LANES];

/// `z` has a multiple of as many numbers.
pub(super) const COLUMNS: usize = 4;

pub(super) struct Gram {
    width: usize,
    /// The blocks on and above the diagonal, in rows.
    blocks: Vec<[[f64; 2]; 8]>,
}

impl Gram {
    /// Of `z` with `width` numbers, a multiple of [`COLUMNS`].
    pub(super) fn new(width: usize) -> Self {
        let (fours, pairs) = (width / 4, width / 2);
        let blocks = (0..fours).map(|four| pairs - 2 * four).sum();
        Self { width, blocks: vec![[[0.0; 2]; 8]; blocks] }
    }

    /// Adds the products of the first `rows` rows of these columns. What follows them in the last
    /// tile must be 0.
    pub(super) fn add(&mut self, z: &[PieceColumn], rows: usize) {
        let tiles = rows.div_ceil(LANES);
        let ((fours, _), (pairs, _)) = (z.as_chunks::<4>(), z.as_chunks::<2>());
        let mut blocks = self.blocks.iter_mut();
        for (at, four) in fours.iter().enumerate() {
            for (pair, block) in pairs[2 * at..].iter().zip(&mut blocks) {
                add_block(block, four, pair, tiles);
            }
        }
    }

    /// The matrix, row by row.
    pub(super) fn matrix(&self) -> Vec<f64> {
        let width = self.width;
        let mut matrix = vec![0.0; width * width];
        let places =
            (0..width).step_by(4).flat_map(|row| (row..width).step_by(2).map(move |column| (row, column)));
        for ((row, column), block) in places.zip(&self.blocks) {
            for (at, sums) in block.iter().enumerate() {
                let (row, column) = (row + at / 2, column + at % 2);
                matrix[row * width + column] = sums[0] + sums[1];
                matrix[column * width + row] = sums[0] + sums[1];
            }
        }
        matrix
    }
}

/// Sets the first rows of a column, and those behind them in the last tile to 0.
pub(super) fn put(column: &mut PieceColumn, rows: usize, values: impl Iterator<Item = f64>) {
    let column = &mut column.as_flattened_mut();
    column[rows..].fill(0.0);
    for (place, value) in column[..rows].iter_mut().zip(values) {
        *place = value;
    }
}

#[cfg_attr(target_family = "wasm", target_feature(enable = "simd128"))]
fn add_block(block: &mut [[f64; 2]; 8], four: &[PieceColumn; 4], pair: &[PieceColumn; 2], tiles: usize) {
    let [first, second] = pair;
    for (row, sums) in four.iter().zip(block.as_chunks_mut::<2>().0) {
        let [mut one, mut other] = *sums;
        for ((row, first), second) in row.iter().zip(first).zip(second).take(tiles) {
            let ([one_even, one_odd], [other_even, other_odd]) = (products(row, first), products(row, second));
            one = [one[0] + one_even, one[1] + one_odd];
            other = [other[0] + other_even, other[1] + other_odd];
        }
        *sums = [one, other];
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Whole numbers have no rounding, so any order has the same sum.
    #[test]
    fn every_product() {
        for width in [4, 8, 20] {
            let mut gram = Gram::new(width);
            let mut expected = vec![0.0; width * width];
            for rows in [PIECE, 1, 17, 0, 40] {
                let number = |column: usize, row: usize| ((column * 7 + row * 3 + rows) % 13) as f64 - 5.0;
                let mut z = vec![EMPTY_COLUMN; width];
                for (column, numbers) in z.iter_mut().enumerate() {
                    for row in 0..rows {
                        numbers.as_flattened_mut()[row] = number(column, row);
                    }
                }
                gram.add(&z, rows);
                for (at, sum) in expected.iter_mut().enumerate() {
                    let (one, other) = (at / width, at % width);
                    *sum += (0..rows).map(|row| number(one, row) * number(other, row)).sum::<f64>();
                }
            }
            assert_eq!(gram.matrix(), expected, "{width}");
        }
    }
}
