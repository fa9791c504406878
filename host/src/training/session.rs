//! One training from the first page to the last variable.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::path::PathBuf;
use std::sync::Arc;

use serde_json::{Map, Value};

use super::collect::{Collector, History};
use super::decide::{Decision, decide};
use super::directory::{Staging, Swapped};
use super::holdout::{self, Score};
use super::{Settings, TrainingPlan};
use crate::batch::{Batch, Column, Outcome};
use crate::detector::trainer::{MOST_ROWS, too_many_rows};
use crate::detector::{
    Detector, DetectorError, Engine, ModelFile, Module, Series, Set, TrainError, Trainer, TrainingReport,
};
use crate::reload::SetSource;
use crate::store::{Input, StoreError};
use crate::worker::RangeScan;

/// Why a training came to nothing. What was in use is in use.
#[derive(Debug, thiserror::Error)]
pub enum TrainingError {
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error("{0}")]
    Detector(#[from] DetectorError),
    /// No series can be trained with these settings.
    #[error("the settings of the training cannot be used: `{variable}` {why}")]
    Settings { variable: String, why: String },
    #[error("the models cannot be written into `{path}`: {cause}")]
    Directory { path: String, cause: io::Error },
    #[error("the models were trained and do not fit together: {0}")]
    Together(String),
}

/// What came of one variable.
#[derive(Clone, Debug)]
pub struct Variable {
    pub name: Arc<str>,
    pub rows: usize,
    /// None: there is no new model.
    pub report: Option<TrainingReport>,
    pub new: Option<Score>,
    /// Of the model in use, if there is one.
    pub old: Option<Score>,
    pub decision: Decision,
}

/// Where the models are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Placed {
    pub models: usize,
    pub swapped: Swapped,
}

/// What trains, and what it is measured against.
pub struct Session<'a> {
    engine: &'a Engine,
    plan: &'a TrainingPlan,
    settings: &'a Settings,
    module: Module,
    trainer: Trainer,
    /// The set in use, opened; none where there is none that opens.
    in_use: Option<Detector>,
    /// Files beside its models that are none.
    beside: Vec<ModelFile>,
    staging: Staging,
    /// Of the variables with a new model, where it is.
    placed: BTreeMap<Arc<str>, String>,
}

impl<'a> Session<'a> {
    /// `source` is the set in use; the new one goes to `out`.
    ///
    /// # Errors
    /// The module does not train, or the place cannot be written.
    pub async fn begin(
        engine: &'a Engine,
        source: &SetSource,
        plan: &'a TrainingPlan,
        settings: &'a Settings,
        out: &std::path::Path,
    ) -> Result<Self, TrainingError> {
        let module = source.module_at_rest(engine).await?;
        let trainer = Trainer::new(engine, &module).await?;
        let alone = SetSource { settings: by_model_alone(&source.settings), ..source.clone() };
        let opened = match opened(engine, &alone).await {
            // It does not know the rule.
            Err(DetectorError::Settings(_)) => opened(engine, source).await,
            opened => opened,
        };
        let in_use = match opened {
            Ok(detector) => Some(detector),
            Err(error @ (DetectorError::NoModels(_) | DetectorError::Models(_))) => {
                tracing::info!("there are no models to compare with: {error}");
                None
            }
            Err(error) => return Err(error.into()),
        };
        let beside = in_use.as_ref().map_or_else(Vec::new, |detector| {
            let models: BTreeSet<&str> = detector.summary().models.iter().map(|model| &*model.path).collect();
            let files = detector.set().files.iter();
            files.filter(|file| !models.contains(&*file.path)).cloned().collect()
        });
        let staging = Staging::new(out)
            .map_err(|cause| TrainingError::Directory { path: out.display().to_string(), cause })?;
        Ok(Self { engine, plan, settings, module, trainer, in_use, beside, staging, placed: BTreeMap::new() })
    }

