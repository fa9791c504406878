//! Training: from a series and settings to the model that Prophet aims at.
//!
//! ```
//! # fn main() -> Result<(), prophet::fit::FitError> {
//! use prophet::fit::{FitSettings, Series, fit};
//!
//! let hour = |row: i64| 1_709_251_200_000_000 + row * 3_600_000_000;
//! let hours: Vec<i64> = (0..500).map(hour).collect();
//! let y: Vec<f64> = (0..500).map(|row| 20.0 + f64::from(row % 24 + row % 7)).collect();
//! let settings = FitSettings::from_json(br#"{"prophet": {"weekly_seasonality": false}}"#)?;
//! let series = Series::new(&hours, &y);
//! let fitted = fit(&series, &settings, None)?;
//! println!("{} rows, noise {}", fitted.report().rows, fitted.report().noise);
//! let file = fitted.to_json(); // what Prophet's `model_to_json` writes
//! # assert!(prophet::Model::from_json(&file).is_ok());
//! # Ok(())
//! # }
//! ```
//!
//! The model is that of Taylor and Letham ("Forecasting at scale", 2018) as Prophet 1.5 has it:
//! `prepare` makes of the rows what Prophet hands to Stan, bit for bit (`forecaster.py`); `solve`
//! maximises the density of `prophet.stan`; `write` makes the file. Only maximum a posteriori
//! estimates: sampling is left to Prophet.
//!
//! Prophet's own search stops short of the optimum, at a point that depends on the last bits of
//! `y`. [`Method::Optimum`] ends at the optimum, whose density is never lower;
//! [`Method::AsProphet`] stops where Prophet does, as far as it agrees with itself. There are no
//! random numbers, no threads and no platform's mathematics: the same rows and settings have the
//! same file to the last byte, natively and in WebAssembly.

mod error;
mod prepare;
mod report;
mod series;
pub mod settings;
mod solve;
mod write;

pub use error::FitError;
pub use report::{FitReport, Warning};
pub use series::Series;
pub use settings::{Auto, FitSettings, Growth, History, Method, Scaling, Standardize, Switch};

use prepare::PreparedSeries;
use series::SortedRows;
use solve::{LEAST_NOISE, Solution};
use write::RowsWritten;

use crate::model::Model;
use crate::read::{CountryHoliday, ReadError};

/// A condition missed by more than this is worth a warning.
const NOTABLE: f64 = 1e-6;

/// A model that was found, and how.
pub struct Fitted<'a> {
    prepared: PreparedSeries<'a>,
    settings: &'a FitSettings,
    country_holidays: Option<&'a [CountryHoliday]>,
    found: Solution,
    report: FitReport,
}

/// Fits a model. `country_holidays` are the dates of the country's holidays, for the years of the
/// rows and for those that the model will be asked about; they are not looked at unless the
/// settings name a country.
///
/// # Errors
/// Rows or settings that no model can be fitted with; the text goes on from the series' name.
pub fn fit<'a>(
    series: &'a Series<'a>,
    settings: &'a FitSettings,
    country_holidays: Option<&'a [CountryHoliday]>,
) -> Result<Fitted<'a>, FitError> {
    settings.check(country_holidays)?;
    let mut prepared = prepare::prepare(SortedRows::of(series)?, settings, country_holidays)?;
    let found = if prepared.constant {
        constant(&prepared)
    } else {
        let found = match settings.method {
            Method::Optimum => solve::optimum(&prepared.problem, prepared.start),
            Method::AsProphet => solve::as_prophet(&prepared.problem, prepared.start),
        };
        found.ok_or(FitError::Diverged)?
    };
    let exact = found.sigma <= LEAST_NOISE;
    let mut warnings = std::mem::take(&mut prepared.warnings);
    if exact {
        warnings.push(Warning::Exact);
    } else if settings.method == Method::Optimum && found.violation > NOTABLE {
        warnings.push(Warning::NotAtOptimum { violation: found.violation });
    }
    let last = prepared.rows.len() - 1;
    let report = FitReport {
        rows: prepared.rows.len(),
        rows_without_value: prepared.rows.left_out(),
        first: prepared.rows.instants[0],
        last: prepared.rows.instants[last],
        method: settings.method,
        log_density: (!prepared.constant).then_some(found.log_density),
        steps: found.steps,
        violation: found.violation,
        noise: found.sigma * prepared.scale.y_scale,
        warnings,
    };
    let mut fitted = Fitted { prepared, settings, country_holidays, found, report };
    fitted.fold();
    Ok(fitted)
}

/// All values of y are one: Prophet does not search either.
fn constant(prepared: &PreparedSeries<'_>) -> Solution {
    let problem = &prepared.problem;
    let mut theta = vec![0.0; problem.weights() + problem.columns()];
    (theta[0], theta[1]) = prepared.start;
    Solution { theta, sigma: LEAST_NOISE, log_density: f64::NAN, steps: 0, violation: 0.0 }
}

impl Fitted<'_> {
    /// Without changepoints the one change, at 0, is part of the rate.
    fn fold(&mut self) {
        if self.prepared.changepoints.are_none() {
            let theta = &mut self.found.theta;
            theta[0] += theta[2];
            theta[2] = 0.0;
        }
    }

    /// How the model was found.
    #[must_use]
    pub fn report(&self) -> &FitReport {
        &self.report
    }

    /// The file that `prophet.serialize.model_to_json` of Prophet 1.5 writes, with as much of the
    /// training history as the settings say. The dates of a country's holidays stand in a key of
    /// their own, which Prophet passes over.
    #[must_use]
    pub fn to_json(&self) -> Vec<u8> {
        let rows = match self.settings.history {
            History::All => RowsWritten::All,
            History::Ends => RowsWritten::Ends,
        };
        write::json(self, rows)
    }

    /// The same without the training history, which prediction does not need and Prophet does.
    #[must_use]
    pub fn to_short_json(&self) -> Vec<u8> {
        write::json(self, RowsWritten::None)
    }

    /// The model, ready to predict.
    ///
    /// # Errors
    /// The parameters are beyond what a model can have.
    pub fn model(&self) -> Result<Model, ReadError> {
        Model::from_json(&self.to_short_json())
    }
}
