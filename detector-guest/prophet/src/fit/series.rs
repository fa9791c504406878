//! The rows that a model is trained on.

use std::borrow::Cow;

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
    /// Of each row its place in the series. None if that is the row's own place, as most series come:
    /// then nothing is copied.
    order: Option<Vec<usize>>,
    pub(super) instants: Cow<'a, [i64]>,
    pub(super) y: Cow<'a, [f64]>,
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
        let sorted = series.instants.is_sorted() && !series.y.iter().any(|y| y.is_nan());
        let order = (!sorted).then(|| {
            let mut order: Vec<usize> = (0..rows).filter(|row| !series.y[*row].is_nan()).collect();
            order.sort_by_key(|row| series.instants[*row]);
            order
        });
        let kept = order.as_ref().map_or(rows, Vec::len);
        if kept < 2 {
            return Err(FitError::TooFewRows { found: kept });
        }
        let instants = in_order(order.as_deref(), series.instants);
        if let Some(micros) = series.instants.iter().find(|micros| micros.unsigned_abs() > MOST_MICROS) {
            return Err(FitError::Instant { micros: *micros });
        }
        let mut rows = Self { series, order, instants, y: Cow::Borrowed(&[]) };
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
        self.instants.len()
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
            Some((_, values)) => self.finite(name, values).map(Cow::into_owned),
            None => Err(FitError::MissingColumn { column: name.to_owned(), role }),
        }
    }

    fn finite<'b>(&self, name: &str, values: &'b [f64]) -> Result<Cow<'b, [f64]>, FitError> {
        let values = in_order(self.order.as_deref(), values);
        match values.iter().position(|value| !value.is_finite()) {
            None => Ok(values),
            Some(row) => {
                Err(FitError::NotFinite { column: name.to_owned(), found: values[row], at: self.at(row) })
            }
        }
    }

    /// The first and the last instant of the series, those without a value too.
    pub(super) fn ends(&self) -> Vec<i64> {
        let instants = || self.series.instants.iter().copied();
        let mut ends: Vec<i64> = instants().min().into_iter().chain(instants().max()).collect();
        ends.dedup();
        ends
    }

    /// All distinct instants of the series, those without a value too, sorted (`history_dates`).
    pub(super) fn dates(&self) -> Vec<i64> {
        let mut dates = self.series.instants.to_vec();
        dates.sort_unstable();
        dates.dedup();
        dates
    }
}

fn in_order<'a, T: Copy>(order: Option<&[usize]>, values: &'a [T]) -> Cow<'a, [T]> {
    match order {
        None => Cow::Borrowed(values),
        Some(order) => Cow::Owned(order.iter().map(|row| values[*row]).collect()),
    }
}
