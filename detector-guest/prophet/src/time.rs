//! The two clocks of a model: scaled time for the trend, days since 1970 for the seasons.
//!
//! Both read a timestamp as microseconds since 1970-01-01T00:00 without any time zone, as Prophet does. A count of
//! microseconds is exact as an `f64` until the year 2255; beyond that it is rounded, to one part in 2⁵³.

const SECOND: i64 = 1_000_000;
const DAY_SECONDS: f64 = 86_400.0;

/// Where training began and how long it lasted: `t = (ds - start) / t_scale`, 0 at the first training row and 1 at the last
/// (`setup_dataframe` in `forecaster.py`).
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct TrainingTime {
    /// Microseconds since 1970.
    pub(crate) start: f64,
    /// Microseconds; above 0.
    pub(crate) span: f64,
}

impl TrainingTime {
    /// Scaled time of a timestamp in microseconds; negative before training, above 1 after it.
    #[inline(always)]
    pub(crate) fn scaled(&self, micros: f64) -> f64 {
        (micros - self.start) / self.span
    }
}

/// `2π · days` since 1970, the phase of a season of one day.
///
/// The operations and their order are Prophet's (`fourier_series` in `forecaster.py`): whole seconds and the rest are added
/// before the division. The phase is so large (10⁵) that its rounding is worth 10⁻¹⁰ in a sine: a formula that is nicer on
/// paper gives other numbers.
pub(crate) fn day_phase(micros: i64) -> f64 {
    let seconds = micros.div_euclid(SECOND) as f64 + micros.rem_euclid(SECOND) as f64 / 1e6;
    (std::f64::consts::PI * 2.0) * (seconds / DAY_SECONDS)
}
