//! One training from the first page to the last variable. Until [`TrainingSession::finish`] it only
//! writes into the staging directory; an error leaves the set in use unchanged.

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Instant;

use super::alone::{alone, beside, by_model_alone, judged};
use super::collect::{Collector, History};
use super::columns::{Suppliers, supplied};
use super::decide::{Decision, decide};
use super::directory::Staging;
use super::error::TrainingError;
use super::holdout::{self, HoldoutScore};
use super::leave_out::LeftOut;
use super::new_set::{NewModel, NewSet, Placed};
use super::plan::{Pace, TrainingPlan};
use super::record::ModelRecord;
use super::settings::Settings;
use crate::batch::{Batch, Column};
use crate::detector::trainer::{MOST_ROWS, too_many_rows};
use crate::detector::{
    Detector, DetectorError, Engine, ModelFile, Module, Series, Set, TrainError, Trainer, TrainingReport,
};
use crate::reload::SetSource;
use crate::store::Input;
use crate::worker::RangeScan;

/// The result for one variable.
#[derive(Clone, Debug)]
pub struct Variable {
    pub name: Arc<str>,
    pub rows: usize,
    /// None: there is no new model.
    pub report: Option<TrainingReport>,
    pub new: Option<HoldoutScore>,
    /// The score of the model in use, if there is one.
    pub old: Option<HoldoutScore>,
    pub decision: Decision,
}

/// A training in progress.
pub struct TrainingSession<'a> {
    engine: &'a Engine,
    plan: &'a TrainingPlan,
    settings: &'a Settings,
    module: Module,
    trainer: Trainer,
    /// The set in use, opened; None if there are no models to open.
    in_use: Option<Detector>,
    /// The files of that set that are not models.
    beside: Vec<ModelFile>,
    staging: Staging,
    /// The new models that will be used, by variable.
    placed: BTreeMap<Arc<str>, ModelRecord>,
}

impl<'a> TrainingSession<'a> {
    /// `source` is the set in use; the new one goes to `out`.
    ///
    /// # Errors
    /// The module cannot train, the set in use cannot be opened, or `out` cannot be written.
    pub async fn begin(
        engine: &'a Engine,
        source: &SetSource,
        plan: &'a TrainingPlan,
        settings: &'a Settings,
        out: &Path,
    ) -> Result<Self, TrainingError> {
        let module = source.module_at_rest(engine).await?;
        let trainer = Trainer::new(engine, &module).await?;
        let trainer = match plan.limits {
            Some((memory, deadline)) => trainer.limited(memory, deadline),
            None => trainer,
        };
        let in_use = match alone(engine, source).await {
            Ok(detector) => Some(detector),
            Err(error @ (DetectorError::NoModels(_) | DetectorError::Models(_))) => {
                tracing::info!("there are no models to compare with: {error}");
                None
            }
            Err(error) => return Err(error.into()),
        };
        let beside = in_use.as_ref().map_or_else(Vec::new, beside);
        let staging = Staging::new(out)
            .map_err(|cause| TrainingError::Directory { path: out.display().to_string(), cause })?;
        Ok(Self { engine, plan, settings, module, trainer, in_use, beside, staging, placed: BTreeMap::new() })
    }

    /// Reads the range and trains its variables, at this pace. `rows` is called with the number of
    /// rows read so far.
    ///
    /// # Errors
    /// [`TrainingError`].
    pub async fn train(
        &mut self,
        input: &mut dyn Input,
        mut leave_out: LeftOut,
        pace: &Pace<'_>,
        mut rows: impl FnMut(u64),
    ) -> Result<Vec<Variable>, TrainingError> {
        let place = self.staging.path().to_owned();
        let put_by = |cause| TrainingError::PutBy { path: place.display().to_string(), cause };
        let most = self.plan.most_readings;
        let mut wanted = Collector::new(most, &place);
        let mut suppliers = Suppliers::new(self.settings.suppliers(), most, &place);
        let mut scan = RangeScan::new(self.plan.from, self.plan.to, self.plan.page_rows);
        let mut read = 0;
        loop {
            let begun = Instant::now();
            let page = scan.next(input).await?;
            read += page.readings.len() as u64;
            for reading in &page.readings {
                suppliers.push(reading).map_err(put_by)?;
            }
            for reading in leave_out.rest(page.readings).await? {
                if self.plan.wants(&reading.variable) {
                    wanted.push(&reading).map_err(put_by)?;
                }
            }
            rows(read);
            pace.after(begun).await?;
            if !page.full {
                break;
            }
        }
        let mut through = Vec::new();
        for name in wanted.variables() {
            let begun = Instant::now();
            let history = wanted.take(&name).map_err(put_by)?;
            let suppliers = suppliers.of(&self.settings.columns(&name)).map_err(put_by)?;
            through.push(self.variable(name, history, suppliers).await?);
            pace.after(begun).await?;
        }
        Ok(through)
    }

