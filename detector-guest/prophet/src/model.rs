//! A model in memory: what prediction needs, checked, and nothing else.

use crate::features::Features;
use crate::forecast::Forecast;
use crate::lanes::LANES;
use crate::read::{self, ReadError};
use crate::seasonality::{Mode, Seasonality};
use crate::time::TrainingTime;
use crate::trend::Trend;

/// A trained Prophet model. A few hundred numbers, never changed after it was read.
#[derive(Clone, Debug, PartialEq)]
pub struct Model {
    pub(crate) time: TrainingTime,
    pub(crate) trend: Trend,
    pub(crate) seasonalities: Vec<Seasonality>,
    /// Scale of y; above 0.
    pub(crate) y_scale: f64,
    /// What scaled y counts from, in units of y.
    pub(crate) floor: f64,
    /// `sigma_obs`, in units of `y_scale`; above 0.
    pub(crate) sigma_obs: f64,
    pub(crate) interval_width: f64,
}

impl Model {
    /// Reads what `prophet.serialize.model_to_json` wrote.
    ///
    /// # Errors
    /// The file is no such model, contradicts itself, or uses what this version does not read.
    pub fn from_json(json: &[u8]) -> Result<Self, ReadError> {
        read::model(json)
    }

    /// The standard deviation of y around yhat that training found, in units of y.
    #[must_use]
    pub fn noise(&self) -> f64 {
        self.sigma_obs * self.y_scale
    }

    /// The level of the intervals that the model was trained to give, such as 0.95.
    #[must_use]
    pub fn interval_width(&self) -> f64 {
        self.interval_width
    }

    /// Predicts these timestamps: microseconds since 1970-01-01T00:00 without a time zone, in any order.
    #[must_use]
    pub fn predict(&self, instants: &[i64]) -> Forecast {
        let mut forecast = Forecast::default();
        self.forecast(&mut Features::new(instants), &mut forecast);
        forecast
    }

    /// Predicts the timestamps of `features` and replaces what `forecast` held.
    pub fn forecast(&self, features: &mut Features, forecast: &mut Forecast) {
        forecast.reset(features.rows(), features.micros().len());
        for season in &self.seasonalities {
            let (waves, stride) = features.waves(season.period, season.order());
            let sums = match season.mode {
                Mode::Additive => &mut forecast.additive,
                Mode::Multiplicative => &mut forecast.multiplicative,
            };
            season.add_to(sums, waves, stride);
        }
        self.combine(features, forecast);
    }

    /// `trend · (1 + multiplicative terms) + additive terms`, in units of y (`predict` in `forecaster.py`).
    #[cfg_attr(target_family = "wasm", target_feature(enable = "simd128"))]
    fn combine(&self, features: &Features, forecast: &mut Forecast) {
        let Forecast { trend, additive, multiplicative, yhat, .. } = forecast;
        let terms = additive.iter_mut().zip(multiplicative.iter());
        let mut line = 0;
        for (((micros, trend), yhat), (additive, multiplicative)) in
            features.micros().iter().zip(trend).zip(yhat).zip(terms)
        {
            let scaled = match &self.trend {
                Trend::Linear(linear) => linear.at(&mut line, &micros.map(|micros| self.time.scaled(micros))),
                Trend::Flat { offset } => [*offset; LANES],
            };
            for lane in 0..LANES {
                trend[lane] = scaled[lane] * self.y_scale + self.floor;
                additive[lane] *= self.y_scale;
                yhat[lane] = trend[lane] * (1.0 + multiplicative[lane]) + additive[lane];
            }
        }
    }
}
