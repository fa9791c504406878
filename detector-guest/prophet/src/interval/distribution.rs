//! How a future value of y is spread, in units of the noise: `Z = N(0, 1) + r · W`.
//!
//! `W` is what future changes of the rate have added up to; it is symmetric and has heavier tails
//! than the normal distribution. In continuous time (`vectorized=False` in `forecaster.py`) changes
//! come as a Poisson process, so that
//!
//! ```text
//! W = Σ Vᵢ Lᵢ   over n ~ Poisson(a) changes,   Vᵢ uniform on (0, 1),   Lᵢ ~ Laplace(0, 1)
//! ln E exp(s Z) = s²/2 + a · (atanh(r s) / (r s) - 1)
//! a = S · h     r = λ · h · |1 + m| / σ_obs     h = t - 1
//! ```
//!
//! with `S` changepoints, `λ` the mean size of a change and `m` the multiplicative terms. Prophet's
//! default call counts rows instead, see `stepwise`.

use super::complex::Complex;
use super::stepwise::Steps;

/// Below it the changes are too small to tell from none.
const LEAST_REACH: f64 = 1e-9;

/// A law of `Z`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Distribution {
    /// `ln E exp(s Z)` is analytic for `|Re s|` below its reciprocal.
    pub(super) reach: f64,
    /// Of `r · W`.
    pub(super) variance: f64,
    /// There are so many changes that `W = 0` has no probability to speak of.
    pub(super) smooth: bool,
    changes: Changes,
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Changes {
    None,
    Poisson { expected: f64 },
    Steps(Steps),
}

impl Distribution {
    /// The standard normal distribution.
    pub(super) const NORMAL: Self = Self { reach: 0.0, variance: 0.0, smooth: false, changes: Changes::None };

    /// `a` changes are expected; the last of them moves `Z` by `r` at most, on average.
    pub(super) fn continuous(a: f64, r: f64) -> Self {
        if a > 0.0 && r >= LEAST_REACH {
            let variance = 2.0 / 3.0 * a * r * r;
            Self { reach: r, variance, smooth: a >= 20.0, changes: Changes::Poisson { expected: a } }
        } else {
            Self::NORMAL
        }
    }

    pub(super) fn stepwise(steps: Steps) -> Self {
        if steps.count > 0.0 && steps.chance > 0.0 && steps.reach() >= LEAST_REACH {
            Self {
                reach: steps.reach(),
                variance: steps.variance(),
                smooth: steps.is_smooth(),
                changes: Changes::Steps(steps),
            }
        } else {
            Self::NORMAL
        }
    }

    pub(super) fn is_normal(&self) -> bool {
        self.changes == Changes::None
    }

    /// `a` and `r` of the continuous law.
    pub(super) fn poisson(&self) -> Option<(f64, f64)> {
        match self.changes {
            Changes::Poisson { expected } => Some((expected, self.reach)),
            _ => None,
        }
    }

    /// `ln E exp(s Z)`, up to multiples of 2πi.
    #[inline]
    pub(super) fn cumulants(&self, s: Complex) -> Complex {
        let noise = (s * s).scale(0.5);
        match &self.changes {
            Changes::None => noise,
            Changes::Poisson { expected } => noise + s.scale(self.reach).atanh_ratio_m1().scale(*expected),
            Changes::Steps(steps) => noise + steps.cumulants(s),
        }
    }
}
