//! One row of the output table.
//!
//! Pure: what follows from y and yhat is computed here, the same for every detector, and a row that does not fit its columns is
//! found here, before it could fail a whole transaction.

use std::sync::Arc;

use crate::batch::{Flags, Outcome, Verdicts};
use crate::counts::Counts;
use crate::datetime::Datetime;
use crate::fresh::{Note, Notes};
use crate::pivot::Cell;
use crate::reading::Reading;

/// The largest prediction error that DECIMAL(5,2) holds; the Python worker cuts there as well.
const MOST_ERROR_PCT: f64 = 999.99;

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

/// What became of the readings that the detector was asked about.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Written {
    /// In the readings' order.
    pub rows: Vec<VerdictRow>,
    pub counts: Counts,
    /// Readings without a verdict that an earlier cycle counted.
    pub seen_before: u64,
    pub notes: Notes,
}

/// The verdict on each reading. `cells` says where each stands in the batch (as [`crate::pivot::pivot`] gives them), `outcomes` holds
/// one entry per column of it. Each reading is counted under exactly one fate, or as seen before: readings without a
/// verdict come again with each window of a table without a key, and `first_sight` tells which of them are news.
///
/// The outcomes were checked against the contract. A verdict that is missing all the same sets its reading aside.
pub fn rows(
    readings: &[Reading],
    cells: &[Cell],
    outcomes: &[Outcome],
    first_sight: impl Fn(&Reading) -> bool,
) -> Written {
    let withheld: Vec<Vec<bool>> = outcomes.iter().map(withheld).collect();
    let mut written = Written::default();
    for (at, reading) in readings.iter().enumerate() {
        let found = cells
            .get(at)
            .and_then(|&(row, column)| Some((row, outcomes.get(column)?, withheld.get(column)?)));
        let mut once = Counts::default();
        let mut note = None;
        match found {
            Some((_, Outcome::NoModel, _)) => once.no_model = 1,
            Some((row, Outcome::Judged(_), withheld)) if withheld.get(row) == Some(&true) => {
                once.withheld = 1
            }
            Some((row, Outcome::Judged(verdicts), _)) => match verdict(reading, verdicts, row) {
                Some(Ok(verdict)) => {
                    written.counts.judged += 1;
                    written.counts.anomalies += u64::from(verdict.flags.anomaly);
                    written.rows.push(verdict);
                    continue;
                }
                Some(Err(Unfit { column, value })) => {
                    once.unfit = 1;
                    note = Some(Note::value(reading, column, value));
                }
                None => once.set_aside = 1,
            },
            Some((_, Outcome::Failed(_), _)) | None => once.set_aside = 1,
        }
        if first_sight(reading) {
            written.counts += once;
            note.into_iter().for_each(|note| written.notes.push(note));
        } else {
            written.seen_before += 1;
        }
    }
    written
}

/// By row of the batch, whether the detector withheld its verdict there.
fn withheld(outcome: &Outcome) -> Vec<bool> {
    let Outcome::Judged(verdicts) = outcome else { return Vec::new() };
    let mut by_row = vec![false; verdicts.expected.len()];
    for &row in verdicts.withheld.iter().flat_map(|withheld| &withheld.rows) {
        if let Some(entry) = by_row.get_mut(row) {
            *entry = true;
        }
    }
    by_row
}

/// A number that does not fit its column.
struct Unfit {
    column: &'static str,
    value: f64,
}

/// None where the reading has no value or the verdicts no such row.
fn verdict(reading: &Reading, verdicts: &Verdicts, row: usize) -> Option<Result<VerdictRow, Unfit>> {
    let y = reading.value?;
    let yhat = *verdicts.expected.get(row)?;
    let (lower, upper) = (*verdicts.lower.get(row)?, *verdicts.upper.get(row)?);
    let (score, flags) = (*verdicts.score.get(row)?, *verdicts.flags.get(row)?);
    let residual = y - yhat;
    let fit = |column, value| decimal_18_6(value).ok_or(Unfit { column, value });
    let whole = || {
        Ok(VerdictRow {
            ds: reading.datetime,
            variable: Arc::clone(&reading.variable),
            y: fit("y", y)?,
            yhat: fit("yhat", yhat)?,
            yhat_lower: fit("yhat_lower", lower)?,
            yhat_upper: fit("yhat_upper", upper)?,
            residual: fit("residual", residual)?,
            flags,
            anomaly_score: round(if score.is_nan() { 0.0 } else { score.clamp(0.0, 100.0) }, 100.0),
            prediction_error_pct: error_pct(residual, yhat),
            source_file: reading.source_file.clone(),
        })
    };
    Some(whole())
}

fn error_pct(residual: f64, yhat: f64) -> f64 {
    let error = 100.0 * (residual / yhat).abs();
    if error.is_finite() { round(error.min(MOST_ERROR_PCT), 100.0) } else { 0.0 }
}

/// The number as DECIMAL(18,6) keeps it; None if it does not fit: twelve digits stand before the point.
pub(crate) fn decimal_18_6(value: f64) -> Option<f64> {
    let rounded = round(value, 1e6);
    (rounded.abs() < 1e12).then_some(rounded)
}

/// Rounds to the steps of `1 / scale`, halves away from zero as SQL's CAST does; a zero has no sign.
fn round(value: f64, scale: f64) -> f64 {
    /// From here on a float has no half steps, and scaling it would only blur it.
    const WHOLE: f64 = 9_007_199_254_740_992.0;
    let scaled = value * scale;
    if scaled.abs() < WHOLE { scaled.round() / scale + 0.0 } else { value }
}
