//! Intervals around the forecast, without simulation: the limit of what Prophet's draws approach.
//!
//! Within training, and for a trend that is taken as known, y is normal around yhat with the
//! model's noise `σ = sigma_obs · y_scale`, so the interval of level `w` is `yhat ± z·σ` with `z =
//! Φ⁻¹((1 + w) / 2)`. Beyond training the rate of the trend may change again, see
//! [`TrendUncertainty`]; the files here have a distribution each:
//!
//! * `distribution`: changes in continuous time; `stepwise`: changes at the rows of a request,
//!   Prophet's default call;
//! * `contour` and `quantile`: from such a distribution to the half-width; `segments` and
//!   `chebyshev`: to those of many rows at once;
//! * `mixture`: many draws of the parameters (MCMC); `logistic` with `jump_density`: growth that a
//!   capacity bends.
//!
//! Nothing here is random: asked the same twice, the answer is the same to the last bit.

mod chebyshev;
mod complex;
mod contour;
mod density_cache;
mod distribution;
mod gaussian;
mod grid;
mod horizon;
mod jump_density;
mod logistic;
mod mixture;
mod quantile;
mod segments;
mod spline;
mod stepwise;

pub use gaussian::z;
pub use grid::Grid;

use crate::features::Features;
use crate::forecast::Forecast;
use crate::inputs::Inputs;
use crate::lanes::LANES;
use crate::model::{Floor, Model, Parameters};
use crate::read::{ReadError, in_words};
use crate::trend::Trend;
use contour::Contour;
use density_cache::Densities;
use distribution::Distribution;
use horizon::Horizon;
use logistic::LogisticGrowth;
use mixture::{Draw, Mixture, Spread};
use quantile::TailLevel;
use segments::{RowParameters, Solver};
use stepwise::Steps;

/// What may become of the trend after training.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub enum TrendUncertainty {
    /// It goes on as it was. A live batch of Prophet's own default call, which begins its clock at
    /// the batch's first row, is as wide as this.
    #[default]
    None,
    /// Its rate changes at the rows of the request: the law of Prophet's default call
    /// (`vectorized=True`). For logistic growth it is exact on even grids that follow training;
    /// Prophet moves changes to such a grid.
    Batch(Grid),
    /// Its rate changes at any time since training ended: the law of `vectorized=False`, and of the
    /// model itself.
    Continuous,
}

impl TrendUncertainty {
    /// For the rows that follow the first `rows` of a request.
    #[must_use]
    pub fn after(self, rows: usize) -> Self {
        match self {
            Self::Batch(grid) => Self::Batch(grid.after(rows)),
            other => other,
        }
    }
}

/// What the range of a thousand draws holds on average: `(n - 1) / (n + 1)`.
pub const RANGE_OF_DRAWS: f64 = 999.0 / 1001.0;

/// The level for which an interval is computed where `width` is asked for; None where there is no
/// such interval. At 1 Prophet answers the range of its draws, a thousand unless it is told
/// otherwise. The limit of that is no interval but everything, so what such a range holds is taken.
#[must_use]
pub fn level(width: f64) -> Option<f64> {
    match width {
        1.0 => Some(RANGE_OF_DRAWS),
        width => (width > 0.0 && width < 1.0).then_some(width),
    }
}

/// Features of two seasons and the columns of one variable fit the second level of a cache with
/// room to spare.
const ROWS: usize = 512;
/// Stretches are long then, and solving them costs more than memory that is slower.
const ROWS_OF_STRETCHES: usize = 4096;
/// Rows times draws: with MCMC each has a law of its own, and these take some megabytes.
const DRAWN_ROWS: usize = 32_768;

impl Model {
    /// The [level] of that width.
    ///
    /// # Errors
    /// There is no interval of that width. Nothing else depends on it.
    pub fn level(&self) -> Result<f64, ReadError> {
        level(self.interval_width).ok_or_else(|| {
            let found = in_words(self.interval_width);
            ReadError::invalid(
                "interval_width",
                found,
                "a number above 0, at most 1, where it is not set elsewhere",
            )
        })
    }

