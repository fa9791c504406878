//! Sine and cosine together, the same to the last bit on every processor and in WebAssembly.
//!
//! The standard library's `sin` is the platform's: another one in a component than in a native
//! build, and slower there. This one has no branches, so a loop over it fills vectors. Reduction:
//! Cody and Waite, with π/2 in three parts, of which the first two have 24 bits, so that their
//! products with a count of quarter turns below 2²⁹ are exact; what is left out is below 2⁻¹⁰³ of a
//! quarter turn each. Kernels: `__kernel_sin` and `__kernel_cos` of FreeBSD's msun (Sun
//! Microsystems 1993, freely granted), error below one unit in the last place.

use crate::lanes::Lanes;

/// Phases beyond this go to the general, slower reduction.
const REACH: f64 = (1_u64 << 28) as f64;

/// Adding and subtracting it rounds to an integer, whose low bits then end the sum's own. 1.5·2⁵².
pub(crate) const ROUND: f64 = 6_755_399_441_055_744.0;

const QUARTER: [f64; 3] = [
    f64::from_bits(0x3ff9_21fb_4000_0000),
    f64::from_bits(0x3e74_442d_0000_0000),
    f64::from_bits(0x3cf8_4698_98cc_5170),
];

/// Sine and cosine of `factor · phase`, a tile of each. No phase is further from 0 than `furthest`.
#[inline(always)]
pub(crate) fn sincos(factor: f64, phase: &Lanes, furthest: f64, [sin, cos]: &mut [Lanes; 2]) {
    if furthest * factor < REACH {
        for ((x, sin), cos) in phase.iter().zip(sin).zip(cos) {
            (*sin, *cos) = near(factor * x);
        }
    } else {
        for ((x, sin), cos) in phase.iter().zip(sin).zip(cos) {
            (*sin, *cos) = libm::sincos(factor * x);
        }
    }
}

#[inline(always)]
fn near(x: f64) -> (f64, f64) {
    let shifted = x * std::f64::consts::FRAC_2_PI + ROUND;
    let quarters = shifted - ROUND;
    let turned = shifted.to_bits();

    // x minus the quarter turns, as `high + low`.
    let exact = (x - quarters * QUARTER[0]) - quarters * QUARTER[1];
    let rest = quarters * QUARTER[2];
    let high = exact - rest;
    let low = (exact - high) - rest;

    let (s, c) = (kernel_sin(high, low).to_bits(), kernel_cos(high, low).to_bits());
    // An odd number of quarter turns swaps the two; the second half of a turn negates.
    let swap = 0_u64.wrapping_sub(turned & 1);
    (
        f64::from_bits(((s & !swap) | (c & swap)) ^ ((turned & 2) << 62)),
        f64::from_bits(((c & !swap) | (s & swap)) ^ ((turned.wrapping_add(1) & 2) << 62)),
    )
}

#[inline(always)]
#[allow(clippy::excessive_precision, reason = "digits as in the source")]
fn kernel_sin(x: f64, low: f64) -> f64 {
    const S1: f64 = -1.666_666_666_666_663_243_48e-01;
    const S2: f64 = 8.333_333_333_322_489_461_24e-03;
    const S3: f64 = -1.984_126_982_985_794_931_34e-04;
    const S4: f64 = 2.755_731_370_707_006_767_89e-06;
    const S5: f64 = -2.505_076_025_340_686_341_95e-08;
    const S6: f64 = 1.589_690_995_211_550_102_21e-10;
    let z = x * x;
    let w = z * z;
    let r = S2 + z * (S3 + z * S4) + z * w * (S5 + z * S6);
    let v = z * x;
    x - ((z * (0.5 * low - v * r) - low) - v * S1)
}

#[inline(always)]
#[allow(clippy::excessive_precision, reason = "digits as in the source")]
fn kernel_cos(x: f64, low: f64) -> f64 {
    const C1: f64 = 4.166_666_666_666_660_190_37e-02;
    const C2: f64 = -1.388_888_888_887_410_957_49e-03;
    const C3: f64 = 2.480_158_728_947_672_941_78e-05;
    const C4: f64 = -2.755_731_435_139_066_330_35e-07;
    const C5: f64 = 2.087_572_321_298_174_827_90e-09;
    const C6: f64 = -1.135_964_755_778_819_482_65e-11;
    let z = x * x;
    let w = z * z;
    let r = z * (C1 + z * (C2 + z * C3)) + w * w * (C4 + z * (C5 + z * C6));
    let half = 0.5 * z;
    let w = 1.0 - half;
    w + (((1.0 - w) - half) + (z * r - x * low))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::lanes::LANES;
    use proptest::prelude::*;

    fn at(x: f64) -> (f64, f64) {
        let mut found = [[f64::NAN; LANES]; 2];
        sincos(1.0, &[x; LANES], x.abs(), &mut found);
        (found[0][0], found[1][0])
    }

    /// Of the reduction at `REACH`; it shows where a sine is nearly 0.
    const REDUCTION: f64 = 1e-22;

    /// Values from mpmath at 60 digits, rounded once.
    #[test]
    #[allow(clippy::approx_constant, reason = "phases that happen to be close to one")]
    fn hard_phases() {
        for (x, sin, cos) in [
            (0.5, 0.479425538604203, 0.8775825618903728),
            (-0.5, -0.479425538604203, 0.8775825618903728),
            (1.5707963267948966, 1.0, 6.123233995736766e-17),
            (3.141592653589793, 1.2246467991473532e-16, -1.0),
            (-6.283185307179586, 2.4492935982947064e-16, 1.0),
            (355.0, -3.014435335948845e-05, -0.999999999545659),
            (124407.06908215581, -3.0874553399384703e-12, 1.0),
            (497628.27, -0.006328580985317954, 0.9999799743308424),
            (1000000.0, -0.34999350217129294, 0.9367521275331447),
            (-123456.789, 0.9986640823432246, 0.05167253271870138),
            (2587257.0590675473, -1.0, -1.0531971064885314e-10),
            (260000000.0, 0.9583295719538915, 0.2856648937455759),
            (210828721.98713818, 1.0, -1.72222774624345e-09),
            (-250000000.0, 0.9895997814927696, 0.143848088167562),
            (100000000.25, 0.8127737160763773, -0.5825795108441392),
        ] {
            let (s, c) = at(x);
            assert!(
                (s - sin).abs() <= sin.abs() * f64::EPSILON + REDUCTION,
                "sin {x:?} = {s:?}, not {sin:?}"
            );
            assert!(
                (c - cos).abs() <= cos.abs() * f64::EPSILON + REDUCTION,
                "cos {x:?} = {c:?}, not {cos:?}"
            );
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(20_000))]
        #[test]
        fn agrees_with_libm(x in prop_oneof![-4.0..4.0, -1e6..1e6, -REACH..REACH, -1e18..1e18]) {
            let (s, c) = at(x);
            prop_assert!((s - libm::sin(x)).abs() <= f64::EPSILON);
            prop_assert!((c - libm::cos(x)).abs() <= f64::EPSILON);
        }
    }
}
