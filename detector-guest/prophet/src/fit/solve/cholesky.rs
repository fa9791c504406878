//! `A = L Lᵀ` of a symmetric positive definite matrix, and systems that it solves (Golub and Van
//! Loan, "Matrix computations", 4.2).
//!
//! The order of every sum is written in `vectors`, and so is the result to the last bit.

use super::vectors::dot;

/// The lower triangle `L`, row by row.
pub(super) struct Cholesky {
    size: usize,
    lower: Vec<f64>,
}

/// A pivot that lost more digits than this is taken for zero.
const LOST: f64 = 1e-14;

impl Cholesky {
    /// None if the matrix is not positive definite. What is above its diagonal is not looked at.
    pub(super) fn of(size: usize, mut matrix: Vec<f64>) -> Option<Self> {
        for row in 0..size {
            let (above, rest) = matrix.split_at_mut(row * size);
            let own = &mut rest[..size];
            for column in 0..row {
                let other = &above[column * size..=column * size + column];
                let sum = own[column] - dot(&own[..column], &other[..column]);
                own[column] = sum / other[column];
            }
            let pivot = own[row] - dot(&own[..row], &own[..row]);
            if !pivot.is_finite() || pivot <= own[row].abs() * LOST {
                return None;
            }
            own[row] = pivot.sqrt();
        }
        Some(Self { size, lower: matrix })
    }

    /// `L x = b`, in place.
    pub(super) fn forward(&self, b: &mut [f64]) {
        for row in 0..self.size {
            let lower = &self.lower[row * self.size..=row * self.size + row];
            b[row] = (b[row] - dot(&lower[..row], &b[..row])) / lower[row];
        }
    }

    /// `Lᵀ x = b`, in place.
    pub(super) fn backward(&self, b: &mut [f64]) {
        for row in (0..self.size).rev() {
            let lower = &self.lower[row * self.size..=row * self.size + row];
            let solved = b[row] / lower[row];
            b[row] = solved;
            for (b, entry) in b[..row].iter_mut().zip(lower) {
                *b -= entry * solved;
            }
        }
    }

    /// `A x = b`, in place.
    pub(super) fn solve(&self, b: &mut [f64]) {
        self.forward(b);
        self.backward(b);
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test")]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn system() -> impl Strategy<Value = (usize, Vec<f64>, Vec<f64>)> {
        (1..14_usize).prop_flat_map(|size| {
            let numbers = prop::collection::vec(-1.0..1.0, size * size);
            (Just(size), numbers, prop::collection::vec(-1.0..1.0, size))
        })
    }

    proptest! {
        #[test]
        fn what_it_solves_is_solved((size, numbers, b) in system()) {
            // N Nᵀ + 1 is positive definite.
            let entry = |i: usize, j: usize| {
                let product: f64 = (0..size).map(|k| numbers[i * size + k] * numbers[j * size + k]).sum();
                product + if i == j { 1.0 } else { 0.0 }
            };
            let matrix: Vec<f64> = (0..size * size).map(|at| entry(at / size, at % size)).collect();
            let mut x = b.clone();
            Cholesky::of(size, matrix).unwrap().solve(&mut x);
            for (i, b) in b.iter().enumerate() {
                let found: f64 = (0..size).map(|j| entry(i, j) * x[j]).sum();
                prop_assert!((found - b).abs() < 1e-12, "{found} {b}");
            }
        }
    }

    #[test]
    fn what_is_not_positive_definite_is_refused() {
        for matrix in [
            [1.0, 2.0, 2.0, 1.0],
            [0.0, 0.0, 0.0, 1.0],
            [1.0, 1.0, 1.0, 1.0],
            [f64::NAN, 0.0, 0.0, 1.0],
            [f64::INFINITY, 0.0, 0.0, 1.0],
        ] {
            assert!(Cholesky::of(2, matrix.to_vec()).is_none(), "{matrix:?}");
        }
    }
}
