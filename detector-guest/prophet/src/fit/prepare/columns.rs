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

/// The features, column by column.
pub(super) fn compute(
    rows: &SortedRows<'_>,
    columns: usize,
    seasons: &[PreparedSeason],
    holidays: Option<&PreparedHolidays>,
    regressors: &[PreparedRegressor],
) -> Result<Vec<f64>, FitError> {
    let many = rows.len();
    let mut x = vec![0.0; many * columns];
    let mut features = Features::new(&[]);
    let conditions = seasons.iter().map(|season| match &season.condition {
        None => Ok(None),
        Some(name) => condition(rows, name).map(Some),
    });
    let conditions: Vec<Option<Vec<bool>>> = conditions.collect::<Result<_, _>>()?;
    for (slice, instants) in rows.instants.chunks(SLICE).enumerate() {
        features.reset(instants);
        let place = slice * SLICE..slice * SLICE + instants.len();
        let mut own = x.chunks_exact_mut(many).map(|column| &mut column[place.clone()]);
        for (season, condition) in seasons.iter().zip(&conditions) {
            let (waves, stride) = features.waves(season.period, season.order as usize);
            for (wave, column) in own.by_ref().take(2 * season.order as usize).enumerate() {
                for (rows, tile) in column.chunks_mut(LANES).zip(waves.chunks_exact(stride)) {
                    rows.copy_from_slice(&tile[wave][..rows.len()]);
                }
                if let Some(holds) = condition {
                    let rows = column.iter_mut().zip(&holds[place.clone()]);
                    rows.filter(|(_, holds)| !**holds).for_each(|(x, _)| *x = 0.0);
                }
            }
        }
    }
    let mut own = x.chunks_exact_mut(many).skip(seasons.iter().map(|season| 2 * season.order as usize).sum());
    if let Some(holidays) = holidays {
        let mut columns: Vec<&mut [f64]> = own.by_ref().take(holidays.features.len()).collect();
        for (row, micros) in rows.instants.iter().enumerate() {
            for feature in holidays.days.get(&micros.div_euclid(DAY)).into_iter().flatten() {
                columns[*feature][row] = 1.0;
            }
        }
    }
    for (regressor, column) in regressors.iter().zip(own) {
        column.copy_from_slice(&regressor.values);
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
