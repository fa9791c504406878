//! Settings that no model can be fitted with are refused before anything is computed.

use std::collections::BTreeMap;

use super::{FitSettings, HolidayEntry, names};
use crate::fit::error::FitError;
use crate::read::CountryHoliday;
use crate::time;

const ABOVE_0: &str = "a number above 0";

impl FitSettings {
    /// Whatever can be told without the rows.
    pub(in crate::fit) fn check(&self, dates: Option<&[CountryHoliday]>) -> Result<(), FitError> {
        let prophet = &self.prophet;
        for (setting, found) in [
            ("seasonality_prior_scale", prophet.seasonality_prior_scale),
            ("holidays_prior_scale", prophet.holidays_prior_scale),
            ("changepoint_prior_scale", prophet.changepoint_prior_scale),
        ] {
            positive(setting, found)?;
        }
        if !(0.0..=1.0).contains(&prophet.changepoint_range) {
            let found = prophet.changepoint_range;
            return Err(FitError::setting("changepoint_range", found, "a number from 0 to 1"));
        }
        if !(prophet.interval_width > 0.0 && prophet.interval_width < 1.0) {
            let found = prophet.interval_width;
            return Err(FitError::setting("interval_width", found, "a number between 0 and 1"));
        }
        if prophet.mcmc_samples > 0 {
            let expected = "0: sampling is left to Prophet";
            return Err(FitError::setting("mcmc_samples", prophet.mcmc_samples, expected));
        }
        for season in &self.seasonalities {
            let setting = |key| format!("seasonalities.{}.{key}", season.name);
            positive(setting("period"), season.period)?;
            // The phase of some timestamp would overflow.
            if !(f64::from(season.fourier_order) / season.period * time::MOST_PHASE).is_finite() {
                return Err(FitError::setting(setting("period"), season.period, "days, not this short"));
            }
            if season.fourier_order == 0 {
                return Err(FitError::setting(setting("fourier_order"), 0, "at least 1"));
            }
            positive(setting("prior_scale"), season.prior_scale.unwrap_or(1.0))?;
        }
        for regressor in &self.regressors {
            let setting = format!("regressors.{}.prior_scale", regressor.name);
            positive(setting, regressor.prior_scale.unwrap_or(1.0))?;
        }
        holidays(prophet.holidays.as_deref().unwrap_or_default(), prophet.holidays_prior_scale)?;
        let countries: Vec<&str> = match (&self.country_holidays, dates) {
            (None, _) => Vec::new(),
            (Some(_), Some(dates)) if !dates.is_empty() => {
                dates.iter().map(|holiday| holiday.name.as_str()).collect()
            }
            (Some(country), _) => return Err(FitError::NoCountryHolidays { country: country.clone() }),
        };
        names::check(self, &countries)
    }
}

fn positive(setting: impl Into<String>, found: f64) -> Result<(), FitError> {
    // The square of a scale is divided by.
    if found > 1e-150 && found < 1e150 { Ok(()) } else { Err(FitError::setting(setting, found, ABOVE_0)) }
}

/// Windows and scales; all rows of a name have one scale.
fn holidays(rows: &[HolidayEntry], usual: f64) -> Result<(), FitError> {
    let mut scales: BTreeMap<&str, f64> = BTreeMap::new();
    for row in rows {
        let setting = |key| format!("holidays.{}.{key}", row.holiday);
        for (key, window, allowed, expected) in [
            ("lower_window", row.lower_window, -10_000.0..=0.0, "whole days, 0 or below"),
            ("upper_window", row.upper_window, 0.0..=10_000.0, "whole days, 0 or above"),
        ] {
            if let Some(window) = window
                && (window.trunc() != window || !allowed.contains(&window))
            {
                return Err(FitError::setting(setting(key), window, expected));
            }
        }
        let scale = row.prior_scale.unwrap_or(usual);
        positive(setting("prior_scale"), scale)?;
        if *scales.entry(&row.holiday).or_insert(scale) != scale {
            return Err(FitError::setting(setting("prior_scale"), scale, "one scale for all its rows"));
        }
        if time::day(&row.ds).is_none() {
            let found = format!("`{}`", row.ds);
            return Err(FitError::setting(setting("ds"), found, "a date as `2024-12-25`"));
        }
    }
    Ok(())
}
