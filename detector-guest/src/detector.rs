//! An opened detector: models in memory, judging batch after batch.
//!
//! It lives as long as the host keeps the set; between batches it keeps nothing but buffers. A batch goes through in slices
//! of rows that fit the cache: the features of a slice are computed once, then every column is predicted and judged on it.

use std::collections::BTreeMap;

use prophet::{Features, Forecast, Inputs, Model, interval};

use crate::OpenError;
use crate::judge::{Measure, Verdicts, Withholding, deviation};
use crate::models::{self, File, ModelState, Models};
use crate::settings::{ResidualScale, Settings};

/// Rows in a slice: features of two seasons and the columns of one variable then fit a level-2 cache with room to spare.
const SLICE: usize = 512;

const DEFAULT_THRESHOLD: f64 = 2.0;

/// Models and rules.
#[derive(Debug)]
pub struct Detector {
    judges: BTreeMap<String, Judge>,
    states: Vec<ModelState>,
    ignored: Vec<String>,
    threshold: f64,
    residual_scale: ResidualScale,
    features: Features,
    forecast: Forecast,
}

/// A model and what follows from it for every batch.
#[derive(Debug)]
struct Judge {
    model: Model,
    half_width: f64,
}

/// The readings of one variable, one for each instant of the batch; NaN where there is none.
#[derive(Clone, Copy, Debug)]
pub struct Column<'a> {
    pub variable: &'a str,
    pub values: &'a [f64],
}

/// What became of a column.
#[derive(Clone, Debug, PartialEq)]
pub enum Outcome {
    Judged(Verdicts),
    /// There is no model for the variable, or it was refused.
    NoModel,
}

/// The batch is none.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct DetectError(String);

impl Detector {
    /// Reads the models among `files`. `settings` is one JSON object.
    ///
    /// # Errors
    /// Settings that are not understood, files that leave open which variable they are for, or no usable model at all. One
    /// bad model among others is no error: see [`Self::models`].
    pub fn open(files: &[File<'_>], settings: &str) -> Result<Self, OpenError> {
        let settings = Settings::parse(settings)?;
        let config = models::config(files)?;
        let models = Models::read(files, &config, &settings)?;
        let width = settings.interval_width.or(config.interval_width);
        let judge = |(variable, model): (String, Model)| {
            let half_width = interval::z(width.unwrap_or(model.interval_width())) * model.noise();
            (variable, Judge { model, half_width })
        };
        Ok(Self {
            judges: models.by_variable.into_iter().map(judge).collect(),
            states: models.states,
            ignored: models.ignored,
            threshold: settings.threshold.or(config.threshold).unwrap_or(DEFAULT_THRESHOLD),
            residual_scale: settings.residual_scale,
            features: Features::default(),
            forecast: Forecast::default(),
        })
    }

    /// What became of each model file, sorted by variable.
    #[must_use]
    pub fn models(&self) -> &[ModelState] {
        &self.states
    }

    /// Paths of the files that are no models.
    #[must_use]
    pub fn ignored(&self) -> &[String] {
        &self.ignored
    }

    /// One outcome a column, in their order. `instants` are microseconds since 1970-01-01T00:00, strictly increasing.
    ///
    /// # Errors
    /// The instants are not increasing, or a column has another number of rows.
    pub fn detect(&mut self, instants: &[i64], columns: &[Column<'_>]) -> Result<Vec<Outcome>, DetectError> {
        check(instants, columns)?;
        let mut judging: Vec<_> = columns
            .iter()
            .map(|column| {
                self.judges.get(column.variable).map(|judge| (judge, Verdicts::new(instants.len())))
            })
            .collect();
        for (slice, times) in instants.chunks(SLICE).enumerate() {
            let rows = slice * SLICE..slice * SLICE + times.len();
            self.features.reset(times);
            for (column, judging) in columns.iter().zip(&mut judging) {
                let Some((judge, verdicts)) = judging else { continue };
                judge.model.forecast(&mut self.features, &Inputs::new(), &mut self.forecast);
                verdicts.expected[rows.clone()].copy_from_slice(self.forecast.yhat());
                judge.bound(verdicts, rows.clone());
                if self.residual_scale == ResidualScale::Model {
                    let measure = Measure { threshold: self.threshold, scale: judge.model.noise() };
                    verdicts.judge(column, measure, rows.clone());
                }
            }
        }
        let outcome = |(column, judging): (&Column<'_>, Option<(&Judge, Verdicts)>)| match judging {
            None => Outcome::NoModel,
            Some((_, mut verdicts)) => {
                if self.residual_scale == ResidualScale::Batch {
                    let scale = deviation(column.values, &verdicts.expected);
                    verdicts.judge(column, Measure { threshold: self.threshold, scale }, 0..instants.len());
                }
                verdicts.withhold_what_is_no_number(column);
                Outcome::Judged(verdicts)
            }
        };
        Ok(columns.iter().zip(judging).map(outcome).collect())
    }
}

fn check(instants: &[i64], columns: &[Column<'_>]) -> Result<(), DetectError> {
    if let Some(at) = instants.windows(2).position(|pair| pair[0] >= pair[1]) {
        return Err(DetectError(format!(
            "instants are not increasing: {} at row {at} is followed by {}",
            instants[at],
            instants[at + 1]
        )));
    }
    match columns.iter().find(|column| column.values.len() != instants.len()) {
        None => Ok(()),
        Some(column) => Err(DetectError(format!(
            "column `{}` has {} rows and the batch has {} instants",
            column.variable,
            column.values.len(),
            instants.len()
        ))),
    }
}

impl Judge {
    /// The interval around what is expected.
    #[cfg_attr(target_family = "wasm", target_feature(enable = "simd128"))]
    fn bound(&self, verdicts: &mut Verdicts, rows: std::ops::Range<usize>) {
        let expected = &verdicts.expected[rows.clone()];
        let bounds = verdicts.lower[rows.clone()].iter_mut().zip(&mut verdicts.upper[rows]);
        for (expected, (lower, upper)) in expected.iter().zip(bounds) {
            *lower = expected - self.half_width;
            *upper = expected + self.half_width;
        }
    }
}

impl Verdicts {
    fn judge(&mut self, column: &Column<'_>, measure: Measure, rows: std::ops::Range<usize>) {
        measure.judge(
            &column.values[rows.clone()],
            &self.expected[rows.clone()],
            &self.lower[rows.clone()],
            &self.upper[rows.clone()],
            &mut self.score[rows.clone()],
            &mut self.flags[rows],
        );
    }

    /// A model may be sound and its extrapolation still leave the range of numbers.
    fn withhold_what_is_no_number(&mut self, column: &Column<'_>) {
        // Infinite or NaN bounds make a width that is not finite; so does an expectation between them.
        let finite =
            |row: usize| (self.upper[row] - self.lower[row]).is_finite() && self.expected[row].is_finite();
        let wrong: Vec<usize> = (0..self.expected.len()).filter(|row| !finite(*row)).collect();
        for row in &wrong {
            self.expected[*row] = f64::NAN;
            self.lower[*row] = f64::NAN;
            self.upper[*row] = f64::NAN;
            self.flags[*row] = crate::Flags::default();
            self.score[*row] = if column.values[*row].is_nan() { 0.0 } else { f64::NAN };
        }
        let read = wrong.into_iter().filter(|row| !column.values[*row].is_nan());
        let rows: Vec<u32> = read.filter_map(|row| u32::try_from(row).ok()).collect();
        if !rows.is_empty() {
            let reason = format!("the model of `{}` predicts no finite number", column.variable);
            self.withheld.push(Withholding { reason, rows });
        }
    }
}
