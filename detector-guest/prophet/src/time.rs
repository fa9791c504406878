//! The two clocks of a model: scaled time for the trend, days since 1970 for the seasons; and the
//! calendar of holidays.
//!
//! All read a timestamp as microseconds since 1970-01-01T00:00 without any time zone, as Prophet
//! does. A count of microseconds is exact as an `f64` until the year 2255; beyond that it is
//! rounded, to one part in 2⁵³.

use crate::lanes::{LANES, Lanes};
use crate::sincos::ROUND;

const SECOND: i64 = 1_000_000;
const DAY_SECONDS: f64 = 86_400.0;
/// Microseconds.
pub(crate) const DAY: i64 = 86_400 * SECOND;

/// Where training began and how long it lasted: `t = (ds - start) / t_scale`, 0 at the first
/// training row and 1 at the last (`setup_dataframe` in `forecaster.py`).
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

    /// The same for a tile of rows.
    pub(crate) fn tile(&self, micros: &Lanes) -> Times {
        let mut t = [0.0; LANES];
        for (t, micros) in t.iter_mut().zip(micros) {
            *t = self.scaled(*micros);
        }
        Times::of(t)
    }
}

/// Scaled times of a tile of rows, and between which they lie.
#[derive(Clone, Debug)]
pub(crate) struct Times {
    pub(crate) t: Lanes,
    pub(crate) least: f64,
    pub(crate) most: f64,
}

impl Times {
    pub(crate) fn of(t: Lanes) -> Self {
        let (least, most) = t.iter().fold((t[0], t[0]), |(least, most), t| (t.min(least), t.max(most)));
        Self { t, least, most }
    }
}

/// `2π · days` since 1970, the phase of a season of one day.
///
/// The operations and their order are Prophet's (`fourier_series` in `forecaster.py`): whole
/// seconds and the rest are added before the division. The phase is so large (10⁵) that its
/// rounding is worth 10⁻¹⁰ in a sine: a formula that is nicer on paper gives other numbers.
pub(crate) fn day_phase(micros: i64) -> f64 {
    let seconds = micros.div_euclid(SECOND) as f64 + micros.rem_euclid(SECOND) as f64 / 1e6;
    (std::f64::consts::PI * 2.0) * (seconds / DAY_SECONDS)
}

/// No timestamp has a larger [`day_phase`].
pub(crate) const MOST_PHASE: f64 = 7e8;

/// The same for a tile of timestamps that are whole numbers below [`EXACT`], without integers,
/// which fill no vectors.
pub(crate) fn day_phases(micros: &Lanes) -> Lanes {
    let mut phases = [0.0; LANES];
    for (phase, micros) in phases.iter_mut().zip(micros) {
        // A multiple of a second less a microsecond is told from the multiple: what is rounded
        // there is below half a microsecond.
        let seconds = micros / SECOND as f64;
        let nearest = (seconds + ROUND) - ROUND;
        let whole = nearest - if nearest > seconds { 1.0 } else { 0.0 };
        let rest = micros - whole * SECOND as f64;
        *phase = (std::f64::consts::PI * 2.0) * ((whole + rest / 1e6) / DAY_SECONDS);
    }
    phases
}

/// Microseconds up to which [`day_phases`] is exact: 142 years from 1970.
pub(crate) const EXACT: u64 = 1 << 52;

/// The calendar year of a day since 1970.
pub(crate) fn year(day: i64) -> i64 {
    // Years from March on, so that a leap day is a year's last (Hinnant, "chrono-compatible
    // low-level date algorithms").
    let from_era = day + 719_468;
    let (era, day) = (from_era.div_euclid(146_097), from_era.rem_euclid(146_097));
    let year = (day - day / 1_460 + day / 36_524 - day / 146_096) / 365;
    let of_year = day - (365 * year + year / 4 - year / 100);
    era * 400 + year + i64::from(of_year >= 306)
}

/// Year, month and day of a day since 1970 (Hinnant, as above).
fn date(day: i64) -> (i64, i64, i64) {
    let year = year(day);
    let from_march = (day + 719_468).rem_euclid(146_097);
    let of_era = (from_march - from_march / 1_460 + from_march / 36_524 - from_march / 146_096) / 365;
    let of_year = from_march - (365 * of_era + of_era / 4 - of_era / 100);
    let month = (5 * of_year + 2) / 153;
    let day = of_year - (153 * month + 2) / 5 + 1;
    (year, if month < 10 { month + 3 } else { month - 9 }, day)
}

/// A timestamp as ISO 8601 has it, to the second, or where it is none to the microsecond.
pub(crate) fn text(micros: i64) -> String {
    let (year, month, day) = date(micros.div_euclid(DAY));
    let of_day = micros.rem_euclid(DAY);
    let (seconds, rest) = (of_day / SECOND, of_day % SECOND);
    let (hour, minute, second) = (seconds / 3_600, seconds / 60 % 60, seconds % 60);
    let whole = format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}");
    if rest == 0 { whole } else { format!("{whole}.{rest:06}") }
}

