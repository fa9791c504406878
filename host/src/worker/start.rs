//! Where a worker starts that has no position yet, or whose position can no longer be used.

use std::time::Duration;

use super::WorkerSettings;
use crate::datetime::Datetime;
use crate::position::{IN_FLIGHT, KeyPosition, Position, TimePosition};
use crate::reading::Page;
use crate::store::{Input, InputLayout, StoreError, VerdictReader};

/// Where a worker starts now: its watermark, and the oldest datetime that it judges.
pub(super) async fn begin_from(
    settings: &WorkerSettings,
    lateness: Duration,
    now: Datetime,
    output: &mut dyn VerdictReader,
) -> Result<(Option<Datetime>, Datetime), StoreError> {
    let newest = output.newest(now).await?;
    let lookback = now.earlier(settings.initial_lookback);
    // The newest verdict may be another share's, which does not show how far this one has come.
    Ok(match (newest, settings.shard) {
        (None, _) => (None, lookback),
        (Some(newest), None) => (Some(newest), newest.earlier(lateness)),
        (Some(newest), Some(_)) => (None, newest.earlier(lateness).min(lookback)),
    })
}

pub(super) async fn position_from(
    since: Datetime,
    layout: InputLayout,
    input: &mut dyn Input,
    now: Datetime,
) -> Result<Position, StoreError> {
    if !layout.has_key {
        return Ok(Position::Time(TimePosition::start(since)));
    }
    let first = input.first_key_from(since).await?;
    let last = input.last_key().await?;
    let before = match KeyPosition::before_start(first, last) {
        Some(span) => input.read_keys(&[span], usize::try_from(IN_FLIGHT).unwrap_or(usize::MAX)).await?,
        None => Page::default(),
    };
    Ok(Position::Key(KeyPosition::start(since, first, last, &before, now)))
}
