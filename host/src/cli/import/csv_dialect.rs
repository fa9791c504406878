//! How a file is written: which character divides its columns, and whether decimals follow a comma
//! or a point.
//!
//! The delimiter follows from the header. The decimal mark follows from those numbers of the whole
//! file that can be read in one way only. Where these contradict each other, or every number can be
//! read in both ways, nothing is guessed.

use std::fmt;

use anyhow::bail;

use super::cell::shown;
use super::number::{Sign, WrittenNumber};
use crate::cli::args::Decimal;

/// The column of the datetimes, in upper or lower case.
pub(super) const DATETIME: &str = "DATETIME";

/// How a file is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct CsvDialect {
    pub(super) delimiter: u8,
    pub(super) decimal: Decimal,
}

/// The delimiter that a first line such as `sep=;` names. Excel reads such a line.
pub(super) fn sep_line(line: &[u8]) -> Option<u8> {
    let line = line.strip_prefix(b"\"").unwrap_or(line);
    let (word, rest) = line.split_at_checked(4)?;
    let (&delimiter, rest) = rest.split_first()?;
    let divides = delimiter.is_ascii() && !delimiter.is_ascii_alphanumeric() && delimiter != b'"';
    let over = rest.iter().all(|&byte| byte == delimiter || byte == b'"' || byte == b' ');
    (word.eq_ignore_ascii_case(b"sep=") && divides && over).then_some(delimiter)
}

/// The delimiter of a header: the mark that makes one of its columns `DATETIME`, else the most
/// frequent mark.
pub(super) fn delimiter(header: &[u8]) -> u8 {
    let outside_quotes = |wanted: u8| {
        let mut quoted = false;
        let counts = header.iter().filter(|&&byte| {
            quoted ^= byte == b'"';
            byte == wanted && !quoted
        });
        counts.count()
    };
    let tells = |mark: u8| {
        let name = |field: &[u8]| field.trim_ascii().trim_ascii_start().to_ascii_uppercase();
        header.split(|&byte| byte == mark).any(|field| {
            let name = name(field);
            let name = name.strip_prefix(b"\"").and_then(|name| name.strip_suffix(b"\"")).unwrap_or(&name);
            name == DATETIME.as_bytes()
        })
    };
    // Of two equally frequent marks the last is taken. The comma is first, as a name may have one.
    let marks = [b',', b'|', b';', b'\t'].into_iter().filter(|&mark| outside_quotes(mark) > 0);
    marks.max_by_key(|&mark| (tells(mark), outside_quotes(mark))).unwrap_or(b',')
}

/// A cell that shows how its file is written.
#[derive(Clone, Debug)]
struct Witness {
    line: u64,
    column: String,
    cell: String,
}

impl fmt::Display for Witness {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "`{}` (line {}, column `{}`)", shown(&self.cell), self.line, self.column)
    }
}

/// What the numbers of a file show of it, each with the first cell that shows it.
#[derive(Default)]
pub(super) struct Evidence {
    comma: Option<Witness>,
    point: Option<Witness>,
    either_comma: Option<Witness>,
    either_point: Option<Witness>,
    /// Whether digits are grouped beyond doubt, beside a decimal comma or point.
    grouped: bool,
}

impl Evidence {
    pub(super) fn hear(&mut self, cell: &str, line: u64, column: &str) {
        // A number without a mark shows nothing.
        if !cell.contains([',', '.']) {
            return;
        }
        let Some(sign) = WrittenNumber::read(cell).map(|written| written.sign()) else { return };
        let place = match sign {
            Sign::Nothing => return,
            Sign::Fraction { mark: Decimal::Comma, .. } => &mut self.comma,
            Sign::Fraction { mark: Decimal::Point, .. } => &mut self.point,
            Sign::Either(Decimal::Comma) => &mut self.either_comma,
            Sign::Either(Decimal::Point) => &mut self.either_point,
        };
        if place.is_none() {
            *place = Some(Witness { line, column: column.to_owned(), cell: cell.to_owned() });
        }
        self.grouped |= matches!(sign, Sign::Fraction { groups: true, .. });
    }

    /// The decimal mark.
    ///
    /// # Errors
    /// The numbers contradict each other, or each can be read in two ways.
    pub(super) fn decimal(&self, delimiter: u8) -> anyhow::Result<Decimal> {
        const SAY: &str = "say --decimal comma or --decimal point";
        match (&self.comma, &self.point, &self.either_comma, &self.either_point) {
            (Some(comma), Some(point), _, _) => {
                bail!(
                    "{comma} has a decimal comma and {point} a decimal point; {SAY}, and cells with the other one are passed over"
                )
            }
            (Some(comma), None, _, Some(either)) if !self.grouped => {
                bail!(
                    "{comma} has a decimal comma, and {either} has a point that groups digits or is a decimal point; {SAY}"
                )
            }
            (None, Some(point), Some(either), _) if !self.grouped => {
                bail!(
                    "{point} has a decimal point, and {either} has a comma that groups digits or is a decimal comma; {SAY}"
                )
            }
            (Some(_), None, _, _) => Ok(Decimal::Comma),
            (None, Some(_), _, _) => Ok(Decimal::Point),
            (None, None, Some(comma), Some(point)) => {
                bail!("{comma} and {point} cannot both have decimals; {SAY}")
            }
            // Where commas divide the columns, decimals follow a point.
            (None, None, None, Some(_)) if delimiter == b',' => Ok(Decimal::Point),
            (None, None, Some(either), None) | (None, None, None, Some(either)) => {
                bail!("{either} may be thousands or a fraction, and no number of the file shows which; {SAY}")
            }
            (None, None, None, None) => Ok(Decimal::Point),
        }
    }
}

