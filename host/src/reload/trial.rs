//! Whether a set may replace another: it can be opened, no broken file costs a variable the model
//! that it has, and it judges the canary.

use std::collections::HashSet;
use std::sync::Arc;

use super::canary::Canary;
use crate::detector::{Detector, DetectorError, Engine, JudgeError, Judged, Set, short_digest};

/// Variables with a model.
pub(super) fn variables(detector: &Detector) -> HashSet<Arc<str>> {
    detector.summary().loaded().map(|model| Arc::clone(&model.variable)).collect()
}

/// A file that is incomplete or broken must not cost a variable the model that it has; a removed
/// file is removed on purpose.
pub(super) fn keeps_models(detector: &Detector, had: &HashSet<Arc<str>>) -> Result<(), DetectorError> {
    for model in &detector.summary().models {
        if let Some(why) = model.refused.as_ref().filter(|_| had.contains(&model.variable)) {
            return Err(DetectorError::LosesModel {
                path: model.path.clone(),
                variable: model.variable.to_string(),
                why: why.clone(),
            });
        }
    }
    Ok(())
}

/// Opens a set beside the one in use, which has models for `had`, and tries it on the canary.
///
/// # Errors
/// It may not replace the other.
pub(super) async fn open(
    engine: &Engine,
    set: Arc<Set>,
    had: &HashSet<Arc<str>>,
    canary: Option<Canary>,
) -> Result<Detector, DetectorError> {
    let resume = canary.as_ref().and_then(|canary| canary.checkpoint.clone());
    let (module, digest) = (set.module.name.clone(), set.digest.clone());
    let mut detector = Detector::open(engine, set, resume).await?;
    keeps_models(&detector, had)?;
    let Some(canary) = canary else { return Ok(detector) };
    let mut judged = detector.judge(Arc::clone(&canary.batch)).await;
    // The checkpoint is the other set's, and may have any content under the same schema.
    if judged.is_err() && detector.give_up_checkpoint() {
        judged = detector.judge(Arc::clone(&canary.batch)).await;
        if judged.is_ok() {
            tracing::warn!(
                "set {} judges nothing with the checkpoint that is stored, and starts without",
                short_digest(&digest)
            );
        }
    }
    let broken = |judged: Judged| judged.not_kept.map_or(Ok(()), |why| Err(JudgeError::Contract(why)));
    judged.and_then(broken).map_err(|cause| DetectorError::Canary { module, cause })?;
    // The state after a batch that it was only shown is dropped.
    detector.discard();
    Ok(detector)
}
