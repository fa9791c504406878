//! Making models: a series becomes a file that this detector opens, and Prophet too.
//!
//! The mathematics is `prophet::fit`; here are the file's name, the tables beside the models, and
//! the words. A variable's name that a file's name cannot hold is found again through
//! `detector_config.json`, which [`companions`] writes anew with the names of all models and
//! everything else that it said.

use std::collections::BTreeMap;

use prophet::fit::{FitError, FitReport, FitSettings, Series, fit};
use serde_json::Value;

use crate::config::{self, DetectorConfig};
use crate::models::{CountryTables, file_name};
use crate::{Column, File, UnreadableModel};

/// A file for the model directory.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TrainedFile {
    pub path: String,
    pub bytes: Vec<u8>,
}

/// A model and how it was found.
#[derive(Clone, Debug, PartialEq)]
pub struct TrainedModel {
    pub file: TrainedFile,
    pub report: FitReport,
}

/// Why there is no model. The texts go on from the variable's name.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TrainingError {
    /// No series can be trained with these settings.
    #[error("{0}")]
    Settings(String),
    /// This one cannot.
    #[error("{0}")]
    Series(String),
}

/// Trains a model of `variable`. `settings` are those of [`FitSettings::from_json`]; `columns` are
/// what they need besides; of `files`, the tables of country holidays are looked at.
///
/// # Errors
/// Settings, series or table that no model can be made with.
pub fn train(
    variable: &str,
    series: (&[i64], &[f64]),
    columns: &[Column<'_>],
    settings: &str,
    files: &[File<'_>],
    unread: &[UnreadableModel<'_>],
) -> Result<TrainedModel, TrainingError> {
    let settings = FitSettings::from_json(settings.as_bytes())?;
    let without: BTreeMap<&str, &str> = unread.iter().map(|unread| (unread.path, unread.why)).collect();
    // A table that cannot be read is one that is there.
    let unread = unread.iter().map(|unread| File { path: unread.path, bytes: b"" });
    let files: Vec<_> = files.iter().copied().chain(unread).collect();
    let dates = match &settings.country_holidays {
        None => None,
        Some(country) => {
            let tables = CountryTables { files: &files, without: &without };
            tables.of(country).map_err(TrainingError::Settings)?
        }
    };
    let (instants, y) = series;
    let series = columns
        .iter()
        .fold(Series::new(instants, y), |series, column| series.with(column.variable, column.values));
    let fitted = fit(&series, &settings, dates.as_deref())?;
    let file = TrainedFile { path: file_name(variable), bytes: fitted.to_json() };
    Ok(TrainedModel { file, report: fitted.report().clone() })
}

/// The `detector_config.json` of a directory with these variables' models: that among `files`, with
/// these names as its `variables`.
///
/// # Errors
/// The one that is there is no such file.
pub fn companions(
    variables: &[&str],
    files: &[File<'_>],
    unread: &[UnreadableModel<'_>],
) -> Result<TrainedFile, TrainingError> {
    let refused = |why: String| TrainingError::Settings(why);
    if let Some(UnreadableModel { path, why }) = unread.iter().find(|unread| unread.path == config::FILE_NAME)
    {
        return Err(refused(format!("needs `{path}`, which cannot be read: {why}")));
    }
    let before = files.iter().find(|file| file.path == config::FILE_NAME);
    let mut object = match before {
        None => serde_json::Map::new(),
        Some(file) => {
            // What `open` would refuse is not written anew as if it were good.
            DetectorConfig::parse(file.bytes).map_err(|error| refused(error.to_string()))?;
            let json = file.bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(file.bytes);
            prophet::from_python_json(json)
                .map_err(|error| refused(format!("`{}`: {error}", config::FILE_NAME)))?
        }
    };
    let mut variables = variables.to_vec();
    variables.sort_unstable();
    variables.dedup();
    object.insert("variables".to_owned(), Value::from(variables));
    let mut bytes =
        serde_json::to_vec_pretty(&Value::Object(object)).map_err(|error| refused(error.to_string()))?;
    bytes.push(b'\n');
    Ok(TrainedFile { path: config::FILE_NAME.to_owned(), bytes })
}

impl From<FitError> for TrainingError {
    fn from(error: FitError) -> Self {
        let text = error.to_string();
        match error {
            FitError::Setting { .. }
            | FitError::Settings(_)
            | FitError::Name { .. }
            | FitError::NoCountryHolidays { .. } => Self::Settings(text),
            _ => Self::Series(text),
        }
    }
}
