//! Opens a set apart from the worker's, under the rule that does not learn from readings, to
//! measure its models.
//!
//! What is opened here lives for one training, check or comparison. An error is returned and leaves
//! the worker's set as it is.

use std::collections::BTreeSet;
use std::sync::Arc;

use serde_json::{Map, Value};

use super::holdout::{self, HoldoutScore};
use crate::batch::{Batch, Outcome};
use crate::detector::{Detector, DetectorError, Engine, ModelFile};
use crate::reload::SetSource;

/// Opens a set under the rule that does not learn from readings, or with its own settings if its
/// detector does not have that rule.
pub(super) async fn alone(engine: &Engine, source: &SetSource) -> Result<Detector, DetectorError> {
    let alone = SetSource { settings: by_model_alone(&source.settings), ..source.clone() };
    match opened(engine, &alone).await {
        Err(DetectorError::Settings(_)) => opened(engine, source).await,
        opened => opened,
    }
}

async fn opened(engine: &Engine, source: &SetSource) -> Result<Detector, DetectorError> {
    Detector::open(engine, Arc::new(source.read_at_start(engine).await?), None).await
}

/// These settings with the rule that does not learn from readings.
pub(super) fn by_model_alone(settings: &str) -> String {
    let mut settings: Map<String, Value> = serde_json::from_str(settings).unwrap_or_default();
    settings.insert("rule".to_owned(), "interval".into());
    Value::Object(settings).to_string()
}

/// The score of a detector on the end of a series. None if it has no verdict there.
pub(super) async fn judged(detector: &mut Detector, end: &Batch) -> Option<HoldoutScore> {
    let judged = detector.judge(Arc::new(end.clone())).await;
    // What the detector learnt from this is dropped.
    detector.discard();
    let values = &end.columns.first()?.values;
    match judged.ok()?.outcomes.into_iter().next()? {
        Outcome::Judged(verdicts) => holdout::score(values, &verdicts),
        Outcome::NoModel | Outcome::Failed(_) => None,
    }
}

/// The files of an opened set that are not models.
pub(super) fn beside(detector: &Detector) -> Vec<ModelFile> {
    let summary = detector.summary();
    let models: BTreeSet<&str> = summary.models.iter().map(|model| &*model.path).collect();
    detector.set().files.iter().filter(|file| !models.contains(&*file.path)).cloned().collect()
}
