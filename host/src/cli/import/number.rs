//! What the marks in a number mean: which is the decimal mark, which groups the digits. Pure.
//!
//! `1,5` can be read in one way only, and so can `1.234,5` and `1,234,567`. `1.234` can be read in
//! two: it is more than a thousand in one country and little more than one in another. Only the
//! file's other numbers can show which is meant.

use crate::cli::args::Decimal;

/// A number, divided into its parts.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct WrittenNumber {
    /// As Rust reads it, with a point for `fraction`.
    text: String,
    /// The decimal mark, or the mark that may be one.
    fraction: Option<Decimal>,
    /// Whether `fraction` can be nothing else.
    certain: bool,
    /// The mark that groups digits, if it is a comma or a point.
    group: Option<Decimal>,
}

/// What a number shows of its file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Sign {
    /// It has no mark.
    Nothing,
    /// This is the decimal mark. With `groups` the other mark groups digits.
    Fraction { mark: Decimal, groups: bool },
    /// This mark is the decimal mark or groups digits.
    Either(Decimal),
}

const fn other(mark: Decimal) -> Decimal {
    match mark {
        Decimal::Comma => Decimal::Point,
        Decimal::Point => Decimal::Comma,
    }
}

const fn mark(c: char) -> Option<Decimal> {
    match c {
        ',' => Some(Decimal::Comma),
        '.' => Some(Decimal::Point),
        _ => None,
    }
}

/// Whether a character can only group digits.
fn only_groups(c: char) -> bool {
    c.is_whitespace() || c == '\'' || c == '\u{2019}'
}

impl WrittenNumber {
    /// None if the cell is not a number in any of the usual ways of writing.
    pub(super) fn read(cell: &str) -> Option<Self> {
        let (sign, rest) = match cell.strip_prefix(['-', '\u{2212}']) {
            Some(rest) => ("-", rest),
            None => ("", cell.strip_prefix('+').unwrap_or(cell)),
        };
        let (body, exponent) = match rest.split_once(['e', 'E']) {
            Some((body, exponent)) => (body, Some(exponent)),
            None => (rest, None),
        };
        let digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
        if exponent.is_some_and(|text| {
            let text = text.strip_prefix(['+', '-']).unwrap_or(text);
            text.is_empty() || !digits(text)
        }) {
            return None;
        }
        let separators: Vec<char> = body.chars().filter(|c| !c.is_ascii_digit()).collect();
        let known = separators.iter().all(|&c| mark(c).is_some() || only_groups(c));
        if !known || !body.bytes().any(|byte| byte.is_ascii_digit()) {
            return None;
        }
        // The last mark may be the decimal mark if it occurs once.
        let last = separators.last().copied();
        let fraction = last
            .filter(|&c| mark(c).is_some() && separators.iter().filter(|&&found| found == c).count() == 1);
        let (whole, decimals) = fraction.and_then(|c| body.split_once(c)).unwrap_or((body, ""));
        let groups = &separators[..separators.len() - usize::from(fraction.is_some())];
        let group = match groups {
            [] => None,
            [first, rest @ ..] if rest.iter().all(|c| c == first) && is_grouped(whole, *first) => {
                Some(*first)
            }
            _ => return None,
        };
        if group.is_some() && exponent.is_some() {
            return None;
        }
        let whole: String = whole.chars().filter(char::is_ascii_digit).collect();
        // Three digits after one to three digits: this may also be a group.
        let either = fraction.is_some()
            && group.is_none()
            && exponent.is_none()
            && decimals.len() == 3
            && (1..=3).contains(&whole.len())
            && !whole.starts_with('0');
        let mut text = format!("{sign}{whole}");
        if fraction.is_some() {
            text = format!("{text}.{decimals}");
        }
        if let Some(exponent) = exponent {
            text = format!("{text}e{exponent}");
        }
        Some(Self { text, fraction: fraction.and_then(mark), group: group.and_then(mark), certain: !either })
    }

    pub(super) fn sign(&self) -> Sign {
        match (self.fraction, self.group) {
            (Some(mark), _) if !self.certain => Sign::Either(mark),
            (Some(mark), group) => Sign::Fraction { mark, groups: group.is_some() },
            (None, Some(group)) => Sign::Fraction { mark: other(group), groups: true },
            (None, None) => Sign::Nothing,
        }
    }

    /// The number if `decimal` is the decimal mark. None if it is not written so.
    pub(super) fn value(&self, decimal: Decimal) -> Option<f64> {
        let text = match (self.fraction, self.group) {
            (Some(mark), _) if mark == decimal => self.text.clone(),
            // This is not the decimal mark, so it groups digits.
            (Some(_), _) if !self.certain => self.text.replace('.', ""),
            (Some(_), _) => return None,
            (None, Some(group)) if group == decimal => return None,
            (None, _) => self.text.clone(),
        };
        text.parse().ok().filter(|number: &f64| number.is_finite())
    }
}

