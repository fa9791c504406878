//! A cell to a datetime. Pure.
//!
//! A format is one of `strftime`'s, read as Python reads it where the two differ: `%f` is a
//! fraction of a second, and no count of nanoseconds. A cell without a time is midnight, which is
//! how pandas and spreadsheets write it.

use std::borrow::Cow;
use std::fmt::Write;

use chrono::format::{Fixed, Item, Numeric, Parsed, StrftimeItems, parse_and_remainder};
use chrono::{NaiveDate, NaiveDateTime, NaiveTime, Timelike};

use super::cell::shown;
use crate::datetime::Datetime;

/// SQL Server's DATETIME begins here, and ends with four digits of a year.
const FIRST: Datetime = Datetime::from_micros(-6_847_804_800_000_000);
const LAST: Datetime = Datetime::from_micros(253_402_300_799_999_999);

/// What blanks are written with in numbers and before `p. m.`.
const BLANKS: [char; 4] = ['\u{a0}', '\u{202f}', '\u{2009}', '\u{2007}'];

/// A part of a format.
#[derive(Clone, Debug)]
enum Piece {
    Item(Item<'static>),
    /// Digits after the second; with a mark before them they may be missing, as Python leaves them
    /// out where they are zero.
    Fraction {
        marked: bool,
    },
}

/// A format of datetimes.
#[derive(Clone, Debug)]
pub struct DatetimeFormat {
    text: String,
    pieces: Vec<Piece>,
    /// Its beginning that is the day, where the time follows.
    day: Option<Vec<Piece>>,
    has_time: bool,
    has_noon: bool,
}

/// A format of datetimes, as for `strftime`.
///
/// # Errors
/// It is none, or cannot tell an instant.
pub(in crate::cli) fn datetime_format(format: &str) -> Result<DatetimeFormat, String> {
    DatetimeFormat::of(format).ok_or_else(|| {
        "it must be a format of day and time without a zone, such as `%d/%m/%Y %H:%M`, or `%I:%M %p` where hours go to 12"
            .to_owned()
    })
}

impl DatetimeFormat {
    fn of(text: &str) -> Option<Self> {
        let pieces = pieces(text)?;
        let first_time = pieces.iter().position(Piece::is_time);
        let last_day = pieces.iter().rposition(Piece::is_day)?;
        let day = first_time.filter(|first| last_day < *first).map(|_| pieces[..=last_day].to_vec());
        let noon =
            |piece: &Piece| matches!(piece, Piece::Item(Item::Fixed(Fixed::UpperAmPm | Fixed::LowerAmPm)));
        let format = Self {
            text: text.to_owned(),
            has_time: first_time.is_some(),
            has_noon: pieces.iter().any(noon),
            day,
            pieces,
        };
        // What it writes it must be able to read; one without a day, with a zone or with half a time
        // cannot. Fractions are left out: where no mark announces them, the example would have none
        // to read.
        let items: Vec<_> =
            format.pieces.iter().filter(|piece| matches!(piece, Piece::Item(_))).cloned().collect();
        let tried = Self { pieces: items, ..format.clone() };
        let example = NaiveDate::from_ymd_opt(2025, 11, 28)?.and_hms_opt(13, 14, 15)?;
        let mut written = String::new();
        let items = tried.pieces.iter().filter_map(|piece| match piece {
            Piece::Item(item) => Some(item),
            Piece::Fraction { .. } => None,
        });
        write!(written, "{}", example.format_with_items(items)).ok()?;
        tried.reads(&written, example).then_some(format)
    }

    fn reads(&self, written: &str, example: NaiveDateTime) -> bool {
        self.read(written).is_some_and(|read| {
            read.date() == example.date() && (!self.has_time || read.time().hour() == example.time().hour())
        })
    }

    fn read(&self, text: &str) -> Option<NaiveDateTime> {
        let text = if self.has_noon { noon(text) } else { Cow::Borrowed(text) };
        let mut parsed = parse(&self.pieces, &text)?;
        if !self.has_time {
            return Some(parsed.to_naive_date().ok()?.and_time(NaiveTime::MIN));
        }
        if parsed.minute().is_none() && parsed.second().is_none() && parsed.timestamp().is_none() {
            parsed.set_minute(0).ok()?;
        }
        parsed.to_naive_datetime_with_offset(0).ok()
    }

    fn read_day(&self, text: &str) -> Option<NaiveDateTime> {
        let parsed = parse(self.day.as_ref()?, text)?;
        Some(parsed.to_naive_date().ok()?.and_time(NaiveTime::MIN))
    }

