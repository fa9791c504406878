//! Trains models with a module, if it exports `training`.
//!
//! Each series has an instance of its own, in a sandbox with the limits of training, which is
//! dropped afterwards: a failure there does not affect the instance that judges. The size of a
//! series is checked before it is passed on, and the result is checked before it is written into a
//! directory.

use std::time::Duration;

use super::bindings::trainable::{Trainer as TrainerExports, TrainerPre, training};
use super::bindings::types;
use super::engine::Engine;
use super::error::{DetectorError, JudgeError};
use super::inspect;
use super::instance::Calls;
use super::limits::Limits;
use super::sandbox::Sandbox;
use super::set::{ModelFile, Module, UnreadableFile};
use super::{CONTRACT, guest_text};
use crate::datetime::Datetime;

/// The most rows of a series: two years of minutes.
pub const MOST_ROWS: usize = 1_000_000;

/// The most numbers in all columns of a series, instants included: 128 MiB.
pub const MOST_NUMBERS: usize = 1 << 24;

/// The most warnings of one model that are kept.
const MOST_WARNINGS: usize = 20;

/// Bytes of a file's name, as file systems have it.
const NAME_BYTES: usize = 255;

/// A detector's own report on a model, as JSON.
const DETAILS_BYTES: usize = 64 << 10;

impl Limits {
    /// Of a sandbox that trains: nothing waits for it, and a series needs more memory than a batch.
    #[must_use]
    pub fn for_training(self) -> Self {
        Self { memory: 1 << 30, deadline: Duration::from_secs(600), ..self }
    }
}

/// The known data of one variable.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Series {
    pub variable: String,
    /// In any order.
    pub datetimes: Vec<Datetime>,
    /// As many; NaN where there is no reading.
    pub values: Vec<f64>,
    /// Further columns, by name; each as long.
    pub columns: Vec<(String, Vec<f64>)>,
}

impl Series {
    /// # Errors
    /// It is larger than a detector may get.
    fn check(&self) -> Result<(), TrainError> {
        let (rows, lists) = (self.datetimes.len(), self.columns.len() + 2);
        if rows > MOST_ROWS {
            return Err(TrainError::Series(too_many_rows(MOST_ROWS)));
        }
        if rows.saturating_mul(lists) > MOST_NUMBERS {
            return Err(TrainError::Series(format!(
                "has {rows} rows in {lists} columns, and at most {MOST_NUMBERS} numbers can be trained on; leave out columns \
                 that the settings do not use, or train on a shorter time"
            )));
        }
        Ok(())
    }
}

/// Why a series of more rows is not trained; continues after its name.
pub fn too_many_rows(most: usize) -> String {
    format!("has more than {most} rows; train on a shorter time, or on fewer rows of it")
}

/// A model that a detector made, and what it says of it.
#[derive(Clone, Debug, PartialEq)]
pub struct Trained {
    pub file: ModelFile,
    pub report: TrainingReport,
}

/// What a user should know of a model.
#[derive(Clone, Debug, PartialEq)]
pub struct TrainingReport {
    /// Of the series, with a reading.
    pub rows: u64,
    pub rows_without_reading: u64,
    pub first: Datetime,
    pub last: Datetime,
    /// In the readings' units.
    pub noise: f64,
    pub log_density: Option<f64>,
    pub steps: u32,
    pub warnings: Vec<String>,
    /// The detector's own.
    pub details: serde_json::Map<String, serde_json::Value>,
}

/// Why there is no model. The texts continue after the variable's name.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TrainError {
    /// Nothing can be trained with these settings.
    #[error("{0}")]
    Settings(String),
    /// What the series lacks.
    #[error("{0}")]
    Series(String),
    /// The module trapped, did not answer in time, or gave an invalid answer.
    #[error("cannot be trained: {0}")]
    Failed(JudgeError),
}

/// A module that trains.
pub struct Trainer {
    engine: Engine,
    module: Module,
    pre: TrainerPre<Sandbox>,
    limits: Limits,
}

