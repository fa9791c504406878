//! Half-widths of many rows: solved one by one where rows are few, over whole stretches where they
//! are many.
//!
//! A stretch is a run of rows that ends at twice the time at which it begins. If its rows are many
//! times the nodes of a [`Sheet`] and that is smooth there, the sheet gives all of them; if it is
//! not, halves of the stretch are tried.

use std::ops::{Range, RangeInclusive};

use super::chebyshev::Sheet;
use super::contour::Contour;
use super::distribution::Distribution;
use super::quantile::{TailLevel, quantile, solve};

/// What the law of a row depends on.
#[derive(Clone, Copy, Debug)]
pub(super) struct RowParameters {
    /// How far ahead it lies, in the law's own unit. Not a number: it is not ahead.
    pub(super) time: f64,
    /// `λ |1 + m| / σ_obs`.
    pub(super) pace: f64,
}

/// A stretch has so many rows a node, or a sheet is not worth it.
const ROWS_A_NODE: usize = 2;

/// A family of laws, and what solving them takes.
pub(super) struct Solver<'a, F> {
    pub(super) level: TailLevel,
    /// Makes a law of a time and a pace.
    pub(super) law: F,
    /// The law changes smoothly with time from here on.
    pub(super) smooth_from: f64,
    pub(super) contour: &'a mut Contour,
}

impl<F: Fn(f64, f64) -> Distribution> Solver<'_, F> {
    /// `q` for each row, into `widths`.
    pub(super) fn half_widths(&mut self, rows: &[RowParameters], widths: &mut Vec<f64>) {
        widths.clear();
        widths.resize(rows.len(), self.level.z);
        let mut from = 0;
        while let Some(row) = rows.get(from) {
            if row.time.is_nan() {
                from += 1;
                continue;
            }
            let until = from + 1 + self.follow(row.time, &rows[from + 1..]);
            self.stretch(rows, from..until, widths);
            from = until;
        }
    }

    /// How many of the rows that follow a row belong to its stretch.
    fn follow(&self, time: f64, rows: &[RowParameters]) -> usize {
        if !(time > 0.0 && time >= self.smooth_from) {
            return 0;
        }
        let span = time..=2.0 * time;
        rows.iter().take_while(|row| row.time.is_nan() || span.contains(&row.time)).count()
    }

    fn stretch(&mut self, rows: &[RowParameters], place: Range<usize>, widths: &mut [f64]) {
        let ahead = || rows[place.clone()].iter().filter(|row| !row.time.is_nan());
        let (times, paces) = (range(ahead().map(|row| row.time)), range(ahead().map(|row| row.pace)));
        if ahead().count() < ROWS_A_NODE * Sheet::nodes(&times, &paces) {
            return self.each(rows, place, widths);
        }
        let (mut near, level) = (0.0, self.level);
        let height = |time: f64, pace: f64| {
            near = solve(level, &(self.law)(time, pace), near, self.contour);
            near
        };
        if let Some(sheet) = Sheet::fit(&times, &paces, height) {
            for (row, width) in rows[place.clone()].iter().zip(&mut widths[place]) {
                // Rounding must not make it narrower than a known trend's.
                *width = sheet.at(row.time, row.pace).max(level.z);
            }
        } else {
            let middle = place.start + place.len() / 2;
            self.stretch(rows, place.start..middle, widths);
            self.stretch(rows, middle..place.end, widths);
        }
    }

    fn each(&mut self, rows: &[RowParameters], place: Range<usize>, widths: &mut [f64]) {
        let mut near = if place.start > 0 { widths[place.start - 1] } else { 0.0 };
        for (row, width) in rows[place.clone()].iter().zip(&mut widths[place]) {
            if !row.time.is_nan() {
                near = quantile(self.level, &(self.law)(row.time, row.pace), near, self.contour);
                *width = near;
            }
        }
    }
}

fn range(values: impl Iterator<Item = f64>) -> RangeInclusive<f64> {
    let (from, to) =
        values.fold((f64::INFINITY, f64::NEG_INFINITY), |(from, to), value| (from.min(value), to.max(value)));
    from..=to
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use super::super::stepwise::Steps;
    use super::*;

    /// Every law of a family, at every level, by sheets and row by row.
    #[test]
    fn a_stretch_has_the_widths_of_its_rows() {
        let continuous = |time: f64, pace: f64| Distribution::continuous(25.0 * time, pace * time);
        let stepwise = |time: f64, pace: f64| {
            Distribution::stepwise(Steps { count: time, chance: 0.005, step: pace * 0.000_2 })
        };
        for size in [0.03, 0.3, 3.0, 30.0, 300.0] {
            for width in [0.5, 0.95, 0.9999] {
                agree(size, width, continuous, 0.000_2, 0.0);
                agree(size, width, stepwise, 1.0, Steps::MANY);
            }
        }
    }

    fn agree(size: f64, width: f64, law: impl Fn(f64, f64) -> Distribution, step: f64, smooth_from: f64) {
        let level = TailLevel { tail: 0.5 * (1.0 - width), z: super::super::z(width) };
        for swing in [0.0, 0.3] {
            let row = |at: u32| RowParameters {
                time: if at % 97 == 5 { f64::NAN } else { step * f64::from(at + 1) },
                pace: size * (1.0 + swing * libm::sin(f64::from(at))),
            };
            let rows: Vec<_> = (0..3_000).map(row).collect();
            let mut contour = Contour::default();
            let (mut widths, solved) = (Vec::new(), Cell::new(0));
            let counted = |time: f64, pace: f64| {
                solved.set(solved.get() + 1);
                law(time, pace)
            };
            Solver { level, law: counted, smooth_from, contour: &mut contour }
                .half_widths(&rows, &mut widths);
            assert!(swing > 0.0 || solved.get() < rows.len() / 4, "{size} {width}: {}", solved.get());
            for (row, found) in rows.iter().zip(widths).step_by(7) {
                let expected = if row.time.is_nan() {
                    level.z
                } else {
                    quantile(level, &law(row.time, row.pace), 0.0, &mut contour)
                };
                let off = (found - expected).abs() / expected;
                // Cornish and Fisher's expansion, where `quantile` takes it, is off by 10⁻⁷.
                assert!(row.time.is_nan() || off < 3e-7, "{size} {width} {swing} {row:?}: {off:e}");
            }
        }
    }
}
