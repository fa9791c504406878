//! What it trains: the mean and the deviation of a past that the database still has, so that a
//! variable is judged from its first reading on. A model file is what is learnt of one variable.

use exports::anomaly_worker::detector::training::{
    Guest, PlacedModel, Report, Series, Trained, TrainedFile, TrainingError,
};

use super::anomaly_worker::detector::types::ModelFile;
use super::{Learnt, ModelOf, Module, exports};

impl Guest for Module {
    fn train(series: Series, settings: String, _: Vec<ModelFile>) -> Result<Trained, TrainingError> {
        if serde_json::from_str::<serde_json::Map<_, serde_json::Value>>(&settings)
            .is_ok_and(|settings| !settings.is_empty())
        {
            return Err(TrainingError::Settings("has settings, and this training has none".into()));
        }
        let mut rows: Vec<_> = series.instants.into_iter().zip(series.values).collect();
        let all = rows.len();
        rows.retain(|(_, y)| y.is_finite());
        // What comes late in the list is learnt all the same.
        rows.sort_by_key(|(at, _)| *at);
        let (Some((first, _)), Some((last, _))) = (rows.first().copied(), rows.last().copied()) else {
            return Err(TrainingError::Series("has no reading, and a mean needs 2".into()));
        };
        let mut learnt = Learnt::default();
        for (at, y) in rows {
            learnt.learn(at, y);
        }
        if learnt.readings < 2 {
            return Err(TrainingError::Series("has readings at 1 instant, and a deviation needs 2".into()));
        }
        let report = Report {
            rows: learnt.readings,
            rows_without_reading: all as u64 - learnt.readings,
            first,
            last,
            noise: learnt.deviation(),
            log_density: None,
            steps: 0,
            warnings: Vec::new(),
            details: "{}".into(),
        };
        let path = format!("learnt_{}.json", series.variable.replace(['/', '\\'], "_"));
        let model = ModelOf { variable: series.variable, learnt };
        let bytes = serde_json::to_vec(&model).map_err(|error| TrainingError::Other(error.to_string()))?;
        Ok(Trained { file: TrainedFile { path, bytes }, report })
    }

    /// A file says itself which variable it is for.
    fn companions(_: Vec<PlacedModel>, _: Vec<ModelFile>) -> Result<Vec<TrainedFile>, TrainingError> {
        Ok(Vec::new())
    }
}
