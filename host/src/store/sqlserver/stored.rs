//! Reads verdicts by datetime and page by page.

use std::collections::HashSet;
use std::sync::Arc;

use tiberius::{ColumnData, Row};

use super::datetime;
use super::error::{Error, Result};
use super::row::{Padded, integer, number};
use crate::store::{StoredVerdict, VerdictPage};

/// Converts rows of [`sql::output::verdicts`](super::sql::output::verdicts) to a page of `limit`.
pub(super) fn page(rows: Vec<Row>, limit: usize, padded: Padded) -> Result<VerdictPage> {
    let full = rows.len() > limit;
    let mut names = SharedNames::default();
    let mut verdicts = rows
        .into_iter()
        .take(limit)
        .map(|row| verdict(&mut row.into_iter(), &mut names, padded))
        .collect::<Result<Vec<_>>>()?;
    // The server orders names by its collation.
    verdicts.sort_by(|a, b| (a.ds, &a.variable).cmp(&(b.ds, &b.variable)));
    Ok(VerdictPage { verdicts, full })
}

/// Names that rows share.
pub(super) type SharedNames = HashSet<Arc<str>>;

/// The columns of [`sql::output::columns`](super::sql::output::columns), in their order.
pub(super) fn verdict(
    cells: &mut impl Iterator<Item = ColumnData<'static>>,
    names: &mut SharedNames,
    padded: Padded,
) -> Result<StoredVerdict> {
    let mut next = || cells.next().unwrap_or(ColumnData::String(None));
    let ds = datetime::read(&next()).ok_or_else(|| Error::no_answer("the datetime of a verdict"))?;
    let mut shared = |value: ColumnData<'static>, padded: bool| match value {
        ColumnData::String(Some(text)) => {
            let text = Padded::without(padded, &text);
            Some(match names.get(text) {
                Some(known) => Arc::clone(known),
                None => {
                    let name: Arc<str> = text.into();
                    names.insert(Arc::clone(&name));
                    name
                }
            })
        }
        _ => None,
    };
    Ok(StoredVerdict {
        ds,
        variable: shared(next(), padded.name).unwrap_or_default(),
        y: number(&next()),
        yhat: number(&next()),
        yhat_lower: number(&next()),
        yhat_upper: number(&next()),
        residual: number(&next()),
        outside_interval: truth(&next()),
        high_residual: truth(&next()),
        is_anomaly: truth(&next()),
        anomaly_score: number(&next()),
        prediction_error_pct: number(&next()),
        processed_at: datetime::read(&next()),
        source_file: shared(next(), padded.file),
    })
}

/// A BIT, or a number that stands for one.
fn truth(value: &ColumnData<'_>) -> Option<bool> {
    match value {
        ColumnData::Bit(value) => *value,
        other => integer(other).map(|value| value != 0),
    }
}
