//! Complex numbers, as far as the contours need them, with the elementary functions of `libm`: the
//! same to the last bit on every processor and in WebAssembly.

use std::ops::{Add, Div, Mul, Sub};

#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Complex {
    pub(super) re: f64,
    pub(super) im: f64,
}

impl Complex {
    pub(super) const ONE: Self = Self { re: 1.0, im: 0.0 };

    pub(super) fn new(re: f64, im: f64) -> Self {
        Self { re, im }
    }

    #[inline(always)]
    pub(super) fn scale(self, factor: f64) -> Self {
        Self::new(self.re * factor, self.im * factor)
    }

    #[inline(always)]
    pub(super) fn norm_squared(self) -> f64 {
        self.re * self.re + self.im * self.im
    }

    /// The branch with an imaginary part in (-π, π].
    #[inline(always)]
    pub(super) fn ln(self) -> Self {
        Self::new(0.5 * libm::log(self.norm_squared()), libm::atan2(self.im, self.re))
    }

    #[inline(always)]
    pub(super) fn exp(self) -> Self {
        let (sin, cos) = libm::sincos(self.im);
        let size = libm::exp(self.re);
        Self::new(size * cos, size * sin)
    }

    /// `exp(z) - 1`, with all digits near 0.
    pub(super) fn exp_m1(self) -> Self {
        let size = libm::expm1(self.re);
        let half = libm::sin(0.5 * self.im);
        // e^x cos y - 1 = (e^x - 1) cos y - 2 sin²(y / 2)
        let cos = 1.0 - 2.0 * half * half;
        Self::new(size * cos - 2.0 * half * half, (size + 1.0) * libm::sin(self.im))
    }

    /// `atanh(z) / z - 1`, for a real part of at least 0, without cancellation near 0.
    #[inline(always)]
    pub(super) fn atanh_ratio_m1(self) -> Self {
        let square = self * self;
        if self.norm_squared() < 0.04 {
            let mut sum = Self::new(0.0, 0.0);
            for term in RECIPROCALS.iter().rev() {
                sum = Self::new(sum.re + term, sum.im) * square;
            }
            return sum;
        }
        let Self { re, im } = self;
        let above = (1.0 + re) * (1.0 + re) + im * im;
        let below = (1.0 - re) * (1.0 - re) + im * im;
        let atanh =
            Self::new(0.25 * libm::log(above / below), 0.5 * libm::atan2(2.0 * im, 1.0 - re * re - im * im));
        let ratio = atanh / self;
        Self::new(ratio.re - 1.0, ratio.im)
    }
}

/// `1 / (2k + 1)` for k = 1 … 12.
const RECIPROCALS: [f64; 12] = [
    1.0 / 3.0,
    1.0 / 5.0,
    1.0 / 7.0,
    1.0 / 9.0,
    1.0 / 11.0,
    1.0 / 13.0,
    1.0 / 15.0,
    1.0 / 17.0,
    1.0 / 19.0,
    1.0 / 21.0,
    1.0 / 23.0,
    1.0 / 25.0,
];

impl Add for Complex {
    type Output = Self;

    #[inline(always)]
    fn add(self, other: Self) -> Self {
        Self::new(self.re + other.re, self.im + other.im)
    }
}

impl Sub for Complex {
    type Output = Self;

    #[inline(always)]
    fn sub(self, other: Self) -> Self {
        Self::new(self.re - other.re, self.im - other.im)
    }
}

impl Mul for Complex {
    type Output = Self;

    #[inline(always)]
    fn mul(self, other: Self) -> Self {
        Self::new(self.re * other.re - self.im * other.im, self.re * other.im + self.im * other.re)
    }
}

impl Div for Complex {
    type Output = Self;

    #[inline(always)]
    fn div(self, other: Self) -> Self {
        let size = 1.0 / other.norm_squared();
        Self::new(
            (self.re * other.re + self.im * other.im) * size,
            (self.im * other.re - self.re * other.im) * size,
        )
    }
}