/// Whether a number is like `12 345 678`: one to three digits, then groups of three.
fn is_grouped(whole: &str, mark: char) -> bool {
    let mut groups = whole.split(mark);
    let first = groups.next().unwrap_or_default();
    (1..=3).contains(&first.len()) && groups.all(|group| group.len() == 3)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn marks_say_what_they_can_say() {
        use Decimal::{Comma, Point};
        let sure = |mark| Sign::Fraction { mark, groups: false };
        let grouped = |mark| Sign::Fraction { mark, groups: true };
        // The cell, what it shows, and its value with a decimal point and with a decimal comma.
        for (cell, sign, point, comma) in [
            ("15", Sign::Nothing, Some(15.0), Some(15.0)),
            ("-15", Sign::Nothing, Some(-15.0), Some(-15.0)),
            ("\u{2212}15", Sign::Nothing, Some(-15.0), Some(-15.0)),
            ("1e3", Sign::Nothing, Some(1000.0), Some(1000.0)),
            ("1 234 567", Sign::Nothing, Some(1_234_567.0), Some(1_234_567.0)),
            ("1\u{a0}234", Sign::Nothing, Some(1234.0), Some(1234.0)),
            ("1.5", sure(Point), Some(1.5), None),
            ("1,5", sure(Comma), None, Some(1.5)),
            ("-0,25e3", sure(Comma), None, Some(-250.0)),
            ("1234,567", sure(Comma), None, Some(1234.567)),
            ("0,123", sure(Comma), None, Some(0.123)),
            ("1,2345", sure(Comma), None, Some(1.2345)),
            (",5", sure(Comma), None, Some(0.5)),
            ("5.", sure(Point), Some(5.0), None),
            ("1 234,5", sure(Comma), None, Some(1234.5)),
            ("1,234e5", sure(Comma), None, Some(123_400.0)),
            ("1.234", Sign::Either(Point), Some(1.234), Some(1234.0)),
            ("-21,500", Sign::Either(Comma), Some(-21_500.0), Some(-21.5)),
            ("1.234,5", grouped(Comma), None, Some(1234.5)),
            ("1,234.5", grouped(Point), Some(1234.5), None),
            ("1,234,567", grouped(Point), Some(1_234_567.0), None),
            ("1.234.567", grouped(Comma), None, Some(1_234_567.0)),
            ("1'234.5", sure(Point), Some(1234.5), None),
        ] {
            let written = WrittenNumber::read(cell);
            assert_eq!(written.as_ref().map(WrittenNumber::sign), Some(sign), "{cell}");
            let value = |decimal| written.as_ref().and_then(|written| written.value(decimal));
            assert_eq!((value(Point), value(Comma)), (point, comma), "{cell}");
        }
    }

    #[test]
    fn what_nobody_writes_is_no_number() {
        for cell in [
            "",
            "-",
            ".",
            ",",
            "e5",
            "1e",
            "1e+",
            "inf",
            "nan",
            "1.2.3",
            "15.01.2025",
            "1,2,3",
            "1,23,456",
            "1234,567,890",
            "1,234.5e6",
            "--1",
            "1-2",
            "0x1F",
            "1_000",
            "21.5 C",
            "10:00",
            "1.234,567.8",
            "1 23",
            "\u{661}",
        ] {
            assert_eq!(WrittenNumber::read(cell), None, "{cell}");
        }
    }

    proptest! {
        /// However a number is written, it is read as that number, or as one that can be read in
        /// two ways.
        #[test]
        fn a_number_is_what_was_written(number in -1_000_000_000_000_i64..1_000_000_000_000, scale in 0_usize..5, comma: bool, grouped: bool) {
            let (decimal, group) = if comma { (Decimal::Comma, '.') } else { (Decimal::Point, ',') };
            let digits = format!("{:0>width$}", number.unsigned_abs(), width = scale + 1);
            let (whole, decimals) = digits.split_at(digits.len() - scale);
            let mut cell = String::new();
            for (at, digit) in whole.chars().enumerate() {
                if grouped && at > 0 && (whole.len() - at) % 3 == 0 {
                    cell.push(group);
                }
                cell.push(digit);
            }
            if scale > 0 {
                cell.push(if comma { ',' } else { '.' });
                cell.push_str(decimals);
            }
            if number < 0 {
                cell.insert(0, '-');
            }
            let written = WrittenNumber::read(&cell).unwrap_or_else(|| unreachable!("{cell}"));
            let expected = number as f64 / 10_f64.powi(scale as i32);
            let value = written.value(decimal);
            prop_assert!(value.is_some_and(|value| (value - expected).abs() <= expected.abs() * 1e-12), "{} {:?}", cell, value);
            match written.sign() {
                Sign::Fraction { mark, .. } => prop_assert_eq!(mark, decimal),
                Sign::Either(_) => prop_assert!(scale == 3 || (scale == 0 && grouped)),
                Sign::Nothing => prop_assert!(scale == 0),
            }
        }

        #[test]
        fn any_cell_is_answered(cell in "\\PC{0,12}|[0-9+-.,eE ]{0,12}") {
            if let Some(written) = WrittenNumber::read(&cell) {
                let _ = (written.sign(), written.value(Decimal::Comma), written.value(Decimal::Point));
            }
        }
    }
}
