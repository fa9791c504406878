//! The file of a model, as `model_to_json` of Prophet 1.5 writes it (`serialize.py`).
//!
//! Keys, their order and the shapes of their values are Prophet's. Numbers are written so that they
//! read back to the last bit; those in the tables have ten decimals, as pandas leaves them.
//! `components` has who owns which column, `tables` the series and tables of pandas, which are JSON
//! inside a JSON string, and `ascii` the form of the text.

mod ascii;
mod components;
mod dates;
mod history;
mod tables;

use std::collections::BTreeMap;

use serde::ser::{Serialize, SerializeSeq, Serializer};
use serde_json::Value;

use super::Fitted;
use super::settings::{Growth, Scaling, Standardize, Switch};
use super::solve::trend;
use crate::seasonality::Mode;

/// Whose format it is.
const VERSION: &str = "1.5.0";

#[derive(serde::Serialize)]
struct ModelJson<'a> {
    growth: Growth,
    n_changepoints: i64,
    specified_changepoints: bool,
    changepoint_range: f64,
    yearly_seasonality: Switch,
    weekly_seasonality: Switch,
    daily_seasonality: Switch,
    seasonality_mode: Mode,
    seasonality_prior_scale: f64,
    changepoint_prior_scale: f64,
    holidays_prior_scale: f64,
    mcmc_samples: u32,
    interval_width: f64,
    uncertainty_samples: u32,
    y_scale: f64,
    y_min: f64,
    scaling: Scaling,
    logistic_floor: bool,
    country_holidays: Option<&'a str>,
    component_modes: components::Modes<'a>,
    holidays_mode: Mode,
    changepoints: String,
    history_dates: Option<String>,
    train_holiday_names: Option<String>,
    start: f64,
    t_scale: f64,
    holidays: Option<String>,
    history: Option<String>,
    train_component_cols: String,
    changepoints_t: &'a [f64],
    seasonalities: OrderedJson<'a, SeasonalityJson<'a>>,
    extra_regressors: OrderedJson<'a, RegressorJson>,
    fit_kwargs: BTreeMap<&'a str, Value>,
    params: ParametersJson<'a>,
    #[serde(rename = "__prophet_version")]
    version: &'a str,
    /// Not Prophet's, which makes them anew: the dates that the settings' country came with.
    #[serde(skip_serializing_if = "Option::is_none")]
    country_holiday_dates: Option<Vec<[&'a str; 2]>>,
    /// Not Prophet's, which counts its history.
    #[serde(skip_serializing_if = "Option::is_none")]
    history_rows: Option<usize>,
}

#[derive(serde::Serialize)]
struct SeasonalityJson<'a> {
    period: f64,
    fourier_order: u32,
    prior_scale: f64,
    mode: Mode,
    condition_name: Option<&'a str>,
}

#[derive(serde::Serialize)]
struct RegressorJson {
    prior_scale: f64,
    standardize: Standardize,
    mu: f64,
    std: f64,
    mode: Mode,
    /// Of Prophet 1.5's forecasts of regressors.
    predictor_spec: Option<()>,
    predictor: Option<()>,
}

/// An object whose keys keep their order.
struct NamedValues<'a, 'b, T>(&'b [(&'a str, T)]);

impl<T: Serialize> Serialize for NamedValues<'_, '_, T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.0.iter().map(|(name, value)| (name, value)))
    }
}

/// `[[names in order], {name: value}]`.
struct OrderedJson<'a, T>(Vec<(&'a str, T)>);

impl<T: Serialize> Serialize for OrderedJson<'_, T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut pair = serializer.serialize_seq(Some(2))?;
        pair.serialize_element(&self.0.iter().map(|(name, _)| *name).collect::<Vec<_>>())?;
        pair.serialize_element(&NamedValues(&self.0))?;
        pair.end()
    }
}

/// One row of Stan's parameters. A constant series has no density and no trend.
#[derive(serde::Serialize)]
struct ParametersJson<'a> {
    #[serde(rename = "lp__", skip_serializing_if = "Option::is_none")]
    log_density: Option<[[f64; 1]; 1]>,
    k: [[f64; 1]; 1],
    m: [[f64; 1]; 1],
    delta: [&'a [f64]; 1],
    sigma_obs: [[f64; 1]; 1],
    beta: [&'a [f64]; 1],
    #[serde(skip_serializing_if = "Option::is_none")]
    trend: Option<[Vec<f64>; 1]>,
}

/// What of the rows is written.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum RowsWritten {
    All,
    /// What Prophet needs in order to predict.
    Ends,
    /// Nothing: the file is for this library.
    None,
}

