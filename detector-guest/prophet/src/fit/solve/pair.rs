//! Two numbers that are computed with together, as a vector of 128 bits has them.
//!
//! In WebAssembly the compiler does not find these vectors by itself where many sums go on side by
//! side, so they are written out.

#[cfg(target_family = "wasm")]
use core::arch::wasm32::{f64x2, f64x2_add, f64x2_extract_lane, f64x2_mul, v128};

#[cfg(target_family = "wasm")]
#[derive(Clone, Copy)]
pub(super) struct Pair(v128);

#[cfg(target_family = "wasm")]
impl Pair {
    #[inline(always)]
    pub(super) fn new([first, second]: [f64; 2]) -> Self {
        Self(f64x2(first, second))
    }

    #[inline(always)]
    pub(super) fn numbers(self) -> [f64; 2] {
        [f64x2_extract_lane::<0>(self.0), f64x2_extract_lane::<1>(self.0)]
    }

    #[inline(always)]
    pub(super) fn plus(self, other: Self) -> Self {
        Self(f64x2_add(self.0, other.0))
    }

    #[inline(always)]
    pub(super) fn times(self, other: Self) -> Self {
        Self(f64x2_mul(self.0, other.0))
    }
}

#[cfg(not(target_family = "wasm"))]
#[derive(Clone, Copy)]
pub(super) struct Pair([f64; 2]);

#[cfg(not(target_family = "wasm"))]
impl Pair {
    #[inline(always)]
    pub(super) fn new(numbers: [f64; 2]) -> Self {
        Self(numbers)
    }

    #[inline(always)]
    pub(super) fn numbers(self) -> [f64; 2] {
        self.0
    }

    #[inline(always)]
    pub(super) fn plus(self, Self(other): Self) -> Self {
        Self([self.0[0] + other[0], self.0[1] + other[1]])
    }

    #[inline(always)]
    pub(super) fn times(self, Self(other): Self) -> Self {
        Self([self.0[0] * other[0], self.0[1] * other[1]])
    }
}
