//! What a request brings besides timestamps: capacities, floors, regressors and conditions, by the
//! model's names for them.
//!
//! A value that is missing costs its timestamp, never the request: the row is then
//! [absent](crate::Missing), by name.

use std::fmt;

use crate::lanes::{LANES, Lanes, fill};

/// A column that a model cannot predict without.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Need {
    pub name: String,
    pub role: Role,
}

/// What a column is used for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Role {
    /// Where logistic growth ends, in units of y.
    Cap,
    /// Where logistic growth begins, in units of y.
    Floor,
    /// Something that y depends on, in its own units.
    Regressor,
    /// Whether a season holds: 1 or 0.
    Condition,
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Cap => "capacity",
            Self::Floor => "floor",
            Self::Regressor => "regressor",
            Self::Condition => "condition",
        })
    }
}

/// Columns by name, a value for each timestamp of the [`Features`](crate::Features); NaN where
/// there is none.
///
/// Kept by who predicts batch after batch, so that nothing is allocated twice.
#[derive(Clone, Debug, Default)]
pub struct Inputs {
    columns: Vec<(String, Vec<Lanes>)>,
}

/// A tile without any value.
const NOTHING: &Lanes = &[f64::NAN; LANES];

impl Inputs {
    /// No columns.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Takes a column, or replaces the one of that name. Values beyond the timestamps are not used;
    /// too few are missing ones.
    pub fn set(&mut self, name: &str, values: &[f64]) {
        self.set_values(name, values.iter().copied());
    }

    fn set_values(&mut self, name: &str, values: impl ExactSizeIterator<Item = f64>) {
        let at = self.columns.iter().position(|column| column.0 == name).unwrap_or_else(|| {
            self.columns.push((name.to_owned(), Vec::new()));
            self.columns.len() - 1
        });
        fill(&mut self.columns[at].1, values);
    }

    /// Takes a column of the same value for each of `rows` timestamps.
    pub fn set_constant(&mut self, name: &str, value: f64, rows: usize) {
        self.set_values(name, std::iter::repeat_n(value, rows));
    }

    /// Forgets all columns.
    pub fn clear(&mut self) {
        self.columns.clear();
    }

    /// The column's tiles, without end: those that are not there hold no values.
    pub(crate) fn tiles<'a>(&'a self, name: &str) -> impl Iterator<Item = &'a Lanes> + use<'a> {
        let found = self.columns.iter().find(|column| column.0 == name);
        let tiles = found.map_or(&[][..], |column| column.1.as_slice());
        tiles.iter().chain(std::iter::repeat(NOTHING))
    }
}
