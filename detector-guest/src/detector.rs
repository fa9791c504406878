//! An opened detector: models in memory, judging batch after batch.
//!
//! It lives as long as the host keeps the set; between batches it keeps nothing but buffers. A batch goes through in slices
//! of rows: the features of a slice are computed once for all models that take slices of its length, then their columns are
//! predicted and judged on it.

use std::collections::{BTreeMap, BTreeSet};

use prophet::interval::{self, Intervals};
use prophet::{Features, Forecast, Inputs, Model, Need, Why};

use crate::OpenError;
use crate::judge::{Measure, deviation};
use crate::models::{self, File, ModelState, Models};
use crate::settings::{ResidualScale, Settings, TrendUncertainty};
use crate::verdicts::Verdicts;

const DEFAULT_THRESHOLD: f64 = 2.0;

/// Models and rules.
#[derive(Debug)]
pub struct Detector {
    judges: BTreeMap<String, Judge>,
    states: Vec<ModelState>,
    ignored: Vec<String>,
    threshold: f64,
    residual_scale: ResidualScale,
    trend_uncertainty: TrendUncertainty,
    features: Features,
    inputs: Inputs,
    forecast: Forecast,
    intervals: Intervals,
}

/// A model and what follows from it for every batch.
#[derive(Debug)]
struct Judge {
    model: Model,
    interval_width: f64,
    /// What the model needs besides timestamps, with the variable that supplies it.
    sources: Vec<(Need, String)>,
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
            let sources = sources(&variable, &model, &settings)?;
            let interval_width = width.unwrap_or(model.interval_width());
            Ok((variable, Judge { model, interval_width, sources }))
        };
        let is_model =
            |key: &str| models.states.binary_search_by(|model| model.variable.as_str().cmp(key)).is_ok();
        if let Some(unknown) = settings.columns.keys().find(|key| !is_model(key)) {
            return Err(OpenError::Settings(format!("`columns`: there is no model of `{unknown}`")));
        }
        Ok(Self {
            judges: models.by_variable.into_iter().map(judge).collect::<Result<_, OpenError>>()?,
            states: models.states,
            ignored: models.ignored,
            threshold: settings.threshold.or(config.threshold).unwrap_or(DEFAULT_THRESHOLD),
            residual_scale: settings.residual_scale,
            trend_uncertainty: settings.trend_uncertainty,
            features: Features::default(),
            inputs: Inputs::default(),
            forecast: Forecast::default(),
            intervals: Intervals::default(),
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

    /// Whether a model needs other variables of the same instant.
    #[must_use]
    pub fn needs_whole_instants(&self) -> bool {
        self.judges.values().any(|judge| !judge.sources.is_empty())
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
                let judge = self.judges.get(column.variable)?;
                let trend = match self.trend_uncertainty {
                    TrendUncertainty::None => interval::TrendUncertainty::None,
                    TrendUncertainty::Batch => interval::TrendUncertainty::Batch(judge.model.grid(instants)),
                    TrendUncertainty::Continuous => interval::TrendUncertainty::Continuous,
                };
                Some((judge, trend, Verdicts::with_capacity(instants.len())))
            })
            .collect();
        // What is said of a variable depends on its own model's slices alone, not on which others there are.
        let sizes: BTreeSet<usize> =
            judging.iter().flatten().map(|(judge, trend, _)| judge.model.rows_at_once(*trend)).collect();
        let slices = sizes.iter().flat_map(|size| {
            instants.chunks(*size).enumerate().map(move |(slice, times)| (*size, slice * size, times))
        });
        for (size, start, times) in slices {
            let rows = start..start + times.len();
            self.features.reset(times);
            for (column, judging) in columns.iter().zip(&mut judging) {
                let Some((judge, trend, verdicts)) = judging else { continue };
                if judge.model.rows_at_once(*trend) != size {
                    continue;
                }
                for (need, source) in &judge.sources {
                    let supplied = columns.iter().find(|column| column.variable == source);
                    self.inputs
                        .set(&need.name, supplied.map_or(&[][..], |column| &column.values[rows.clone()]));
                }
                judge.model.forecast(&mut self.features, &self.inputs, &mut self.forecast);
                verdicts.expected.extend_from_slice(self.forecast.yhat());
                verdicts.extend_to(rows.end);
                let trend = match *trend {
                    interval::TrendUncertainty::Batch(grid) => {
                        interval::TrendUncertainty::Batch(grid.after(rows.start))
                    }
                    other => other,
                };
                self.intervals.bound(
                    &judge.model,
                    &mut self.features,
                    &self.inputs,
                    &self.forecast,
                    (judge.interval_width, trend),
                    &mut verdicts.lower[rows.clone()],
                    &mut verdicts.upper[rows.clone()],
                );
                if judge.model.draws() > 1 || self.trend_uncertainty != TrendUncertainty::None {
                    verdicts.widen_to_what_is_expected(rows.clone());
                }
                for absence in self.forecast.absent() {
                    verdicts.withhold(
                        judge.reason(&absence.why),
                        column,
                        absence.rows.iter().map(|row| rows.start + row),
                    );
                }
                if self.residual_scale == ResidualScale::Model {
                    let measure = Measure { threshold: self.threshold, scale: judge.model.noise() };
                    verdicts.judge(column, measure, rows.clone());
                    verdicts.withhold_what_is_no_number(column, rows.clone());
                }
            }
        }
        let outcome =
            |(column, judging): (&Column<'_>, Option<(&Judge, interval::TrendUncertainty, Verdicts)>)| {
                match judging {
                    None => Outcome::NoModel,
                    Some((_, _, mut verdicts)) => {
                        if self.residual_scale == ResidualScale::Batch {
                            let scale = deviation(column.values, &verdicts.expected);
                            let (measure, rows) =
                                (Measure { threshold: self.threshold, scale }, 0..instants.len());
                            verdicts.judge(column, measure, rows.clone());
                            verdicts.withhold_what_is_no_number(column, rows);
                        }
                        Outcome::Judged(verdicts)
                    }
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

/// The variables that supply what a model needs: those of the setting `columns`, else of the column's own name.
fn sources(variable: &str, model: &Model, settings: &Settings) -> Result<Vec<(Need, String)>, OpenError> {
    let renamed = settings.columns.get(variable);
    let needs = model.needs();
    for name in renamed.into_iter().flat_map(|renamed| renamed.keys()) {
        if !needs.iter().any(|need| need.name == *name) {
            let names: Vec<&str> = needs.iter().map(|need| need.name.as_str()).collect();
            return Err(OpenError::Settings(match names.as_slice() {
                [] => format!("`columns`: the model of `{variable}` needs no column, so no `{name}`"),
                names => format!(
                    "`columns`: the model of `{variable}` needs no column `{name}`; it needs `{}`",
                    names.join("`, `")
                ),
            }));
        }
    }
    let source =
        |need: &Need| renamed.and_then(|renamed| renamed.get(&need.name)).unwrap_or(&need.name).clone();
    Ok(needs.iter().map(|need| (need.clone(), source(need))).collect())
}

impl Judge {
    /// Why a row has no prediction, in the words of who looks at the plant.
    fn reason(&self, why: &Why) -> String {
        let supplied = |need: &Need| {
            let source = self.sources.iter().find(|source| source.0 == *need).map(|source| source.1.as_str());
            match source {
                Some(source) if source != need.name => {
                    format!("{} `{}` (variable `{source}`)", need.role, need.name)
                }
                _ => format!("{} `{}`", need.role, need.name),
            }
        };
        match why {
            Why::Missing(need) => format!("{} has no reading", supplied(need)),
            Why::NoCondition(need) => format!("{} is neither 0 nor 1", supplied(need)),
            other => other.to_string(),
        }
    }
}