    /// How many rows [`Intervals::bound`] is best given at once.
    #[must_use]
    pub fn rows_at_once(&self, trend: TrendUncertainty) -> usize {
        if self.is_mixed() {
            (DRAWN_ROWS / self.draws()).clamp(LANES, ROWS)
        } else if trend == TrendUncertainty::None {
            ROWS
        } else {
            ROWS_OF_STRETCHES
        }
    }

    /// Whether the ends of an uncertain trend's interval are solved each by itself.
    fn is_mixed(&self) -> bool {
        !self.draws.is_empty() || matches!(self.point.trend, Trend::Logistic(_))
    }
}

/// Computes intervals; holds nothing but memory that is used again.
#[derive(Debug, Default)]
pub struct Intervals {
    contour: Contour,
    mixture: Mixture,
    forecast: Forecast,
    draws: Vec<Draw>,
    densities: Densities,
    borders: Vec<f64>,
    rows: Vec<RowParameters>,
    widths: Vec<f64>,
    /// A level that was asked for last, with its z.
    last: Option<(f64, f64)>,
}

impl Intervals {
    /// No memory yet.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// The interval of level `width`, such as 0.95, for each row of `forecast`, which `model` made
    /// of `features` and `inputs`; in units of y. Rows without a prediction have none (NaN),
    /// nor has any row unless 0 < `width` < 1.
    ///
    /// With MCMC the memory is a dozen numbers a row and draw: hand in slices of
    /// [`Model::rows_at_once`].
    #[allow(clippy::too_many_arguments, reason = "what a row depends on, and where its ends go")]
    pub fn bound(
        &mut self,
        model: &Model,
        features: &mut Features,
        inputs: &Inputs,
        forecast: &Forecast,
        (width, trend): (f64, TrendUncertainty),
        lower: &mut [f64],
        upper: &mut [f64],
    ) {
        let level = self.level(width);
        if level.z.is_nan() {
            lower.fill(f64::NAN);
            upper.fill(f64::NAN);
            return;
        }
        let logistic = matches!(model.point.trend, Trend::Logistic(_)) && trend != TrendUncertainty::None;
        if model.draws.is_empty() && !logistic {
            self.symmetric(model, features, forecast, (level, trend), lower, upper);
        } else {
            self.mixed(model, features, inputs, forecast, (level, trend), lower, upper);
        }
    }

    fn level(&mut self, width: f64) -> TailLevel {
        let z = match self.last {
            Some((known, z)) if known == width => z,
            _ => z(width),
        };
        self.last = Some((width, z));
        TailLevel { tail: 0.5 * (1.0 - width), z }
    }

    /// `yhat ± q σ`.
    fn symmetric(
        &mut self,
        model: &Model,
        features: &Features,
        forecast: &Forecast,
        (level, trend): (TailLevel, TrendUncertainty),
        lower: &mut [f64],
        upper: &mut [f64],
    ) {
        let noise = model.noise();
        if trend == TrendUncertainty::None || matches!(model.point.trend, Trend::Flat { .. }) {
            return around(forecast.yhat(), level.z * noise, lower, upper);
        }
        let ahead = |(row, micros): (usize, &i64)| RowParameters {
            time: if forecast.yhat()[row].is_nan() {
                f64::NAN
            } else {
                Horizon::of(model, *micros, row, trend).time()
            },
            pace: model.point.pace(forecast.multiplicative_terms()[row]),
        };
        self.rows.clear();
        self.rows.extend(features.instants().iter().enumerate().map(ahead));
        let (there, smooth_from) = match trend {
            TrendUncertainty::Batch(grid) => {
                (Horizon::Rows { count: 0.0, spacing: grid.spacing }, Steps::MANY)
            }
            _ => (Horizon::Time(0.0), 0.0),
        };
        let law = |time: f64, pace: f64| there.at(time).law(model.changepoints, pace);
        Solver { level, law, smooth_from, contour: &mut self.contour }
            .half_widths(&self.rows, &mut self.widths);
        for (row, width) in self.widths.iter().enumerate() {
            let yhat = forecast.yhat()[row];
            lower[row] = yhat - width * noise;
            upper[row] = yhat + width * noise;
        }
    }

