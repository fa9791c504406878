//! An opened detector: models in memory, judging batch after batch.
//!
//! It lives as long as the host keeps the set; between batches it keeps nothing but buffers. A batch goes through in slices
//! of rows that fit the cache: the features of a slice are computed once, then every column is predicted and judged on it.

use std::collections::BTreeMap;

use prophet::interval::{self, Intervals};
use prophet::{Features, Forecast, Inputs, Model, Need, Why};

use crate::OpenError;
use crate::judge::{Measure, TILE, Verdicts, Withholding, deviation};
use crate::models::{self, File, ModelState, Models};
use crate::settings::{ResidualScale, Settings, TrendUncertainty};

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
        let at_once = judging.iter().flatten().map(|(judge, trend, _)| judge.model.rows_at_once(*trend));
        let at_once = at_once.min().unwrap_or(instants.len()).max(1);
        for (slice, times) in instants.chunks(at_once).enumerate() {
            let rows = slice * at_once..slice * at_once + times.len();
            self.features.reset(times);
            for (column, judging) in columns.iter().zip(&mut judging) {
                let Some((judge, trend, verdicts)) = judging else { continue };
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

    /// Laws that are not symmetric can leave the expectation outside a narrow interval; the contract has it inside.
    fn widen_to_what_is_expected(&mut self, rows: std::ops::Range<usize>) {
        for row in rows {
            let expected = self.expected[row];
            if self.lower[row] > expected {
                self.lower[row] = expected;
            }
            if self.upper[row] < expected {
                self.upper[row] = expected;
            }
        }
    }

    /// Names the rows among `rows` that have a reading; those of the same reason are one entry.
    fn withhold(&mut self, reason: String, column: &Column<'_>, rows: impl Iterator<Item = usize>) {
        let rows: Vec<u32> = rows
            .filter(|row| !column.values[*row].is_nan())
            .filter_map(|row| u32::try_from(row).ok())
            .collect();
        if rows.is_empty() {
            return;
        }
        match self.withheld.iter_mut().find(|withholding| withholding.reason == reason) {
            Some(withholding) => withholding.rows.extend(rows),
            None => self.withheld.push(Withholding { reason, rows }),
        }
    }

    /// A model may be sound and its extrapolation still leave the range of numbers.
    fn withhold_what_is_no_number(&mut self, column: &Column<'_>, rows: std::ops::Range<usize>) {
        let columns = [&self.expected, &self.lower, &self.upper].map(|column| &column[rows.clone()]);
        if all_are_numbers(columns) {
            return;
        }
        let [expected, lower, upper] = columns;
        let wrong: Vec<usize> = (0..rows.len())
            .filter(|at| !is_number(expected[*at], lower[*at], upper[*at]))
            .map(|at| rows.start + at)
            .collect();
        for row in &wrong {
            self.expected[*row] = f64::NAN;
            self.lower[*row] = f64::NAN;
            self.upper[*row] = f64::NAN;
            self.flags[*row] = crate::Flags::default();
            self.score[*row] = if column.values[*row].is_nan() { 0.0 } else { f64::NAN };
        }
        let named = |row: usize| {
            u32::try_from(row)
                .is_ok_and(|row| self.withheld.iter().any(|other| other.rows.binary_search(&row).is_ok()))
        };
        let unnamed: Vec<usize> = wrong.into_iter().filter(|row| !named(*row)).collect();
        let reason = format!("the model of `{}` predicts no finite number", column.variable);
        self.withhold(reason, column, unnamed.into_iter());
    }
}

/// Bounds that are infinite or NaN make a width that is not finite.
fn is_number(expected: f64, lower: f64, upper: f64) -> bool {
    (upper - lower).is_finite() & expected.is_finite()
}

/// Without branches: it is asked of every slice.
#[cfg_attr(target_family = "wasm", target_feature(enable = "simd128"))]
fn all_are_numbers([expected, lower, upper]: [&[f64]; 3]) -> bool {
    let ([expected, lower, upper], [last_expected, last_lower, last_upper]) = {
        let [(a, x), (b, y), (c, z)] = [expected, lower, upper].map(<[f64]>::as_chunks::<TILE>);
        ([a, b, c], [x, y, z])
    };
    // A number times 0 is 0; what is none stays none, and so does the sum.
    let mut zeros = [0.0; TILE];
    for (expected, (lower, upper)) in expected.iter().zip(lower.iter().zip(upper)) {
        for row in 0..TILE {
            zeros[row] += (upper[row] - lower[row]) * 0.0 + expected[row] * 0.0;
        }
    }
    let bounds = last_lower.iter().zip(last_upper);
    zeros.iter().all(|zero| *zero == 0.0)
        && last_expected
            .iter()
            .zip(bounds)
            .all(|(expected, (lower, upper))| is_number(*expected, *lower, *upper))
}
