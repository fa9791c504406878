//! The distribution of `W`, what future changes of the rate add up to, by itself: logistic growth
//! bends it before any noise is added.
//!
//! `W = 0` has probability `e⁻ᵃ`. The rest has the density
//!
//! ```text
//! f(w) = (1/π) ∫₀^∞ Im( e⁻ᵃ (exp(a · atanh(s) / s) - 1) e^(-s w) s'(y) ) dy     w > 0,   f(-w) = f(w)
//! ```
//!
//! along the hyperbola of `contour`. It is kept as a spline of `ln(w f(w))` over `ln w`, in which
//! it is smooth although `f` has a logarithmic peak at 0. It depends on `a = S · h` alone, so all
//! models that share a timestamp and their training can share it.

use super::complex::Complex;
use super::contour::{NODES, STEP};
use super::spline::Spline;

/// Knots of the spline; the tail's error is then below 10⁻⁷.
const KNOTS: usize = 281;

/// The smallest `ln w`; what lies nearer to 0 is added to `W = 0`.
const LEAST: f64 = -20.0;

/// Panels of this width in `ln w` are integrated at once.
const PANEL: f64 = 0.5;

/// Below this share of its peak, `w f(w)` is rounding noise.
const NOISE: f64 = 1e-15;

/// With this many changes `W = 0` has no probability to speak of, and soon `exp(a · atanh(s) / s)`
/// would overflow.
const MANY: f64 = 40.0;

/// The continuous part of W.
#[derive(Clone, Debug)]
pub(super) struct Density {
    /// `a`, above 0.
    pub(super) expected: f64,
    log: Spline,
}

/// Nodes and weights of Gauss and Legendre, 12 points on (-1, 1): those above 0.
const GAUSS: [(f64, f64); 6] = [
    (0.9815606342467192, 0.04717533638651183),
    (0.9041172563704749, 0.10693932599531843),
    (0.7699026741943047, 0.16007832854334622),
    (0.5873179542866175, 0.20316742672306592),
    (0.3678314989981802, 0.2334925365383548),
    (0.1252334085114689, 0.24914704581340277),
];

impl Density {
    pub(super) fn new(a: f64) -> Self {
        let step = (libm::log(60.0 + 12.0 * a.sqrt()) - LEAST) / (KNOTS - 1) as f64;
        let at = |knot: usize| {
            let w = libm::exp(LEAST + step * knot as f64);
            w * density(w, a)
        };
        let mut heights: Vec<f64> = (0..KNOTS).map(at).collect();
        let (peak, most) = heights
            .iter()
            .enumerate()
            .fold((0, 0.0), |most, (knot, height)| if *height > most.1 { (knot, *height) } else { most });
        let noise = |height: &f64| height.is_nan() || *height < NOISE * most;
        if let Some(end) = heights[peak..].iter().position(noise) {
            heights.truncate((peak + end).max(2));
        }
        let log = |height: f64| libm::log(height.max(f64::MIN_POSITIVE));
        Self { expected: a, log: Spline::new(LEAST, step, heights.into_iter().map(log).collect()) }
    }

    /// Calls `visit` with `w > 0` and the probability that stands for it, on both sides of 0 each,
    /// for a quadrature of something that is smooth but for steps at `|w|` in `borders`. Gives
    /// the probability of `W = 0`.
    pub(super) fn integrate(&self, borders: &mut Vec<f64>, mut visit: impl FnMut(f64, f64)) -> f64 {
        let (from, to) = (self.log.start(), self.log.end());
        for border in borders.iter_mut() {
            *border = libm::log(*border);
        }
        borders.retain(|border| *border > from && *border < to);
        let mut panel = from;
        while panel < to {
            borders.push(panel);
            panel += PANEL;
        }
        borders.push(to);
        borders.sort_by(f64::total_cmp);
        let mut mass = 0.0;
        for pair in borders.windows(2) {
            let half = 0.5 * (pair[1] - pair[0]);
            let middle = pair[0] + half;
            for (node, weight) in GAUSS.iter().flat_map(|(node, weight)| [(-node, weight), (*node, weight)]) {
                let v = middle + half * node;
                let probability = half * weight * libm::exp(self.log.at(v));
                mass += 2.0 * probability;
                visit(libm::exp(v), probability);
            }
        }
        1.0 - mass
    }
}

/// `f(w)` for `w > 0`.
fn density(w: f64, a: f64) -> f64 {
    let deviation = (2.0 / 3.0 * a).sqrt();
    let angle = if a < 15.0 { std::f64::consts::FRAC_PI_4 } else { (0.13 * w / deviation).clamp(0.10, 0.75) };
    let (sin, cos) = libm::sincos(angle);
    let corner = 1.0 / (2.0 + 2.0 / 3.0 * a / w.max(deviation));
    let never = libm::exp(-a);
    let mut sum = 0.0;
    for (node, (cosh, sinh)) in NODES.iter().enumerate() {
        let s = Complex::new(corner + corner * sin * (cosh - 1.0), corner * cos * sinh);
        // What follows is below e⁻⁴⁵.
        if s.re * w > 45.0 + corner * w {
            break;
        }
        let step = STEP * std::f64::consts::FRAC_1_PI * if node == 0 { 0.5 } else { 1.0 };
        let weight = Complex::new(corner * sin * sinh, corner * cos * cosh).scale(step);
        let changes = s.atanh_ratio_m1();
        let height = if a >= MANY {
            (changes.scale(a) - s.scale(w)).exp()
        } else {
            (changes + Complex::ONE).scale(a).exp_m1().scale(never) * s.scale(-w).exp()
        };
        sum += (height * weight).im;
    }
    sum.max(0.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The mass and the variance `(2/3) a` that the characteristic function has.
    #[test]
    fn the_moments_are_right() {
        for a in [1e-3, 0.1, 1.0, 5.0, 14.9, 15.1, 39.9, 40.1, 60.0, 800.0, 1e5, 1e9] {
            let mut variance = 0.0;
            let never = Density::new(a)
                .integrate(&mut Vec::new(), |w, probability| variance += 2.0 * w * w * probability);
            // The knots lie further apart where there is more to span.
            let tolerance = if a > 100.0 { 1e-4 } else { 1e-6 };
            assert!((never - libm::exp(-a)).abs() < tolerance, "{a}: {never}");
            assert!((variance - 2.0 / 3.0 * a).abs() < tolerance * (1.0 + a), "{a}: {variance}");
        }
    }
}