impl Trainer {
    /// # Errors
    /// The module cannot be used, or does not train.
    pub async fn new(engine: &Engine, module: &Module) -> Result<Self, DetectorError> {
        let pre = inspect::compiled(engine, module).await?;
        let refused = |why| DetectorError::Module { module: module.name.clone(), why };
        if !inspect::trains(engine, &pre) {
            let (package, version) = CONTRACT.split_once('@').unwrap_or((CONTRACT, ""));
            return Err(refused(format!(
                "it judges and does not train: it has no export `{package}/training@{version}`"
            )));
        }
        let pre = TrainerPre::new(pre.instance_pre().clone()).map_err(|error| {
            refused(guest_text::line(&format!("its training is not that of `{CONTRACT}`: {error:#}")))
        })?;
        let limits = engine.limits().for_training();
        Ok(Self { engine: engine.clone(), module: module.clone(), pre, limits })
    }

    /// With other limits.
    #[must_use]
    pub fn limited(mut self, memory: usize, deadline: Duration) -> Self {
        self.limits = Limits { memory, deadline, ..self.limits };
        self
    }

    /// Trains a model on a series. `settings` is one JSON object, `files` are those of the model
    /// directory that are not models.
    ///
    /// # Errors
    /// Why there is none.
    pub async fn train(
        &self,
        series: &Series,
        settings: &str,
        files: &[ModelFile],
        unread: &[UnreadableFile],
    ) -> Result<Trained, TrainError> {
        series.check()?;
        let instants: Vec<i64> = series.datetimes.iter().map(|at| at.micros()).collect();
        let columns: Vec<_> =
            series.columns.iter().map(|(variable, values)| types::Column { variable, values }).collect();
        let asked = training::Series {
            variable: &series.variable,
            instants: &instants,
            values: &series.values,
            columns: &columns,
        };
        let files = model_files(files, unread);
        let made = self
            .call(async |store, exports| {
                let training = exports.anomaly_worker_detector_training();
                training.call_train(store, asked, settings, &files).await
            })
            .await?;
        let report = report(&made.report).map_err(contract)?;
        Ok(Trained { file: self.file(made.file)?, report })
    }

    /// The files that a directory of these models needs besides them: (path, variable) of each.
    ///
    /// # Errors
    /// Why they cannot be made.
    pub async fn companions(
        &self,
        models: &[(String, String)],
        files: &[ModelFile],
        unread: &[UnreadableFile],
    ) -> Result<Vec<ModelFile>, TrainError> {
        let models: Vec<_> =
            models.iter().map(|(path, variable)| training::PlacedModel { path, variable }).collect();
        let files = model_files(files, unread);
        let made = self
            .call(async |store, exports| {
                exports.anomaly_worker_detector_training().call_companions(store, &models, &files).await
            })
            .await?;
        made.into_iter().map(|file| self.file(file)).collect()
    }

    /// One call in a fresh instance.
    async fn call<T>(
        &self,
        call: impl AsyncFnOnce(
            &mut wasmtime::Store<Sandbox>,
            &TrainerExports,
        ) -> wasmtime::Result<Result<T, training::TrainingError>>,
    ) -> Result<T, TrainError> {
        let mut calls = Calls::limited(&self.engine, &self.module, 0, self.limits);
        let exports = calls
            .run(async |store| self.pre.instantiate_async(store).await)
            .await
            .map_err(TrainError::Failed)?;
        let answer = calls.run(async |store| call(store, &exports).await).await;
        self.engine.has_run();
        answer.map_err(TrainError::Failed)?.map_err(|refusal| match refusal {
            training::TrainingError::Settings(why) => TrainError::Settings(guest_text::line(&why)),
            training::TrainingError::Series(why) | training::TrainingError::Other(why) => {
                TrainError::Series(guest_text::line(&why))
            }
        })
    }

