//! Datetimes: as T-SQL writes them, as SQLite keeps them, as DATETIME and DATETIME2 count them.

use anyhow::{Context, Result};
use chrono::{Datelike, NaiveDate, NaiveDateTime, NaiveTime, TimeDelta};

use crate::fault::SqlError;

/// How long a datetime is that is kept as text.
pub(crate) const KEPT: usize = "2025-01-15 10:00:00.5030000".len();

/// 1/300 s in a day.
pub(super) const DAY: i64 = 86_400 * 300;

fn epoch(year: i32) -> NaiveDate {
    NaiveDate::from_ymd_opt(year, 1, 1).unwrap_or_default()
}

/// A DATETIME: 1/300 s since 1900, rounded.
pub(super) fn ticks(at: NaiveDateTime) -> i64 {
    let since = at.signed_duration_since(epoch(1900).and_time(NaiveTime::MIN));
    let nanos = i64::from(since.subsec_nanos()).rem_euclid(1_000_000_000);
    let seconds = since.num_seconds() - i64::from(since.subsec_nanos() < 0);
    seconds * 300 + (nanos * 3 + 5_000_000) / 10_000_000
}

/// The exact value of a DATETIME: its 1/300 s, rounded to 100 ns.
pub(super) fn from_ticks(ticks: i64) -> Result<NaiveDateTime, SqlError> {
    let nanos = (ticks.rem_euclid(300) * 100_000_000 + 15) / 30;
    let since = TimeDelta::seconds(ticks.div_euclid(300)) + TimeDelta::nanoseconds(nanos / 100 * 100);
    let at = epoch(1900).and_time(NaiveTime::MIN).checked_add_signed(since);
    at.filter(|at| (1753..=9999).contains(&at.year())).ok_or_else(|| {
        let message = "The conversion of a datetime2 data type to a datetime data type resulted in an out-of-range value.";
        SqlError::new(242, 16, message)
    })
}

pub(super) fn time_bytes(scale: u8) -> usize {
    match scale {
        0..=2 => 3,
        3..=4 => 4,
        _ => 5,
    }
}

pub(super) fn days(at: NaiveDateTime) -> Result<u32> {
    Ok(u32::try_from(at.date().signed_duration_since(epoch(1)).num_days())?)
}

pub(super) fn date(bytes: &[u8]) -> Result<NaiveDate> {
    let days = bytes.iter().rev().fold(0, |days, &byte| days << 8 | i64::from(byte));
    epoch(1).checked_add_signed(TimeDelta::days(days)).context("a date beyond the calendar")
}

pub(crate) fn keep(at: NaiveDateTime) -> String {
    let mut text = at.format("%Y-%m-%d %H:%M:%S%.9f").to_string();
    text.truncate(KEPT);
    text
}

/// A datetime as T-SQL or this file writes it.
pub(crate) fn datetime(text: &str) -> Result<NaiveDateTime, SqlError> {
    let text = text.trim();
    for format in ["%Y-%m-%d %H:%M:%S%.f", "%Y-%m-%dT%H:%M:%S%.f", "%Y%m%d %H:%M:%S%.f", "%Y-%m-%d %H:%M"] {
        if let Ok(at) = NaiveDateTime::parse_from_str(text, format) {
            return Ok(at);
        }
    }
    for format in ["%Y-%m-%d", "%Y%m%d"] {
        if let Ok(day) = NaiveDate::parse_from_str(text, format) {
            return Ok(day.and_time(NaiveTime::MIN));
        }
    }
    Err(SqlError::new(241, 16, "Conversion failed when converting date and/or time from character string."))
}
