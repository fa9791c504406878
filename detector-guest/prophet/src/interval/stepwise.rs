//! The law of Prophet's default call, which lets the rate change at the request's own rows
//! (`vectorized=True`).
//!
//! At the j-th row after training, with `d` the mean spacing of those rows,
//!
//! ```text
//! W = Σ Bᵢ Lᵢ (i - ½)   over i = 1 … j,   Bᵢ = 1 with probability q = min(1, S · d),   Lᵢ ~ Laplace(0, 1)
//! ln E exp(s r W) = Σ ln(1 + q wᵢ² / (1 - wᵢ²))     wᵢ = r s (i - ½)     r = λ · d · |1 + m| / σ_obs
//! ```
//!
//! From `MANY` rows on the sum is taken as an integral with the midpoint rule's first two
//! corrections (Euler and Maclaurin). A sum is no integral near a pole, `r s x = 1`: where one row
//! alone counts against the noise the poles come down to the first rows, so those are summed and
//! the integral goes from there. What is left out is below 10⁻⁸ deviations.

use super::complex::Complex;

#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Steps {
    /// `j`, a whole number.
    pub(super) count: f64,
    /// `q`, at most 1.
    pub(super) chance: f64,
    /// `r`: what a change of mean size adds from one row to the next.
    pub(super) step: f64,
}

impl Steps {
    /// Rows from which on the sum is not written out: the law then changes smoothly with their
    /// number.
    pub(super) const MANY: f64 = 32.0;

    /// Steps beyond this are felt one by one, against a noise of 1.
    const COARSE: f64 = 0.2;

    pub(super) fn reach(&self) -> f64 {
        // The integral ends where its last row does.
        self.step * if self.count < Self::MANY { self.count - 0.5 } else { self.count }
    }

    /// `2 q Σ (r (i - ½))²`.
    pub(super) fn variance(&self) -> f64 {
        let squares = self.count * (4.0 * self.count * self.count - 1.0) / 12.0;
        2.0 * self.chance * self.step * self.step * squares
    }

    pub(super) fn is_smooth(&self) -> bool {
        self.chance >= 1.0 || self.count * -libm::log1p(-self.chance) >= 20.0
    }

    /// `ln E exp(s r W)`, up to multiples of 2πi.
    #[inline]
    pub(super) fn cumulants(&self, s: Complex) -> Complex {
        if self.count < Self::MANY {
            self.summed(s)
        } else if self.step < Self::COARSE {
            self.integrated(s)
        } else {
            let first = Self { count: Self::MANY, ..*self };
            first.summed(s) + (self.integrated(s) - first.integrated(s))
        }
    }

    fn summed(&self, s: Complex) -> Complex {
        let w = s.scale(self.step);
        let square = w * w;
        let mut product = Complex::ONE;
        let mut middle = 0.5;
        while middle < self.count {
            let here = square.scale(middle * middle);
            product = product * (Complex::ONE + here.scale(self.chance) / (Complex::ONE - here));
            middle += 1.0;
        }
        product.ln()
    }

    /// `j · (F(j r s √(1 - q)) - F(j r s))` and the corrections, where `F(u) = ln(1 - u²) + 2
    /// (atanh(u) / u - 1)`.
    fn integrated(&self, s: Complex) -> Complex {
        let all = s.scale(self.step * self.count);
        let rest = all.scale((1.0 - self.chance).max(0.0).sqrt());
        let (all, rest) = (NodeValues::at(all), NodeValues::at(rest));
        // Derivatives of ln(1 - (u x / j)²) at x = j: the first, -2 u² / (1 - u²) / j, counts
        // -1/24, and the third, -4 u⁴ (3 + u²) / (1 - u²)³ / j³, counts 7/5760.
        let once = 1.0 / (12.0 * self.count);
        let thrice = 7.0 / (1440.0 * self.count * self.count * self.count);
        (rest.integral - all.integral).scale(self.count) - (all.slope - rest.slope).scale(once)
            + (all.bend - rest.bend).scale(thrice)
    }
}

/// `F(u)`, `u² / (1 - u²)` and `u⁴ (3 + u²) / (1 - u²)³`.
struct NodeValues {
    integral: Complex,
    slope: Complex,
    bend: Complex,
}

impl NodeValues {
    fn at(u: Complex) -> Self {
        let square = u * u;
        let left = Complex::ONE - square;
        let slope = square / left;
        Self {
            integral: ln_1m(square) + u.atanh_ratio_m1().scale(2.0),
            slope,
            bend: slope * slope * Complex::new(3.0 + square.re, square.im) / left,
        }
    }
}

/// `ln(1 - z)`, without cancellation near 0.
fn ln_1m(z: Complex) -> Complex {
    // |1 - z|² - 1
    let change = z.norm_squared() - 2.0 * z.re;
    Complex::new(0.5 * libm::log1p(change), libm::atan2(-z.im, 1.0 - z.re))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// No tail probability is off by more than this.
    const OFF: f64 = 2e-8;

    /// The characteristic functions of the whole, noise included, integrated as in `contour` along
    /// a straight line.
    #[test]
    fn many_rows_have_the_law_of_their_sum() {
        for count in [32.0, 33.0, 48.0, 200.0] {
            for step in [0.003, 0.03, 0.1, 0.199, 0.2, 0.5, 2.0, 50.0] {
                for chance in [0.0005, 0.02, 0.3, 1.0] {
                    let steps = Steps { count, chance, step };
                    let (mut off, mut y) = (0.0, 1e-4 / steps.reach());
                    while y < 9.0 {
                        let s = Complex::new(0.1 / steps.reach(), y);
                        let noise = (s * s).scale(0.5);
                        let apart = (steps.summed(s) + noise).exp() - (steps.cumulants(s) + noise).exp();
                        off += (apart.norm_squared() / s.norm_squared()).sqrt() * 0.05 * y;
                        y *= 1.05;
                    }
                    assert!(off < OFF, "{count} {step} {chance}: {off:e}");
                }
            }
        }
    }
}
