//! The canary of a worker that has just started: readings that were judged before.
//!
//! Without one, a detector that fails at everything cannot be told from a reading at which every
//! detector fails. A batch of one variable would then be tried for ever, and a set that is replaced
//! before the first batch would be used without a trial. The canary is read once, at the start.
//! Readings that the input or the output no longer holds are left out.

use std::sync::Arc;

use super::session::Session;
use crate::batch::Batch;
use crate::datetime::Datetime;
use crate::detector::Detector;
use crate::pivot;
use crate::position::Position;
use crate::reading::{Page, Reading, ReadingKey};
use crate::state::State;
use crate::store::StoreError;
use crate::store::{Input, VerdictReader};

/// Rows that are read: several datetimes of a plant of the usual size, and an index seek on any
/// table with a key.
const ROWS: u16 = 1000;

/// The last readings that were read and have a verdict; None if there are none.
pub(crate) async fn last_judged(
    input: &mut dyn Input,
    output: &mut dyn VerdictReader,
    state: &State,
) -> Result<Option<Batch>, StoreError> {
    let Some(watermark) = state.watermark else { return Ok(None) };
    let rows = usize::from(ROWS);
    let page = match &state.position {
        Position::Key(position) => {
            let from = position.scanned.saturating_sub(i64::from(ROWS) - 1);
            input.read_keys(&[(from, position.scanned)], rows).await?
        }
        Position::Time(_) => {
            let next = Datetime::from_micros(watermark.micros().saturating_add(1));
            input.read_range(watermark, Some(next), rows).await?
        }
    };
    judged(output, page).await
}

/// The same for a backfill: of the readings at the output's newest datetime, those with a verdict.
/// A variable at which this very set fails proves nothing, so that a few are tried and the first
/// that it judges is used.
pub(super) async fn newest_judged(
    session: &mut Session,
    detector: &mut Detector,
) -> Result<Option<Batch>, StoreError> {
    const TRIES: usize = 3;
    let now = session.input.now().await?;
    let Some(newest) = session.output.newest(now).await? else { return Ok(None) };
    let next = Datetime::from_micros(newest.micros().saturating_add(1));
    let page = session.input.read_range(newest, Some(next), usize::from(ROWS)).await?;
    let Some(batch) = judged(session.output.as_mut(), page).await? else { return Ok(None) };
    for column in 0..batch.columns.len().min(TRIES) {
        let one = batch.only(&[column]);
        let survived = detector.judge(Arc::new(one.clone())).await.is_ok();
        detector.discard();
        if survived {
            return Ok(Some(one));
        }
    }
    Ok(None)
}

/// Those of the readings that have a verdict, pivoted.
async fn judged(output: &mut dyn VerdictReader, page: Page) -> Result<Option<Batch>, StoreError> {
    let rows = usize::from(ROWS);
    let mut readings = page.readings;
    readings.retain(|reading| reading.value.is_some_and(f64::is_finite));
    let keys: Vec<ReadingKey> = readings.iter().map(Reading::key).collect();
    let judged = if keys.is_empty() { Default::default() } else { output.already_judged(&keys).await? };
    readings.retain(|reading| judged.contains(&reading.key()));
    let parts = pivot::split(readings, rows * super::batch::CELLS_PER_ROW);
    Ok(parts.last().map(|part| pivot::pivot(part, &[]).batch))
}
