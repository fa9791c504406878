//! The law of y when growth is logistic.
//!
//! A future change of rate adds to the argument of the sigmoid what it adds to a linear trend, so
//!
//! ```text
//! y = A + B · sigmoid(x₀ + λ h W) + σ N(0, 1)     A = floor (1 + m) + additive     B = (cap - floor) (1 + m)
//! ```
//!
//! with the `W` of `jump_density`: one integral over w, no simulation. Prophet's default call
//! subtracts the mean deviation of its draws from all of them; `centred` does the same with the
//! mean itself.

use super::gaussian;
use super::jump_density::Density;

/// Logistic growth at one row, for one row of parameters.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct LogisticGrowth {
    /// `A`.
    pub(super) base: f64,
    /// `B`.
    pub(super) room: f64,
    /// `x₀`.
    pub(super) argument: f64,
    /// `λ h`.
    pub(super) reach: f64,
    /// `σ`.
    pub(super) noise: f64,
}

/// Squared share of the noise below which changes of rate are not felt.
const UNFELT: f64 = 1e-9;

impl LogisticGrowth {
    fn mean(&self, w: f64) -> f64 {
        self.base + self.room * sigmoid(self.argument + self.reach * w)
    }

    /// Whether the expected number `a` of changes makes no difference: neither their spread nor the
    /// bend of the sigmoid.
    pub(super) fn is_steady(&self, a: f64) -> bool {
        let s = sigmoid(self.argument);
        let felt = (self.reach * self.room * s * (1.0 - s) / self.noise).abs();
        // Far changes reach where the sigmoid is steep, which only a short reach rules out.
        self.reach < 0.05 && felt * felt.max(self.reach) * a < UNFELT
    }

    /// The same growth with the mean that it has without changes.
    pub(super) fn centred(self, density: &Density, borders: &mut Vec<f64>) -> Self {
        borders.clear();
        let here = sigmoid(self.argument);
        let mut shift = 0.0;
        density.integrate(borders, |w, probability| {
            let change = self.reach * w;
            let both = sigmoid(self.argument + change) + sigmoid(self.argument - change);
            shift += probability * (both - 2.0 * here);
        });
        Self { base: self.base - self.room * shift, ..self }
    }

    /// P(Y > y) and the density there.
    pub(super) fn tail(&self, y: f64, density: &Density, borders: &mut Vec<f64>) -> (f64, f64) {
        borders.clear();
        // Where the mean passes y by this many deviations the integrand turns.
        for deviations in -8..=8 {
            let share = (y + f64::from(deviations) * self.noise - self.base) / self.room;
            if share > 0.0 && share < 1.0 {
                borders.push(((libm::log(share / (1.0 - share)) - self.argument) / self.reach).abs());
            }
        }
        let (mut probability, mut height) = (0.0, 0.0);
        let mut add = |w: f64, weight: f64| {
            let (tail, density) = gaussian::tail((y - self.mean(w)) / self.noise);
            probability += weight * tail;
            height += weight * density;
        };
        let never = density.integrate(borders, |w, weight| {
            add(w, weight);
            add(-w, weight);
        });
        add(0.0, never);
        (probability, height / self.noise)
    }
}

fn sigmoid(x: f64) -> f64 {
    1.0 / (1.0 + libm::exp(-x))
}
