//! Where the rows of a request lie after training, which Prophet's default call makes its law
//! depend on.

use crate::model::Model;

/// Where the rows of a request lie after training; see [`Model::grid`].
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Grid {
    /// The first row after training, counted from the rows at hand.
    first: i64,
    /// Mean spacing of the rows after training, in scaled time.
    pub(super) spacing: f64,
}

impl Grid {
    /// For the rows that follow the first `rows` of those at hand.
    #[must_use]
    pub fn after(self, rows: usize) -> Self {
        Self { first: self.first.saturating_sub_unsigned(rows as u64), ..self }
    }

    /// `j`: 1 for the first row after training, 0 for those before.
    pub(super) fn steps(&self, row: usize) -> f64 {
        (row as i64).saturating_sub(self.first).saturating_add(1).max(0) as f64
    }
}

impl Model {
    /// The grid of a whole request, whose timestamps are sorted; a part of it takes
    /// [`Grid::after`]. A request with a single row after training has the spacing of the
    /// training rows; where the file does not tell how many there were, the spacing is 0 and
    /// the interval that of a known trend.
    #[must_use]
    pub fn grid(&self, instants: &[i64]) -> Grid {
        let t = |micros: i64| self.time.scaled(micros as f64);
        let first = instants.partition_point(|micros| t(*micros) <= 1.0);
        let spacing = match (&instants[first..], self.history_rows) {
            ([from, .., to], _) => (t(*to) - t(*from)) / (instants.len() - first - 1) as f64,
            (_, Some(rows @ 2..)) => 1.0 / (rows - 1) as f64,
            _ => 0.0,
        };
        Grid { first: first as i64, spacing }
    }
}
