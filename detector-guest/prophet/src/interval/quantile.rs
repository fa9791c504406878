//! The half-width of an interval: `q` with `P(Z > q) = p`.
//!
//! `Z` is a mixture of normal distributions of the same centre, so its tail is convex beyond 0 and
//! `q >= z`: Newton's method cannot go astray. Halley's variant is used, within a bracket. Laws
//! that are close to normal take the expansion of Cornish and Fisher (1938) with the 4th and 6th
//! cumulant, whose error is below 1.1·10⁻⁷ deviations there.

use super::contour::Contour;
use super::distribution::Distribution;

/// A level and the tail that it leaves on either side.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct TailLevel {
    /// `(1 - width) / 2`.
    pub(super) tail: f64,
    /// The normal quantile of the same tail.
    pub(super) z: f64,
}

/// Terms of a contour that are this small against the tail are left out.
pub(super) const LEAST_SHARE: f64 = 1e-12;

/// A step of this relative size is the last: the next would be of its third power.
const SMALL: f64 = 1e-4;

const MOST_STEPS: usize = 200;

/// `q` for a law. `near` is a guess, such as the row before; 0 for none. `contour` is overwritten.
pub(super) fn quantile(level: TailLevel, law: &Distribution, near: f64, contour: &mut Contour) -> f64 {
    let z = level.z;
    if let Some((a, r)) = law.poisson() {
        let r2 = r * r;
        if r < 0.25 && z < 3.5 && a * r2 * r2 * r2 * r2 < 1e-10 {
            return cornish_fisher(z, a, r2);
        }
    }
    solve(level, law, near, contour)
}

/// The same without the expansion, which joins the solution with a step of its error.
pub(super) fn solve(level: TailLevel, law: &Distribution, near: f64, contour: &mut Contour) -> f64 {
    let TailLevel { tail: p, z } = level;
    if law.is_normal() {
        return z;
    }
    let (mut low, mut high) = (z, f64::INFINITY);
    let mut x = if near > z && near.is_finite() { near } else { z };
    contour.reset();
    for _ in 0..MOST_STEPS {
        let tail = contour.at(x, law, LEAST_SHARE * p);
        let over = tail.probability - p;
        if over > 0.0 {
            low = low.max(x);
        } else {
            high = high.min(x);
        }
        let newton = over / tail.density;
        let bend = 1.0 + 0.5 * newton * tail.slope / tail.density;
        let mut next = x + if bend > 0.3 && bend < 3.0 { newton / bend } else { newton };
        if !(next >= low && next <= high) {
            next = if high.is_finite() { 0.5 * (low + high) } else { 2.0 * low };
        }
        let step = (next - x).abs();
        x = next;
        if step <= SMALL * x {
            break;
        }
    }
    x
}

fn cornish_fisher(z: f64, a: f64, r2: f64) -> f64 {
    let variance = 1.0 + a * r2 * (2.0 / 3.0);
    let g4 = 4.8 * a * r2 * r2 / (variance * variance);
    let g6 = 720.0 / 7.0 * a * r2 * r2 * r2 / (variance * variance * variance);
    let z2 = z * z;
    let shape = z + g4 * z * (z2 - 3.0) / 24.0 + g6 * z * (z2 * z2 - 10.0 * z2 + 15.0) / 720.0
        - g4 * g4 * z * (3.0 * z2 * z2 - 24.0 * z2 + 29.0) / 384.0;
    shape * variance.sqrt()
}
