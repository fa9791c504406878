//! Training that does harm: `{"do": "<behaviour>"}` in its settings, or `path <name>` for the name
//! of the file that it makes.

use super::anomaly_worker::detector::types::ModelFile;
use super::exports::anomaly_worker::detector::training::{
    Guest, PlacedModel, Report, Series, Trained, TrainedFile, TrainingError,
};
use super::{Module, Settings, harm};

impl Guest for Module {
    fn train(series: Series, settings: String, _: Vec<ModelFile>) -> Result<Trained, TrainingError> {
        let settings: Settings =
            serde_json::from_str(&settings).map_err(|error| TrainingError::Settings(error.to_string()))?;
        let mut made = Trained {
            file: TrainedFile { path: series.variable, bytes: b"honest".to_vec() },
            report: Report {
                rows: series.instants.len() as u64,
                rows_without_reading: 0,
                first: 0,
                last: 0,
                noise: f64::NAN,
                log_density: None,
                steps: 0,
                warnings: Vec::new(),
                details: "{}".into(),
            },
        };
        match &*settings.r#do {
            "trap" => panic!("told to trap"),
            "spin" => harm::spin(),
            "memory" => harm::take_all_memory(),
            "settings" => return Err(TrainingError::Settings("has settings\nthat are wrong".into())),
            "other" => return Err(TrainingError::Other("is not liked".into())),
            "huge" => made.file.bytes = vec![1; (64 << 20) + 1],
            "details" => made.report.details = "[]".into(),
            "warnings" => made.report.warnings = vec!["beware\u{1b}".into(); 30],
            told => {
                if let Some(path) = told.strip_prefix("path ") {
                    made.file.path = path.into();
                }
            }
        }
        Ok(made)
    }

    fn companions(_: Vec<PlacedModel>, _: Vec<ModelFile>) -> Result<Vec<TrainedFile>, TrainingError> {
        Ok(vec![TrainedFile { path: "../companion".into(), bytes: Vec::new() }])
    }
}