    /// Trains and measures a model of one variable, and writes it into the new set if it is used.
    async fn variable(
        &mut self,
        name: Arc<str>,
        history: History,
        suppliers: &BTreeMap<Arc<str>, History>,
    ) -> Result<Variable, TrainingError> {
        let untrained = |rows: usize, why: String| Variable {
            name: Arc::clone(&name),
            rows,
            report: None,
            new: None,
            old: None,
            decision: Decision::Untrained(why),
        };
        if history.too_long {
            return Ok(untrained(history.datetimes.len(), too_many_rows(MOST_ROWS)));
        }
        let all = history.datetimes.len();
        let (history, columns) = match supplied(history, &self.settings.columns(&name), suppliers) {
            Ok(supplied) => supplied,
            Err(why) => return Ok(untrained(all, why)),
        };
        let rows = history.datetimes.len();
        let untrained = |why: String| untrained(rows, why);
        let settings = self.settings.of(&name);
        let series = |rows: usize| Series {
            variable: name.to_string(),
            datetimes: history.datetimes[..rows].to_vec(),
            values: history.values[..rows].to_vec(),
            columns: columns
                .iter()
                .map(|column| (column.name.clone(), column.values[..rows].to_vec()))
                .collect(),
        };
        let whole = match self.trainer.train(&series(rows), &settings, &self.beside, &[]).await {
            Ok(trained) => trained,
            Err(TrainError::Settings(why)) => {
                return Err(TrainingError::Settings { variable: name.to_string(), why });
            }
            Err(why) => return Ok(untrained(why.to_string())),
        };
        let begin = holdout::split(&history, self.plan.holdout);
        let of_end = |variable: &Arc<str>, values: &[f64]| Column {
            variable: Arc::clone(variable),
            values: values[begin..].to_vec(),
        };
        // Columns of a worker's batch have the names of their variables, so these do too.
        let others: BTreeMap<_, _> = columns
            .iter()
            .filter_map(|column| column.variable.as_ref().filter(|other| **other != name).zip(Some(column)))
            .collect();
        let others = others.into_iter().map(|(other, column)| of_end(other, &column.values));
        let end = Batch {
            datetimes: history.datetimes[begin..].to_vec(),
            columns: std::iter::once(of_end(&name, &history.values)).chain(others).collect(),
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
            // In the place of the model in use, whose name may be set in the detector's settings.
            let path = before.unwrap_or_else(|| whole.file.path.clone());
            match self.placed.iter().find(|(_, placed)| placed.path == path) {
                Some((other, _)) => {
                    decision =
                        Decision::Untrained(format!("would have the model file of `{other}`, `{path}`"));
                }
                None => {
                    let wrote = self.staging.write(&path, &whole.file.bytes);
                    wrote.map_err(|cause| self.directory(cause))?;
                    let record =
                        ModelRecord::new(&path, &whole.file.bytes, self.plan.now, &whole.report, new);
                    self.placed.insert(Arc::clone(&name), record);
                }
            }
        }
        Ok(Variable { name, rows, report: Some(whole.report), new, old, decision })
    }

    /// The path of this variable's model in use.
    fn path_in_use(&self, variable: &str) -> Option<String> {
        let mut models = self.in_use.as_ref()?.summary().models.iter();
        models.find(|model| &*model.variable == variable).map(|model| model.path.clone())
    }

    /// Opens a model in a sandbox of its own and scores it on the held-out end. None: it gives no
    /// verdicts.
    async fn measure(&self, name: &Arc<str>, file: ModelFile, end: &Batch) -> Option<HoldoutScore> {
        let placed = [(file.path.clone(), name.to_string())];
        let mut files = self.beside.clone();
        for companion in self.trainer.companions(&placed, &self.beside, &[]).await.ok()? {
            files.retain(|file| file.path != companion.path);
            files.push(companion);
        }
        files.push(file);
        let settings = self.in_use.as_ref().map_or("{}", |detector| &detector.set().settings);
        // Several settings are tried: they may name model files of other variables, which are not
        // here, and not every detector has the rule that does not learn.
        for settings in [by_model_alone(settings), settings.to_owned(), by_model_alone("{}"), "{}".to_owned()]
        {
            let set = Set::new(self.module.clone(), files.clone(), "a new model".into(), settings);
            if let Ok(mut detector) = Detector::open(self.engine, Arc::new(set), None).await {
                return judged(&mut detector, end).await;
            }
        }
        None
    }

    /// Swaps the new set in; None if no model of it is new. `source` is where a worker will read it
    /// from.
    ///
    /// # Errors
    /// [`TrainingError`]; the set in use stays.
    pub async fn finish(self, source: &SetSource) -> Result<Option<Placed>, TrainingError> {
        if self.placed.is_empty() {
            return Ok(None);
        }
        let kept = self.in_use.as_ref().map_or(&[][..], |detector| &detector.summary().models);
        let kept = kept.iter().filter(|model| !self.placed.contains_key(&model.variable));
        let kept: Vec<_> = kept.map(|model| (model.path.clone(), model.variable.to_string())).collect();
        let keep = self.plan.keep;
        let set = NewSet {
            engine: self.engine,
            trainer: Some(&self.trainer),
            beside: &self.beside,
            staging: self.staging,
            placed: self.placed.into_iter().map(|(name, record)| (name, NewModel::of(record))).collect(),
        };
        set.place(&kept, source, keep).await.map(Some)
    }

    fn directory(&self, cause: io::Error) -> TrainingError {
        let path: PathBuf = self.staging.path().to_owned();
        TrainingError::Directory { path: path.display().to_string(), cause }
    }
}
