//! Converts datetimes to and from a column's own type.
//!
//! A DATETIME counts in ticks of 1/300 s, a DATETIME2 in up to 100 ns, ours in microseconds. So
//! that a row at the watermark is read exactly once, no conversion is left to the server's
//! rounding: a tick is always the nearest microsecond, and whether a row is at or after an instant
//! is asked in the column's own precision, by the first value of that type whose instant is not
//! earlier. Adjacent half-open ranges then share no row and lose none, whatever digits follow the
//! microsecond.
//!
//! Pure. A value outside a type's range becomes the nearest end of the range.

use tiberius::ColumnData;
use tiberius::time::{Date, DateTime, DateTime2, Time};

use super::connection::Value;
use crate::datetime::Datetime;

const DAY: i64 = 86_400_000_000;

/// A day in ticks.
const DAY_TICKS: i64 = 25_920_000;

/// 1900-01-01, from which DATETIME counts days, on our scale.
const DATETIME_EPOCH: i64 = -25_567;

/// 0001-01-01, from which DATETIME2 counts days, on our scale.
const DATETIME2_EPOCH: i64 = -719_162;

/// 1753-01-01 and 9999-12-31 in days of our scale: the range of DATETIME.
const DATETIME_DAYS: (i64, i64) = (-79_257, 2_932_896);

/// The types of a column of datetimes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Precision {
    /// DATETIME.
    Tick,
    /// DATETIME2 of any precision, and SMALLDATETIME.
    Fine,
}

impl Precision {
    /// The type by its name in the catalogue; None if its values are not datetimes on the
    /// database's own clock.
    pub(super) fn of(kind: &str) -> Option<Self> {
        match kind {
            "datetime" => Some(Self::Tick),
            "datetime2" | "smalldatetime" => Some(Self::Fine),
            _ => None,
        }
    }

    /// As a parameter: the first value of the type whose instant is not before `at`.
    pub(super) fn not_before(self, at: Datetime) -> Value {
        match self {
            Self::Tick => ColumnData::DateTime(Some(first_tick(at))),
            Self::Fine => fine(at),
        }
    }
}

impl Precision {
    /// As a parameter: the last value of the type.
    pub(super) fn last(self) -> Value {
        self.not_before(Datetime::from_micros(i64::MAX))
    }

    /// As a DATETIME2 that will be converted to the type: the nearest tick in whole milliseconds,
    /// as the server writes it, so that the server has nothing to round.
    pub(super) fn staged(self, at: Datetime) -> Value {
        match self {
            Self::Tick => {
                let (day, tick) = nearest_tick(at);
                let millis = (tick * 20 + 3) / 6;
                fine(Datetime::from_micros(day.saturating_mul(DAY).saturating_add(millis * 1000)))
            }
            Self::Fine => fine(at),
        }
    }

    /// The value of a column of the type for `at`: a DATETIME2 with this many decimals, or a
    /// SMALLDATETIME (none).
    pub(super) fn held(self, at: Datetime, decimals: Option<u32>) -> Datetime {
        let unit = match (self, decimals) {
            (Self::Tick, _) => {
                let (day, tick) = nearest_tick(at);
                return Datetime::from_micros(day.saturating_mul(DAY).saturating_add(micros_of(tick)));
            }
            (Self::Fine, Some(decimals)) => 10_i64.pow(6_u32.saturating_sub(decimals)),
            (Self::Fine, None) => 60_000_000,
        };
        Datetime::from_micros(at.micros().saturating_add(unit / 2).div_euclid(unit).saturating_mul(unit))
    }
}

/// The day, and the nearest tick in it; after the last one comes the next day's first.
fn nearest_tick(at: Datetime) -> (i64, i64) {
    let (day, of_day) = (at.micros().div_euclid(DAY), at.micros().rem_euclid(DAY));
    (day, (of_day * 6 + 10_000) / 20_000)
}

/// The first and the last datetime that a column of this type holds, whatever its precision: values
/// that would round beyond its last day are not included.
pub(super) fn span(kind: &str) -> (Datetime, Datetime) {
    // In days of our scale.
    const SMALL: (i64, i64) = (DATETIME_EPOCH, 39_968);
    let ((first, last), slack) = match kind {
        // The last tick is .997.
        "datetime" => (DATETIME_DAYS, 2_000),
        // It rounds to minutes, from 29.999 s on upwards.
        "smalldatetime" => (SMALL, 30_002_000),
        _ => ((DATETIME2_EPOCH, DATETIME_DAYS.1), 500_001),
    };
    (Datetime::from_micros(first * DAY), Datetime::from_micros((last + 1) * DAY - slack))
}