    /// Reads the range, trains what it holds.
    /// `rows` hears how many rows were read in all.
    ///
    /// # Errors
    /// [`TrainingError`].
    pub async fn train(
        &mut self,
        input: &mut dyn Input,
        mut rows: impl FnMut(u64),
    ) -> Result<Vec<Variable>, TrainingError> {
        let mut through = Vec::new();
        let (mut pass, mut read) = (Some(Collector::new(self.plan.most_readings)), 0);
        while let Some(mut collector) = pass {
            let mut scan = RangeScan::new(self.plan.from, self.plan.to, self.plan.page_rows);
            loop {
                let page = scan.next(input).await?;
                for reading in page.readings.iter().filter(|reading| self.plan.wants(&reading.variable)) {
                    collector.push(reading);
                }
                read += page.readings.len() as u64;
                rows(read);
                if !page.full {
                    break;
                }
            }
            let (histories, next) = collector.finish();
            for (name, history) in histories {
                through.push(self.variable(name, history).await?);
            }
            pass = next;
        }
        Ok(through)
    }

    /// Trains one variable, measures it, and writes its model where it is used.
    async fn variable(&mut self, name: Arc<str>, history: History) -> Result<Variable, TrainingError> {
        let rows = history.datetimes.len();
        let untrained = |why: String| Variable {
            name: Arc::clone(&name),
            rows,
            report: None,
            new: None,
            old: None,
            decision: Decision::Untrained(why),
        };
        if history.too_long {
            return Ok(untrained(too_many_rows(MOST_ROWS)));
        }
        let settings = self.settings.of(&name);
        let series = |rows: usize| Series {
            variable: name.to_string(),
            datetimes: history.datetimes[..rows].to_vec(),
            values: history.values[..rows].to_vec(),
            columns: Vec::new(),
        };
        let whole = match self.trainer.train(&series(rows), &settings, &self.beside, &[]).await {
            Ok(trained) => trained,
            Err(TrainError::Settings(why)) => {
                return Err(TrainingError::Settings { variable: name.to_string(), why });
            }
            Err(why) => return Ok(untrained(why.to_string())),
        };
        let begin = holdout::split(&history, self.plan.holdout);
        let end = Batch {
            datetimes: history.datetimes[begin..].to_vec(),
            columns: vec![Column { variable: Arc::clone(&name), values: history.values[begin..].to_vec() }],
        };
        let mut new = None;
        if !end.datetimes.is_empty()
            && let Ok(trained) = self.trainer.train(&series(begin), &settings, &self.beside, &[]).await
        {
            new = self.measure(&name, trained.file, &end).await;
        }
        let before = self.path_in_use(&name);
        let old = match (&before, &mut self.in_use) {
            (Some(_), Some(detector)) => judged(detector, &end).await,
            _ => None,
        };
        let mut decision = decide(new, before.is_some().then_some(old));
        if matches!(decision, Decision::New | Decision::Replaced) {
            // Where the model in use is: its name may be one that only the settings know.
            let path = before.unwrap_or_else(|| whole.file.path.clone());
            match self.placed.iter().find(|(_, placed)| **placed == path) {
                Some((other, _)) => {
                    decision =
                        Decision::Untrained(format!("would have the model file of `{other}`, `{path}`"));
                }
                None => {
                    let wrote = self.staging.write(&path, &whole.file.bytes);
                    wrote.map_err(|cause| self.directory(cause))?;
                    self.placed.insert(Arc::clone(&name), path);
                }
            }
        }
        Ok(Variable { name, rows, report: Some(whole.report), new, old, decision })
    }

    /// Where the model in use of this variable is.
    fn path_in_use(&self, variable: &str) -> Option<String> {
        let mut models = self.in_use.as_ref()?.summary().models.iter();
        models.find(|model| &*model.variable == variable).map(|model| model.path.clone())
    }

