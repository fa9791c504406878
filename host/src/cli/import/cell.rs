//! Reads one cell as a number, or as the absence of one. Pure.

use super::number::WrittenNumber;
use crate::cli::args::Decimal;
use crate::column_limits::decimal_18_6;

/// What programs write where there is no value. In lower case; a cell may be in either case.
const NONE: [&str; 14] = [
    "nan", "null", "none", "nil", "na", "n/a", "n/d", "nat", "<na>", "<null>", "(null)", "\\n", "#n/a",
    "#n/d",
];

/// Whether a cell means that there is no reading: it is empty, dashes only, or one of the usual
/// words.
pub(super) fn is_none(cell: &str) -> bool {
    match cell.chars().next() {
        None => true,
        Some(first) if first.is_ascii_digit() => false,
        Some('-' | '\u{2013}' | '\u{2014}') => {
            cell.chars().all(|c| matches!(c, '-' | '\u{2013}' | '\u{2014}'))
        }
        Some(_) => NONE.iter().any(|none| cell.eq_ignore_ascii_case(none)),
    }
}

/// None for a cell that means that there is no reading.
///
/// # Errors
/// A sentence on what was found and what would be right.
pub(super) fn number(cell: &str, decimal: Decimal) -> Result<Option<f64>, String> {
    if is_none(cell) {
        return Ok(None);
    }
    let written = WrittenNumber::read(cell);
    match written.as_ref().and_then(|written| written.value(decimal)) {
        Some(number) if decimal_18_6(number).is_some() => Ok(Some(number)),
        Some(_) => Err(format!("`{}` has more than twelve digits before the decimals", shown(cell))),
        None if written.is_some() => {
            let (this, other) = match decimal {
                Decimal::Comma => ("comma", "point"),
                Decimal::Point => ("point", "comma"),
            };
            Err(format!(
                "`{}` is not a number with a decimal {this}; if it has a decimal {other}, say --decimal {other}",
                shown(cell)
            ))
        }
        None => Err(format!("`{}` is not a number", shown(cell))),
    }
}

/// The part of a cell that a message shows.
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
            ("1.234,5", Comma, Ok(Some(1234.5))),
            ("1.234", Comma, Ok(Some(1234.0))),
            ("1.234", Point, Ok(Some(1.234))),
            ("1 234,5", Comma, Ok(Some(1234.5))),
            (
                "1,5",
                Point,
                Err(
                    "`1,5` is not a number with a decimal point; if it has a decimal comma, say --decimal comma",
                ),
            ),
            (
                "1.5",
                Comma,
                Err(
                    "`1.5` is not a number with a decimal comma; if it has a decimal point, say --decimal point",
                ),
            ),
            ("1,2,3", Comma, Err("`1,2,3` is not a number")),
            ("inf", Point, Err("`inf` is not a number")),
            ("1.#QNAN", Point, Err("`1.#QNAN` is not a number")),
            ("Bad Input", Point, Err("`Bad Input` is not a number")),
            ("a\nb", Point, Err("`a\\nb` is not a number")),
            ("1e12", Point, Err("`1e12` has more than twelve digits before the decimals")),
            (
                "1e999",
                Point,
                Err(
                    "`1e999` is not a number with a decimal point; if it has a decimal comma, say --decimal comma",
                ),
            ),
        ] {
            assert_eq!(number(cell, decimal), expected.map_err(str::to_owned), "{cell}");
        }
    }

    #[test]
    fn nothing_is_written_in_many_ways() {
        for cell in [
            "", "NaN", "nan", "NULL", "None", "n/a", "-", "--", "----", "\u{2014}", "NaT", "<NA>", "\\N",
            "#N/D",
        ] {
            assert_eq!((number(cell, Decimal::Comma), is_none(cell)), (Ok(None), true), "{cell}");
        }
        for cell in ["0", "-1", "x", "-x", "#DIV/0!", "nano"] {
            assert!(!is_none(cell), "{cell}");
        }
    }

    proptest! {
        /// Whatever a cell contains, the result is a value or an error, never a panic.
        #[test]
        fn any_cell_is_answered(cell in "\\PC{0,12}|[0-9+-.,eE]{0,12}") {
            let nothing = number(&cell, Decimal::Comma) == Ok(None);
            prop_assert_eq!(nothing, is_none(&cell));
        }
    }
}
