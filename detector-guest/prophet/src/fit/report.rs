//! What is to be said of a fit beside the model.

use std::fmt;

use serde::Serialize;

use super::settings::Method;

/// How a model was found.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct FitReport {
    /// Rows with a value, which is what the model was fitted to.
    pub rows: usize,
    /// Rows that were left out because `y` was missing.
    pub rows_without_value: usize,
    /// Of the first and the last row, microseconds since 1970.
    pub first: i64,
    pub last: i64,
    pub method: Method,
    /// The logarithm of the posterior density without constants, Prophet's `lp__`. None for a
    /// constant series, for which nothing is searched.
    pub log_density: Option<f64>,
    pub steps: u32,
    /// By how much a condition of optimality is missed at worst; a millionth is nothing.
    pub violation: f64,
    /// The standard deviation of y around the model in training, in units of y.
    pub noise: f64,
    pub warnings: Vec<Warning>,
}

/// What a person should know before trusting the model.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(tag = "warning", rename_all = "kebab-case")]
#[non_exhaustive]
pub enum Warning {
    /// A season was asked for on less than two of its periods.
    ShortHistory { season: String, period_days: f64, span_days: f64 },
    /// The model can be made to fit exactly; the density then has no bound, and the search ended at
    /// the least noise.
    Exact,
    /// The search ended although a condition of optimality is missed by more than rounding.
    NotAtOptimum { violation: f64 },
}

impl fmt::Display for Warning {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::ShortHistory { season, period_days, span_days } => write!(
                f,
                "the season `{season}` of {period_days} days was fitted to {span_days:.1} days; with less than two periods \
                 it cannot be told from the trend, and the forecast soon goes astray"
            ),
            Self::Exact => {
                write!(f, "the model fits all rows exactly, so its noise and its intervals mean nothing")
            }
            Self::NotAtOptimum { violation } => {
                write!(f, "the search ended before the optimum: a condition is missed by {violation:.1e}")
            }
        }
    }
}
