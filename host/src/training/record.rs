//! The record of a directory of models: when each was trained, on what, and its error on the
//! held-out end.
//!
//! It is a hidden file beside them, which detectors are not given, so that it is swapped together
//! with them. An entry holds as long as the model's file is the one that was trained.

use std::collections::BTreeMap;
use std::path::Path;

use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use super::holdout::HoldoutScore;
use crate::datetime::Datetime;
use crate::detector::{TrainingReport, hex};
use crate::regular::{self, Most};

/// The file's name.
pub const RECORD: &str = ".training.json";

/// The largest file: some hundred thousand variables.
const MOST: Most = Most { bytes: 256 << 20, key: None };

/// The record of a set.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct SetRecord {
    /// The number of the set, from 1 on.
    pub generation: u64,
    /// By variable.
    pub models: BTreeMap<String, ModelRecord>,
}

/// The record of a model.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ModelRecord {
    /// The file's name, and SHA-256 of it in hexadecimal.
    pub path: String,
    pub digest: String,
    pub trained: Datetime,
    /// Since when it has been in use, by the same clock.
    pub since: Datetime,
    pub rows: u64,
    pub first: Datetime,
    pub last: Datetime,
    pub noise: Option<f64>,
    /// On the held-out end; None without one.
    pub error: Option<f64>,
    pub within: Option<f64>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub warnings: Vec<String>,
}

impl ModelRecord {
    /// Of a model that was just trained.
    pub fn new(
        path: &str,
        bytes: &[u8],
        now: Datetime,
        report: &TrainingReport,
        score: Option<HoldoutScore>,
    ) -> Self {
        let finite = |number: f64| number.is_finite().then_some(number);
        Self {
            path: path.to_owned(),
            digest: digest(bytes),
            trained: now,
            since: now,
            rows: report.rows,
            first: report.first,
            last: report.last,
            noise: finite(report.noise),
            error: score.and_then(|score| finite(score.error)),
            within: score.and_then(|score| finite(score.within)),
            warnings: report.warnings.clone(),
        }
    }

    /// The error that later errors are compared with: on the held-out end, else its noise.
    pub fn usual_error(&self) -> Option<f64> {
        self.error.or(self.noise)
    }

    /// Whether the file in this directory is still the one that was trained.
    pub fn holds(&self, directory: &Path) -> bool {
        file_digest(&directory.join(&self.path)).is_some_and(|found| found == self.digest)
    }
}

impl SetRecord {
    /// Reads the record of a directory; None if there is none that can be read.
    pub fn read(directory: &Path) -> Option<Self> {
        let bytes = regular::read(&directory.join(RECORD), MOST).ok()?;
        match serde_json::from_slice(&bytes) {
            Ok(record) => Some(record),
            Err(error) => {
                tracing::warn!("`{}` is not used: {error}", directory.join(RECORD).display());
                None
            }
        }
    }

    /// As it is written.
    pub fn bytes(&self) -> Vec<u8> {
        // It holds texts, finite numbers and maps of texts, so this cannot fail.
        serde_json::to_vec(self).unwrap_or_default()
    }
}

/// SHA-256 of a file of a directory; None if it cannot be read.
pub fn file_digest(path: &Path) -> Option<String> {
    /// The largest model file that is ever opened.
    const LARGEST: Most = Most { bytes: 65_536 << 20, key: None };
    Some(digest(&regular::read(path, LARGEST).ok()?))
}

fn digest(bytes: &[u8]) -> String {
    hex(&Sha256::digest(bytes))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test stops at the first surprise")]

    use super::*;

    #[test]
    fn a_record_is_read_as_it_was_written_and_holds_for_its_file() {
        let place = tempfile::tempdir().unwrap();
        let at = Datetime::from_micros(1_000_000);
        let report = TrainingReport {
            rows: 7,
            rows_without_reading: 0,
            first: at,
            last: at,
            noise: f64::NAN,
            log_density: None,
            steps: 0,
            warnings: vec!["ñ".to_owned()],
            details: serde_json::Map::new(),
        };
        let score = HoldoutScore { error: 0.1 + 0.2, within: 1.0, readings: 3 };
        let model = ModelRecord::new("a", b"model", at, &report, Some(score));
        assert_eq!(model.noise, None);
        let record = SetRecord { generation: 3, models: [("A/B".to_owned(), model.clone())].into() };
        assert_eq!(SetRecord::read(place.path()), None);
        std::fs::write(place.path().join(RECORD), record.bytes()).unwrap();
        assert_eq!(SetRecord::read(place.path()), Some(record));
        assert!(!model.holds(place.path()), "there is no file");
        std::fs::write(place.path().join("a"), "model").unwrap();
        assert!(model.holds(place.path()));
        std::fs::write(place.path().join("a"), "another").unwrap();
        assert!(!model.holds(place.path()));
        std::fs::write(place.path().join(RECORD), "{").unwrap();
        assert_eq!(SetRecord::read(place.path()), None);
    }
}
