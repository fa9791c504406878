//! Reads the stored verdicts on readings that were just read. An error of the store is returned.

use std::collections::HashMap;
use std::time::Duration;

use crate::datetime::Datetime;
use crate::episode::Point;
use crate::reading::ReadingKey;
use crate::store::{StoreError, VerdictReader};

/// The most verdicts of one read.
const PAGE: usize = 10_000;

/// The stored verdicts from `first` to `last`, or only the anomalies, in the form that episodes
/// take.
///
/// # Errors
/// The store fails.
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
            // A verdict that lacks a number counts as one without a deviation.
            let anomaly = row.is_anomaly.unwrap_or_default();
            let nothing = Point { ds: row.ds, y: 0.0, yhat: 0.0, score: 0.0, anomaly, cause: None };
            let point = Point::of_stored(&row).unwrap_or(nothing);
            ((row.variable, row.ds), point)
        }));
        match last {
            // The page has one datetime only, and may lack rows of it: a larger page is read.
            Some(last) if last == from => limit = limit.saturating_mul(2),
            Some(last) => from = last,
            None => return Ok(found),
        }
    }
}
