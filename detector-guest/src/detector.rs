//! An opened detector: models in memory, judging batch after batch.
//!
//! It lives as long as the host keeps the set; between batches it keeps nothing but buffers and
//! what the adaptive rule has learnt. A batch goes through in slices of rows: the features of a
//! slice are computed once for all models that take slices of its length, then their columns are
//! predicted and judged on it. Under the adaptive rule these verdicts are then its expectation.

use std::collections::{BTreeMap, BTreeSet};

use std::time::Duration;

use prophet::{Model, Need, Role};

use crate::OpenError;
use crate::adaptive::{Adaptive, News, StatePart};
use crate::column::{Buffers, ColumnJudge, Judging, Rules};
use crate::form::nfc;
use crate::models::{self, File, ModelState, Models, UnreadableModel};
use crate::settings::{RuleKey, Settings, Supply};
use crate::verdicts::ColumnVerdicts;

const DEFAULT_THRESHOLD: f64 = 2.0;

/// Models and rules.
#[derive(Debug)]
pub struct ProphetDetector {
    judges: BTreeMap<String, ColumnJudge>,
    states: Vec<ModelState>,
    ignored: Vec<String>,
    whole: Vec<String>,
    rules: Rules,
    buffers: Buffers,
    /// None: the rule is the interval.
    adaptive: Option<Adaptive>,
}

/// The readings of one variable, one for each instant of the batch; NaN where there is none.
#[derive(Clone, Copy, Debug)]
pub struct Column<'a> {
    pub variable: &'a str,
    pub values: &'a [f64],
}

/// What became of a column.
#[derive(Clone, Debug, PartialEq)]
pub enum ColumnOutcome {
    Judged(ColumnVerdicts),
    /// There is no model for the variable, or it was refused.
    NoModel,
}

/// The batch violates the contract.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct DetectError(String);