/// The file.
pub(super) fn json(fitted: &Fitted<'_>, rows: RowsWritten) -> Vec<u8> {
    let Fitted { prepared, settings, found, report, .. } = fitted;
    let prophet = &settings.prophet;
    let problem = &prepared.problem;
    let theta = &found.theta;
    let seasons = prepared.seasons.iter().map(|season| {
        let written = SeasonalityJson {
            period: season.period,
            fourier_order: season.order,
            prior_scale: season.prior_scale,
            mode: season.mode,
            condition_name: season.condition.as_deref(),
        };
        (season.name.as_str(), written)
    });
    let regressors = prepared.regressors.iter().map(|regressor| {
        let written = RegressorJson {
            prior_scale: regressor.prior_scale,
            standardize: regressor.standardize,
            mu: regressor.mean,
            std: regressor.deviation,
            mode: regressor.mode,
            predictor_spec: None,
            predictor: None,
        };
        (regressor.name.as_str(), written)
    });
    let dates = fitted.country_holidays.filter(|_| settings.country_holidays.is_some());
    let document = ModelJson {
        growth: prophet.growth,
        n_changepoints: prepared.changepoints.count,
        specified_changepoints: prophet.changepoints.is_some(),
        changepoint_range: prophet.changepoint_range,
        yearly_seasonality: prophet.yearly_seasonality,
        weekly_seasonality: prophet.weekly_seasonality,
        daily_seasonality: prophet.daily_seasonality,
        seasonality_mode: prophet.seasonality_mode,
        seasonality_prior_scale: prophet.seasonality_prior_scale,
        changepoint_prior_scale: prophet.changepoint_prior_scale,
        holidays_prior_scale: prophet.holidays_prior_scale,
        mcmc_samples: 0,
        interval_width: prophet.interval_width,
        uncertainty_samples: prophet.uncertainty_samples,
        y_scale: prepared.scale.y_scale,
        y_min: prepared.scale.y_min,
        scaling: prophet.scaling,
        logistic_floor: prepared.scale.logistic_floor,
        country_holidays: settings.country_holidays.as_deref(),
        component_modes: components::modes(fitted),
        holidays_mode: settings.holidays_mode(),
        changepoints: tables::changepoints(&prepared.changepoints),
        history_dates: match rows {
            RowsWritten::All => Some(tables::dates(&prepared.rows.dates())),
            RowsWritten::Ends => Some(tables::dates(&prepared.rows.ends())),
            RowsWritten::None => None,
        },
        train_holiday_names: prepared.holidays.as_ref().map(|holidays| tables::names(&holidays.names)),
        start: report.first as f64 / 1e6,
        t_scale: (report.last - report.first) as f64 / 1e6,
        holidays: prophet.holidays.as_ref().map(|rows| tables::holidays(rows)),
        history: (rows != RowsWritten::None).then(|| history::history(prepared, rows == RowsWritten::Ends)),
        train_component_cols: components::columns(fitted),
        changepoints_t: &prepared.changepoints.scaled,
        seasonalities: OrderedJson(seasons.collect()),
        extra_regressors: OrderedJson(regressors.collect()),
        fit_kwargs: BTreeMap::new(),
        params: ParametersJson {
            log_density: report.log_density.map(|density| [[density]]),
            k: [[theta[0]]],
            m: [[theta[1]]],
            delta: [&theta[2..problem.weights()]],
            sigma_obs: [[found.sigma]],
            beta: [&theta[problem.weights()..]],
            trend: match rows {
                _ if prepared.constant => None,
                RowsWritten::All => Some([trend(problem, theta)]),
                RowsWritten::Ends => Some([Vec::new()]),
                RowsWritten::None => None,
            },
        },
        version: VERSION,
        country_holiday_dates: dates.map(|dates| {
            dates.iter().map(|holiday| [holiday.date.as_str(), holiday.name.as_str()]).collect()
        }),
        history_rows: (rows != RowsWritten::All).then_some(report.rows),
    };
    ascii::json(&document).into_bytes()
}
