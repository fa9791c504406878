//! Reads a cell as a datetime. Pure.
//!
//! A date without a time is midnight, which is how pandas and spreadsheets write midnight.

mod datetime_format;
mod pieces;
#[cfg(test)]
mod tests;

use std::borrow::Cow;

pub(in crate::cli) use datetime_format::{DatetimeFormat, datetime_format};

use super::cell::shown;
use crate::datetime::Datetime;

/// From the first value of SQL Server's DATETIME to the end of the year 9999.
const FIRST: Datetime = Datetime::from_micros(-6_847_804_800_000_000);
const LAST: Datetime = Datetime::from_micros(253_402_300_799_999_999);

/// Characters that some programs write as a blank, for example before `p. m.`.
const BLANKS: [char; 4] = ['\u{a0}', '\u{202f}', '\u{2009}', '\u{2007}'];

/// # Errors
/// A sentence on what was found and what would be right.
pub(super) fn datetime(cell: &str, format: Option<&DatetimeFormat>) -> Result<Datetime, String> {
    if cell.is_empty() {
        return Err("it is empty".to_owned());
    }
    let plain = if cell.is_ascii() { Cow::Borrowed(cell) } else { Cow::Owned(cell.replace(BLANKS, " ")) };
    let at = match format {
        Some(format) => format
            .read(&plain)
            .or_else(|| format.read_day(&plain))
            .map(|at| Datetime::from_micros(at.and_utc().timestamp_micros()))
            .ok_or_else(|| format!("`{}` is not a datetime as in --datetime-format", shown(cell)))?,
        None => Datetime::parse(&plain.replacen(',', ".", 1)).map_err(|_| {
            format!(
                "`{}` is not a datetime such as `2025-01-15 10:00:00`; --datetime-format says how others are written, \
                 such as \"%d/%m/%Y %H:%M\"",
                shown(cell)
            )
        })?,
    };
    if at < FIRST || at > LAST {
        return Err(format!("`{}` is not between the years 1753 and 9999", shown(cell)));
    }
    Ok(at)
}
