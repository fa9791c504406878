//! Stored verdicts beside readings that were just read.

use std::collections::HashMap;
use std::time::Duration;

use crate::datetime::Datetime;
use crate::reading::ReadingKey;
use crate::store::{StoreError, VerdictReader};

/// Verdicts of one read.
const PAGE: usize = 10_000;

/// Of the readings from `first` to `last` those with a verdict, or only those that are anomalies,
/// and whether it says anomaly.
///
/// # Errors
/// What the store says.
pub(super) async fn verdicts(
    output: &mut dyn VerdictReader,
    (first, last): (Datetime, Datetime),
    anomalies_only: bool,
) -> Result<HashMap<ReadingKey, bool>, StoreError> {
    let mut found = HashMap::new();
    let (mut from, to, mut limit) = (first, last.later(Duration::from_micros(1)), PAGE);
    loop {
        let page = output.read_verdicts(from, to, anomalies_only, limit).await?;
        let last = page.verdicts.last().map(|verdict| verdict.ds).filter(|_| page.full);
        let anomaly = |flag: Option<bool>| flag.unwrap_or_default();
        found.extend(page.verdicts.into_iter().map(|row| ((row.variable, row.ds), anomaly(row.is_anomaly))));
        match last {
            // A page of one datetime, which may not be whole.
            Some(last) if last == from => limit = limit.saturating_mul(2),
            Some(last) => from = last,
            None => return Ok(found),
        }
    }
}
