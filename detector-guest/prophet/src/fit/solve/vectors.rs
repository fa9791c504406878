//! Loops over a column, or a row of a matrix.
//!
//! In a component each turn of a loop asks whether its time is up, so a turn does sixteen numbers
//! (see `lanes`). The order of every sum is written here, and so is the result to the last bit.

use crate::lanes::{LANES, Lanes};

/// `Σ aᵢ bᵢ` of a tile, in two sums: of the even places and of the odd ones.
#[inline(always)]
fn products(a: &Lanes, b: &Lanes) -> [f64; 2] {
    let sixteen: Lanes = std::array::from_fn(|at| a[at] * b[at]);
    // One half onto the other: four additions one after the other, and not sixteen.
    let eight: [f64; 8] = std::array::from_fn(|at| sixteen[at] + sixteen[at + 8]);
    let four: [f64; 4] = std::array::from_fn(|at| eight[at] + eight[at + 4]);
    [four[0] + four[2], four[1] + four[3]]
}

/// `Σ aᵢ bᵢ`.
#[cfg_attr(target_family = "wasm", target_feature(enable = "simd128"))]
pub(super) fn dot(a: &[f64], b: &[f64]) -> f64 {
    let (tiles, rest) = a.as_chunks::<LANES>();
    let (others, other_rest) = b.as_chunks::<LANES>();
    let mut sums = [0.0; 2];
    for (a, b) in tiles.iter().zip(others) {
        let halves = products(a, b);
        sums[0] += halves[0];
        sums[1] += halves[1];
    }
    let (fours, rest) = rest.as_chunks::<4>();
    let (others, other_rest) = other_rest.as_chunks::<4>();
    for (a, b) in fours.iter().zip(others) {
        sums[0] += a[0] * b[0] + a[2] * b[2];
        sums[1] += a[1] * b[1] + a[3] * b[3];
    }
    rest.iter().zip(other_rest).fold(sums[0] + sums[1], |sum, (a, b)| sum + a * b)
}

/// One after the other.
pub(super) fn sum(values: &[f64]) -> f64 {
    values.iter().fold(0.0, |sum, value| sum + value)
}

/// `sumsᵢ += factor · valuesᵢ`.
#[cfg_attr(target_family = "wasm", target_feature(enable = "simd128"))]
pub(super) fn add_scaled(sums: &mut [f64], factor: f64, values: &[f64]) {
    let (tiles, rest) = sums.as_chunks_mut::<LANES>();
    let (others, other_rest) = values.as_chunks::<LANES>();
    for (sums, values) in tiles.iter_mut().zip(others) {
        for (sum, value) in sums.iter_mut().zip(values) {
            *sum += factor * value;
        }
    }
    let (fours, rest) = rest.as_chunks_mut::<4>();
    let (others, other_rest) = other_rest.as_chunks::<4>();
    for (sums, values) in fours.iter_mut().zip(others) {
        for (sum, value) in sums.iter_mut().zip(values) {
            *sum += factor * value;
        }
    }
    for (sum, value) in rest.iter_mut().zip(other_rest) {
        *sum += factor * value;
    }
}

/// `outᵢ = aᵢ bᵢ`.
#[cfg_attr(target_family = "wasm", target_feature(enable = "simd128"))]
pub(super) fn multiply(out: &mut [f64], a: &[f64], b: &[f64]) {
    let (tiles, rest) = out.as_chunks_mut::<LANES>();
    let ((first, first_rest), (second, second_rest)) = (a.as_chunks::<LANES>(), b.as_chunks::<LANES>());
    for ((out, a), b) in tiles.iter_mut().zip(first).zip(second) {
        for ((out, a), b) in out.iter_mut().zip(a).zip(b) {
            *out = a * b;
        }
    }
    for ((out, a), b) in rest.iter_mut().zip(first_rest).zip(second_rest) {
        *out = a * b;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Whole numbers have no rounding, so any order has the same sum.
    #[test]
    fn every_length() {
        for length in 0..70 {
            let a: Vec<f64> = (0..length).map(|at| f64::from(at) - 7.0).collect();
            let b: Vec<f64> = (0..length).map(|at| f64::from(at * at % 11)).collect();
            let products: Vec<f64> = a.iter().zip(&b).map(|(a, b)| a * b).collect();
            assert_eq!(dot(&a, &b), products.iter().sum::<f64>(), "{length}");
            let mut out = vec![f64::NAN; a.len()];
            multiply(&mut out, &a, &b);
            assert_eq!(out, products);
            add_scaled(&mut out, 3.0, &b);
            let expected: Vec<f64> = products.iter().zip(&b).map(|(product, b)| product + 3.0 * b).collect();
            assert_eq!(out, expected);
        }
    }
}
