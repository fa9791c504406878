//! What can be set: the arguments of `Prophet(…)`, of `add_seasonality` and of `add_regressor`, by
//! Prophet's names.
//!
//! ```
//! # fn main() -> Result<(), prophet::fit::FitError> {
//! use prophet::fit::{FitSettings, Switch};
//! let settings = FitSettings::from_json(
//!     br#"{
//!         "prophet": {"weekly_seasonality": 5},
//!         "seasonalities": [{"name": "shift", "period": 0.5, "fourier_order": 2}]
//!     }"#,
//! )?;
//! assert_eq!(settings.prophet.weekly_seasonality, Switch::Order(5));
//! # Ok(())
//! # }
//! ```

mod check;
mod names;

use serde::{Deserialize, Deserializer, Serialize};

use super::error::FitError;
use crate::seasonality::Mode;

/// Settings of one model. The default is Prophet's own.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct FitSettings {
    /// The arguments of `Prophet(…)`.
    pub prophet: Arguments,
    /// One for each call of `add_seasonality`, in their order.
    pub seasonalities: Vec<SeasonalitySettings>,
    /// One for each call of `add_regressor`, in their order.
    pub regressors: Vec<RegressorSettings>,
    /// The argument of `add_country_holidays`; the dates come beside the settings.
    pub country_holidays: Option<String>,
    pub method: Method,
    /// Which rows the file keeps.
    pub history: History,
    /// For people; not used.
    pub name: Option<String>,
    /// For people; not used.
    pub note: Option<String>,
}

/// Where the search for parameters ends.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Method {
    /// At the optimum that Prophet aims at; the same whatever way leads there.
    #[default]
    Optimum,
    /// About where Prophet's own search stops, which is short of the optimum.
    AsProphet,
}

/// Which rows of training stand in the file. None of them is needed to predict.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum History {
    /// All of them, as `model_to_json` has it: a hundred bytes and more each.
    #[default]
    All,
    /// What Prophet looks at when it predicts: how far two rows are apart, and the first and the
    /// last date.
    Ends,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Growth {
    #[default]
    Linear,
    /// Needs a column `cap`, and takes `floor` where there is one.
    Logistic,
    Flat,
}

/// What y is divided by.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Scaling {
    #[default]
    Absmax,
    Minmax,
}

/// The word `auto`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Auto {
    #[default]
    Auto,
}

/// A season that Prophet knows by name: `"auto"`, `true`, `false` or the number of harmonics.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Switch {
    /// If the rows are long and dense enough for it.
    Auto(Auto),
    Is(bool),
    Order(u32),
}

/// Whether a regressor is brought to mean 0 and deviation 1: `"auto"`, `true` or `false`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Standardize {
    /// Unless its values are 0 and 1.
    Auto(Auto),
    Is(bool),
}

impl Default for Switch {
    fn default() -> Self {
        Self::Auto(Auto::Auto)
    }
}

impl Default for Standardize {
    fn default() -> Self {
        Self::Auto(Auto::Auto)
    }
}

/// The arguments of `Prophet(…)`.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Arguments {
    pub growth: Growth,
    /// `2024-03-04T12:00`; none: `n_changepoints` of them are spread over the rows.
    pub changepoints: Option<Vec<String>>,
    pub n_changepoints: u32,
    /// The share of the rows, from the first, over which changepoints are spread.
    pub changepoint_range: f64,
    pub yearly_seasonality: Switch,
    pub weekly_seasonality: Switch,
    pub daily_seasonality: Switch,
    pub holidays: Option<Vec<HolidayEntry>>,
    pub seasonality_mode: Mode,
    pub seasonality_prior_scale: f64,
    pub holidays_prior_scale: f64,
    pub changepoint_prior_scale: f64,
    /// Sampling is left to Prophet: 0.
    pub mcmc_samples: u32,
    pub interval_width: f64,
    #[serde(deserialize_with = "samples")]
    pub uncertainty_samples: u32,
    /// There is no Stan here; not used.
    pub stan_backend: Option<String>,
    pub scaling: Scaling,
    /// `seasonality_mode`, unless given.
    pub holidays_mode: Option<Mode>,
}

impl Default for Arguments {
    fn default() -> Self {
        Self {
            growth: Growth::Linear,
            changepoints: None,
            n_changepoints: 25,
            changepoint_range: 0.8,
            yearly_seasonality: Switch::default(),
            weekly_seasonality: Switch::default(),
            daily_seasonality: Switch::default(),
            holidays: None,
            seasonality_mode: Mode::Additive,
            seasonality_prior_scale: 10.0,
            holidays_prior_scale: 10.0,
            changepoint_prior_scale: 0.05,
            mcmc_samples: 0,
            interval_width: 0.8,
            uncertainty_samples: 1_000,
            stan_backend: None,
            scaling: Scaling::Absmax,
            holidays_mode: None,
        }
    }
}

/// A number, or `false` for none.
fn samples<'de, D: Deserializer<'de>>(deserializer: D) -> Result<u32, D::Error> {
    Ok(match Switch::deserialize(deserializer)? {
        Switch::Order(samples) => samples,
        Switch::Is(false) => 0,
        Switch::Is(true) | Switch::Auto(_) => {
            return Err(serde::de::Error::custom("expected a number or `false` in `uncertainty_samples`"));
        }
    })
}

/// The arguments of `add_seasonality`.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SeasonalitySettings {
    pub name: String,
    /// Days.
    pub period: f64,
    pub fourier_order: u32,
    /// `seasonality_prior_scale`, unless given.
    pub prior_scale: Option<f64>,
    /// `seasonality_mode`, unless given.
    pub mode: Option<Mode>,
    /// The column that is 1 where the season holds, and 0 elsewhere.
    pub condition_name: Option<String>,
}

/// The arguments of `add_regressor`.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RegressorSettings {
    pub name: String,
    /// `holidays_prior_scale`, unless given.
    pub prior_scale: Option<f64>,
    #[serde(default)]
    pub standardize: Standardize,
    /// `seasonality_mode`, unless given.
    pub mode: Option<Mode>,
}

/// A row of the table of holidays.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct HolidayEntry {
    pub holiday: String,
    /// `2024-12-25`; a time of day behind it is ignored.
    pub ds: String,
    /// Days, 0 or below.
    #[serde(default)]
    pub lower_window: Option<f64>,
    /// Days, 0 or above.
    #[serde(default)]
    pub upper_window: Option<f64>,
    /// `holidays_prior_scale`, unless given; the same in all rows of a name.
    #[serde(default)]
    pub prior_scale: Option<f64>,
}

impl FitSettings {
    /// Settings as JSON: `{"prophet": {…}, "seasonalities": [{…}], "regressors": [{…}],
    /// "country_holidays": "US"}`, all of which may be absent.
    ///
    /// # Errors
    /// It is not JSON, or has a key or a kind of value that Prophet does not have. Whether the
    /// values make sense is checked when a model is fitted.
    pub fn from_json(json: &[u8]) -> Result<Self, FitError> {
        serde_json::from_slice(json).map_err(|error| FitError::Settings(error.to_string()))
    }

    /// What holds for a holiday that has no mode of its own.
    pub(super) fn holidays_mode(&self) -> Mode {
        self.prophet.holidays_mode.unwrap_or(self.prophet.seasonality_mode)
    }
}
