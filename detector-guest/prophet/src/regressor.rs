//! Extra regressors: what else y depends on, known at each timestamp.
//!
//! ```text
//! r(t) = β · (x(t) - μ) / s
//! ```
//!
//! `μ` and `s` are the mean and the deviation in training; 0 and 1 for a regressor that was not
//! standardised (`setup_dataframe` in `forecaster.py`).

use crate::lanes::Lanes;
use crate::seasonality::Mode;

/// One regressor of a model.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Regressor {
    pub(crate) name: String,
    pub(crate) mode: Mode,
    pub(crate) mean: f64,
    /// Not 0.
    pub(crate) deviation: f64,
    /// Its place in `β`.
    pub(crate) column: usize,
}

impl Regressor {
    /// Adds this regressor to `sums`, tile by tile.
    pub(crate) fn add_to<'a>(
        &self,
        sums: &mut [Lanes],
        weight: f64,
        values: impl Iterator<Item = &'a Lanes>,
    ) {
        for (sum, values) in sums.iter_mut().zip(values) {
            for (sum, value) in sum.iter_mut().zip(values) {
                *sum += (value - self.mean) / self.deviation * weight;
            }
        }
    }
}