    /// The format with day and month in each other's place; None where it has not both as numbers.
    pub(super) fn swapped(&self) -> Option<Self> {
        let mut swapped = String::new();
        let (mut days, mut months) = (0, 0);
        let mut rest = self.text.as_str();
        while let Some((before, after)) = rest.split_once('%') {
            swapped.push_str(before);
            swapped.push('%');
            let pad = after.find(|c| !"-_0".contains(c)).unwrap_or(after.len());
            let mut letters = after[pad..].chars();
            swapped.push_str(&after[..pad]);
            match letters.next() {
                Some('d' | 'e') => {
                    days += 1;
                    swapped.push('m');
                }
                Some('m') => {
                    months += 1;
                    swapped.push('d');
                }
                Some(other) => swapped.push(other),
                None => {}
            }
            rest = letters.as_str();
        }
        swapped.push_str(rest);
        if (days, months) == (1, 1) { Self::of(&swapped) } else { None }
    }
}

impl std::fmt::Display for DatetimeFormat {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.text)
    }
}

impl Piece {
    fn is_time(&self) -> bool {
        use Numeric::{Hour, Hour12, Minute, Nanosecond, Second, Timestamp};
        match self {
            Self::Fraction { .. } => true,
            Self::Item(Item::Numeric(kind, _)) => {
                matches!(kind, Hour | Hour12 | Minute | Second | Nanosecond | Timestamp)
            }
            Self::Item(Item::Fixed(kind)) => !is_name_of_day(kind),
            Self::Item(_) => false,
        }
    }

    fn is_day(&self) -> bool {
        match self {
            // A timestamp is both.
            Self::Item(Item::Numeric(Numeric::Timestamp, _)) => true,
            Self::Item(Item::Numeric(..)) => !self.is_time(),
            Self::Item(Item::Fixed(kind)) => is_name_of_day(kind),
            _ => false,
        }
    }
}

fn is_name_of_day(kind: &Fixed) -> bool {
    use Fixed::{LongMonthName, LongWeekdayName, ShortMonthName, ShortWeekdayName};
    matches!(kind, LongMonthName | LongWeekdayName | ShortMonthName | ShortWeekdayName)
}

/// What a format is made of; None where it is no format.
fn pieces(format: &str) -> Option<Vec<Piece>> {
    let mut pieces: Vec<Piece> = Vec::new();
    let mut rest = format;
    loop {
        let fraction = fraction(rest);
        let chrono = &rest[..fraction.unwrap_or(rest.len())];
        let marked = fraction.is_some() && chrono.ends_with(['.', ',']);
        let chrono = if marked { &chrono[..chrono.len() - 1] } else { chrono };
        pieces.extend(StrftimeItems::new(chrono).parse_to_owned().ok()?.into_iter().map(Piece::Item));
        let Some(at) = fraction else { return Some(pieces) };
        pieces.push(Piece::Fraction { marked });
        rest = &rest[at + 2..];
    }
}

/// Where `%f` stands, and not `%%f`.
fn fraction(format: &str) -> Option<usize> {
    let mut at = 0;
    while let Some(found) = format[at..].find('%') {
        match format[at + found + 1..].chars().next()? {
            'f' => return Some(at + found),
            other => at += found + 1 + other.len_utf8(),
        }
    }
    None
}

fn parse(pieces: &[Piece], text: &str) -> Option<Parsed> {
    let mut parsed = Parsed::new();
    let mut rest = text;
    let mut done = 0;
    while done < pieces.len() {
        if let Piece::Fraction { marked } = pieces[done] {
            rest = take_fraction(&mut parsed, rest, marked)?;
            done += 1;
            continue;
        }
        let items = pieces[done..].iter().map_while(|piece| match piece {
            Piece::Item(item) => Some(item),
            Piece::Fraction { .. } => None,
        });
        done += items.clone().count();
        rest = parse_and_remainder(&mut parsed, rest, items).ok()?;
    }
    rest.is_empty().then_some(parsed)
}

/// Up to nine digits are a fraction of a second, as many as there are; returns what follows.
fn take_fraction<'a>(parsed: &mut Parsed, text: &'a str, marked: bool) -> Option<&'a str> {
    let digits = match (marked, text.strip_prefix(['.', ','])) {
        (true, Some(digits)) => digits,
        (true, None) => return Some(text),
        (false, _) => text,
    };
    let length = digits.bytes().take(9).take_while(u8::is_ascii_digit).count();
    let number: i64 = digits[..length].parse().ok()?;
    let scale = 10_i64.checked_pow(u32::try_from(9 - length).ok()?)?;
    parsed.set_nanosecond(number * scale).ok()?;
    Some(&digits[length..])
}

