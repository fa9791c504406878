//! The columns that a prediction fills. Kept by who predicts slice after slice, so that nothing is allocated twice.

use crate::lanes::Lanes;

/// What a model predicts, a row for each timestamp of the [`Features`](crate::Features), in their order and in the units of
/// y; multiplicative terms are shares of the trend.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Forecast {
    rows: usize,
    pub(crate) trend: Vec<Lanes>,
    pub(crate) additive: Vec<Lanes>,
    pub(crate) multiplicative: Vec<Lanes>,
    pub(crate) yhat: Vec<Lanes>,
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

    /// Makes room for `rows`; all terms are zero.
    pub(crate) fn reset(&mut self, rows: usize, tiles: usize) {
        self.rows = rows;
        for column in [&mut self.trend, &mut self.additive, &mut self.multiplicative, &mut self.yhat] {
            column.clear();
            column.resize(tiles, [0.0; crate::lanes::LANES]);
        }
    }
}
