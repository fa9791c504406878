//! Shows readings to a detector that starts without a checkpoint and wants to see some before it
//! judges: at the start of the service, and when a set is swapped in.
//!
//! The verdicts are dropped; the detector starts from the resulting state. It is not required: it
//! is limited in rows and in time, variables at which the detector fails are left out, and a
//! detector that fails at all of it judges without. Readings are read in pages, so that a long
//! lookback does not cost memory.

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

/// The most rows that a detector is shown, the latest: a year of ten variables with a reading an
/// hour, or a week of a hundred with one every five minutes.
const MOST_ROWS: u64 = 200_000;

/// The longest lookback that is searched for in the table.
const LONGEST: Duration = Duration::from_secs(10 * 366 * 24 * 3600);

/// The first lookback that is counted. It is doubled while the rows are not too many, so that
/// counting never costs more than showing.
const FIRST: Duration = Duration::from_secs(3600);

/// Shows the detector its lookback, if it wants one and starts without a checkpoint. Returns what
/// ended it early, if it was a stop or a new set.
///
/// # Errors
/// Only the database's.
pub(super) async fn warm_up(
    session: &mut Session,
    detector: &mut Detector,
    rows: usize,
    patience: &mut Patience<'_>,
) -> Result<Option<Ended>, StoreError> {
    let lookback = detector.summary().lookback;
    let state = &session.state;
    // For a worker that has judged nothing yet, the lookback ends where it starts.
    let (last, end) = match state.watermark {
        Some(watermark) => (watermark, watermark.later(Duration::from_micros(1))),
        None => (state.position.since(), state.position.since()),
    };
    // A detector that cannot be opened any more is reported with its batch.
    if lookback.is_zero() || detector.be_ready().await.is_err() || detector.has_checkpoint() {
        return Ok(None);
    }
    let shown = match span(session.input.as_mut(), last, end, lookback).await {
        // Without an index a large table would be read whole, which the lookback is not worth.
        Err(error) if error.kind == ErrorKind::Schema => {
            tracing::warn!("the detector is not shown earlier readings: {error}");
            return Ok(None);
        }
        shown => shown?,
    };
    let asked = if shown < lookback { ", less than it asks for" } else { "" };
    tracing::info!(
        "the detector is shown the last {} of readings before it judges{asked}",
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

/// How far back to read, so that the rows are not too many.
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

/// Shows one part. Returns what ended it: [`Ended::Time`] also if the detector fails at everything
/// and starts without.
async fn show(
    detector: &mut Detector,
    part: &[Reading],
    learnt: &mut Learnt,
    patience: &mut Patience<'_>,
) -> Option<Ended> {
    if let Some(ended) = patience.ended() {
        if ended == Ended::Time {
            tracing::warn!(
                "the detector takes too long over the earlier readings, and judges with those that it has seen"
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
    tracing::warn!("the detector fails at the earlier readings, and starts without them: {why}");
    detector.committed(None);
    detector.discard();
    Some(Ended::Time)
}