/// A timestamp from `2024-12-25`, `2024-12-25 10:30`, `2024-12-25T10:30:05.25` and the like;
/// without a time zone.
pub(crate) fn instant(text: &str) -> Option<i64> {
    let text = text.trim();
    let midnight = day(text)? * DAY;
    let Some((_, clock)) = text.split_once(['T', ' ']) else { return Some(midnight) };
    let (clock, fraction) = clock.trim().split_once('.').unwrap_or((clock.trim(), ""));
    let digits = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    let mut parts = [0_i64; 3];
    for (at, part) in clock.split(':').enumerate() {
        if part.len() != 2 || !digits(part) {
            return None;
        }
        *parts.get_mut(at)? = part.parse().ok()?;
    }
    let [hour, minute, second] = parts;
    if clock.split(':').count() < 2 || hour > 23 || minute > 59 || second > 59 {
        return None;
    }
    if !fraction.is_empty() && !digits(fraction) {
        return None;
    }
    let micros: i64 = format!("{fraction:0<6}").get(..6)?.parse().ok()?;
    Some(midnight + ((hour * 60 + minute) * 60 + second) * SECOND + micros)
}

/// Days since 1970 of the date that `text` begins with: `2024-12-25`, and whatever follows as the
/// time of day.
pub(crate) fn day(text: &str) -> Option<i64> {
    let date = text.trim().split(['T', ' ']).next()?;
    let mut parts = date.splitn(3, '-').map(|part| {
        if part.bytes().all(|byte| byte.is_ascii_digit()) { part.parse::<i64>().ok() } else { None }
    });
    let (year, month, day) = (parts.next()??, parts.next()??, parts.next()??);
    let leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    let longest = match month {
        2 => 28 + i64::from(leap),
        4 | 6 | 9 | 11 => 30,
        1..=12 => 31,
        _ => return None,
    };
    if !(1..=9_999).contains(&year) || !(1..=longest).contains(&day) {
        return None;
    }
    let (from_march, month) = if month > 2 { (year, month - 3) } else { (year - 1, month + 9) };
    let (era, of_era) = (from_march.div_euclid(400), from_march.rem_euclid(400));
    Some(era * 146_097 + of_era * 365 + of_era / 4 - of_era / 100 + (153 * month + 2) / 5 + day - 1 - 719_468)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn tiles_have_the_phases_of_their_rows(
            second in -4_503_599_627..4_503_599_627_i64,
            micros in prop_oneof![Just(0), Just(1), Just(999_999), 0..1_000_000_i64],
        ) {
            let at = second * SECOND + micros;
            prop_assert_eq!(day_phases(&[at as f64; LANES]), [day_phase(at); LANES]);
        }
    }

    #[test]
    fn timestamps_of_texts() {
        for (given, expected) in [
            ("1970-01-01", Some((0, "1970-01-01T00:00:00"))),
            ("1969-12-31 23:59:59.999999", Some((-1, "1969-12-31T23:59:59.999999"))),
            ("2024-02-29T10:30", Some((1_709_202_600_000_000, "2024-02-29T10:30:00"))),
            ("2024-03-01 00:00:07.25", Some((1_709_251_207_250_000, "2024-03-01T00:00:07.250000"))),
            ("1900-03-01", Some((-2_203_891_200_000_000, "1900-03-01T00:00:00"))),
            ("2024-02-29T24:00", None),
            ("2024-02-29T10", None),
            ("2024-02-29T10:30:00Z", None),
            ("2024-02-29T10:30+01:00", None),
            ("2024-02-29T", None),
            ("2024-02-29T10:30:00:00", None),
            ("soon", None),
        ] {
            let found = instant(given).map(|micros| (micros, text(micros)));
            assert_eq!(found, expected.map(|(micros, text)| (micros, text.to_owned())), "{given}");
        }
    }

    proptest! {
        #[test]
        fn a_timestamp_is_read_as_it_was_written(micros in -9_000_000_000_000_000..9_000_000_000_000_000_i64) {
            prop_assert_eq!(instant(&text(micros)), Some(micros));
        }
    }

    #[test]
    fn days_and_years() {
        for (text, expected) in [
            ("1970-01-01", Some((0, 1970))),
            ("1969-12-31T23:59:59.999", Some((-1, 1969))),
            ("2024-02-29 10:00:00", Some((19_782, 2024))),
            ("2024-12-31T00:00:00.000Z", Some((20_088, 2024))),
            ("2000-03-01", Some((11_017, 2000))),
            ("0001-01-01", Some((-719_162, 1))),
            ("2023-02-29", None),
            ("2024-13-01", None),
            ("2024-00-10", None),
            ("2024-1-0", None),
            ("-5-01-01", None),
            ("2024-12", None),
            ("christmas", None),
            ("", None),
        ] {
            assert_eq!(day(text).map(|day| (day, year(day))), expected, "{text}");
        }
    }
}
