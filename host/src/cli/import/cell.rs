//! One cell to a number or a datetime. Pure.

use std::fmt::Write;

use chrono::format::{Item, StrftimeItems};
use chrono::{NaiveDate, NaiveDateTime, NaiveTime};

use crate::cli::args::Decimal;
use crate::datetime::Datetime;
use crate::verdict::decimal_18_6;

/// SQL Server's DATETIME begins here, and ends with four digits of a year.
const FIRST: Datetime = Datetime::from_micros(-6_847_804_800_000_000);
const LAST: Datetime = Datetime::from_micros(253_402_300_799_999_999);

/// A format of datetimes, as for `strftime`.
///
/// # Errors
/// It is none, or has no day.
pub(in crate::cli) fn datetime_format(format: &str) -> Result<String, String> {
    let example = NaiveDate::from_ymd_opt(2025, 11, 28).and_then(|day| day.and_hms_opt(13, 14, 15));
    let known = StrftimeItems::new(format).all(|item| item != Item::Error);
    // What a format writes it must be able to read; one without a day or with a zone cannot.
    let mut written = String::new();
    let writes =
        known && example.is_some_and(|example| write!(written, "{}", example.format(format)).is_ok());
    match read(&written, format).filter(|_| writes) {
        Some(_) => Ok(format.to_owned()),
        None => {
            Err("it must be a format of day and time without a zone, such as `%d/%m/%Y %H:%M`".to_owned())
        }
    }
}

fn read(text: &str, format: &str) -> Option<NaiveDateTime> {
    NaiveDateTime::parse_from_str(text, format)
        .or_else(|_| NaiveDate::parse_from_str(text, format).map(|day| day.and_time(NaiveTime::MIN)))
        .ok()
}

