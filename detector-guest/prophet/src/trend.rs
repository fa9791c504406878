//! The trend `g(t)`, in units of `y_scale`, `t` being scaled time.
//!
//! Linear (Taylor and Letham 2018, eq. 4; `piecewise_linear` in `forecaster.py`): the rate starts
//! at `k` and changes by `δⱼ` at changepoint `τⱼ`; the offset follows so that the trend is
//! continuous.
//!
//! ```text
//! g(t) = (k + Σ δⱼ) · t + (m - Σ δⱼ τⱼ)     sums over τⱼ <= t
//! ```
//!
//! Logistic (eq. 3; `piecewise_logistic`): growth that a capacity `C` ends. The offsets `γⱼ` make
//! the argument continuous.
//!
//! ```text
//! g(t) = C(t) / (1 + exp(-x(t)))     x(t) = (k + Σ δⱼ) · (t - (m + Σ γⱼ))
//! γⱼ = (τⱼ - m - Σ γᵢ) · (1 - rⱼ₋₁ / rⱼ)     sum over i < j,  rⱼ = k + δ₁ + … + δⱼ
//! ```
//!
//! Flat: `g(t) = m`.

use crate::lanes::{LANES, Lanes};
use crate::time::Times;

/// How a model grows.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Trend {
    Linear(Piecewise),
    Logistic(Piecewise),
    Flat { offset: f64 },
}

/// A rate and an offset for each stretch between changepoints.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Piecewise {
    /// `τ`, increasing.
    changepoints: Vec<f64>,
    /// Before the first changepoint, and from each on: one more than changepoints.
    stretches: Vec<Segment>,
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Segment {
    rate: f64,
    offset: f64,
}

impl Segment {
    #[inline(always)]
    fn line(self, t: f64) -> f64 {
        self.rate * t + self.offset
    }

    /// What the sigmoid is taken of.
    #[inline(always)]
    fn argument(self, t: f64) -> f64 {
        self.rate * (t - self.offset)
    }
}

impl Trend {
    /// From `k`, `m` and pairs `(τⱼ, δⱼ)`, with τ increasing.
    pub(crate) fn linear(rate: f64, offset: f64, changes: impl Iterator<Item = (f64, f64)>) -> Self {
        let mut pieces = Piecewise::starting(rate, offset);
        let (mut faster, mut lower) = (0.0, 0.0);
        for (at, change) in changes {
            faster += change;
            lower += change * -at;
            pieces.push(at, faster + rate, lower + offset);
        }
        Self::Linear(pieces)
    }

    /// From `k`, `m` and pairs `(τⱼ, δⱼ)`, with τ increasing.
    pub(crate) fn logistic(rate: f64, offset: f64, changes: impl Iterator<Item = (f64, f64)>) -> Self {
        let mut pieces = Piecewise::starting(rate, offset);
        let (mut faster, mut shifts, mut before) = (0.0, 0.0, rate);
        let (mut rate_now, mut offset_now) = (rate, offset);
        for (at, change) in changes {
            faster += change;
            let after = faster + rate;
            let shift = (at - offset - shifts) * (1.0 - before / after);
            shifts += shift;
            rate_now += change;
            offset_now += shift;
            pieces.push(at, rate_now, offset_now);
            before = after;
        }
        Self::Logistic(pieces)
    }

    /// Trend of one tile of rows, `capacity` being used by logistic growth only. `guess` is the
    /// stretch of the tile before.
    #[inline(always)]
    pub(crate) fn at(&self, guess: &mut usize, times: &Times, capacity: &Lanes) -> Lanes {
        match self {
            Self::Linear(pieces) => pieces.at(guess, times, Segment::line),
            Self::Logistic(pieces) => {
                let mut g = pieces.at(guess, times, Segment::argument);
                for (g, capacity) in g.iter_mut().zip(capacity) {
                    *g = capacity / (1.0 + libm::exp(-*g));
                }
                g
            }
            Self::Flat { offset } => [*offset; LANES],
        }
    }

    /// The argument of the sigmoid. Not a number unless growth is logistic.
    pub(crate) fn argument(&self, t: f64) -> f64 {
        match self {
            Self::Logistic(pieces) => pieces.stretches[pieces.reached(t)].argument(t),
            Self::Linear(_) | Self::Flat { .. } => f64::NAN,
        }
    }
}

