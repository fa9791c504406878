//! Finds the rows that a model cannot predict.

use crate::features::Features;
use crate::forecast::Forecast;
use crate::inputs::{Inputs, Need, Role};
use crate::missing::Reason;
use crate::model::{Floor, Model};
use crate::trend::Trend;

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
