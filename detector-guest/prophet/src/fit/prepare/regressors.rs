//! Extra regressors: which of them are standardised, and by what (`initialize_scales` in
//! `forecaster.py`).

use super::pairwise;
use crate::fit::error::FitError;
use crate::fit::series::SortedRows;
use crate::fit::settings::{FitSettings, Standardize};
use crate::inputs::Role;
use crate::seasonality::Mode;

/// A regressor as training has it.
pub(in crate::fit) struct PreparedRegressor {
    pub(in crate::fit) name: String,
    pub(in crate::fit) prior_scale: f64,
    pub(in crate::fit) standardize: Standardize,
    pub(in crate::fit) mode: Mode,
    pub(in crate::fit) mean: f64,
    pub(in crate::fit) deviation: f64,
    /// `(x - mean) / deviation` of each row.
    pub(in crate::fit) values: Vec<f64>,
}

pub(super) fn of(rows: &SortedRows<'_>, settings: &FitSettings) -> Result<Vec<PreparedRegressor>, FitError> {
    let fitted = settings.regressors.iter().map(|regressor| {
        let values = rows.column(&regressor.name, Role::Regressor)?;
        let differ = values.iter().any(|value| *value != values[0]);
        let two_kinds = values.iter().all(|value| *value == 0.0 || *value == 1.0);
        let standardise = differ
            && match regressor.standardize {
                Standardize::Auto(_) => !two_kinds,
                Standardize::Is(standardise) => standardise,
            };
        let (mean, deviation) = if standardise {
            let mean = pairwise::mean(&values);
            (mean, pairwise::deviation(&values, mean))
        } else {
            (0.0, 1.0)
        };
        if !mean.is_finite() || !deviation.is_finite() || deviation == 0.0 {
            return Err(FitError::Diverged);
        }
        Ok(PreparedRegressor {
            name: regressor.name.clone(),
            prior_scale: regressor.prior_scale.unwrap_or(settings.prophet.holidays_prior_scale),
            standardize: regressor.standardize,
            mode: regressor.mode.unwrap_or(settings.prophet.seasonality_mode),
            mean,
            deviation,
            values: values.iter().map(|value| (value - mean) / deviation).collect(),
        })
    });
    fitted.collect()
}
