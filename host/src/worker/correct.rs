//! Corrects what a wrong clock has left in the state row: a worker that started while the server's
//! clock was days ahead, and a watermark that an earlier version advanced to a row dated ahead.
//!
//! Without this every reading would be too late until real time has caught up. Readings that have a
//! verdict are left out as always.

use std::time::Duration;

use super::WorkerSettings;
use super::start::{begin_from, position_from};
use crate::datetime::Datetime;
use crate::state::State;
use crate::store::{Input, StoreError, VerdictReader};

/// A watermark may be ahead of the clock by up to this: clocks are set back by an hour each autumn.
const FAR: Duration = Duration::from_secs(24 * 3600);

/// Corrects a watermark that is days ahead of the clock.
pub(super) async fn watermark(
    state: &mut State,
    now: Datetime,
    output: &mut dyn VerdictReader,
) -> Result<(), StoreError> {
    let Some(wrong) = state.watermark.filter(|watermark| *watermark > now.later(FAR)) else {
        return Ok(());
    };
    state.watermark = output.newest(now).await?;
    state.ahead.take_in(std::iter::once(wrong), now);
    tracing::warn!(
        "the last processed datetime was {wrong}, far ahead of the database's clock, which says {now}: a row was dated ahead, or \
         the clock was wrong; it is {} now",
        state.watermark.map_or_else(|| "none".into(), |at| at.to_string())
    );
    Ok(())
}

/// Corrects the start of this worker's time, if a clock that was ahead has set it.
pub(super) async fn since(
    state: &mut State,
    settings: &WorkerSettings,
    lateness: Duration,
    now: Datetime,
    input: &mut dyn Input,
    output: &mut dyn VerdictReader,
) -> Result<(), StoreError> {
    let since = state.position.since();
    // A worker that started now would start at least this far back.
    let latest = now.earlier(lateness.min(settings.initial_lookback));
    let set_back = now < state.updated_at && since > latest;
    if since <= now && !set_back {
        return Ok(());
    }
    let (_, right) = begin_from(settings, lateness, now, output).await?;
    if right >= since {
        return Ok(());
    }
    tracing::warn!(
        "this worker began when the database's clock was ahead, and took readings before {since} for older than itself; the clock \
         says {now}, and those from {right} on are judged"
    );
    let layout = input.layout().await?;
    state.position = position_from(right, layout, input, now).await?;
    Ok(())
}
