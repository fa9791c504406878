//! One row of the output table.
//!
//! Pure: what follows from y and yhat is computed here, the same for every detector, and a row that
//! does not fit its columns is found here, before it could make a whole transaction fail.

use std::sync::Arc;

use crate::batch::{Flags, Outcome, Verdicts};
use crate::column_limits::{decimal_18_6, round};
use crate::counts::Counts;
use crate::datetime::Datetime;
use crate::notes::{Note, Notes};
use crate::pivot::Cell;
use crate::reading::Reading;

/// The largest prediction error that DECIMAL(5,2) holds; the Python worker uses the same limit.
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

/// The outcomes of the readings that the detector was given.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Written {
    /// In the readings' order.
    pub rows: Vec<VerdictRow>,
    pub counts: Counts,
    /// Readings without a verdict that an earlier cycle counted.
    pub seen_before: u64,
    pub notes: Notes,
}

/// The verdict on each reading. `cells` gives the place of each in the batch (from
/// [`crate::pivot::pivot`]), `outcomes` holds one entry per column of it. Each reading is counted
/// once: as judged, under the reason why it is not, or as seen before. In a table without a key,
/// readings without a verdict are read again in each cycle, and `first_seen` tells which of them
/// are new.
///
/// The outcomes were checked against the contract. If a verdict is missing all the same, its
/// reading is set aside.
pub fn rows(
    readings: &[Reading],
    cells: &[Cell],
    outcomes: &[Outcome],
    first_seen: impl Fn(&Reading) -> bool,
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
                once.withheld = 1;
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
        if first_seen(reading) {
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

/// None if the reading has no value or the verdicts have no such row.
fn verdict(reading: &Reading, verdicts: &Verdicts, row: usize) -> Option<Result<VerdictRow, Unfit>> {
    let y = reading.value?;
    let yhat = *verdicts.expected.get(row)?;
    let (lower, upper) = (*verdicts.lower.get(row)?, *verdicts.upper.get(row)?);
    let (score, flags) = (*verdicts.score.get(row)?, Flags::from_bits(*verdicts.flags.get(row)?));
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

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::batch::Withheld;
    use crate::pivot::pivot;

    fn reading(variable: &str, seconds: i64, y: f64) -> Reading {
        Reading {
            id: Some(1),
            datetime: Datetime::from_micros(seconds * 1_000_000),
            variable: variable.into(),
            value: Some(y),
            source_file: Some("a.csv".into()),
        }
    }

    /// Verdicts on one row.
    fn judged(expected: f64, lower: f64, upper: f64, score: f64) -> Outcome {
        Outcome::Judged(Verdicts {
            expected: vec![expected],
            lower: vec![lower],
            upper: vec![upper],
            score: vec![score],
            flags: vec![4],
            withheld: vec![],
        })
    }

    #[test]
    fn a_verdict_fills_every_column() {
        let readings = [reading("T1", 7, 10.123_456_78)];
        let written = rows(&readings, &[(0, 0)], &[judged(8.000_000_4, 7.0, 9.999_999_9, 61.805)], |_| true);
        let row = VerdictRow {
            ds: readings[0].datetime,
            variable: "T1".into(),
            y: 10.123_457,
            yhat: 8.0,
            yhat_lower: 7.0,
            yhat_upper: 10.0,
            residual: 2.123_456,
            flags: Flags { anomaly: true, ..Flags::default() },
            anomaly_score: 61.81,
            prediction_error_pct: 26.54,
            source_file: Some("a.csv".into()),
        };
        let counts = Counts { judged: 1, anomalies: 1, ..Counts::default() };
        assert_eq!(written, Written { rows: vec![row], counts, ..Written::default() });
    }

    #[test]
    fn errors_and_scores_fit_their_columns() {
        for (why, y, yhat, score, error, written) in [
            ("an exact forecast", 5.0, 5.0, 0.0, 0.0, 0.0),
            ("nothing expected", 5.0, 0.0, 50.0, 0.0, 50.0),
            ("nothing expected, nothing found", 0.0, 0.0, -3.0, 0.0, 0.0),
            ("an error too large for its column", 5_000.0, 1.0, 100.5, 999.99, 100.0),
            ("just at the column's end", 1_099.994, 100.0, 99.999, 999.99, 100.0),
            ("an error that overflows", 1e11, 5e-324, 1e300, 0.0, 100.0),
            ("a score that is no number", 6.0, 5.0, f64::NAN, 20.0, 0.0),
            ("a negative forecast", -6.0, -5.0, 12.344, 20.0, 12.34),
            ("half a hundredth", 5.0, 5.0, 12.345, 0.0, 12.35),
        ] {
            let found =
                rows(&[reading("T1", 7, y)], &[(0, 0)], &[judged(yhat, yhat, yhat, score)], |_| true).rows;
            let found: Vec<_> =
                found.iter().map(|row| (row.prediction_error_pct, row.anomaly_score)).collect();
            assert_eq!(found, [(error, written)], "{why}");
        }
    }

    #[test]
    fn numbers_are_rounded_as_the_columns_round_them() {
        for (value, expected) in [
            (1.000_000_4, Some(1.0)),
            (1.000_000_5, Some(1.000_001)),
            (-1.000_000_5, Some(-1.000_001)),
            (0.007_812_5, Some(0.007_813)),
            (-0.007_812_5, Some(-0.007_813)),
            (-0.0, Some(0.0)),
            (-1e-7, Some(0.0)),
            (5e-324, Some(0.0)),
            (123_456_789.123_456, Some(123_456_789.123_456)),
            (999_999_999_999.999_9, Some(999_999_999_999.999_9)),
            (-999_999_999_999.999_9, Some(-999_999_999_999.999_9)),
            (1e12, None),
            (-1e12, None),
            (f64::MAX, None),
            (f64::NAN, None),
            (f64::INFINITY, None),
        ] {
            let found = decimal_18_6(value);
            assert_eq!(found, expected, "{value}");
            assert!(
                found.is_none_or(|found| found != 0.0 || found.is_sign_positive()),
                "{value} has a signed zero"
            );
        }
    }

    #[test]
    fn what_has_no_verdict_is_counted_by_its_reason() {
        let withheld = match judged(f64::NAN, f64::NAN, f64::NAN, f64::NAN) {
            Outcome::Judged(verdicts) => {
                let withheld =
                    vec![Withheld { reason: "regressor `T2` has no reading".to_owned(), rows: vec![0, 99] }];
                Outcome::Judged(Verdicts { withheld, ..verdicts })
            }
            other => other,
        };
        let set_aside = Counts { set_aside: 1, ..Counts::default() };
        let unfit = Counts { unfit: 1, ..Counts::default() };
        for (why, y, outcome, counts, noted) in [
            ("no model", 1.0, Outcome::NoModel, Counts { no_model: 1, ..Counts::default() }, None),
            ("failed", 1.0, Outcome::Failed("no".to_owned()), set_aside, None),
            ("withheld", 1.0, withheld, Counts { withheld: 1, ..Counts::default() }, None),
            ("a verdict too short", 1.0, Outcome::Judged(Verdicts::default()), set_aside, None),
            ("a forecast too large", 1.0, judged(1e13, 1.0, 1.0, 0.0), unfit, Some(("yhat", 1e13))),
            ("a bound too large", 1.0, judged(1.0, -1e12, 1.0, 0.0), unfit, Some(("yhat_lower", -1e12))),
            ("the other bound", 1.0, judged(1.0, 1.0, 1e12, 0.0), unfit, Some(("yhat_upper", 1e12))),
            ("a residual too large", 9e11, judged(-9e11, 1.0, 1.0, 0.0), unfit, Some(("residual", 1.8e12))),
        ] {
            let readings = [reading("T1", 7, y)];
            let mut notes = Notes::default();
            if let Some((column, value)) = noted {
                notes.push(Note::value(&readings[0], column, value));
            }
            let written = rows(&readings, &[(0, 0)], std::slice::from_ref(&outcome), |_| true);
            assert_eq!(written, Written { counts, notes, ..Written::default() }, "{why}");
            let again = rows(&readings, &[(0, 0)], &[outcome], |_| false);
            assert_eq!(again, Written { seen_before: 1, ..Written::default() }, "{why}, seen before");
        }
        let nowhere = rows(&[reading("T1", 7, 1.0)], &[(0, 3)], &[judged(1.0, 1.0, 1.0, 0.0)], |_| true);
        assert_eq!(nowhere, Written { counts: set_aside, ..Written::default() });
    }

    proptest! {
        #[test]
        fn every_reading_is_counted_once_and_has_its_own_verdict(
            keys in prop::collection::hash_map((0..10i64, 0..6usize), 0..4u8, 0..40),
            answers in prop::collection::vec(0..5u8, 6),
            watermark in -1..10i64,
        ) {
            let readings: Vec<Reading> = keys
                .iter()
                .map(|(&(at, column), &kind)| (format!("T{column}"), at, if kind == 0 { 9e11 } else { at as f64 }))
                .map(|(variable, at, y)| reading(&variable, at, y))
                .collect();
            let pivoted = pivot(&readings, &[]);
            let count = pivoted.batch.datetimes.len();
            // The expectation identifies the cell; answer 2 makes residuals that fit no column.
            let expected = |row: usize, column: usize, answer: u8| {
                (10 * column + row) as f64 - if answer == 2 { 9e11 } else { 0.0 }
            };
            let outcomes: Vec<Outcome> = (0..pivoted.batch.columns.len())
                .map(|column| match answers[column] {
                    0 => Outcome::NoModel,
                    1 => Outcome::Failed("no".to_owned()),
                    answer => {
                        let expected: Vec<f64> = (0..count).map(|row| expected(row, column, answer)).collect();
                        Outcome::Judged(Verdicts {
                            lower: expected.clone(),
                            upper: expected.clone(),
                            expected,
                            score: vec![0.0; count],
                            flags: vec![if answer == 3 { 4 } else { 0 }; count],
                            withheld: vec![Withheld { reason: String::new(), rows: vec![0] }],
                        })
                    }
                })
                .collect();
            let news = |reading: &Reading| reading.datetime > Datetime::from_micros(watermark * 1_000_000);
            let written = rows(&readings, &pivoted.cells, &outcomes, news);
            let Counts { judged, no_model, set_aside, withheld, unfit, .. } = written.counts;
            prop_assert_eq!(judged, written.rows.len() as u64);
            let counted = judged + no_model + set_aside + withheld + unfit + written.seen_before;
            prop_assert_eq!(counted, readings.len() as u64);
            prop_assert_eq!(written.notes.named().len() as u64 + written.notes.more(), unfit);
            for row in &written.rows {
                let key = (row.variable.clone(), row.ds);
                let at = readings.iter().position(|reading| reading.key() == key).unwrap_or(usize::MAX);
                let (instant, column) = pivoted.cells[at];
                prop_assert_eq!(row.yhat, expected(instant, column, answers[column]));
                prop_assert_eq!(Some(row.y), readings[at].value);
                prop_assert_eq!(row.residual, row.y - row.yhat);
            }
        }
    }
}