/// # Errors
/// A sentence on what was found and what would be right.
pub(super) fn datetime(cell: &str, format: Option<&str>) -> Result<Datetime, String> {
    if cell.is_empty() {
        return Err("it is empty".to_owned());
    }
    let at = match format {
        Some(format) => read(cell, format)
            .map(|at| Datetime::from_micros(at.and_utc().timestamp_micros()))
            .ok_or_else(|| format!("`{}` is not a datetime as in --datetime-format", shown(cell)))?,
        None => Datetime::parse(cell).map_err(|_| {
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

/// None for a cell that is empty: that is no reading.
///
/// # Errors
/// A sentence on what was found and what would be right.
pub(super) fn number(cell: &str, decimal: Decimal) -> Result<Option<f64>, String> {
    if cell.is_empty() || ["nan", "null"].iter().any(|none| cell.eq_ignore_ascii_case(none)) {
        return Ok(None);
    }
    let (mark, other) = match decimal {
        Decimal::Comma => (',', '.'),
        Decimal::Point => ('.', ','),
    };
    // A mark that groups digits would be read as another number: 1.234 is a thousand here and one there.
    let text = if cell.contains(other) { None } else { Some(cell.replace(mark, ".")) };
    let number = text.and_then(|text| text.parse::<f64>().ok()).filter(|number| number.is_finite());
    match number {
        Some(number) if decimal_18_6(number).is_some() => Ok(Some(number)),
        Some(_) => Err(format!("`{}` has more than twelve digits before the decimals", shown(cell))),
        None if cell.contains(other) => {
            let word = if other == ',' { "comma" } else { "point" };
            Err(format!(
                "`{}` is not a number with a decimal {}; if it has a decimal {word}, say --decimal {word}",
                shown(cell),
                if mark == ',' { "comma" } else { "point" },
            ))
        }
        None => Err(format!("`{}` is not a number", shown(cell))),
    }
}

/// What of a cell goes into a message.
pub(super) fn shown(cell: &str) -> String {
    const MOST: usize = 40;
    let mut shown: String = cell.chars().take(MOST).flat_map(char::escape_debug).collect();
    if cell.chars().nth(MOST).is_some() {
        shown.push('…');
    }
    shown
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn numbers_are_read_with_their_mark() {
        use Decimal::{Comma, Point};
        for (cell, decimal, expected) in [
            ("1.5", Point, Ok(Some(1.5))),
            ("1,5", Comma, Ok(Some(1.5))),
            ("-0,25e3", Comma, Ok(Some(-250.0))),
            ("15", Comma, Ok(Some(15.0))),
            ("", Point, Ok(None)),
            ("NaN", Comma, Ok(None)),
            ("null", Point, Ok(None)),
            (
                "1,5",
                Point,
                Err(
                    "`1,5` is not a number with a decimal point; if it has a decimal comma, say --decimal comma",
                ),
            ),
            (
                "1.234,5",
                Comma,
                Err(
                    "`1.234,5` is not a number with a decimal comma; if it has a decimal point, say --decimal point",
                ),
            ),
            (
                "1.234",
                Comma,
                Err(
                    "`1.234` is not a number with a decimal comma; if it has a decimal point, say --decimal point",
                ),
            ),
            ("1,2,3", Comma, Err("`1,2,3` is not a number")),
            ("inf", Point, Err("`inf` is not a number")),
            ("n/a", Point, Err("`n/a` is not a number")),
            ("a\nb", Point, Err("`a\\nb` is not a number")),
            ("1e12", Point, Err("`1e12` has more than twelve digits before the decimals")),
        ] {
            assert_eq!(number(cell, decimal), expected.map_err(str::to_owned), "{cell}");
        }
    }

    #[test]
    fn datetimes_are_read_as_they_are_or_as_told() {
        let told = Some("%d/%m/%Y %H:%M");
        for (cell, format, expected) in [
            ("2025-01-15 10:00:00", None, Ok("2025-01-15 10:00:00")),
            ("2025-01-15T10:00:00.503", None, Ok("2025-01-15 10:00:00.503000")),
            ("15/01/2025 10:00", told, Ok("2025-01-15 10:00:00")),
            ("5/1/2025 9:05", told, Ok("2025-01-05 09:05:00")),
            ("15/01/2025", Some("%d/%m/%Y"), Ok("2025-01-15 00:00:00")),
            ("01/15/2025 10:00", told, Err("`01/15/2025 10:00` is not a datetime as in --datetime-format")),
            (
                "15/01/2025 10:00",
                None,
                Err(
                    "`15/01/2025 10:00` is not a datetime such as `2025-01-15 10:00:00`; --datetime-format says how others \
                     are written, such as \"%d/%m/%Y %H:%M\"",
                ),
            ),
            (
                "0025-01-15 10:00:00",
                None,
                Err("`0025-01-15 10:00:00` is not between the years 1753 and 9999"),
            ),
        ] {
            let found = datetime(cell, format).map(|at| at.to_string());
            assert_eq!(found, expected.map(str::to_owned).map_err(str::to_owned), "{cell}");
        }
    }

    #[test]
    fn a_format_must_be_able_to_tell_an_instant() {
        for (format, good) in [
            ("%d/%m/%Y %H:%M", true),
            ("%d/%m/%Y", true),
            ("%Y%m%d%H%M%S", true),
            ("%d.%m.%y %I:%M %p", true),
            ("%H:%M", false),
            ("%d/%m/%Y %H:%M %z", false),
            ("%d/%m/%Y %H:%M %Z", false),
            ("%d/%m/%Y %H:%M%:z", false),
            ("%+", false),
            ("%d/%m/%Y %Q", false),
            ("%d/%m/%Y %", false),
            ("dd/mm/yyyy", false),
            ("", false),
        ] {
            assert_eq!(datetime_format(format).is_ok(), good, "{format}");
        }
    }

    proptest! {
        /// Whatever stands in a cell: an answer, never a panic.
        #[test]
        fn any_cell_is_answered(cell in "\\PC{0,12}|[0-9+-.,eE]{0,12}", format in "(%[a-zA-Z0-9:.+-]|[a-z/ ]){0,6}") {
            let _ = number(&cell, Decimal::Comma);
            let _ = datetime(&cell, None);
            if let Ok(format) = datetime_format(&format) {
                let _ = datetime(&cell, Some(&format));
            }
        }
    }
}