    /// Opens a model in a sandbox of its own and asks it about the end. None: it cannot tell.
    async fn measure(&self, name: &Arc<str>, file: ModelFile, end: &Batch) -> Option<Score> {
        let placed = [(file.path.clone(), name.to_string())];
        let mut files = self.beside.clone();
        for companion in self.trainer.companions(&placed, &self.beside, &[]).await.ok()? {
            files.retain(|file| file.path != companion.path);
            files.push(companion);
        }
        files.push(file);
        let settings = self.in_use.as_ref().map_or("{}", |detector| &detector.set().settings);
        // Settings may name files of others, which are not here; and not every detector has the rule under
        // which a model alone says what is expected.
        for settings in [by_model_alone(settings), settings.to_owned(), by_model_alone("{}"), "{}".to_owned()]
        {
            let set = Set::new(self.module.clone(), files.clone(), "a new model".into(), settings);
            if let Ok(mut detector) = Detector::open(self.engine, Arc::new(set), None).await {
                return judged(&mut detector, end).await;
            }
        }
        None
    }

    /// Puts the new set in its place; None if no model of it is new. `source` is where it will be
    /// read from.
    ///
    /// # Errors
    /// [`TrainingError`]; the set in use stays.
    pub async fn finish(mut self, source: &SetSource) -> Result<Option<Placed>, TrainingError> {
        if self.placed.is_empty() {
            return Ok(None);
        }
        let kept = self.in_use.as_ref().map_or(&[][..], |detector| &detector.summary().models);
        let kept = kept.iter().filter(|model| !self.placed.contains_key(&model.variable));
        let kept = kept.map(|model| (model.path.clone(), model.variable.to_string()));
        let new = self.placed.iter().map(|(variable, path)| (path.clone(), variable.to_string()));
        let models: Vec<_> = kept.chain(new).collect();
        let companions = self.trainer.companions(&models, &self.beside, &[]).await;
        let companions = companions.map_err(|why| TrainingError::Together(why.to_string()))?;
        for file in companions {
            self.staging.write(&file.path, &file.bytes).map_err(|cause| self.directory(cause))?;
        }
        let own = |name: &str| source.is_no_model(name);
        self.staging.complete(&source.models, &own).map_err(|cause| self.directory(cause))?;
        // As a worker will open it, with what was not trained.
        let together = SetSource { models: self.staging.path().to_owned(), ..source.clone() };
        let set = together.read_at_start(self.engine).await?;
        let opened = Detector::open(self.engine, Arc::new(set), None).await?;
        let loaded: BTreeSet<_> =
            opened.summary().loaded().map(|model| Arc::clone(&model.variable)).collect();
        if let Some(lost) = self.placed.keys().find(|variable| !loaded.contains(*variable)) {
            return Err(TrainingError::Together(format!("`{lost}` would have no model")));
        }
        drop(opened);
        let models = self.placed.len();
        let path = self.staging.path().display().to_string();
        let swapped = self.staging.swap().map_err(|cause| TrainingError::Directory { path, cause })?;
        Ok(Some(Placed { models, swapped }))
    }

    fn directory(&self, cause: io::Error) -> TrainingError {
        let path: PathBuf = self.staging.path().to_owned();
        TrainingError::Directory { path: path.display().to_string(), cause }
    }
}

async fn opened(engine: &Engine, source: &SetSource) -> Result<Detector, DetectorError> {
    Detector::open(engine, Arc::new(source.read_at_start(engine).await?), None).await
}

/// These settings, under the rule that does not learn from the readings.
fn by_model_alone(settings: &str) -> String {
    let mut settings: Map<String, Value> = serde_json::from_str(settings).unwrap_or_default();
    settings.insert("rule".to_owned(), "interval".into());
    Value::Object(settings).to_string()
}

/// How well a detector tells the end of a series. None: not at all.
async fn judged(detector: &mut Detector, end: &Batch) -> Option<Score> {
    let judged = detector.judge(Arc::new(end.clone())).await;
    // Nothing is learnt from a question.
    detector.discard();
    let values = &end.columns.first()?.values;
    match judged.ok()?.outcomes.into_iter().next()? {
        Outcome::Judged(verdicts) => holdout::score(values, &verdicts),
        Outcome::NoModel | Outcome::Failed(_) => None,
    }
}
