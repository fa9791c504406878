//! Feature columns: seasons, then holidays, then regressors (`make_all_seasonality_features` in
//! `forecaster.py`).
//!
//! The sines and cosines are those that predict, from the same code: a model is fitted to exactly
//! the features that it will be evaluated with.

use super::{PreparedHolidays, PreparedRegressor, PreparedSeason};
use crate::features::Features;
use crate::fit::error::FitError;
use crate::fit::series::SortedRows;
use crate::fit::settings::FitSettings;
use crate::inputs::Role;
use crate::lanes::LANES;
use crate::seasonality::Mode;
use crate::time::DAY;

/// What each column is.
pub(in crate::fit) struct Layout {
    /// `ς`, the prior scale of each column.
    pub(in crate::fit) deviations: Vec<f64>,
    /// The columns that are added to the trend, and those that are shares of it.
    pub(in crate::fit) additive: Vec<usize>,
    pub(in crate::fit) multiplicative: Vec<usize>,
}

impl Layout {
    pub(super) fn of(
        settings: &FitSettings,
        seasons: &[PreparedSeason],
        holidays: Option<&PreparedHolidays>,
        regressors: &[PreparedRegressor],
    ) -> Self {
        let mut layout = Self { deviations: Vec::new(), additive: Vec::new(), multiplicative: Vec::new() };
        for season in seasons {
            for _ in 0..2 * season.order {
                layout.push(season.mode, season.prior_scale);
            }
        }
        for (_, scale) in holidays.iter().flat_map(|holidays| &holidays.features) {
            layout.push(settings.holidays_mode(), *scale);
        }
        for regressor in regressors {
            layout.push(regressor.mode, regressor.prior_scale);
        }
        if layout.deviations.is_empty() {
            // Prophet's column of zeros, for Stan has no empty matrix.
            layout.deviations.push(1.0);
        }
        layout
    }

    fn push(&mut self, mode: Mode, deviation: f64) {
        let column = self.deviations.len();
        self.deviations.push(deviation);
        match mode {
            Mode::Additive => self.additive.push(column),
            Mode::Multiplicative => self.multiplicative.push(column),
        }
    }
}

/// Rows whose sines are computed together.
const SLICE: usize = 32 * LANES;

/// The features, row by row.
pub(super) fn compute(
    rows: &SortedRows<'_>,
    columns: usize,
    seasons: &[PreparedSeason],
    holidays: Option<&PreparedHolidays>,
    regressors: &[PreparedRegressor],
) -> Result<Vec<f64>, FitError> {
    let mut x = vec![0.0; rows.len() * columns];
    let mut first = 0;
    let mut features = Features::new(&[]);
    let conditions = seasons.iter().map(|season| match &season.condition {
        None => Ok(None),
        Some(name) => condition(rows, name).map(Some),
    });
    let conditions: Vec<Option<Vec<bool>>> = conditions.collect::<Result<_, _>>()?;
    for (slice, x) in rows.instants.chunks(SLICE).zip(x.chunks_mut(SLICE * columns)) {
        features.reset(slice);
        let mut column = 0;
        for (season, condition) in seasons.iter().zip(&conditions) {
            let own = 2 * season.order as usize;
            let (waves, stride) = features.waves(season.period, season.order as usize);
            let tiles = waves.chunks_exact(stride).zip(x.chunks_mut(LANES * columns));
            for (tile, (waves, x)) in tiles.enumerate() {
                for (lane, x) in x.chunks_exact_mut(columns).enumerate() {
                    let row = first + tile * LANES + lane;
                    if condition.as_ref().is_none_or(|holds| holds[row]) {
                        for (x, wave) in x[column..column + own].iter_mut().zip(waves) {
                            *x = wave[lane];
                        }
                    }
                }
            }
            column += own;
        }
        if let Some(holidays) = holidays {
            for (micros, x) in slice.iter().zip(x.chunks_exact_mut(columns)) {
                for feature in holidays.days.get(&micros.div_euclid(DAY)).into_iter().flatten() {
                    x[column + feature] = 1.0;
                }
            }
            column += holidays.features.len();
        }
        for (at, regressor) in regressors.iter().enumerate() {
            for (value, x) in regressor.values[first..].iter().zip(x.chunks_exact_mut(columns)) {
                x[column + at] = *value;
            }
        }
        first += slice.len();
    }
    Ok(x)
}

fn condition(rows: &SortedRows<'_>, name: &str) -> Result<Vec<bool>, FitError> {
    let values = rows.column(name, Role::Condition)?;
    match values.iter().position(|value| *value != 0.0 && *value != 1.0) {
        None => Ok(values.iter().map(|value| *value == 1.0).collect()),
        Some(row) => {
            Err(FitError::NotACondition { column: name.to_owned(), found: values[row], at: rows.at(row) })
        }
    }
}