/// A DATETIME2(7).
pub(super) fn fine(at: Datetime) -> Value {
    let (first, last) = (DATETIME2_EPOCH * DAY, (DATETIME_DAYS.1 + 1) * DAY - 1);
    let micros = at.micros().clamp(first, last);
    let days = u32::try_from(micros.div_euclid(DAY) - DATETIME2_EPOCH).unwrap_or_default();
    let increments = micros.rem_euclid(DAY).unsigned_abs() * 10;
    ColumnData::DateTime2(Some(DateTime2::new(Date::new(days), Time::new(increments, 7))))
}

/// The value of a column; None for NULL and for a value that is not a datetime.
pub(super) fn read(value: &ColumnData<'_>) -> Option<Datetime> {
    let (days, micros) = match value {
        ColumnData::DateTime(Some(at)) => {
            (i64::from(at.days()) + DATETIME_EPOCH, micros_of(i64::from(at.seconds_fragments())))
        }
        ColumnData::SmallDateTime(Some(at)) => {
            (i64::from(at.days()) + DATETIME_EPOCH, i64::from(at.seconds_fragments()) * 60_000_000)
        }
        ColumnData::DateTime2(Some(at)) => {
            let (increments, scale) = (at.time().increments(), u32::from(at.time().scale()));
            // Digits beyond the microsecond are cut, as everywhere.
            let micros = if scale <= 6 {
                increments.saturating_mul(10_u64.saturating_pow(6 - scale))
            } else {
                increments / 10_u64.saturating_pow(scale - 6)
            };
            (i64::from(at.date().days()) + DATETIME2_EPOCH, i64::try_from(micros).ok()?)
        }
        _ => return None,
    };
    Some(Datetime::from_micros(days.checked_mul(DAY)?.checked_add(micros)?))
}

/// The nearest microsecond to a tick of the day.
fn micros_of(tick: i64) -> i64 {
    (tick * 20_000 + 3).div_euclid(6)
}

