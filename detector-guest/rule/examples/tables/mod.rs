//! Benchmarks' tables of readings, and what the detector does with such where nothing is set.

#![allow(dead_code, reason = "each example uses a part")]

use rule::{BudgetError, RuleSettings};

/// Alarms for readings.
pub(crate) const BUDGET: &str = "1 per week";

/// The detector's warm-up: so long, but so many readings at least and at most, by the first of
/// them.
const WARM_UP: f64 = 36.0 * 3600e6;
const READINGS: (f64, f64) = (200.0, 375.0);
const FIRST: usize = 16;

/// What lasts is normal after half of the warm-up, but not before.
const LEAST_NORMAL_AFTER: f64 = 1800e6;

/// For readings at these times, of which there are more than a few.
pub(crate) fn settings(times: &[i64], budget: &str) -> Result<RuleSettings, BudgetError> {
    let mut gaps: Vec<i64> = times[..FIRST].windows(2).map(|pair| pair[1] - pair[0]).collect();
    gaps.sort_unstable();
    let readings = |span: f64| (span / gaps[FIRST / 2 - 1] as f64).ceil();
    let usual = RuleSettings::new(readings(WARM_UP).clamp(READINGS.0, READINGS.1) as u32);
    let normal_after = usual.normal_after.max(readings(LEAST_NORMAL_AFTER) as u32);
    Ok(RuleSettings { false_alarms: budget.parse()?, normal_after, ..usual })
}

/// Of `2014-02-14 14:30:00`, since some day.
pub(crate) fn microseconds(at: &str) -> Option<i64> {
    let part = |from, to| at.get(from..to)?.parse::<i64>().ok();
    let (year, month, day) = (part(0, 4)?, part(5, 7)?, part(8, 10)?);
    // Years that begin in March, so that their leap day is their last.
    let (year, month) = if month < 3 { (year - 1, month + 9) } else { (year, month - 3) };
    let days = 365 * year + year / 4 - year / 100 + year / 400 + (153 * month + 2) / 5 + day;
    let seconds = (part(11, 13)? * 60 + part(14, 16)?) * 60 + part(17, 19)?;
    Some((days * 86_400 + seconds) * 1_000_000)
}
