//! The columns that a prediction fills. Kept by who predicts slice after slice, so that nothing is
//! allocated twice.

use crate::lanes::{LANES, Lanes};
use crate::missing::{Missing, Reason};

/// What a model predicts, a row for each timestamp of the [`Features`](crate::Features), in their
/// order and in the units of y; multiplicative terms are shares of the trend.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Forecast {
    rows: usize,
    pub(crate) trend: Vec<Lanes>,
    pub(crate) additive: Vec<Lanes>,
    pub(crate) multiplicative: Vec<Lanes>,
    pub(crate) yhat: Vec<Lanes>,
    absent: Vec<Missing>,
}

impl Forecast {
    /// The trend, floor included.
    #[must_use]
    pub fn trend(&self) -> &[f64] {
        &self.trend.as_flattened()[..self.rows]
    }

    /// Sum of the additive terms.
    #[must_use]
    pub fn additive_terms(&self) -> &[f64] {
        &self.additive.as_flattened()[..self.rows]
    }

    /// Sum of the multiplicative terms.
    #[must_use]
    pub fn multiplicative_terms(&self) -> &[f64] {
        &self.multiplicative.as_flattened()[..self.rows]
    }

    /// `trend · (1 + multiplicative terms) + additive terms`.
    #[must_use]
    pub fn yhat(&self) -> &[f64] {
        &self.yhat.as_flattened()[..self.rows]
    }

    /// The rows that could not be predicted; a row is named once.
    #[must_use]
    pub fn absent(&self) -> &[Missing] {
        &self.absent
    }

    /// Takes the prediction from those rows that are marked and still have one.
    pub(crate) fn drop_rows(&mut self, why: Reason, marks: impl Iterator<Item = bool>) {
        let dropped = |row: usize, absent: &[Missing]| {
            absent.iter().any(|other| other.rows.binary_search(&row).is_ok())
        };
        let marked = marks.enumerate().filter(|(_, marked)| *marked).map(|(row, _)| row);
        let rows: Vec<usize> = marked.filter(|row| !dropped(*row, &self.absent)).collect();
        for column in [&mut self.trend, &mut self.additive, &mut self.multiplicative, &mut self.yhat] {
            for row in &rows {
                column.as_flattened_mut()[*row] = f64::NAN;
            }
        }
        if !rows.is_empty() {
            self.absent.push(Missing { why, rows });
        }
    }

    /// Makes room for `rows`; all terms are zero. Trend and yhat are to be written whole.
    pub(crate) fn reset(&mut self, rows: usize, tiles: usize) {
        self.rows = rows;
        self.absent.clear();
        for column in [&mut self.additive, &mut self.multiplicative] {
            column.clear();
            column.resize(tiles, [0.0; LANES]);
        }
        for column in [&mut self.trend, &mut self.yhat] {
            column.resize(tiles, [0.0; LANES]);
        }
    }
}