/// `10:00 a. m.` and `10:00 P.M.` as `10:00 AM` and `10:00 PM`.
fn noon(text: &str) -> Cow<'_, str> {
    let bytes = text.as_bytes();
    for (at, letter) in text.char_indices().filter(|(_, letter)| "aApP".contains(*letter)) {
        if at > 0 && bytes[at - 1].is_ascii_alphabetic() {
            continue;
        }
        let rest = &text[at + 1..];
        let rest = rest.strip_prefix('.').unwrap_or(rest).trim_start();
        let Some(rest) = rest.strip_prefix(['m', 'M']) else { continue };
        let rest = rest.strip_prefix('.').unwrap_or(rest);
        if rest.starts_with(char::is_alphabetic) {
            continue;
        }
        return Cow::Owned(format!("{}{}M{rest}", &text[..at], letter.to_ascii_uppercase()));
    }
    Cow::Borrowed(text)
}

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

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

    use proptest::prelude::*;

    use super::*;

    fn read(cell: &str, format: &str) -> Option<String> {
        datetime(cell, Some(&datetime_format(format).unwrap())).ok().map(|at| at.to_string())
    }

    #[test]
    fn datetimes_are_read_as_they_are() {
        let other = "`15/01/2025 10:00` is not a datetime such as `2025-01-15 10:00:00`; --datetime-format says how others \
                     are written, such as \"%d/%m/%Y %H:%M\"";
        for (cell, expected) in [
            ("2025-01-15 10:00:00", Ok("2025-01-15 10:00:00")),
            ("2025-01-15", Ok("2025-01-15 00:00:00")),
            ("2025-01-15T10:00:00.503", Ok("2025-01-15 10:00:00.503000")),
            ("2025-01-15 10:00:00,503", Ok("2025-01-15 10:00:00.503000")),
            ("2025-01-15\u{a0}10:00:00", Ok("2025-01-15 10:00:00")),
            ("15/01/2025 10:00", Err(other)),
            ("0025-01-15 10:00:00", Err("`0025-01-15 10:00:00` is not between the years 1753 and 9999")),
            ("", Err("it is empty")),
        ] {
            let found = datetime(cell, None).map(|at| at.to_string());
            assert_eq!(found, expected.map(str::to_owned).map_err(str::to_owned), "{cell}");
        }
    }

    #[test]
    fn datetimes_are_read_as_told() {
        let (minutes, seconds) = ("%d/%m/%Y %H:%M", "%d/%m/%Y %H:%M:%S");
        for (cell, format, expected) in [
            ("15/01/2025 10:00", minutes, Some("2025-01-15 10:00:00")),
            ("5/1/2025 9:05", minutes, Some("2025-01-05 09:05:00")),
            ("01/15/2025 10:00", minutes, None),
            ("15/01/2025 10:00 x", minutes, None),
            ("15/01/2025", "%d/%m/%Y", Some("2025-01-15 00:00:00")),
            // Midnight without its time.
            ("15/01/2025", seconds, Some("2025-01-15 00:00:00")),
            ("2025-01-15", "%Y-%m-%dT%H:%M:%S", Some("2025-01-15 00:00:00")),
            ("15/01/2025 ", seconds, None),
            ("15/01", seconds, None),
            ("10:00", "%H:%M %d/%m/%Y", None),
            // An hour is not lost for want of a minute.
            ("15/01/2025 10", "%d/%m/%Y %H", Some("2025-01-15 10:00:00")),
            ("20250115101112", "%Y%m%d%H%M%S", Some("2025-01-15 10:11:12")),
        ] {
            assert_eq!(read(cell, format).as_deref(), expected, "{cell} {format}");
        }
    }

    #[test]
    fn a_fraction_is_as_python_reads_it() {
        let dotted = "%d/%m/%Y %H:%M:%S.%f";
        for (cell, format, expected) in [
            ("15/01/2025 10:00:00.100", dotted, Some("2025-01-15 10:00:00.100000")),
            ("15/01/2025 10:00:00.35", dotted, Some("2025-01-15 10:00:00.350000")),
            ("15/01/2025 10:00:00.000001", dotted, Some("2025-01-15 10:00:00.000001")),
            ("15/01/2025 10:00:00.100000000", dotted, Some("2025-01-15 10:00:00.100000")),
            ("15/01/2025 10:00:00,5", dotted, Some("2025-01-15 10:00:00.500000")),
            ("15/01/2025 10:00:00", dotted, Some("2025-01-15 10:00:00")),
            ("15/01/2025 10:00:00.", dotted, None),
            ("15/01/2025", dotted, Some("2025-01-15 00:00:00")),
            ("15/01/2025 10:00:00,503", "%d/%m/%Y %H:%M:%S,%f", Some("2025-01-15 10:00:00.503000")),
            ("15/01/2025 10:00:00:503", "%d/%m/%Y %H:%M:%S:%f", Some("2025-01-15 10:00:00.503000")),
            ("20250115100000503", "%Y%m%d%H%M%S%f", Some("2025-01-15 10:00:00.503000")),
            ("10:00:00.5 p. m. 15/01/2025", "%I:%M:%S.%f %p %d/%m/%Y", Some("2025-01-15 22:00:00.500000")),
            ("15/01/2025 10:00:00.503", "%d/%m/%Y %H:%M:%S%.f", Some("2025-01-15 10:00:00.503000")),
            ("15/01/2025 10:00:00.503", "%d/%m/%Y %H:%M:%S.%3f", Some("2025-01-15 10:00:00.503000")),
        ] {
            assert_eq!(read(cell, format).as_deref(), expected, "{cell} {format}");
        }
    }

    #[test]
    fn noon_is_written_in_many_ways() {
        for half in ["PM", "pm", "P.M.", "p. m.", "p.m.", "p.\u{a0}m.", "p.\u{202f}m.", "p m", "p.m"] {
            let cell = format!("15/01/2025 01:10:00\u{a0}{half}");
            assert_eq!(read(&cell, "%d/%m/%Y %I:%M:%S %p").as_deref(), Some("2025-01-15 13:10:00"), "{cell}");
            let cell = format!("01:10:00 {half} 15 Mar 2025");
            assert_eq!(read(&cell, "%I:%M:%S %p %d %b %Y").as_deref(), Some("2025-03-15 13:10:00"), "{cell}");
        }
        for (cell, expected) in [
            ("15/01/2025 12:00 a. m.", Some("2025-01-15 00:00:00")),
            ("15/01/2025 12:00 p. m.", Some("2025-01-15 12:00:00")),
            ("15/01/2025 01:00", None),
            ("15/01/2025 13:00 p. m.", None),
            ("15/01/2025 01:00 h.", None),
        ] {
            assert_eq!(read(cell, "%d/%m/%Y %I:%M %p").as_deref(), expected, "{cell}");
        }
    }

    #[test]
    fn a_format_must_be_able_to_tell_an_instant() {
        for (format, good) in [
            ("%d/%m/%Y %H:%M", true),
            ("%d/%m/%Y", true),
            ("%Y%m%d%H%M%S", true),
            ("%Y%m%d%H%M%S%f", true),
            ("%d.%m.%y %I:%M %p", true),
            ("%d %b %Y %H:%M", true),
            ("%s", true),
            ("%d.%m.%y %I:%M", false),
            ("%d/%m/%Y %M", false),
            ("%d/%m/%Y %p", false),
            ("%H:%M", false),
            ("%H:%M:%S.%f", false),
            ("%d/%m/%Y %H:%M %z", false),
            ("%d/%m/%Y %H:%M %Z", false),
            ("%d/%m/%Y %H:%M%:z", false),
            ("%+", false),
            ("%d/%m/%Y %Q", false),
            ("%d/%m/%Y %", false),
            ("%f", false),
            ("dd/mm/yyyy", false),
            ("", false),
        ] {
            assert_eq!(datetime_format(format).is_ok(), good, "{format}");
        }
    }

    #[test]
    fn day_and_month_can_change_places() {
        for (format, swapped) in [
            ("%d/%m/%Y %H:%M", Some("%m/%d/%Y %H:%M")),
            ("%-m-%-d-%y", Some("%-d-%-m-%y")),
            ("%d %b %Y", None),
            ("%j %Y", None),
        ] {
            let found = datetime_format(format).unwrap().swapped().map(|format| format.to_string());
            assert_eq!(found.as_deref(), swapped, "{format}");
        }
    }

    proptest! {
        /// Whatever stands in a cell: an answer, never a panic.
        #[test]
        fn any_cell_is_answered(cell in "\\PC{0,12}|[0-9:. apm]{0,12}", format in "(%[a-zA-Z0-9:.+-]|[a-z/ ,.]){0,6}") {
            let _ = datetime(&cell, None);
            if let Ok(format) = datetime_format(&format) {
                let _ = (datetime(&cell, Some(&format)), format.swapped());
            }
        }
    }
}
