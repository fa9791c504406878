//! The trend `g(t)`, in units of `y_scale`, `t` being scaled time.
//!
//! Linear (Taylor and Letham 2018, eq. 4; `piecewise_linear` in `forecaster.py`): the rate starts at `k` and changes by `δⱼ`
//! at changepoint `τⱼ`; the offset follows so that the trend is continuous.
//!
//! ```text
//! g(t) = (k + Σ δⱼ) · t + (m - Σ δⱼ τⱼ)     sums over τⱼ <= t
//! ```
//!
//! Flat: `g(t) = m`.

use crate::lanes::{LANES, Lanes};

/// How a model grows.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Trend {
    Linear(Linear),
    Flat { offset: f64 },
}

/// A line for each stretch between changepoints.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Linear {
    /// `τ`, increasing.
    changepoints: Vec<f64>,
    /// Rate and offset before the first changepoint, and from each on: one more than changepoints.
    lines: Vec<Line>,
}

#[derive(Clone, Copy, Debug, PartialEq)]
struct Line {
    rate: f64,
    offset: f64,
}

impl Linear {
    /// From `k`, `m` and pairs `(τⱼ, δⱼ)`, with τ increasing.
    pub(crate) fn new(rate: f64, offset: f64, changes: impl Iterator<Item = (f64, f64)>) -> Self {
        let mut trend = Self { changepoints: Vec::new(), lines: vec![Line { rate, offset }] };
        let (mut faster, mut lower) = (0.0, 0.0);
        for (at, change) in changes {
            faster += change;
            lower += change * -at;
            trend.changepoints.push(at);
            trend.lines.push(Line { rate: faster + rate, offset: lower + offset });
        }
        trend
    }

    /// The number of changepoints that `t` has reached: the index of its line.
    fn reached(&self, t: f64) -> usize {
        self.changepoints.partition_point(|at| *at <= t)
    }

    /// The line that holds for the whole tile, if one does. `guess` is the line of the tile before.
    #[inline(always)]
    fn common_line(&self, guess: usize, t: &Lanes) -> Option<usize> {
        let holds = |line: usize| {
            let from = if line == 0 { f64::NEG_INFINITY } else { self.changepoints[line - 1] };
            let until = self.changepoints.get(line).copied().unwrap_or(f64::INFINITY);
            t.iter().fold(true, |all, t| all & (from <= *t) & (*t < until))
        };
        [guess, self.reached(t[0])].into_iter().find(|line| holds(*line))
    }

    /// Trend of one tile of rows; keeps the line of the first row in `guess` for the next tile.
    #[inline(always)]
    pub(crate) fn at(&self, guess: &mut usize, t: &Lanes) -> Lanes {
        let mut g = [0.0; LANES];
        if let Some(line) = self.common_line(*guess, t) {
            *guess = line;
            let Line { rate, offset } = self.lines[line];
            for (g, t) in g.iter_mut().zip(t) {
                *g = rate * t + offset;
            }
        } else {
            for (g, t) in g.iter_mut().zip(t) {
                let Line { rate, offset } = self.lines[self.reached(*t)];
                *g = rate * t + offset;
            }
        }
        g
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_changepoint_holds_from_its_own_instant_on() {
        let trend = Linear::new(1.0, 10.0, [(0.25, 2.0), (0.5, -3.0)].into_iter());
        for (t, expected) in
            [(-1.0, 9.0), (0.0, 10.0), (0.25, 10.25), (0.375, 10.625), (0.5, 11.0), (2.0, 11.0)]
        {
            assert_eq!(trend.at(&mut 0, &[t; LANES]), [expected; LANES], "at {t}");
        }
    }

    #[test]
    fn a_tile_across_changepoints_is_the_same_as_its_rows_alone() {
        let trend = Linear::new(0.3, 1.0, (0..10).map(|j| (f64::from(j) * 0.07, 0.1 - f64::from(j) * 0.03)));
        for step in [0.0, 0.001, 0.01, 0.05, 0.3] {
            let tile: Lanes = std::array::from_fn(|lane| -0.1 + step * lane as f64);
            for first_guess in 0..=10 {
                let alone = tile.map(|t| trend.at(&mut 0, &[t; LANES])[0]);
                assert_eq!(trend.at(&mut first_guess.clone(), &tile), alone);
            }
        }
    }
}
