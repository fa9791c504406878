//! From rows and settings to the numbers that a model is searched in: what Prophet hands to Stan,
//! bit for bit.
//!
//! The steps are those of `fit` and `preprocess` in Prophet 1.5's `forecaster.py`, in its order.
//! Each has a file: `scale` (y, capacity and floor), `seasons`, `holidays`, `regressors`,
//! `changepoints`; `columns` computes the features and `start` where the search begins.

mod changepoints;
mod columns;
mod holidays;
mod pairwise;
mod regressors;
mod scale;
mod seasons;
mod start;
#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test")]
mod tests;

pub(super) use changepoints::Changepoints;
pub(super) use columns::Layout;
pub(super) use holidays::PreparedHolidays;
pub(super) use regressors::PreparedRegressor;
pub(super) use scale::SeriesScale;
pub(super) use seasons::PreparedSeason;

use super::error::FitError;
use super::report::Warning;
use super::series::SortedRows;
use super::settings::{FitSettings, Growth};
use super::solve::{Problem, ProblemRows};
use crate::read::CountryHoliday;
use crate::time::TrainingTime;

/// All that is known before the search.
pub(super) struct PreparedSeries<'a> {
    pub(super) rows: SortedRows<'a>,
    pub(super) scale: SeriesScale,
    pub(super) seasons: Vec<PreparedSeason>,
    pub(super) holidays: Option<PreparedHolidays>,
    pub(super) regressors: Vec<PreparedRegressor>,
    pub(super) changepoints: Changepoints,
    pub(super) problem: Problem,
    /// Where the search begins; for a constant series the model itself.
    pub(super) start: (f64, f64),
    /// All values of y are the same, and there is nothing to search.
    pub(super) constant: bool,
    pub(super) warnings: Vec<Warning>,
}

/// A number of `f64`s that may be in memory at once for one purpose: half a gigabyte.
const MOST_NUMBERS: usize = 1 << 26;

pub(super) fn prepare<'a>(
    rows: SortedRows<'a>,
    settings: &FitSettings,
    dates: Option<&[CountryHoliday]>,
) -> Result<PreparedSeries<'a>, FitError> {
    let growth = settings.prophet.growth;
    let scale = SeriesScale::of(&rows, settings)?;
    let (y, cap) = (scale.scaled(&rows.y), scale.scaled(&scale.cap));
    let time = TrainingTime { start: rows.instants[0] as f64, span: rows.span() as f64 };
    let t: Vec<f64> = rows.instants.iter().map(|micros| time.scaled(*micros as f64)).collect();
    let mut warnings = Vec::new();
    let regressors = regressors::of(&rows, settings)?;
    let seasons = seasons::of(&rows, settings, &mut warnings);
    let holidays = holidays::of(&rows, settings, dates)?;
    let changepoints = Changepoints::of(&rows, &time, settings)?;

    let layout = Layout::of(settings, &seasons, holidays.as_ref(), &regressors);
    let width = 2 * (1 + layout.multiplicative.len()) + layout.additive.len() + 1;
    let stretches = changepoints.scaled.len() + 1;
    let searched = 2 + changepoints.scaled.len() + layout.deviations.len();
    for (many, numbers) in
        [(rows.len(), layout.deviations.len()), (width * width, stretches), (searched, searched)]
    {
        if many.saturating_mul(numbers) > MOST_NUMBERS {
            return Err(FitError::TooLarge {
                rows: rows.len(),
                columns: layout.deviations.len(),
                changepoints: changepoints.scaled.len(),
            });
        }
    }
    let x = columns::compute(&rows, layout.deviations.len(), &seasons, holidays.as_ref(), &regressors)?;
    // Without an early end, so that a loop fills vectors.
    let finite = |list: &[f64]| list.iter().fold(true, |finite, number| finite & number.is_finite());
    if !(finite(&y) && finite(&cap) && finite(&x)) {
        return Err(FitError::Diverged);
    }
    let constant = growth != Growth::Logistic && rows.y.iter().all(|y| *y == rows.y[0]);
    let start = start::of(growth, &rows, &y, &cap);
    let problem = Problem::new(
        growth,
        ProblemRows { t, y, cap, x, layout },
        changepoints.scaled.clone(),
        settings.prophet.changepoint_prior_scale,
    );
    Ok(PreparedSeries {
        rows,
        scale,
        seasons,
        holidays,
        regressors,
        changepoints,
        problem,
        start,
        constant,
        warnings,
    })
}
