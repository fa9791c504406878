//! Seasons: a Fourier sum for each.
//!
//! ```text
//! s(t) = Σ β₂ₙ₋₁ sin(cₙ) + β₂ₙ cos(cₙ)     cₙ = (n / period) · 2π · days since 1970     n = 1 … order
//! ```
//!
//! (Taylor and Letham 2018, eq. 5; `fourier_series` in `forecaster.py`. The origin is 1970, not the
//! start of training, and `n / period` is rounded first: see `time` for why that order is kept.) An
//! additive season is in units of `y_scale`, a multiplicative one a share of the trend.

use std::ops::Range;

use serde::{Deserialize, Serialize};

use crate::lanes::Lanes;

/// What a term is added to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Mode {
    /// A sum in units of y, beside the trend.
    Additive,
    /// A share of the trend.
    Multiplicative,
}

/// One season of a model.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Seasonality {
    /// Days; above 0.
    pub(crate) period: f64,
    pub(crate) mode: Mode,
    /// The places in `β` of sin 1, cos 1, sin 2, cos 2, …: twice the order.
    pub(crate) columns: Range<usize>,
    /// The column that says where the season holds; elsewhere it adds nothing. None: everywhere.
    pub(crate) condition: Option<String>,
}

impl Seasonality {
    /// The number of harmonics.
    pub(crate) fn order(&self) -> usize {
        self.columns.len() / 2
    }

    /// Adds this season to `sums`, tile by tile. `waves` has `stride` columns a tile, of which the
    /// first are this season's; `weights` is the whole of `β`.
    #[cfg_attr(target_family = "wasm", target_feature(enable = "simd128"))]
    pub(crate) fn add_to(&self, sums: &mut [Lanes], waves: &[Lanes], stride: usize, weights: &[f64]) {
        let weights = &weights[self.columns.clone()];
        for (sum, columns) in sums.iter_mut().zip(waves.chunks_exact(stride)) {
            let (blocks, rest) = columns[..weights.len()].as_chunks();
            let (weights_of_blocks, weights_of_rest) = weights.as_chunks();
            for (columns, weights) in blocks.iter().zip(weights_of_blocks) {
                add::<8>(sum, columns, weights);
            }
            match rest.len() {
                6.. => add_first::<6>(sum, rest, weights_of_rest),
                4.. => add_first::<4>(sum, rest, weights_of_rest),
                2.. => add_first::<2>(sum, rest, weights_of_rest),
                _ => {}
            }
        }
    }

    /// The same, where `condition` is not 0.
    pub(crate) fn add_where<'a>(
        &self,
        sums: &mut [Lanes],
        waves: &[Lanes],
        stride: usize,
        weights: &[f64],
        condition: impl Iterator<Item = &'a Lanes>,
    ) {
        for ((sum, waves), condition) in sums.iter_mut().zip(waves.chunks_exact(stride)).zip(condition) {
            let mut season = [*sum];
            self.add_to(&mut season, waves, stride, weights);
            for ((sum, with), condition) in sum.iter_mut().zip(&season[0]).zip(condition) {
                if *condition != 0.0 {
                    *sum = *with;
                }
            }
        }
    }
}

#[inline(always)]
fn add_first<const N: usize>(sum: &mut Lanes, columns: &[Lanes], weights: &[f64]) {
    if let (Some(columns), Some(weights)) = (columns.first_chunk::<N>(), weights.first_chunk::<N>()) {
        add(sum, columns, weights);
    }
}

/// `sum + Σ column · weight`, from the first to the last. Lane by lane, so that a sum stays in its
/// register to the end.
#[inline(always)]
fn add<const N: usize>(sum: &mut Lanes, columns: &[Lanes; N], weights: &[f64; N]) {
    for (lane, sum) in sum.iter_mut().enumerate() {
        let mut total = *sum;
        for (column, weight) in columns.iter().zip(weights) {
            total += column[lane] * weight;
        }
        *sum = total;
    }
}
