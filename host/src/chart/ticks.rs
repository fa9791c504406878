//! Where an axis has its ticks: at round values.

use chrono::{DateTime, Datelike, Months, NaiveDateTime};

use super::labels::Labels;
use crate::datetime::Datetime;

const SECOND: i64 = 1_000_000;
const MINUTE: i64 = 60 * SECOND;
const HOUR: i64 = 60 * MINUTE;
const DAY: i64 = 24 * HOUR;

/// Steps between ticks of time, below a month.
const STEPS: [i64; 21] = [
    SECOND,
    2 * SECOND,
    5 * SECOND,
    10 * SECOND,
    15 * SECOND,
    30 * SECOND,
    MINUTE,
    2 * MINUTE,
    5 * MINUTE,
    10 * MINUTE,
    15 * MINUTE,
    30 * MINUTE,
    HOUR,
    2 * HOUR,
    3 * HOUR,
    6 * HOUR,
    12 * HOUR,
    DAY,
    2 * DAY,
    7 * DAY,
    14 * DAY,
];

/// Steps in months.
const MONTHS: [u32; 7] = [1, 2, 3, 6, 12, 24, 60];

/// About `most` ticks between two datetimes at most, each with its label.
pub(super) fn of_time(from: Datetime, to: Datetime, most: usize, labels: &Labels) -> Vec<(i64, String)> {
    let (from, to) = (from.micros(), to.micros());
    let length = i128::from(to) - i128::from(from);
    let most = i128::try_from(most.max(1)).unwrap_or(1);
    if length <= 0 {
        return Vec::new();
    }
    match STEPS.iter().find(|step| length / i128::from(**step) <= most) {
        Some(&step) => {
            // Weeks begin on a Monday, which the first day of all is not.
            let offset = if step % (7 * DAY) == 0 { 4 * DAY } else { 0 };
            let first = (from - offset).div_euclid(step) * step + offset;
            let marks = (0..).map(|nth| first.saturating_add(nth * step));
            let within = marks.skip_while(|at| *at < from).take_while(|at| *at < to);
            within.take(200).map(|at| (at, label(at, step, labels))).collect()
        }
        None => of_months(from, to, length / i128::from(30 * DAY), most, labels),
    }
}

fn of_months(from: i64, to: i64, months: i128, most: i128, labels: &Labels) -> Vec<(i64, String)> {
    let step = MONTHS.into_iter().find(|step| months / i128::from(*step) <= most).unwrap_or(120);
    let begin = naive(from)
        .and_then(|at| at.date().with_day(1)?.with_month(1)?.and_hms_opt(0, 0, 0))
        .unwrap_or_default();
    let mut marks = Vec::new();
    let mut at = begin;
    while at.and_utc().timestamp_micros() < to && marks.len() < 200 {
        let micros = at.and_utc().timestamp_micros();
        if micros >= from {
            let text = match at.month() {
                1 => at.year().to_string(),
                month => labels.month(month).to_owned(),
            };
            marks.push((micros, text));
        }
        match at.checked_add_months(Months::new(step)) {
            Some(next) => at = next,
            None => break,
        }
    }
    marks
}

fn naive(micros: i64) -> Option<NaiveDateTime> {
    Some(DateTime::from_timestamp_micros(micros)?.naive_utc())
}

/// A tick at midnight shows the day, others the time.
fn label(at: i64, step: i64, labels: &Labels) -> String {
    let Some(naive) = naive(at) else { return String::new() };
    if at.rem_euclid(DAY) == 0 {
        return labels.day(naive.day(), naive.month());
    }
    let format = if step < MINUTE { "%H:%M:%S" } else { "%H:%M" };
    naive.format(format).to_string()
}

/// Ticks of numbers with their decimals: steps of 1, 2 or 5 times a power of ten. The range is
/// widened to include them.
pub(super) struct NumberMarks {
    pub(super) from: f64,
    pub(super) to: f64,
    pub(super) marks: Vec<f64>,
    pub(super) decimals: usize,
}

