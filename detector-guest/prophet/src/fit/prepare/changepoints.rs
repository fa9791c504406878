//! Where the rate may change (`set_changepoints` in `forecaster.py`).

use crate::fit::error::FitError;
use crate::fit::series::SortedRows;
use crate::fit::settings::FitSettings;
use crate::time::{self, TrainingTime};

/// Instants at which the rate may change.
pub(in crate::fit) struct Changepoints {
    /// In the order given; empty if there are none.
    pub(in crate::fit) instants: Vec<i64>,
    /// The index that Prophet's file has beside each: the row it comes from, or its place in the
    /// settings.
    pub(in crate::fit) index: Vec<usize>,
    /// Sorted, in scaled time. Without any there is one at 0, whose change is no change.
    pub(in crate::fit) scaled: Vec<f64>,
    /// Their number; Prophet lowers what was asked for to what the rows bear, which may be -1.
    pub(in crate::fit) count: i64,
}

impl Changepoints {
    pub(super) fn of(
        rows: &SortedRows<'_>,
        time: &TrainingTime,
        settings: &FitSettings,
    ) -> Result<Self, FitError> {
        let (instants, index, count) = match &settings.prophet.changepoints {
            Some(given) => {
                let instants = given.iter().map(|text| inside(rows, text)).collect::<Result<Vec<_>, _>>()?;
                let count = instants.len() as i64;
                (instants, (0..given.len()).collect(), count)
            }
            None => {
                let (index, count) = spread(rows.len(), settings);
                (index.iter().map(|row| rows.instants[*row]).collect(), index, count)
            }
        };
        let mut scaled: Vec<f64> = instants.iter().map(|micros| time.scaled(*micros as f64)).collect();
        scaled.sort_by(f64::total_cmp);
        if scaled.is_empty() {
            scaled.push(0.0);
        }
        Ok(Self { instants, index, scaled, count })
    }

    /// Without any, the change at 0 belongs to the rate.
    pub(in crate::fit) fn are_none(&self) -> bool {
        self.instants.is_empty()
    }
}

fn inside(rows: &SortedRows<'_>, text: &str) -> Result<i64, FitError> {
    let micros = time::instant(text).ok_or_else(|| {
        FitError::setting("changepoints", format!("`{text}`"), "timestamps as `2024-12-25T10:30`")
    })?;
    let last = rows.len() - 1;
    if micros < rows.instants[0] || micros > rows.instants[last] {
        let at = time::text(micros);
        return Err(FitError::ChangepointOutside { at, first: rows.at(0), last: rows.at(last) });
    }
    Ok(micros)
}

/// Rows spread evenly over the first share of them, the first row left out; and how many.
fn spread(rows: usize, settings: &FitSettings) -> (Vec<usize>, i64) {
    let share = (rows as f64 * settings.prophet.changepoint_range).floor();
    let asked = f64::from(settings.prophet.n_changepoints);
    let count = if asked + 1.0 > share { share - 1.0 } else { asked };
    if count <= 0.0 {
        return (Vec::new(), count as i64);
    }
    let step = (share - 1.0) / count;
    let at = |i: i64| if i as f64 == count { share - 1.0 } else { i as f64 * step };
    ((1..=count as i64).map(|i| at(i).round_ties_even() as usize).collect(), count as i64)
}