    /// A file as the host writes it.
    fn file(&self, said: training::TrainedFile) -> Result<ModelFile, TrainError> {
        file_name(&said.path).map_err(contract)?;
        let (bytes, most) = (said.bytes.len() as u64, self.limits.model_file);
        if bytes > most {
            return Err(TrainError::Series(format!(
                "makes a model file of {bytes} bytes, and one of at most {most} is opened (`model_mib` of `[detector]`); train on \
                 a shorter time"
            )));
        }
        Ok(ModelFile { path: said.path, bytes: said.bytes })
    }
}

fn contract(why: String) -> TrainError {
    TrainError::Failed(JudgeError::Contract(why))
}

fn model_files<'a>(read: &'a [ModelFile], unread: &'a [UnreadableFile]) -> Vec<types::ModelFile<'a>> {
    let read =
        read.iter().map(|file| types::ModelFile { path: &file.path, bytes: &file.bytes, unreadable: None });
    let unread = unread.iter().map(|file| types::ModelFile {
        path: &file.path,
        bytes: &[],
        unreadable: Some(&file.why),
    });
    read.chain(unread).collect()
}

/// Paths that may be written in a model directory, and nowhere else.
fn file_name(path: &str) -> Result<(), String> {
    // On Windows a colon divides a file from a stream of it, and the others are refused there.
    let foreign = |c: char| c.is_control() || "/\\".contains(c) || (cfg!(windows) && "<>:\"|?*".contains(c));
    let fits = !path.is_empty() && path.len() <= NAME_BYTES && !path.starts_with('.');
    if fits && !path.contains(foreign) {
        return Ok(());
    }
    Err(format!(
        "it names a file `{}`, which is no name that a file of a directory can have",
        guest_text::name(path)
    ))
}

fn report(said: &training::Report) -> Result<TrainingReport, String> {
    if said.details.len() > DETAILS_BYTES {
        return Err(format!("`details` has {} bytes; at most {DETAILS_BYTES} are taken", said.details.len()));
    }
    let details = serde_json::from_str(&said.details).map_err(|error| {
        format!("`details` is not one JSON object: {}", guest_text::line(&error.to_string()))
    })?;
    let mut warnings: Vec<_> =
        said.warnings.iter().take(MOST_WARNINGS).map(|warning| guest_text::line(warning)).collect();
    match said.warnings.len() - warnings.len() {
        0 => {}
        more => warnings.push(format!("and {more} warnings more")),
    }
    Ok(TrainingReport {
        rows: said.rows,
        rows_without_reading: said.rows_without_reading,
        first: Datetime::from_micros(said.first),
        last: Datetime::from_micros(said.last),
        noise: said.noise,
        log_density: said.log_density,
        steps: said.steps,
        warnings,
        details,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_stays_in_its_directory() {
        for good in ["prophet_model_T1.json", "ñ.json", "a b", "..x".trim_start_matches('.')] {
            assert_eq!(file_name(good), Ok(()), "{good}");
        }
        let long = "x".repeat(256);
        for bad in ["", ".", "..", "../x", "a/b", "/etc/x", r"C:\x", r"a\b", ".hidden", "a\nb", "a\0", &long]
        {
            assert!(file_name(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn what_is_too_much_is_said_before_it_crosses() {
        let series = |rows: usize, columns: usize| Series {
            datetimes: vec![Datetime::from_micros(0); rows],
            columns: vec![(String::new(), Vec::new()); columns],
            ..Series::default()
        };
        let said = |rows, columns| series(rows, columns).check().map_err(|error| error.to_string());
        assert_eq!(said(MOST_ROWS, 14), Ok(()));
        let long = "has more than 1000000 rows; train on a shorter time, or on fewer rows of it";
        assert_eq!(said(MOST_ROWS + 1, 0), Err(long.to_owned()));
        let wide = "has 1000000 rows in 17 columns, and at most 16777216 numbers can be trained on; leave out columns that the \
                    settings do not use, or train on a shorter time";
        assert_eq!(said(MOST_ROWS, 15), Err(wide.to_owned()));
    }
}