impl NumberMarks {
    pub(super) fn over(values: impl Iterator<Item = f64>, most: usize) -> Self {
        let (mut least, mut greatest) = (f64::INFINITY, f64::NEG_INFINITY);
        for value in values.filter(|value| value.is_finite() && value.abs() < 1e15) {
            (least, greatest) = (least.min(value), greatest.max(value));
        }
        if least > greatest {
            // There is none, and no scale either.
            return Self { from: 0.0, to: 1.0, marks: Vec::new(), decimals: 0 };
        }
        // A flat line lies in the middle of the range.
        let room = (greatest - least).max(least.abs().max(greatest.abs()) * 1e-6).max(1e-9);
        let (from, to) = (least - 0.06 * room, greatest + 0.08 * room);
        let step = nice((to - from) / most.max(1) as f64);
        let first = (from / step).ceil();
        let marks: Vec<f64> = (0..50).map(|nth| (first + f64::from(nth)) * step).collect();
        let marks = marks.into_iter().take_while(|mark| *mark <= to).collect();
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "between 0 and 9")]
        let decimals = (-step.log10().floor()).clamp(0.0, 9.0) as usize;
        Self { from, to, marks, decimals }
    }
}

fn nice(step: f64) -> f64 {
    let power = 10_f64.powf(step.log10().floor());
    let unit = [1.0, 2.0, 5.0].into_iter().find(|unit| unit * power >= step * 0.999_999);
    unit.unwrap_or(10.0) * power
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

    use super::super::{ENGLISH, SPANISH};
    use super::*;

    #[test]
    fn marks_of_time_are_where_people_look_for_them() {
        for (from, to, expected) in [
            ("2025-01-15 10:03", "2025-01-15 11:03", "10:10 10:20 10:30 10:40 10:50 11:00"),
            ("2025-01-15 20:00", "2025-01-16 08:00", "20:00 22:00 16 Jan 02:00 04:00 06:00"),
            ("2025-01-15 10:00", "2025-01-15 10:00:40", "10:00:00 10:00:10 10:00:20 10:00:30"),
            ("2025-02-25", "2025-03-25", "3 Mar 10 Mar 17 Mar 24 Mar"),
            ("2024-03-10", "2025-03-10", "May Jul Sep Nov 2025 Mar"),
            ("2020-03-10", "2025-03-10", "2021 2022 2023 2024 2025"),
            ("2025-01-15", "2025-01-15", ""),
            ("2025-01-16", "2025-01-15", ""),
        ] {
            let (from, to) = (Datetime::parse(from).unwrap(), Datetime::parse(to).unwrap());
            let marks = of_time(from, to, 6, &ENGLISH);
            let labels: Vec<_> = marks.iter().map(|(_, label)| label.as_str()).collect();
            assert_eq!(labels.join(" "), expected, "{from} to {to}");
        }
        let (from, to) = (Datetime::parse("2025-01-15").unwrap(), Datetime::parse("2025-01-17").unwrap());
        let marks = of_time(from, to, 2, &SPANISH);
        assert_eq!(marks.iter().map(|mark| mark.1.as_str()).collect::<Vec<_>>(), ["15 ene", "16 ene"]);
        let ends = [i64::MIN, i64::MAX].map(Datetime::from_micros);
        assert!(of_time(ends[0], ends[1], 6, &ENGLISH).len() <= 200);
    }

    #[test]
    fn marks_of_numbers_are_round_and_hold_every_value() {
        for (values, marks, decimals) in [
            (vec![20.0, 24.0], vec![20.0, 21.0, 22.0, 23.0, 24.0], 0),
            (vec![0.011, 0.019], vec![0.012, 0.014, 0.016, 0.018], 3),
            (vec![-300.0, 500.0, f64::NAN], vec![-200.0, 0.0, 200.0, 400.0], 0),
            (vec![], vec![], 0),
        ] {
            let found = NumberMarks::over(values.iter().copied(), 6);
            let near = found.marks.iter().zip(&marks).all(|(a, b)| (a - b).abs() < 1e-9);
            assert!(near && found.marks.len() == marks.len(), "{values:?}: {:?}", found.marks);
            assert_eq!(found.decimals, decimals, "{values:?}");
            assert!(values.iter().all(|value| value.is_nan() || (found.from..found.to).contains(value)));
        }
        let flat = NumberMarks::over([7.0].into_iter(), 6);
        assert!(flat.from < 7.0 && 7.0 < flat.to && flat.marks.len() < 50);
    }
}
