//! Training, translated as the rest of the contract is.

use super::bindings::anomaly_worker::detector::types;
use super::bindings::exports::anomaly_worker::detector::training::{self, Guest};
use super::{Component, log_panics};
use crate::{Column, File, TrainedFile, TrainedModel, TrainingError, UnreadableModel};

impl Guest for Component {
    fn train(
        series: training::Series,
        settings: String,
        files: Vec<types::ModelFile>,
    ) -> Result<training::Trained, training::TrainingError> {
        log_panics();
        let columns: Vec<_> = series
            .columns
            .iter()
            .map(|column| Column { variable: &column.variable, values: &column.values })
            .collect();
        let (files, unread) = parted(&files);
        let rows = (&*series.instants, &*series.values);
        let trained = crate::train(&series.variable, rows, &columns, &settings, &files, &unread)?;
        Ok(trained.into())
    }

    fn companions(
        models: Vec<training::PlacedModel>,
        files: Vec<types::ModelFile>,
    ) -> Result<Vec<training::TrainedFile>, training::TrainingError> {
        log_panics();
        let (files, unread) = parted(&files);
        let variables: Vec<&str> = models.iter().map(|model| &*model.variable).collect();
        Ok(vec![crate::companions(&variables, &files, &unread)?.into()])
    }
}

/// Files that were read, and those that were not.
fn parted(files: &[types::ModelFile]) -> (Vec<File<'_>>, Vec<UnreadableModel<'_>>) {
    let read = files.iter().filter(|file| file.unreadable.is_none());
    let unread = files.iter().filter_map(|file| Some((file, file.unreadable.as_deref()?)));
    (
        read.map(|file| File { path: &file.path, bytes: &file.bytes }).collect(),
        unread.map(|(file, why)| UnreadableModel { path: &file.path, why }).collect(),
    )
}

impl From<TrainedFile> for training::TrainedFile {
    fn from(file: TrainedFile) -> Self {
        Self { path: file.path, bytes: file.bytes }
    }
}

impl From<TrainedModel> for training::Trained {
    fn from(trained: TrainedModel) -> Self {
        let report = trained.report;
        let details = serde_json::json!({ "method": report.method, "violation": report.violation });
        let report = training::Report {
            rows: report.rows as u64,
            rows_without_reading: report.rows_without_value as u64,
            first: report.first,
            last: report.last,
            noise: report.noise,
            log_density: report.log_density,
            steps: report.steps,
            warnings: report.warnings.iter().map(ToString::to_string).collect(),
            details: details.to_string(),
        };
        Self { file: trained.file.into(), report }
    }
}

impl From<TrainingError> for training::TrainingError {
    fn from(error: TrainingError) -> Self {
        match error {
            TrainingError::Settings(text) => Self::Settings(text),
            TrainingError::Series(text) => Self::Series(text),
        }
    }
}
