//! Rows that a model cannot predict from what it was given, and why.

use std::fmt;

use crate::inputs::Need;

/// Rows without a prediction: NaN in every column of the [`Forecast`](crate::Forecast).
#[derive(Clone, Debug, PartialEq)]
pub struct Missing {
    pub why: Reason,
    /// Increasing positions among the timestamps.
    pub rows: Vec<usize>,
}

/// Why a row has no prediction.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Reason {
    /// A column has no value there, or one that is not finite.
    Missing(Need),
    /// The column of a condition holds something else than 0 or 1.
    NoCondition(Need),
    /// Logistic growth has no room there.
    CapNotAboveFloor,
    /// A year for which the dates of this country's holidays were not supplied.
    NoCountryHolidays { country: String },
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Missing(Need { name, role }) => write!(f, "the {role} `{name}` has no value"),
            Self::NoCondition(Need { name, .. }) => write!(f, "the condition `{name}` is neither 0 nor 1"),
            Self::CapNotAboveFloor => write!(f, "the capacity `cap` is not above the floor"),
            Self::NoCountryHolidays { country } => {
                write!(f, "the country holidays of `{country}` are not known for that year")
            }
        }
    }
}
