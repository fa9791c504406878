//! What a detector with state and without a checkpoint is shown first: the readings before the first that it judges.
//!
//! The verdicts are dropped; the state that they leave is where it starts. Readings are read in pages, so that a long lookback costs
//! time and not memory.

use std::sync::Arc;
use std::time::Duration;

use super::error::CycleError;
use super::session::Session;
use super::walk::RangeWalk;
use crate::detector::Detector;
use crate::pivot;
use crate::reading::Reading;
use crate::state::Checkpoint;

/// Shows the detector its lookback, where it wants one.
pub(super) async fn warm_up(
    session: &mut Session,
    detector: &mut Detector,
    rows: usize,
) -> Result<(), CycleError> {
    let lookback = detector.description().lookback;
    let Some(watermark) = session.state.watermark else { return Ok(()) };
    if lookback.is_zero() || session.state.checkpoint.is_some() {
        return Ok(());
    }
    tracing::info!(
        "the detector is shown {} of readings before it judges",
        humantime::format_duration(lookback)
    );
    let end = watermark.later(Duration::from_micros(1));
    let mut walk = RangeWalk::new(watermark.earlier(lookback), end, rows);
    loop {
        let page = walk.next(session.input.as_mut()).await?;
        let readings: Vec<Reading> =
            page.readings.into_iter().filter(|reading| reading.value.is_some_and(f64::is_finite)).collect();
        for part in pivot::split(readings, rows.saturating_mul(super::batch::CELLS_PER_ROW)) {
            let batch = Arc::new(pivot::pivot(&part, &[]).batch);
            let variables = batch.columns.len();
            let judged =
                detector.judge(batch).await.map_err(|cause| CycleError::Detector { variables, cause })?;
            detector.committed(judged.checkpoint.map(|(schema, bytes)| {
                let set_digest = detector.set().digest.clone();
                Checkpoint { schema, bytes, set_digest }
            }));
        }
        if !page.full {
            return Ok(());
        }
    }
}