impl ProphetDetector {
    /// Reads the models among `files`. `settings` is one JSON object.
    ///
    /// # Errors
    /// Settings that are not understood, files that leave open which variable they are for, or no
    /// usable model at all. One bad model among others is no error: see [`Self::models`].
    pub fn open(files: &[File<'_>], settings: &str) -> Result<Self, OpenError> {
        Self::open_without(files, &[], settings, Vec::new())
    }

    /// The same where some files are there and cannot be read, and from a state: the names and
    /// bytes of all parts that are stored (see [`Self::changes`]).
    ///
    /// # Errors
    /// As [`Self::open`]; `detector_config.json` is one of them, without which it is not certain
    /// which file is for which variable. [`OpenError::State`]: it opens without those parts.
    pub fn open_without(
        files: &[File<'_>],
        unread: &[UnreadableModel<'_>],
        settings: &str,
        parts: Vec<(String, Vec<u8>)>,
    ) -> Result<Self, OpenError> {
        let settings = Settings::parse(settings)?;
        let config = models::config(files, unread)?;
        let width = settings.interval_width.or(config.interval_width);
        let models = Models::read(files, unread, &config, &settings, width)?;
        let whole = models
            .by_variable
            .iter()
            .filter(|(_, (model, _))| width.unwrap_or(model.interval_width()) == 1.0);
        let whole = whole.map(|(variable, _)| variable.clone()).collect();
        let judge = |(variable, (model, level)): (String, (Model, f64))| {
            let sources = sources(&variable, &model, &settings)?;
            Ok((variable, ColumnJudge { model, level, sources }))
        };
        let is_model =
            |key: &str| models.states.binary_search_by(|model| model.variable.as_str().cmp(key)).is_ok();
        if let Some(unknown) = settings.columns.keys().find(|key| !is_model(key)) {
            return Err(OpenError::Settings(format!("`columns`: there is no model of `{unknown}`")));
        }
        let mut adaptive = match settings.rule {
            RuleKey::Interval => None,
            RuleKey::Adaptive if parts.is_empty() => Some(Adaptive::new(settings.plans.clone())),
            RuleKey::Adaptive => {
                Some(Adaptive::resume(settings.plans.clone(), parts).map_err(OpenError::State)?)
            }
        };
        if let Some(adaptive) = adaptive.as_mut().filter(|_| models.states.is_empty()) {
            adaptive.tell_of_no_models();
        }
        Ok(Self {
            adaptive,
            judges: models.by_variable.into_iter().map(judge).collect::<Result<_, OpenError>>()?,
            states: models.states,
            ignored: models.ignored,
            whole,
            rules: Rules {
                threshold: settings.threshold.or(config.threshold).unwrap_or(DEFAULT_THRESHOLD),
                residual_scale: settings.residual_scale,
                trend_uncertainty: settings.trend_uncertainty,
            },
            buffers: Buffers::default(),
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

    /// Variables with an interval of width 1, for which what a range of draws holds is taken.
    #[must_use]
    pub fn whole(&self) -> &[String] {
        &self.whole
    }

    /// How far back it wants to see readings before it judges, where it starts without a state.
    #[must_use]
    pub fn lookback(&self) -> Duration {
        self.adaptive.as_ref().map_or(Duration::ZERO, Adaptive::lookback)
    }

    /// What the log is to be told since this was last asked.
    pub fn news(&mut self) -> Vec<News> {
        self.adaptive.as_mut().map(Adaptive::news).unwrap_or_default()
    }

    /// What has changed in its state since this was last asked, or since it was opened. Together
    /// with what was there before it is what [`Self::open_without`] goes on from.
    pub fn changes(&mut self) -> Vec<StatePart> {
        self.adaptive.as_mut().map(Adaptive::changes).unwrap_or_default()
    }

    /// Whether a model needs other variables of the same instant.
    #[must_use]
    pub fn needs_whole_instants(&self) -> bool {
        let by_readings = |(_, supply): &(Need, Supply)| matches!(supply, Supply::Variable(_));
        self.judges.values().any(|judge| judge.sources.iter().any(by_readings))
    }

    /// One outcome a column, in their order. `instants` are microseconds since 1970-01-01T00:00,
    /// strictly increasing.
    ///
    /// # Errors
    /// The instants are not increasing, or a column has another number of rows.
    pub fn detect(
        &mut self,
        instants: &[i64],
        columns: &[Column<'_>],
    ) -> Result<Vec<ColumnOutcome>, DetectError> {
        check(instants, columns)?;
        let names: Vec<_> = columns.iter().map(|column| nfc(column.variable)).collect();
        let as_given = columns;
        let columns: Vec<_> =
            names.iter().zip(columns).map(|(variable, column)| Column { variable, ..*column }).collect();
        let columns = columns.as_slice();
        let Self { judges, rules, buffers, adaptive, .. } = self;
        let mut judging: Vec<Option<Judging<'_>>> = columns
            .iter()
            .map(|column| Some(Judging::begin(judges.get(column.variable)?, *rules, *column, instants)))
            .collect();
        // What is said of a variable depends on its own model's slices alone, not on which others
        // there are.
        let sizes: BTreeSet<usize> = judging.iter().flatten().map(Judging::rows_at_once).collect();
        for size in sizes {
            for (slice, times) in instants.chunks(size).enumerate() {
                let rows = slice * size..slice * size + times.len();
                buffers.features.reset(times);
                for judging in judging.iter_mut().flatten().filter(|judging| judging.rows_at_once() == size) {
                    judging.slice(rows.clone(), columns, buffers);
                }
            }
        }
        let by_model = judging.into_iter().map(|judging| judging.map(Judging::finish));
        let Some(adaptive) = adaptive else {
            return Ok(by_model
                .map(|by_model| by_model.map_or(ColumnOutcome::NoModel, ColumnOutcome::Judged))
                .collect());
        };
        let judged = adaptive.judge(as_given.iter().zip(by_model), instants, rules.threshold);
        Ok(judged.into_iter().map(ColumnOutcome::Judged).collect())
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

/// What supplies what a model needs: as the setting `columns` says, else the variable of the
/// column's own name.
fn sources(variable: &str, model: &Model, settings: &Settings) -> Result<Vec<(Need, Supply)>, OpenError> {
    let renamed = settings.columns.get(variable);
    let needs = model.needs();
    for name in renamed.into_iter().flat_map(|renamed| renamed.keys()) {
        if !needs.iter().any(|need| nfc(&need.name) == **name) {
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
    let source = |need: &Need| {
        let name = nfc(&need.name);
        match renamed.and_then(|renamed| renamed.get(&*name)) {
            Some(Supply::Constant(value))
                if need.role == Role::Condition && *value != 0.0 && *value != 1.0 =>
            {
                Err(OpenError::Settings(format!(
                    "`columns`: `{name}` of `{variable}` is {value} and a condition; write 0 or 1, or a variable"
                )))
            }
            Some(supply) => Ok((need.clone(), supply.clone())),
            None => Ok((need.clone(), Supply::Variable(name.into_owned()))),
        }
    };
    needs.iter().map(source).collect()
}