    /// Both ends by themselves.
    #[allow(clippy::too_many_arguments, reason = "as above")]
    fn mixed(
        &mut self,
        model: &Model,
        features: &mut Features,
        inputs: &Inputs,
        forecast: &Forecast,
        (level, trend): (TailLevel, TrendUncertainty),
        lower: &mut [f64],
        upper: &mut [f64],
    ) {
        let parameters = match model.draws.as_slice() {
            [] => std::slice::from_ref(&model.point),
            draws => draws,
        };
        let rows = features.rows();
        let nothing =
            Draw { mean: f64::NAN, noise: f64::NAN, spread: Spread::Distribution(Distribution::NORMAL) };
        self.draws.clear();
        self.draws.resize(rows * parameters.len(), nothing);
        let caps = inputs.tiles(Model::CAP).flatten();
        let room: Vec<(f64, f64)> = caps
            .zip(inputs.tiles(Model::FLOOR).flatten())
            .take(rows)
            .map(|(cap, given)| match model.floor {
                Floor::Fixed(floor) => (floor, *cap),
                Floor::Given => (*given, *cap),
            })
            .collect();
        for (place, parameters_of_draw) in parameters.iter().enumerate() {
            model.evaluate(parameters_of_draw, features, inputs, &mut self.forecast);
            for (row, micros) in features.instants().iter().enumerate() {
                let ahead = Horizon::of(model, *micros, row, trend);
                let share = self.forecast.multiplicative_terms()[row];
                let noise = parameters_of_draw.noise * model.y_scale;
                let spread = if let Trend::Logistic(_) = parameters_of_draw.trend {
                    let (floor, cap) = room[row];
                    let growth = LogisticGrowth {
                        base: floor * (1.0 + share) + self.forecast.additive_terms()[row],
                        room: (cap - floor) * (1.0 + share),
                        argument: parameters_of_draw.trend.argument(model.time.scaled(*micros as f64)),
                        reach: parameters_of_draw.rate_change * ahead.horizon(),
                        noise,
                    };
                    let changes = ahead.horizon() * model.changepoints as f64;
                    if changes <= 0.0 || growth.is_steady(changes) {
                        Spread::Distribution(Distribution::NORMAL)
                    } else if ahead.is_centred() {
                        Spread::Growth(growth.centred(self.densities.of(changes), &mut self.borders))
                    } else {
                        Spread::Growth(growth)
                    }
                } else if let Trend::Flat { .. } = parameters_of_draw.trend {
                    Spread::Distribution(Distribution::NORMAL)
                } else {
                    Spread::Distribution(ahead.law(model.changepoints, parameters_of_draw.pace(share)))
                };
                let mean = self.forecast.yhat()[row];
                self.draws[row * parameters.len() + place] = Draw { mean, noise, spread };
            }
        }
        for (row, micros) in features.instants().iter().enumerate() {
            if forecast.yhat()[row].is_nan() {
                (lower[row], upper[row]) = (f64::NAN, f64::NAN);
                continue;
            }
            let draws = &self.draws[row * parameters.len()..(row + 1) * parameters.len()];
            (lower[row], upper[row]) = match draws {
                [Draw { mean, noise, spread: Spread::Distribution(law) }] if law.is_normal() => {
                    (mean - level.z * noise, mean + level.z * noise)
                }
                draws => {
                    let grows = draws.iter().any(|draw| matches!(draw.spread, Spread::Growth(_)));
                    let changes =
                        Horizon::of(model, *micros, row, trend).horizon() * model.changepoints as f64;
                    let density = if grows { Some(self.densities.of(changes)) } else { None };
                    self.mixture.interval(level, draws, density)
                }
            };
        }
    }
}

/// `yhat ± half`.
#[cfg_attr(target_family = "wasm", target_feature(enable = "simd128"))]
fn around(yhat: &[f64], half: f64, lower: &mut [f64], upper: &mut [f64]) {
    for (yhat, (lower, upper)) in yhat.iter().zip(lower.iter_mut().zip(upper)) {
        *lower = yhat - half;
        *upper = yhat + half;
    }
}
