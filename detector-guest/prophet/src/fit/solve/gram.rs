//! `Σ z zᵀ` over rows: the greatest part of a training.
//!
//! Blocks of 4 × 2 sums are taken through a piece of rows at a time, four rows at a turn: six times
//! four numbers are read for eight times four products. Each sum is two, of the rows with an even
//! and with an odd place, as two numbers fill a vector.

use super::pair::Pair;

/// Rows in a piece at most: 32 columns of them fill half of a processor's nearest cache.
pub(super) const PIECE: usize = 64;

/// `z` has a multiple of as many numbers.
pub(super) const COLUMNS: usize = 4;

/// Four rows of four columns.
type Quad = [[f64; 4]; COLUMNS];

/// The `z` of a piece's rows: of four columns each, what a turn reads lies together.
pub(super) struct Piece {
    groups: Vec<[Quad; PIECE / 4]>,
    rows: usize,
}

impl Piece {
    /// With zeros in all columns; `width` is a multiple of [`COLUMNS`].
    pub(super) fn new(width: usize) -> Self {
        Self { groups: vec![[[[0.0; 4]; COLUMNS]; PIECE / 4]; width / COLUMNS], rows: 0 }
    }

    /// Sets a column of as many rows as the piece's other columns have.
    pub(super) fn put(&mut self, column: usize, values: &[f64]) {
        self.rows = values.len();
        let quads = self.groups[column / COLUMNS].iter_mut().map(|quad| &mut quad[column % COLUMNS]);
        let (fours, rest) = values.as_chunks::<4>();
        // Rows that fill the last four up are zeros.
        let mut last = [0.0; 4];
        last[..rest.len()].copy_from_slice(rest);
        for (quad, four) in quads.zip(fours.iter().chain([&last])) {
            *quad = *four;
        }
    }
}

/// The sums.
pub(super) struct Gram {
    width: usize,
    /// The blocks on and above the diagonal, in rows.
    blocks: Vec<[[f64; 2]; 8]>,
}

impl Gram {
    /// Of `z` with `width` numbers, a multiple of [`COLUMNS`].
    pub(super) fn new(width: usize) -> Self {
        let groups = width / COLUMNS;
        Self { width, blocks: vec![[[0.0; 2]; 8]; groups * (groups + 1)] }
    }

    /// Adds the products of a piece's rows.
    pub(super) fn add(&mut self, z: &Piece) {
        let turns = z.rows.div_ceil(4);
        let mut blocks = self.blocks.as_chunks_mut::<2>().0.iter_mut();
        for (at, rows) in z.groups.iter().enumerate() {
            for (columns, [first, second]) in z.groups[at..].iter().zip(&mut blocks) {
                add_block::<0>(first, &rows[..turns], &columns[..turns]);
                add_block::<1>(second, &rows[..turns], &columns[..turns]);
            }
        }
    }

    /// The matrix, row by row.
    pub(super) fn matrix(&self) -> Vec<f64> {
        let width = self.width;
        let mut matrix = vec![0.0; width * width];
        let corners = |row| (row..width).step_by(2).map(move |column| (row, column));
        for ((row, column), block) in (0..width).step_by(4).flat_map(corners).zip(&self.blocks) {
            for (at, sums) in block.iter().enumerate() {
                let (row, column) = (row + at / 2, column + at % 2);
                matrix[row * width + column] = sums[0] + sums[1];
                matrix[column * width + row] = sums[0] + sums[1];
            }
        }
        matrix
    }
}

/// All four columns of `rows` with two of `columns`.
#[cfg_attr(target_family = "wasm", target_feature(enable = "simd128"))]
fn add_block<const HALF: usize>(block: &mut [[f64; 2]; 8], rows: &[Quad], columns: &[Quad]) {
    let mut sums: [Pair; 8] = std::array::from_fn(|at| Pair::new(block[at]));
    for (row, column) in rows.iter().zip(columns) {
        let half = |four: &[f64; 4], first: usize| Pair::new([four[first], four[first + 1]]);
        for (at, sum) in sums.iter_mut().enumerate() {
            let (row, column) = (&row[at / 2], &column[2 * HALF + at % 2]);
            let (first, second) = (half(row, 0).times(half(column, 0)), half(row, 2).times(half(column, 2)));
            *sum = sum.plus(first.plus(second));
        }
    }
    *block = std::array::from_fn(|at| sums[at].numbers());
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Whole numbers have no rounding, so any order has the same sum.
    #[test]
    fn every_product() {
        for width in [4, 8, 20] {
            let (mut gram, mut z) = (Gram::new(width), Piece::new(width));
            let mut expected = vec![0.0; width * width];
            for rows in [PIECE, 1, 17, 0, 40] {
                let number = |column: usize, row: usize| ((column * 7 + row * 3 + rows) % 13) as f64 - 5.0;
                for column in 0..width {
                    let values: Vec<f64> = (0..rows).map(|row| number(column, row)).collect();
                    z.put(column, &values);
                }
                gram.add(&z);
                for (at, sum) in expected.iter_mut().enumerate() {
                    let (one, other) = (at / width, at % width);
                    *sum += (0..rows).map(|row| number(one, row) * number(other, row)).sum::<f64>();
                }
            }
            assert_eq!(gram.matrix(), expected, "{width}");
        }
    }
}
