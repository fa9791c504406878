//! The rows that a model is trained on.

use super::error::FitError;
use crate::inputs::Role;
use crate::time;

/// Readings of one variable, with the other columns that its settings use. In any order; an instant
/// may come twice.
#[derive(Clone, Debug, Default)]
pub struct Series<'a> {
    instants: &'a [i64],
    y: &'a [f64],
    columns: Vec<(&'a str, &'a [f64])>,
}

impl<'a> Series<'a> {
    /// `y` at `instants`: microseconds since 1970-01-01T00:00 without a time zone. NaN is no value;
    /// such a row is left out.
    #[must_use]
    pub fn new(instants: &'a [i64], y: &'a [f64]) -> Self {
        Self { instants, y, columns: Vec::new() }
    }

    /// With another column: `cap`, `floor`, a regressor or a condition. Of two with one name the
    /// last counts.
    #[must_use]
    pub fn with(mut self, name: &'a str, values: &'a [f64]) -> Self {
        self.columns.retain(|column| column.0 != name);
        self.columns.push((name, values));
        self
    }
}

/// Rows that have a value, sorted by time; those of one instant as they came.
pub(super) struct SortedRows<'a> {
    series: &'a Series<'a>,
    /// Of each row its place in the series.
    order: Vec<usize>,
    pub(super) instants: Vec<i64>,
    pub(super) y: Vec<f64>,
}

/// Instants that an `f64` counts exactly, and the calendar of `time` knows.
const MOST_MICROS: u64 = 1 << 53;

impl<'a> SortedRows<'a> {
    pub(super) fn of(series: &'a Series<'a>) -> Result<Self, FitError> {
        let rows = series.instants.len();
        let columns = std::iter::once(("y", series.y)).chain(series.columns.iter().copied());
        for (column, values) in columns {
            if values.len() != rows {
                return Err(FitError::Length {
                    column: column.to_owned(),
                    found: values.len(),
                    expected: rows,
                });
            }
        }
        let mut order: Vec<usize> = (0..rows).filter(|row| !series.y[*row].is_nan()).collect();
        order.sort_by_key(|row| series.instants[*row]);
        if order.len() < 2 {
            return Err(FitError::TooFewRows { found: order.len() });
        }
        let instants: Vec<i64> = order.iter().map(|row| series.instants[*row]).collect();
        if let Some(micros) = series.instants.iter().find(|micros| micros.unsigned_abs() > MOST_MICROS) {
            return Err(FitError::Instant { micros: *micros });
        }
        let mut rows = Self { series, order, instants, y: Vec::new() };
        rows.y = rows.finite("y", series.y)?;
        if rows.span().unsigned_abs() > MOST_MICROS {
            return Err(FitError::Instant { micros: rows.instants[0] });
        }
        if rows.span() == 0 {
            return Err(FitError::OneInstant { at: rows.at(0) });
        }
        Ok(rows)
    }

    pub(super) fn len(&self) -> usize {
        self.order.len()
    }

    /// Rows without a value.
    pub(super) fn left_out(&self) -> usize {
        self.series.instants.len() - self.len()
    }

    /// Microseconds from the first row to the last.
    pub(super) fn span(&self) -> i64 {
        match (self.instants.first(), self.instants.last()) {
            (Some(first), Some(last)) => last - first,
            _ => 0,
        }
    }

    /// The instant of a row, for people.
    pub(super) fn at(&self, row: usize) -> String {
        time::text(self.instants[row])
    }

    /// Whether the series has this column.
    pub(super) fn has(&self, name: &str) -> bool {
        self.series.columns.iter().any(|column| column.0 == name)
    }

    /// A column that the settings use, in the order of the rows.
    pub(super) fn column(&self, name: &str, role: Role) -> Result<Vec<f64>, FitError> {
        match self.series.columns.iter().find(|column| column.0 == name) {
            Some((_, values)) => self.finite(name, values),
            None => Err(FitError::MissingColumn { column: name.to_owned(), role }),
        }
    }

    fn finite(&self, name: &str, values: &[f64]) -> Result<Vec<f64>, FitError> {
        let values: Vec<f64> = self.order.iter().map(|row| values[*row]).collect();
        match values.iter().position(|value| !value.is_finite()) {
            None => Ok(values),
            Some(row) => {
                Err(FitError::NotFinite { column: name.to_owned(), found: values[row], at: self.at(row) })
            }
        }
    }

    /// All distinct instants of the series, those without a value too, sorted (`history_dates`).
    pub(super) fn dates(&self) -> Vec<i64> {
        let mut dates = self.series.instants.to_vec();
        dates.sort_unstable();
        dates.dedup();
        dates
    }
}
