//! The canary of a worker that was started anew: readings that the worker before it judged.
//!
//! Without one, nothing tells a detector that fails at everything from a reading that no detector survives, and a batch of one
//! variable would be tried for ever; and a set that is replaced before the first batch would be used untried. Read once, at
//! the start; what the input or the output holds no longer is left out.

use super::session::Session;
use crate::batch::Batch;
use crate::datetime::Datetime;
use crate::pivot;
use crate::position::Position;
use crate::reading::{Key, Reading};
use crate::store::StoreError;

/// Rows that are looked through: some datetimes of a plant of the usual size, and a seek on any table with a key.
const ROWS: usize = 1000;

/// The last readings that were read and have a verdict; None if there are none.
pub(super) async fn last_batch(session: &mut Session) -> Result<Option<Batch>, StoreError> {
    let Some(watermark) = session.state.watermark else { return Ok(None) };
    let page = match &session.state.position {
        Position::Key(position) => {
            let from = position.scanned.saturating_sub(ROWS as i64 - 1);
            session.input.read_keys(&[(from, position.scanned)], ROWS).await?
        }
        Position::Time(_) => {
            let next = Datetime::from_micros(watermark.micros().saturating_add(1));
            session.input.read_range(watermark, Some(next), ROWS).await?
        }
    };
    let mut readings = page.readings;
    readings.retain(|reading| reading.value.is_some_and(f64::is_finite));
    let keys: Vec<Key> = readings.iter().map(Reading::key).collect();
    let judged =
        if keys.is_empty() { Default::default() } else { session.output.already_judged(&keys).await? };
    readings.retain(|reading| judged.contains(&reading.key()));
    let parts = pivot::split(readings, ROWS * super::batch::CELLS_PER_ROW);
    Ok(parts.last().map(|part| pivot::pivot(part, &[]).batch))
}
