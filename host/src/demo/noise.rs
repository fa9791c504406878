//! Gaussian noise that depends only on its arguments, not on earlier calls.
//!
//! Pure, and the same on every machine and for every version of every crate: whole-number
//! arithmetic of our own, and `libm` for the two functions that the platforms' libraries round
//! differently. Nothing here can fail.

use std::f64::consts::TAU;

/// One draw from the standard normal distribution for each (`seed`, `stream`, `index`).
pub(super) fn standard_normal(seed: u64, stream: &str, index: i64) -> f64 {
    let key = stream.bytes().fold(mix(seed), |key, byte| mix(key ^ u64::from(byte)));
    let counter = index.cast_unsigned().wrapping_mul(2);
    let radius = (-2.0 * libm::log(uniform(key, counter))).sqrt();
    radius * libm::cos(TAU * uniform(key, counter.wrapping_add(1)))
}

/// The `counter`-th number of the SplitMix64 sequence that starts at `key`, in (0, 1).
fn uniform(key: u64, counter: u64) -> f64 {
    let bits = mix(key.wrapping_add(counter.wrapping_mul(0x9e37_79b9_7f4a_7c15)));
    ((bits >> 11) as f64 + 0.5) / (1_u64 << 53) as f64
}

/// The output function of SplitMix64 (Steele, Lea and Flood, "Fast splittable pseudorandom number
/// generators", 2014).
fn mix(state: u64) -> u64 {
    let z = (state ^ (state >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Published first outputs of SplitMix64 with the seed 1234567.
    #[test]
    fn the_sequence_is_splitmix64() {
        let gamma = 0x9e37_79b9_7f4a_7c15_u64;
        let outputs: Vec<u64> =
            (1..=5).map(|n| mix(1_234_567_u64.wrapping_add(gamma.wrapping_mul(n)))).collect();
        assert_eq!(
            outputs,
            [
                6_457_827_717_110_365_317,
                3_203_168_211_198_807_973,
                9_817_491_932_198_370_423,
                4_593_380_528_125_082_431,
                16_408_922_859_458_223_821,
            ]
        );
    }

    /// Moments of 100,000 draws, within five standard errors of those of the normal distribution;
    /// the draws of neighbours, of other streams and of other seeds are uncorrelated.
    #[test]
    fn it_is_standard_normal_and_independent() {
        let count = 100_000_i32;
        let step = 300_000_000;
        let draws = |seed, stream, from: i64| -> Vec<f64> {
            (0..i64::from(count)).map(|n| standard_normal(seed, stream, (from + n) * step)).collect()
        };
        let mean = |values: &[f64]| values.iter().sum::<f64>() / f64::from(count);
        let power = |values: &[f64], n| mean(&values.iter().map(|x| x.powi(n)).collect::<Vec<_>>());
        let product = |a: &[f64], b: &[f64]| mean(&a.iter().zip(b).map(|(a, b)| a * b).collect::<Vec<_>>());

        let here = draws(7, "TEMP-03", 0);
        for (what, found, expected, variance) in [
            ("mean", mean(&here), 0.0, 1.0),
            ("square", power(&here, 2), 1.0, 2.0),
            ("cube", power(&here, 3), 0.0, 15.0),
            ("fourth power", power(&here, 4), 3.0, 96.0),
            ("with the next", product(&here, &draws(7, "TEMP-03", 1)), 0.0, 1.0),
            ("with another stream", product(&here, &draws(7, "TEMP-04", 0)), 0.0, 1.0),
            ("with another seed", product(&here, &draws(8, "TEMP-03", 0)), 0.0, 1.0),
        ] {
            let error = 5.0 * (f64::sqrt(variance) / f64::from(count).sqrt());
            assert!((found - expected).abs() < error, "{what}: {found}, expected {expected} within {error}");
        }
    }
}
