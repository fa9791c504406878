//! What a detector is shown that starts without a checkpoint and wants to see readings before it
//! judges: at the start of the service, and when it is swapped in.
//!
//! The verdicts are dropped; the state that they leave is where it starts. A help and no condition:
//! it is capped in rows and in time, variables that the detector does not survive are left out, and
//! a detector that fails at it judges without. Readings are read in pages, so that a long lookback
//! does not cost memory.

use std::sync::Arc;
use std::time::Duration;

use super::patience::{Ended, Patience};
use super::recover;
use super::recovered::{CheckpointAfter, Unjudged};
use super::scan::RangeScan;
use super::search::Learnt;
use super::session::Session;
use crate::datetime::Datetime;
use crate::detector::Detector;
use crate::pivot;
use crate::reading::Reading;
use crate::store::{ErrorKind, Input, StoreError};

/// Rows that a detector is shown at most, the latest: a year of ten variables at intervals of an
/// hour, or a week of a hundred at one of five minutes.
const MOST_ROWS: u64 = 200_000;

/// The longest lookback that is looked for in the table at all.
const LONGEST: Duration = Duration::from_secs(10 * 366 * 24 * 3600);

/// The first look back. It is doubled as long as the rows are not too many, so that counting never
/// costs more than showing.
const FIRST: Duration = Duration::from_secs(3600);

/// Shows the detector its lookback, where it wants one and starts without a checkpoint. What ended
/// it early, if a stop or a new set did.
///
/// # Errors
/// The database's alone.
pub(super) async fn warm_up(
    session: &mut Session,
    detector: &mut Detector,
    rows: usize,
    patience: &mut Patience<'_>,
) -> Result<Option<Ended>, StoreError> {
    let lookback = detector.summary().lookback;
    let state = &session.state;
    // A worker that has judged nothing yet has what lies before its beginning in front of it.
    let (last, end) = match state.watermark {
        Some(watermark) => (watermark, watermark.later(Duration::from_micros(1))),
        None => (state.position.since(), state.position.since()),
    };
    // That it cannot be opened any more is the affair of the batch that it is asked about.
    if lookback.is_zero() || detector.be_ready().await.is_err() || detector.has_checkpoint() {
        return Ok(None);
    }
    let shown = match span(session.input.as_mut(), last, end, lookback).await {
        // Without an index a large table would be read whole for what is only a help.
        Err(error) if error.kind == ErrorKind::Schema => {
            tracing::warn!("the detector is not shown the readings before those that it judges: {error}");
            return Ok(None);
        }
        shown => shown?,
    };
    let asked = if shown < lookback { ", the most that it is shown of what it asks for" } else { "" };
    tracing::info!(
        "the detector is shown {} of readings before it judges{asked}",
        humantime::format_duration(shown)
    );
    let mut scan = RangeScan::new(last.earlier(shown), end, rows);
    let mut learnt = Learnt::default();
    loop {
        let page = scan.next(session.input.as_mut()).await?;
        let readings: Vec<Reading> =
            page.readings.into_iter().filter(|reading| reading.value.is_some_and(f64::is_finite)).collect();
        for part in pivot::split(readings, rows.saturating_mul(super::batch::CELLS_PER_ROW)) {
            match show(detector, &part, &mut learnt, patience).await {
                None => {}
                Some(Ended::Time) => return Ok(None),
                ended => return Ok(ended),
            }
        }
        if !page.full {
            return Ok(None);
        }
    }
}

/// How far back is looked, so that the rows are not too many.
pub(crate) async fn span(
    input: &mut dyn Input,
    last: Datetime,
    end: Datetime,
    lookback: Duration,
) -> Result<Duration, StoreError> {
    let lookback = lookback.min(LONGEST);
    let mut span = lookback.min(FIRST);
    while span < lookback {
        let longer = span.saturating_mul(2).min(lookback);
        if input.count_range(last.earlier(longer), end).await? > MOST_ROWS {
            break;
        }
        span = longer;
    }
    Ok(span)
}

/// Shows one part. What it was ended by: [`Ended::Time`] also where the detector fails at
/// everything and starts without.
async fn show(
    detector: &mut Detector,
    part: &[Reading],
    learnt: &mut Learnt,
    patience: &mut Patience<'_>,
) -> Option<Ended> {
    if let Some(ended) = patience.ended() {
        if ended == Ended::Time {
            tracing::warn!(
                "the detector takes too long over the readings before, and judges with what it has seen of them"
            );
        }
        return Some(ended);
    }
    let batch = Arc::new(pivot::pivot(part, &[]).batch);
    let mark = patience.mark();
    let judged = recover::judge(detector, &batch, None, learnt, patience).await;
    patience.settle(mark);
    let why = match judged {
        Ok(recovered) => {
            if let CheckpointAfter::Checkpoint(checkpoint) = recovered.after {
                detector.committed(checkpoint);
            }
            return None;
        }
        Err(Unjudged::Ended(ended)) => return Some(ended),
        Err(Unjudged::Failed(why) | Unjudged::Unfinished { cause: why, .. }) => why,
    };
    tracing::warn!(
        "the detector fails at the readings before those that it judges, and starts without them: {why}"
    );
    detector.committed(None);
    detector.discard();
    Some(Ended::Time)
}
