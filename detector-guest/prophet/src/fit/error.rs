//! Why a series did not become a model.

use std::fmt::Display;

use crate::inputs::Role;

/// Why there is no model. The texts go on from the series' name: "series `T1` …".
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum FitError {
    #[error("has {found} rows with a value in `y`; a model needs at least 2")]
    TooFewRows { found: usize },
    #[error("has all its rows at one instant, {at}; a trend needs two")]
    OneInstant { at: String },
    /// `column` may be `y`, whose missing values are left out; infinities are refused.
    #[error("has {found} in `{column}` at {at}; expected a finite number")]
    NotFinite { column: String, found: f64, at: String },
    #[error("lacks the column `{column}`, which the settings use as a {role}")]
    MissingColumn { column: String, role: Role },
    #[error("has {found} values in `{column}` for {expected} rows")]
    Length { column: String, found: usize, expected: usize },
    #[error("has {found} in the condition `{column}` at {at}; expected 0 or 1")]
    NotACondition { column: String, found: f64, at: String },
    #[error("has a capacity of {cap} at {at}, which is not above its floor of {floor}")]
    CapNotAboveFloor { cap: f64, floor: f64, at: String },
    /// An `f64` counts microseconds exactly between these years, and no longer.
    #[error("has an instant of {micros} microseconds since 1970; expected one of the years 1685 to 2254")]
    Instant { micros: i64 },
    #[error("has a changepoint at {at}, outside its rows from {first} to {last}")]
    ChangepointOutside { at: String, first: String, last: String },
    #[error("has {found} in the setting `{setting}`; expected {expected}")]
    Setting { setting: String, found: String, expected: &'static str },
    #[error("has settings that cannot be read: {0}")]
    Settings(String),
    #[error("uses the name `{name}` for a {what}, {why}")]
    Name { name: String, what: &'static str, why: &'static str },
    #[error("has the country holidays of `{country}` in its settings, but their dates were not given")]
    NoCountryHolidays { country: String },
    #[error(
        "needs too much memory with {rows} rows, {columns} columns and {changepoints} changepoints; \
         make the rows sparser or ask for less"
    )]
    TooLarge { rows: usize, columns: usize, changepoints: usize },
    /// Values of 10³⁰⁰, or regressors that differ by as much.
    #[error("has numbers too large or too far apart to compute with, so no model was found")]
    Diverged,
}

impl FitError {
    pub(super) fn setting(setting: impl Into<String>, found: impl Display, expected: &'static str) -> Self {
        Self::Setting { setting: setting.into(), found: found.to_string(), expected }
    }
}
