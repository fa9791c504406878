//! A format of datetimes, as for `strftime`.

use std::borrow::Cow;
use std::fmt::Write;

use chrono::format::{Fixed, Item};
use chrono::{NaiveDate, NaiveDateTime, NaiveTime, Timelike};

use super::pieces::{Piece, parse, pieces};

/// A format of datetimes.
#[derive(Clone, Debug)]
pub struct DatetimeFormat {
    text: String,
    pieces: Vec<Piece>,
    /// The beginning of the format that is the day, if the time follows it.
    day: Option<Vec<Piece>>,
    has_time: bool,
    has_noon: bool,
}

/// A format of datetimes, as for `strftime`.
///
/// # Errors
/// It is not a format, or it does not give a day and a time without a zone.
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
        // A format must be able to read what it writes. One without a day, with a zone or with a
        // part of the time missing cannot. Fractions are left out, because without a mark before
        // them the example would have none to read.
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

    pub(super) fn read(&self, text: &str) -> Option<NaiveDateTime> {
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

    pub(super) fn read_day(&self, text: &str) -> Option<NaiveDateTime> {
        let parsed = parse(self.day.as_ref()?, text)?;
        Some(parsed.to_naive_date().ok()?.and_time(NaiveTime::MIN))
    }

    /// The format with day and month exchanged. None if it does not have both as numbers.
    pub(in crate::cli::import) fn swapped(&self) -> Option<Self> {
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
