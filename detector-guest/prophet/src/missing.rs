//! Rows that a model cannot predict from what it was given, and why.

use std::fmt;

use crate::features::Features;
use crate::forecast::Forecast;
use crate::inputs::{Inputs, Need, Role};
use crate::model::{Floor, Model};
use crate::trend::Trend;

/// Rows without a prediction: NaN in every column of the [`Forecast`].
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

impl Model {
    /// Marks the rows that cannot be predicted. The first reason that holds for a row is the one
    /// that is given.
    pub(crate) fn withhold(&self, features: &Features, inputs: &Inputs, forecast: &mut Forecast) {
        let rows = features.rows();
        let column = |need: &Need| inputs.tiles(&need.name).flatten().take(rows).copied();
        for need in &self.needs {
            let missing = column(need).map(|value| !value.is_finite());
            forecast.drop_rows(Reason::Missing(need.clone()), missing);
            if need.role == Role::Condition {
                let neither = column(need).map(|value| value != 0.0 && value != 1.0);
                forecast.drop_rows(Reason::NoCondition(need.clone()), neither);
            }
        }
        if let Trend::Logistic(_) = self.point.trend {
            let floors = inputs.tiles(Self::FLOOR).flatten();
            let caps = inputs.tiles(Self::CAP).flatten();
            let full = caps.zip(floors).take(rows).map(|(cap, given)| match self.floor {
                Floor::Given => cap <= given,
                Floor::Fixed(floor) => *cap <= floor,
            });
            forecast.drop_rows(Reason::CapNotAboveFloor, full);
        }
        if let Some(country) = self.holidays.as_ref().and_then(|holidays| holidays.country.as_ref()) {
            let unknown = features.instants().iter().map(|micros| !country.covers(*micros));
            forecast.drop_rows(Reason::NoCountryHolidays { country: country.code.clone() }, unknown);
        }
    }
}
