//! A model in memory: what prediction needs, checked, and nothing else.

use crate::features::Features;
use crate::forecast::Forecast;
use crate::holidays::Holidays;
use crate::inputs::{Inputs, Need};
use crate::lanes::LANES;
use crate::regressor::Regressor;
use crate::seasonality::{Mode, Seasonality};
use crate::time::{Times, TrainingTime};
use crate::trend::Trend;

/// A trained Prophet model. A few hundred numbers, never changed after it was read.
#[derive(Clone, Debug, PartialEq)]
pub struct Model {
    pub(crate) time: TrainingTime,
    pub(crate) seasonalities: Vec<Seasonality>,
    pub(crate) holidays: Option<Holidays>,
    pub(crate) regressors: Vec<Regressor>,
    /// Scale of y; above 0.
    pub(crate) y_scale: f64,
    pub(crate) floor: Floor,
    /// What predicts: the one row of parameters, or with MCMC the mean of all draws.
    pub(crate) point: Parameters,
    /// With MCMC every draw, for the intervals; otherwise none.
    pub(crate) draws: Vec<Parameters>,
    /// `S`, the number of changepoints; 1 in a model without any, as in Prophet.
    pub(crate) changepoints: usize,
    /// Rows of training, if the file tells.
    pub(crate) history_rows: Option<u64>,
    /// As it was saved.
    pub(crate) interval_width: f64,
    /// Sorted.
    pub(crate) needs: Vec<Need>,
}

/// What scaled y counts from, in units of y.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Floor {
    Fixed(f64),
    /// The column `floor` of the request.
    Given,
}

/// What training found: one row of Stan's parameters.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Parameters {
    pub(crate) trend: Trend,
    /// `β`, one for each feature.
    pub(crate) weights: Vec<f64>,
    /// `sigma_obs`, in units of `y_scale`; above 0.
    pub(crate) noise: f64,
    /// `λ`, the mean size of a change of rate, in scaled units; above 0.
    pub(crate) rate_change: f64,
}

impl Model {
    pub(crate) const CAP: &str = "cap";
    pub(crate) const FLOOR: &str = "floor";

    /// The standard deviation of y around yhat that training found, in units of y. With MCMC that
    /// of the mean draw.
    #[must_use]
    pub fn noise(&self) -> f64 {
        self.point.noise * self.y_scale
    }

    /// The width of the intervals that the model was saved with, such as 0.95; Prophet checks it
    /// only where it is used.
    #[must_use]
    pub fn interval_width(&self) -> f64 {
        self.interval_width
    }

    /// Rows of parameters: 1, or with MCMC one a draw.
    #[must_use]
    pub fn draws(&self) -> usize {
        self.draws.len().max(1)
    }

    /// The columns that a request must bring, sorted by name. Without any, timestamps are enough.
    #[must_use]
    pub fn needs(&self) -> &[Need] {
        &self.needs
    }

    /// Predicts these timestamps: microseconds since 1970-01-01T00:00 without a time zone, in any
    /// order. For a model that needs other columns see [`Self::forecast`].
    #[must_use]
    pub fn predict(&self, instants: &[i64]) -> Forecast {
        let mut forecast = Forecast::default();
        self.forecast(&mut Features::new(instants), &Inputs::new(), &mut forecast);
        forecast
    }

    /// Predicts the timestamps of `features` and replaces what `forecast` held. Rows for which
    /// `inputs` lacks something are NaN and named in [`Forecast::absent`].
    pub fn forecast(&self, features: &mut Features, inputs: &Inputs, forecast: &mut Forecast) {
        self.evaluate(&self.point, features, inputs, forecast);
        if !self.needs.is_empty() || self.holidays.is_some() {
            self.withhold(features, inputs, forecast);
        }
    }

    /// What one row of parameters predicts. Rows that lack something are left as they come out.
    pub(crate) fn evaluate(
        &self,
        parameters: &Parameters,
        features: &mut Features,
        inputs: &Inputs,
        forecast: &mut Forecast,
    ) {
        forecast.reset(features.rows(), features.tiles());
        let weights = parameters.weights.as_slice();
        for season in &self.seasonalities {
            let (waves, stride) = features.waves(season.period, season.order());
            let sums = forecast.terms(season.mode);
            match &season.condition {
                None => season.add_to(sums, waves, stride, weights),
                Some(name) => season.add_where(sums, waves, stride, weights, inputs.tiles(name)),
            }
        }
        if let Some(holidays) = &self.holidays {
            holidays.add_to(forecast.terms(holidays.mode), features.instants(), weights);
        }
        for regressor in &self.regressors {
            let weight = weights[regressor.column];
            regressor.add_to(forecast.terms(regressor.mode), weight, inputs.tiles(&regressor.name));
        }
        match (&parameters.trend, self.floor) {
            (Trend::Linear(_) | Trend::Flat { .. }, Floor::Fixed(floor)) => {
                self.combine(&parameters.trend, floor, features.times(&self.time), forecast);
            }
            _ => self.combine_with_room(&parameters.trend, features.times(&self.time), inputs, forecast),
        }
    }

    /// `trend · (1 + multiplicative terms) + additive terms`, in units of y (`predict` in
    /// `forecaster.py`).
    #[cfg_attr(target_family = "wasm", target_feature(enable = "simd128"))]
    fn combine(&self, growth: &Trend, floor: f64, times: &[Times], forecast: &mut Forecast) {
        let Forecast { trend, additive, multiplicative, yhat, .. } = forecast;
        let mut stretch = 0;
        for (times, trend) in times.iter().zip(trend.iter_mut()) {
            *trend = growth.at(&mut stretch, times, &[0.0; LANES]);
        }
        let terms = additive.as_flattened_mut().iter_mut().zip(multiplicative.as_flattened());
        let sums = trend.as_flattened_mut().iter_mut().zip(yhat.as_flattened_mut());
        for ((trend, yhat), (additive, multiplicative)) in sums.zip(terms) {
            *trend = *trend * self.y_scale + floor;
            *additive *= self.y_scale;
            *yhat = *trend * (1.0 + multiplicative) + *additive;
        }
    }

    /// The same for growth whose room, from floor to capacity, comes with the request.
    fn combine_with_room(&self, growth: &Trend, times: &[Times], inputs: &Inputs, forecast: &mut Forecast) {
        let Forecast { trend, additive, multiplicative, yhat, .. } = forecast;
        let terms = additive.iter_mut().zip(multiplicative.iter());
        let room = inputs.tiles(Self::CAP).zip(inputs.tiles(Self::FLOOR));
        let mut stretch = 0;
        for ((((times, trend), yhat), (additive, multiplicative)), (cap, given)) in
            times.iter().zip(trend).zip(yhat).zip(terms).zip(room)
        {
            let floor = match self.floor {
                Floor::Fixed(floor) => [floor; LANES],
                Floor::Given => *given,
            };
            let capacity = std::array::from_fn(|lane| (cap[lane] - floor[lane]) / self.y_scale);
            let scaled = growth.at(&mut stretch, times, &capacity);
            for lane in 0..LANES {
                trend[lane] = scaled[lane] * self.y_scale + floor[lane];
                additive[lane] *= self.y_scale;
                yhat[lane] = trend[lane] * (1.0 + multiplicative[lane]) + additive[lane];
            }
        }
    }
}

impl Forecast {
    /// The sums to which terms of this mode are added.
    fn terms(&mut self, mode: Mode) -> &mut [crate::lanes::Lanes] {
        match mode {
            Mode::Additive => &mut self.additive,
            Mode::Multiplicative => &mut self.multiplicative,
        }
    }
}
