//! One row of the output table.
//!
//! Pure: what follows from y and yhat is computed here, the same for every detector, and a row that does not fit its columns is
//! found here, before it could fail a whole transaction.

use std::sync::Arc;

use crate::batch::Flags;
use crate::datetime::Datetime;

/// A verdict as the output table keeps it: numbers rounded to the columns' scale and known to fit.
#[derive(Clone, Debug, PartialEq)]
pub struct VerdictRow {
    pub ds: Datetime,
    pub variable: Arc<str>,
    pub y: f64,
    pub yhat: f64,
    pub yhat_lower: f64,
    pub yhat_upper: f64,
    /// y - yhat.
    pub residual: f64,
    pub flags: Flags,
    /// 0 to 100, two decimals.
    pub anomaly_score: f64,
    /// 100 |residual / yhat|, 0 where that is not finite, at most 999.99.
    pub prediction_error_pct: f64,
    pub source_file: Option<Arc<str>>,
}