fn first_tick(at: Datetime) -> DateTime {
    let (first, last) = DATETIME_DAYS;
    let micros = at.micros().clamp(first * DAY, (last + 1) * DAY - 1);
    let (mut day, of_day) = (micros.div_euclid(DAY), micros.rem_euclid(DAY));
    let mut tick = of_day * 3 / 10_000;
    if micros_of(tick) < of_day {
        tick += 1;
    }
    if tick == DAY_TICKS {
        (day, tick) = if day == last { (day, DAY_TICKS - 1) } else { (day + 1, 0) };
    }
    let days = i32::try_from(day - DATETIME_EPOCH).unwrap_or_default();
    DateTime::new(days, u32::try_from(tick).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::panic, reason = "a test that cannot go on fails")]

    use proptest::prelude::*;

    use super::*;

    fn at(text: &str) -> Datetime {
        Datetime::parse(text).unwrap()
    }

    fn tick(days: i32, ticks: u32) -> ColumnData<'static> {
        ColumnData::DateTime(Some(DateTime::new(days, ticks)))
    }

    fn fine2(days: u32, increments: u64, scale: u8) -> ColumnData<'static> {
        ColumnData::DateTime2(Some(DateTime2::new(Date::new(days), Time::new(increments, scale))))
    }

    #[test]
    fn what_stands_in_a_column_is_read() {
        for (value, text) in [
            (tick(0, 0), "1900-01-01"),
            (tick(45_670, 10 * 3600 * 300), "2025-01-15 10:00:00"),
            (tick(45_670, 1), "2025-01-15 00:00:00.003333"),
            (tick(45_670, 2), "2025-01-15 00:00:00.006667"),
            (tick(45_670, 151), "2025-01-15 00:00:00.503333"),
            (tick(-53_690, 25_919_999), "1753-01-01 23:59:59.996667"),
            (fine2(739_265, 36_000_503, 3), "2025-01-15 10:00:00.503"),
            (fine2(739_265, 36_000, 0), "2025-01-15 10:00:00"),
            (fine2(739_265, 9, 7), "2025-01-15"),
            (fine2(0, 0, 7), "0001-01-01"),
        ] {
            assert_eq!(read(&value), Some(at(text)), "{text}");
        }
        assert_eq!(read(&ColumnData::DateTime(None)), None);
        assert_eq!(read(&ColumnData::String(Some("2025-01-15".into()))), None);
    }

    #[test]
    fn an_instant_between_two_ticks_begins_at_the_later() {
        for (text, expected) in [
            ("2025-01-15 00:00:00", tick(45_670, 0)),
            ("2025-01-15 00:00:00.000001", tick(45_670, 1)),
            ("2025-01-15 00:00:00.003333", tick(45_670, 1)),
            ("2025-01-15 00:00:00.003334", tick(45_670, 2)),
            ("2025-01-15 00:00:00.006667", tick(45_670, 2)),
            ("2025-01-15 23:59:59.996668", tick(45_671, 0)),
            ("1700-01-01", tick(-53_690, 0)),
            ("9999-12-31 23:59:59.999999", tick(2_958_463, 25_919_999)),
        ] {
            assert_eq!(Precision::Tick.not_before(at(text)), expected, "{text}");
        }
        for end in [i64::MIN, i64::MAX] {
            let end = Datetime::from_micros(end);
            assert!(read(&Precision::Tick.not_before(end)).is_some() && read(&fine(end)).is_some());
        }
    }

    #[test]
    fn a_type_ends_before_what_it_would_round_beyond_its_last_day() {
        for (kind, first, last) in [
            ("datetime", "1753-01-01", "9999-12-31 23:59:59.998"),
            ("smalldatetime", "1900-01-01", "2079-06-06 23:59:29.998"),
            ("datetime2", "0001-01-01", "9999-12-31 23:59:59.499999"),
        ] {
            assert_eq!(span(kind), (at(first), at(last)), "{kind}");
        }
        // The last of them is staged as a value that the server still accepts.
        let (_, last) = span("datetime");
        assert_eq!(Precision::Tick.staged(last), fine(at("9999-12-31 23:59:59.997")));
        let past = Datetime::from_micros(last.micros() + 1000);
        assert_ne!(Precision::Tick.staged(past), fine(at("9999-12-31 23:59:59.997")));
    }

    #[test]
    fn a_tick_is_staged_as_the_server_writes_it() {
        for (text, written) in [
            ("2025-01-15 10:00:00", "2025-01-15 10:00:00"),
            ("2025-01-15 10:00:00.003333", "2025-01-15 10:00:00.003"),
            ("2025-01-15 10:00:00.006667", "2025-01-15 10:00:00.007"),
            ("2025-01-15 10:00:00.503", "2025-01-15 10:00:00.503"),
            ("2025-01-15 10:00:00.5", "2025-01-15 10:00:00.5"),
            ("2025-01-15 10:00:00.001", "2025-01-15 10:00:00"),
            ("2025-01-15 10:00:00.002", "2025-01-15 10:00:00.003"),
            ("2025-01-15 23:59:59.999", "2025-01-16 00:00:00"),
            ("1969-12-31 23:59:59.996667", "1969-12-31 23:59:59.997"),
        ] {
            assert_eq!(Precision::Tick.staged(at(text)), fine(at(written)), "{text}");
            assert_eq!(Precision::Fine.staged(at(text)), fine(at(text)));
        }
    }

    #[test]
    fn a_coarse_column_holds_what_is_next() {
        for (grain, decimals, text, held) in [
            (Precision::Tick, None, "2025-01-15 10:00:00.001", "2025-01-15 10:00:00"),
            (Precision::Tick, None, "2025-01-15 10:00:00.503", "2025-01-15 10:00:00.503333"),
            (Precision::Tick, None, "2025-01-15 23:59:59.999", "2025-01-16"),
            (Precision::Fine, Some(7), "2025-01-15 10:00:00.000001", "2025-01-15 10:00:00.000001"),
            (Precision::Fine, Some(3), "2025-01-15 10:00:00.0005", "2025-01-15 10:00:00.001"),
            (Precision::Fine, Some(0), "2025-01-15 10:00:00.499999", "2025-01-15 10:00:00"),
            (Precision::Fine, None, "2025-01-15 10:00:30", "2025-01-15 10:01:00"),
        ] {
            assert_eq!(grain.held(at(text), decimals), at(held), "{grain:?} {decimals:?} {text}");
        }
    }

    proptest! {
        /// A row is at or after an instant exactly if its value is not below the parameter.
        #[test]
        fn a_parameter_divides_ticks_as_instants_do(days in -53_690..2_958_463_i32, ticks in 0..25_920_000_u32, apart in -10_000..10_000_i64) {
            let row = read(&tick(days, ticks)).unwrap();
            let asked = Datetime::from_micros(row.micros() + apart);
            let ColumnData::DateTime(Some(first)) = Precision::Tick.not_before(asked) else { panic!("no tick") };
            let found = (days, ticks) >= (first.days(), first.seconds_fragments());
            prop_assert_eq!(found, row >= asked);
            prop_assert_eq!(Precision::Tick.not_before(row), tick(days, ticks));
        }

        /// The same for the seventh decimal of a DATETIME2(7).
        #[test]
        fn a_parameter_divides_fine_values_as_instants_do(days in 0..3_652_058_u32, increments in 0..864_000_000_000_u64, apart in -20..20_i64) {
            let row = read(&fine2(days, increments, 7)).unwrap();
            let asked = Datetime::from_micros(row.micros() + apart);
            let ColumnData::DateTime2(Some(first)) = Precision::Fine.not_before(asked) else { panic!("no datetime2") };
            // Nothing is before the first day.
            prop_assume!(asked >= read(&fine2(0, 0, 7)).unwrap());
            let found = (days, increments) >= (first.date().days(), first.time().increments());
            prop_assert_eq!(found, row >= asked);
            prop_assert_eq!(read(&fine(row)), Some(row));
        }
    }
}
