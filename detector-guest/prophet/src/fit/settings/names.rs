//! Names that a component may have: Prophet's predictions have columns by these names
//! (`validate_column_name` in `forecaster.py`).

use std::collections::BTreeSet;

use super::FitSettings;
use crate::fit::error::FitError;

/// Columns of a prediction, each also with `_lower` and `_upper`.
const PREDICTED: [&str; 9] = [
    "trend",
    "additive_terms",
    "daily",
    "weekly",
    "yearly",
    "holidays",
    "extra_regressors_additive",
    "extra_regressors_multiplicative",
    "multiplicative_terms",
];

/// Seasons that a user may replace by one of the same name.
const BUILT_IN: [&str; 3] = ["daily", "weekly", "yearly"];

/// What is taken as it is.
const OTHER: [&str; 8] = ["yhat", "zeros", "ds", "y", "cap", "floor", "y_scaled", "cap_scaled"];

const SEASON: &str = "seasonality";
const REGRESSOR: &str = "regressor";
const HOLIDAY: &str = "holiday";

pub(super) fn check(settings: &FitSettings, countries: &[&str]) -> Result<(), FitError> {
    let mut taken: BTreeSet<&str> = BTreeSet::new();
    let mut seen = |name, what| {
        if taken.insert(name) { Ok(()) } else { Err(refused(name, what, "which another component has")) }
    };
    let own = settings.prophet.holidays.iter().flatten().map(|row| row.holiday.as_str());
    let holidays: BTreeSet<&str> = own.chain(countries.iter().copied()).collect();
    for name in &holidays {
        seen(name, HOLIDAY)?;
        allowed(name, HOLIDAY)?;
    }
    for season in &settings.seasonalities {
        seen(&season.name, SEASON)?;
        if !BUILT_IN.contains(&season.name.as_str()) {
            allowed(&season.name, SEASON)?;
        }
        if let Some(condition) = &season.condition_name {
            allowed(condition, "condition")?;
        }
    }
    for regressor in &settings.regressors {
        seen(&regressor.name, REGRESSOR)?;
        allowed(&regressor.name, REGRESSOR)?;
    }
    Ok(())
}

fn allowed(name: &str, what: &'static str) -> Result<(), FitError> {
    if name.is_empty() {
        return Err(refused(name, what, "which is empty"));
    }
    // The name of a column is that of its component, this, and a number.
    if name.contains("_delim_") {
        return Err(refused(name, what, "which has `_delim_` in it"));
    }
    let stem = name.strip_suffix("_lower").or_else(|| name.strip_suffix("_upper")).unwrap_or(name);
    if PREDICTED.contains(&stem) || OTHER.contains(&name) || (stem == "yhat") {
        return Err(refused(name, what, "which Prophet keeps for itself"));
    }
    Ok(())
}

fn refused(name: &str, what: &'static str, why: &'static str) -> FitError {
    FitError::Name { name: name.to_owned(), what, why }
}