impl fmt::Display for CsvDialect {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let delimiter = match self.delimiter {
            b'\t' => "tabs".to_owned(),
            byte => format!("`{}`", char::from(byte)),
        };
        let decimal = match self.decimal {
            Decimal::Comma => "comma",
            Decimal::Point => "point",
        };
        write!(f, "columns are divided by {delimiter}, decimals by a {decimal}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_header_says_what_divides_it() {
        for (header, expected) in [
            ("DATETIME,T1", b','),
            ("DATETIME;T1", b';'),
            ("datetime\tT1", b'\t'),
            ("DATETIME|T1", b'|'),
            ("DATETIME;\"P, bar\"", b';'),
            ("\"DATETIME\";T, a;T, b", b';'),
            ("DATETIME;T, a, b, c", b';'),
            ("\"a;b;c\",T1", b','),
            ("Fecha;T1;T2", b';'),
            ("DATETIME", b','),
            ("", b','),
        ] {
            assert_eq!(char::from(delimiter(header.as_bytes())), char::from(expected), "{header}");
        }
    }

    #[test]
    fn excel_says_what_divides_columns() {
        for (line, expected) in [
            ("sep=;", Some(b';')),
            ("SEP=,", Some(b',')),
            ("sep=\t", Some(b'\t')),
            ("\"sep=|\"", Some(b'|')),
            ("sep=;;;", Some(b';')),
            ("sep=", None),
            ("sep=x", None),
            ("sep=;T1", None),
            ("DATETIME;T1", None),
            ("", None),
        ] {
            assert_eq!(sep_line(line.as_bytes()), expected, "{line}");
        }
    }

    #[test]
    fn decimals_are_what_all_numbers_say() {
        use Decimal::{Comma, Point};
        const SAY: &str = "say --decimal comma or --decimal point";
        let says = |text: &str| Err(format!("{text}; {SAY}"));
        let both = "`1,5` (line 2, column `T1`) has a decimal comma and `21.5` (line 3, column `T1`) a decimal point";
        for (cells, delimiter, expected) in [
            ("", b';', Ok(Point)),
            ("1 2 x", b';', Ok(Point)),
            ("1.5 2", b';', Ok(Point)),
            ("1,5 2", b';', Ok(Comma)),
            ("1,5", b',', Ok(Comma)),
            ("1,5 1.234,5 1.234", b';', Ok(Comma)),
            ("1.5 1,234.5 1,234", b';', Ok(Point)),
            ("1,234,567 1,234", b';', Ok(Point)),
            ("1.234 21.500", b',', Ok(Point)),
            ("0,123 21,500", b';', Ok(Comma)),
            ("15.01.2025 1,5", b';', Ok(Comma)),
            ("1,5 21.5", b';', Err(format!("{both}; {SAY}, and cells with the other one are passed over"))),
            (
                "1,234 21.5",
                b';',
                says(
                    "`21.5` (line 3, column `T1`) has a decimal point, and `1,234` (line 2, column `T1`) has a comma that groups digits or is a decimal comma",
                ),
            ),
            (
                "21,5 1.234",
                b';',
                says(
                    "`21,5` (line 2, column `T1`) has a decimal comma, and `1.234` (line 3, column `T1`) has a point that groups digits or is a decimal point",
                ),
            ),
            (
                "15 1,234",
                b';',
                says(
                    "`1,234` (line 3, column `T1`) may be thousands or a fraction, and no number of the file shows which",
                ),
            ),
            (
                "1.234",
                b'\t',
                says(
                    "`1.234` (line 2, column `T1`) may be thousands or a fraction, and no number of the file shows which",
                ),
            ),
            (
                "1,234 1.234",
                b';',
                says(
                    "`1,234` (line 2, column `T1`) and `1.234` (line 3, column `T1`) cannot both have decimals",
                ),
            ),
        ] {
            let mut evidence = Evidence::default();
            for (line, cell) in (2..).zip(cells.split(' ')) {
                evidence.hear(cell, line, "T1");
            }
            assert_eq!(evidence.decimal(delimiter).map_err(|error| error.to_string()), expected, "{cells}");
        }
    }
}
