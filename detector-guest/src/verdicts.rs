//! The verdicts on one column, written slice by slice and handed out whole.
//!
//! A row that cannot be judged is withheld: it keeps no number and is named with the reason, if it
//! has a reading.

use std::ops::Range;

use rule::{Band, Verdict};

use crate::Column;
use crate::score::{FlagBits, Measure, TILE};

/// Rows that could not be judged, and why.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Withholding {
    pub reason: String,
    /// Positions in the batch, increasing.
    pub rows: Vec<u32>,
}

/// The verdicts on one column, a row for each instant of the batch.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ColumnVerdicts {
    pub expected: Vec<f64>,
    pub lower: Vec<f64>,
    pub upper: Vec<f64>,
    /// 0 to 100.
    pub score: Vec<f64>,
    pub flags: Vec<FlagBits>,
    pub withheld: Vec<Withholding>,
}

impl ColumnVerdicts {
    /// No rows yet, and room for as many.
    pub(crate) fn with_capacity(rows: usize) -> Self {
        let column = || Vec::with_capacity(rows);
        Self {
            expected: column(),
            lower: column(),
            upper: column(),
            score: column(),
            flags: Vec::with_capacity(rows),
            withheld: Vec::new(),
        }
    }

    /// Rows of which nothing is known.
    pub(crate) fn unknown(rows: usize) -> Self {
        let [expected, lower, upper] = [(); 3].map(|()| vec![f64::NAN; rows]);
        let (score, flags) = (vec![0.0; rows], vec![FlagBits::default(); rows]);
        Self { expected, lower, upper, score, flags, withheld: Vec::new() }
    }

    /// What is expected of a row, if anything is.
    pub(crate) fn band(&self, row: usize) -> Option<Band> {
        let band = Band { expected: self.expected[row], lower: self.lower[row], upper: self.upper[row] };
        is_number(band.expected, band.lower, band.upper).then_some(band)
    }

    /// The rule's verdict in place of the interval's.
    pub(crate) fn set(&mut self, row: usize, verdict: &Verdict, flags: FlagBits) {
        let Band { expected, lower, upper } = verdict.band;
        (self.expected[row], self.lower[row], self.upper[row]) = (expected, lower, upper);
        (self.score[row], self.flags[row]) = (verdict.score, flags);
    }

    /// Has room for the verdicts on `rows`, of which `expected` is there. A slice at a time: what
    /// is about to be written is then in the cache.
    pub(crate) fn extend_to(&mut self, rows: usize) {
        for column in [&mut self.lower, &mut self.upper, &mut self.score] {
            column.resize(rows, 0.0);
        }
        self.flags.resize(rows, FlagBits::default());
    }

    pub(crate) fn judge(&mut self, column: &Column<'_>, measure: Measure, rows: Range<usize>) {
        measure.judge(
            &column.values[rows.clone()],
            &self.expected[rows.clone()],
            &self.lower[rows.clone()],
            &self.upper[rows.clone()],
            &mut self.score[rows.clone()],
            &mut self.flags[rows],
        );
    }

    /// Laws that are not symmetric can leave the expectation outside a narrow interval; the
    /// contract has it inside.
    pub(crate) fn widen_to_what_is_expected(&mut self, rows: Range<usize>) {
        for row in rows {
            let expected = self.expected[row];
            if self.lower[row] > expected {
                self.lower[row] = expected;
            }
            if self.upper[row] < expected {
                self.upper[row] = expected;
            }
        }
    }

    /// Names the rows among `rows` that have a reading; those of the same reason are one entry.
    pub(crate) fn withhold(
        &mut self,
        reason: String,
        column: &Column<'_>,
        rows: impl Iterator<Item = usize>,
    ) {
        let rows: Vec<u32> = rows
            .filter(|row| !column.values[*row].is_nan())
            .filter_map(|row| u32::try_from(row).ok())
            .collect();
        if rows.is_empty() {
            return;
        }
        match self.withheld.iter_mut().find(|withholding| withholding.reason == reason) {
            Some(withholding) => withholding.rows.extend(rows),
            None => self.withheld.push(Withholding { reason, rows }),
        }
    }

    /// A model may be sound and its extrapolation still leave the range of numbers.
    pub(crate) fn withhold_what_is_no_number(&mut self, column: &Column<'_>, rows: Range<usize>) {
        let columns = [&self.expected, &self.lower, &self.upper].map(|column| &column[rows.clone()]);
        if all_are_numbers(columns) {
            return;
        }
        let [expected, lower, upper] = columns;
        let wrong: Vec<usize> = (0..rows.len())
            .filter(|at| !is_number(expected[*at], lower[*at], upper[*at]))
            .map(|at| rows.start + at)
            .collect();
        for row in &wrong {
            self.expected[*row] = f64::NAN;
            self.lower[*row] = f64::NAN;
            self.upper[*row] = f64::NAN;
            self.flags[*row] = FlagBits::default();
            self.score[*row] = if column.values[*row].is_nan() { 0.0 } else { f64::NAN };
        }
        let named = |row: usize| {
            u32::try_from(row)
                .is_ok_and(|row| self.withheld.iter().any(|other| other.rows.binary_search(&row).is_ok()))
        };
        let unnamed: Vec<usize> = wrong.into_iter().filter(|row| !named(*row)).collect();
        let reason = format!("the model of `{}` predicts no finite number", column.variable);
        self.withhold(reason, column, unnamed.into_iter());
    }
}

/// Bounds that are infinite or NaN make a width that is not finite.
fn is_number(expected: f64, lower: f64, upper: f64) -> bool {
    (upper - lower).is_finite() & expected.is_finite()
}

/// Without branches: it is asked of every slice.
#[cfg_attr(target_family = "wasm", target_feature(enable = "simd128"))]
fn all_are_numbers([expected, lower, upper]: [&[f64]; 3]) -> bool {
    let ([expected, lower, upper], [last_expected, last_lower, last_upper]) = {
        let [(a, x), (b, y), (c, z)] = [expected, lower, upper].map(<[f64]>::as_chunks::<TILE>);
        ([a, b, c], [x, y, z])
    };
    // A number times 0 is 0; what is none stays none, and so does the sum.
    let mut zeros = [0.0; TILE];
    for (expected, (lower, upper)) in expected.iter().zip(lower.iter().zip(upper)) {
        for row in 0..TILE {
            zeros[row] += (upper[row] - lower[row]) * 0.0 + expected[row] * 0.0;
        }
    }
    let bounds = last_lower.iter().zip(last_upper);
    zeros.iter().all(|zero| *zero == 0.0)
        && last_expected
            .iter()
            .zip(bounds)
            .all(|(expected, (lower, upper))| is_number(*expected, *lower, *upper))
}
