//! The parts of a format of datetimes. `%f` is read as Python reads it: as a fraction of a second,
//! not as a number of nanoseconds.

use chrono::format::{Fixed, Item, Numeric, Parsed, StrftimeItems, parse_and_remainder};

/// A part of a format.
#[derive(Clone, Debug)]
pub(super) enum Piece {
    Item(Item<'static>),
    /// Digits after the second. With a mark before them they may be missing, because Python leaves
    /// them out where they are zero.
    Fraction {
        marked: bool,
    },
}

impl Piece {
    pub(super) fn is_time(&self) -> bool {
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

    pub(super) fn is_day(&self) -> bool {
        match self {
            // A timestamp is a day and a time.
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

/// The parts of a format. None if it is not a format.
pub(super) fn pieces(format: &str) -> Option<Vec<Piece>> {
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

/// The place of the first `%f` that is not part of `%%f`.
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

/// Reads the whole of a text by these pieces.
pub(super) fn parse(pieces: &[Piece], text: &str) -> Option<Parsed> {
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

/// Reads up to nine digits as a fraction of a second. Returns what follows them.
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
