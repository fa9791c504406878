//! The scale of y, and the floor that it is counted from (`initialize_scales` and `setup_dataframe`
//! in `forecaster.py`).

use crate::fit::error::FitError;
use crate::fit::series::SortedRows;
use crate::fit::settings::{FitSettings, Growth, Scaling};
use crate::inputs::Role;
use crate::model::Model;

/// `y' = (y - floor) / y_scale`.
pub(in crate::fit) struct SeriesScale {
    pub(in crate::fit) y_scale: f64,
    pub(in crate::fit) y_min: f64,
    /// Growth is logistic and the series has a floor of its own.
    pub(in crate::fit) logistic_floor: bool,
    /// Of each row, in units of y. None if that is `y_min` for all.
    pub(in crate::fit) floor: Option<Vec<f64>>,
    /// Of each row, in units of y; empty unless growth is logistic.
    pub(in crate::fit) cap: Vec<f64>,
}

fn least(values: impl Iterator<Item = f64>) -> f64 {
    // `f64::min` is a call of a function in WebAssembly.
    values.fold(f64::INFINITY, |least, value| if value < least { value } else { least })
}

fn most(values: impl Iterator<Item = f64>) -> f64 {
    values.fold(f64::NEG_INFINITY, |most, value| if value > most { value } else { most })
}

impl SeriesScale {
    pub(super) fn of(rows: &SortedRows<'_>, settings: &FitSettings) -> Result<Self, FitError> {
        let logistic = settings.prophet.growth == Growth::Logistic;
        let scaling = settings.prophet.scaling;
        let cap = if logistic { rows.column(Model::CAP, Role::Cap)? } else { Vec::new() };
        let logistic_floor = logistic && rows.has(Model::FLOOR);
        let y = || rows.y.iter().copied();
        let floor = if logistic_floor { Some(rows.column(Model::FLOOR, Role::Floor)?) } else { None };
        let (y_min, y_scale) = match (&floor, scaling) {
            (Some(floor), Scaling::Absmax) => {
                let above = || y().zip(floor).map(|(y, floor)| (y - floor).abs());
                (least(above()), most(above()))
            }
            (Some(floor), Scaling::Minmax) => {
                let lowest = least(floor.iter().copied());
                (lowest, most(cap.iter().copied()) - lowest)
            }
            (None, Scaling::Absmax) => (0.0, most(y().map(f64::abs))),
            (None, Scaling::Minmax) => (least(y()), most(y()) - least(y())),
        };
        for (row, cap) in cap.iter().enumerate() {
            let floor = floor.as_ref().map_or(y_min, |floor| floor[row]);
            if *cap <= floor {
                return Err(FitError::CapNotAboveFloor { cap: *cap, floor, at: rows.at(row) });
            }
        }
        let y_scale = if y_scale == 0.0 { 1.0 } else { y_scale };
        // A divisor below this is rounded so coarsely that quotients are no longer what they say.
        if !y_scale.is_finite() || y_scale < f64::MIN_POSITIVE {
            return Err(FitError::Diverged);
        }
        Ok(Self { y_scale, y_min, logistic_floor, floor, cap })
    }

    /// Scaled values of all rows: of y, or of the capacity.
    pub(super) fn scaled(&self, values: &[f64]) -> Vec<f64> {
        match &self.floor {
            None => values.iter().map(|value| (value - self.y_min) / self.y_scale).collect(),
            Some(floor) => {
                values.iter().zip(floor).map(|(value, floor)| (value - floor) / self.y_scale).collect()
            }
        }
    }
}
