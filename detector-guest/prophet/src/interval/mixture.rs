//! Intervals that are not symmetric: of many draws of the parameters, and of logistic growth.
//!
//! ```text
//! P(y > v) = mean over the draws of P(yᵢ > v)
//! ```
//!
//! Each draw has its own mean, noise and law (MCMC in `sample_posterior_predictive` of
//! `forecaster.py`); a MAP model is one draw. Both ends are found by Newton's method within a
//! bracket.

use super::contour::Contour;
use super::distribution::Distribution;
use super::gaussian;
use super::jump_density::Density;
use super::logistic::LogisticGrowth;
use super::quantile::{LEAST_SHARE, TailLevel};

/// What one row of parameters says of y at one timestamp.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Draw {
    pub(super) mean: f64,
    /// In units of y; above 0.
    pub(super) noise: f64,
    pub(super) spread: Spread,
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Spread {
    /// Of the deviation from the mean, in units of the noise.
    Distribution(Distribution),
    Growth(LogisticGrowth),
}

/// Contours and borders of panels, kept from row to row.
#[derive(Debug, Default)]
pub(super) struct Mixture {
    contours: Vec<Contour>,
    borders: Vec<f64>,
}

const MOST_STEPS: usize = 200;

/// Of the spread of y: a step this small is the last.
const SMALL: f64 = 1e-10;

impl Mixture {
    /// Both ends of the interval. `density` is there if a draw has logistic growth. Not a number if
    /// a draw is none.
    pub(super) fn interval(
        &mut self,
        level: TailLevel,
        draws: &[Draw],
        density: Option<&Density>,
    ) -> (f64, f64) {
        self.contours.resize_with(self.contours.len().max(draws.len()), Contour::default);
        for contour in &mut self.contours {
            contour.reset();
        }
        let count = draws.len() as f64;
        let mean = draws.iter().map(|draw| draw.mean).sum::<f64>() / count;
        let square = |draw: &Draw| draw.noise * draw.noise + (draw.mean - mean) * (draw.mean - mean);
        let scale = (draws.iter().map(square).sum::<f64>() / count).sqrt();
        if !mean.is_finite() || !scale.is_finite() {
            return (f64::NAN, f64::NAN);
        }
        let least = LEAST_SHARE * level.tail;
        let mut tail = |y: f64| {
            let (mut probability, mut height) = (0.0, 0.0);
            for (draw, contour) in draws.iter().zip(&mut self.contours) {
                let x = (y - draw.mean) / draw.noise;
                let (more, here) = match (&draw.spread, density) {
                    (Spread::Distribution(law), _) if law.is_normal() => {
                        scaled(gaussian::tail(x), draw.noise)
                    }
                    (Spread::Distribution(law), _) => scaled(symmetric(x, law, contour, least), draw.noise),
                    (Spread::Growth(growth), Some(density)) => growth.tail(y, density, &mut self.borders),
                    (Spread::Growth(_), None) => scaled(gaussian::tail(x), draw.noise),
                };
                probability += more;
                height += here;
            }
            (probability / count, height / count)
        };
        let lower = solve(&mut tail, 1.0 - level.tail, mean - level.z * scale, scale);
        let upper = solve(&mut tail, level.tail, mean + level.z * scale, scale);
        (lower, upper)
    }
}

fn scaled((probability, density): (f64, f64), noise: f64) -> (f64, f64) {
    (probability, density / noise)
}

fn symmetric(x: f64, law: &Distribution, contour: &mut Contour, least: f64) -> (f64, f64) {
    let tail = contour.at(x.abs(), law, least);
    (if x < 0.0 { 1.0 - tail.probability } else { tail.probability }, tail.density)
}

/// The y that is exceeded with probability `p`. `tail` gives probability and density.
fn solve(mut tail: impl FnMut(f64) -> (f64, f64), p: f64, guess: f64, scale: f64) -> f64 {
    let (mut y, mut low, mut high) = (guess, f64::NEG_INFINITY, f64::INFINITY);
    let mut leap = scale;
    for _ in 0..MOST_STEPS {
        let (probability, density) = tail(y);
        if probability > p {
            low = y;
        } else {
            high = y;
        }
        let mut next = if density > 0.0 { y + (probability - p) / density } else { f64::NAN };
        if low.is_finite() && high.is_finite() {
            if !(next >= low && next <= high) {
                next = 0.5 * (low + high);
            }
        } else if !next.is_finite() || (next - y).abs() > leap {
            next = if probability > p { y + leap } else { y - leap };
            leap *= 2.0;
        }
        let step = (next - y).abs();
        y = next;
        if step <= SMALL * scale {
            break;
        }
    }
    y
}
