//! Stored verdicts beside readings that were just read.

use std::collections::HashMap;
use std::time::Duration;

use crate::datetime::Datetime;
use crate::episode::Point;
use crate::reading::ReadingKey;
use crate::store::{StoreError, VerdictReader};

/// Verdicts of one read.
const PAGE: usize = 10_000;

/// Of the readings from `first` to `last` those with a verdict, or only those that are anomalies,
/// as episodes see them.
///
/// # Errors
/// What the store says.
pub(super) async fn verdicts(
    output: &mut dyn VerdictReader,
    (first, last): (Datetime, Datetime),
    anomalies_only: bool,
) -> Result<HashMap<ReadingKey, Point>, StoreError> {
    let mut found = HashMap::new();
    let (mut from, to, mut limit) = (first, last.later(Duration::from_micros(1)), PAGE);
    loop {
        let page = output.read_verdicts(from, to, anomalies_only, limit).await?;
        let last = page.verdicts.last().map(|verdict| verdict.ds).filter(|_| page.full);
        found.extend(page.verdicts.into_iter().map(|row| {
            // One that lacks a number deviates by nothing.
            let anomaly = row.is_anomaly.unwrap_or_default();
            let nothing = Point { ds: row.ds, y: 0.0, yhat: 0.0, score: 0.0, anomaly, cause: None };
            let point = Point::of_stored(&row).unwrap_or(nothing);
            ((row.variable, row.ds), point)
        }));
        match last {
            // A page of one datetime, which may not be whole.
            Some(last) if last == from => limit = limit.saturating_mul(2),
            Some(last) => from = last,
            None => return Ok(found),
        }
    }
}
