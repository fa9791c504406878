//! Verdicts as stored in the output, for those that read them. Plain data that lives for a page.

use std::sync::Arc;

use crate::datetime::Datetime;
use crate::reading::ReadingKey;

/// A row of the output table. Other programs may have written it, so that any column except those
/// of the key may be NULL; a column that the table does not have is NULL in every row.
#[derive(Clone, Debug, PartialEq)]
pub struct StoredVerdict {
    pub ds: Datetime,
    pub variable: Arc<str>,
    pub y: Option<f64>,
    pub yhat: Option<f64>,
    pub yhat_lower: Option<f64>,
    pub yhat_upper: Option<f64>,
    pub residual: Option<f64>,
    pub outside_interval: Option<bool>,
    pub high_residual: Option<bool>,
    pub is_anomaly: Option<bool>,
    pub anomaly_score: Option<f64>,
    pub prediction_error_pct: Option<f64>,
    pub source_file: Option<Arc<str>>,
    pub processed_at: Option<Datetime>,
}

/// The result of one bounded read of the output.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct VerdictPage {
    pub verdicts: Vec<StoredVerdict>,
    /// Whether the limit ended the read: there are more, and those of the last ds may not be
    /// complete.
    pub full: bool,
}

/// The first and the last datetime of some keys.
pub(super) fn span(keys: &[ReadingKey]) -> Option<(Datetime, Datetime)> {
    let datetimes = keys.iter().map(|(_, datetime)| *datetime);
    datetimes.clone().min().zip(datetimes.max())
}