impl Piecewise {
    fn starting(rate: f64, offset: f64) -> Self {
        Self { changepoints: Vec::new(), stretches: vec![Segment { rate, offset }] }
    }

    fn push(&mut self, at: f64, rate: f64, offset: f64) {
        self.changepoints.push(at);
        self.stretches.push(Segment { rate, offset });
    }

    /// The number of changepoints that `t` has reached: the index of its stretch.
    fn reached(&self, t: f64) -> usize {
        self.changepoints.partition_point(|at| *at <= t)
    }

    /// The stretch that holds for the whole tile, if one does. `guess` is the stretch of the tile
    /// before.
    #[inline(always)]
    fn common(&self, guess: usize, times: &Times) -> Option<usize> {
        let holds = |stretch: usize| {
            let from = if stretch == 0 { f64::NEG_INFINITY } else { self.changepoints[stretch - 1] };
            let until = self.changepoints.get(stretch).copied().unwrap_or(f64::INFINITY);
            from <= times.least && times.most < until
        };
        if holds(guess) {
            return Some(guess);
        }
        let reached = self.reached(times.least);
        holds(reached).then_some(reached)
    }

    /// One tile of rows; keeps the stretch of the first row in `guess` for the next tile.
    #[inline(always)]
    fn at(&self, guess: &mut usize, times: &Times, value: impl Fn(Segment, f64) -> f64) -> Lanes {
        let mut g = [0.0; LANES];
        if let Some(common) = self.common(*guess, times) {
            *guess = common;
            let stretch = self.stretches[common];
            for (g, t) in g.iter_mut().zip(&times.t) {
                *g = value(stretch, *t);
            }
        } else {
            for (g, t) in g.iter_mut().zip(&times.t) {
                *g = value(self.stretches[self.reached(*t)], *t);
            }
        }
        g
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ONE: Lanes = [1.0; LANES];

    #[test]
    fn a_changepoint_holds_from_its_own_instant_on() {
        let trend = Trend::linear(1.0, 10.0, [(0.25, 2.0), (0.5, -3.0)].into_iter());
        for (t, expected) in
            [(-1.0, 9.0), (0.0, 10.0), (0.25, 10.25), (0.375, 10.625), (0.5, 11.0), (2.0, 11.0)]
        {
            assert_eq!(trend.at(&mut 0, &Times::of([t; LANES]), &ONE), [expected; LANES], "at {t}");
        }
    }

    #[test]
    fn a_tile_across_changepoints_is_the_same_as_its_rows_alone() {
        let changes = || (0..10).map(|j| (f64::from(j) * 0.07, 0.1 - f64::from(j) * 0.03));
        for trend in [Trend::linear(0.3, 1.0, changes()), Trend::logistic(0.3, 1.0, changes())] {
            for step in [0.0, 0.001, 0.01, 0.05, 0.3] {
                let tile: Lanes = std::array::from_fn(|lane| -0.1 + step * lane as f64);
                for first_guess in 0..=10 {
                    let alone = tile.map(|t| trend.at(&mut 0, &Times::of([t; LANES]), &ONE)[0]);
                    assert_eq!(trend.at(&mut first_guess.clone(), &Times::of(tile), &ONE), alone);
                }
            }
        }
    }

    #[test]
    fn a_logistic_trend_is_continuous_and_stays_below_its_capacity() {
        let trend = Trend::logistic(2.0, 0.4, [(0.25, 2.0), (0.5, -3.5)].into_iter());
        let at = |t: f64| trend.at(&mut 0, &Times::of([t; LANES]), &[10.0; LANES])[0];
        assert_eq!(at(-1e6), 0.0);
        for changepoint in [0.25_f64, 0.5] {
            assert!((at(changepoint) - at(changepoint.next_down())).abs() < 1e-14);
        }
        // By hand: x(0.25) = 2 · (0.25 - 0.4), then slope 4 to 0.5, then slope 0.5.
        for (t, expected) in [(0.25, -0.3), (0.5, 0.7), (2.5, 1.7)] {
            assert!((trend.argument(t) - expected).abs() < 1e-15, "{t}: {}", trend.argument(t));
        }
    }
}
