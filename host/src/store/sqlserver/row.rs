//! Converts a row of the input table into a reading, or into the error that is wrong with it. Lives
//! for one page, whose names it shares.

use std::collections::HashSet;
use std::sync::Arc;

use tiberius::numeric::Numeric;
use tiberius::{ColumnData, Row};

use super::datetime;
use super::error::{Error, Result};
use crate::reading::{Malformed, Reading, ScannedRow};

/// Which texts are padded with blanks, which are not part of the text.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Padded {
    pub(super) name: bool,
    pub(super) file: bool,
}

impl Padded {
    pub(super) fn without(padded: bool, text: &str) -> &str {
        if padded { text.trim_end_matches(' ') } else { text }
    }
}

/// Converts rows into readings.
pub(super) struct RowReader {
    names: HashSet<Arc<str>>,
    padded: Padded,
}

impl RowReader {
    pub(super) fn new(padded: Padded) -> Self {
        Self { names: HashSet::new(), padded }
    }

    /// The columns are those of [`sql::input`](super::sql::input), in their order.
    pub(super) fn decode(&mut self, row: Row) -> Result<ScannedRow> {
        let mut cells = row.into_iter();
        let mut next = || cells.next().ok_or_else(|| Error::no_answer("the columns of a reading"));
        let (id, datetime, name, value, file) = (next()?, next()?, next()?, next()?, next()?);
        let id = integer(&id);
        let at = datetime::read(&datetime);
        let malformed =
            |why: &str| Ok(ScannedRow::Malformed(Malformed { id, datetime: at, why: why.to_owned() }));
        let Some(datetime) = at else {
            return malformed("datetime is NULL; right would be `2025-01-15 10:00:00`");
        };
        let ColumnData::String(Some(name)) = name else {
            return malformed("variable_name is NULL; right would be a text");
        };
        let variable = self.shared(Padded::without(self.padded.name, &name));
        let source_file = match file {
            ColumnData::String(Some(file)) => Some(self.shared(Padded::without(self.padded.file, &file))),
            _ => None,
        };
        Ok(ScannedRow::Reading(Reading { id, datetime, variable, value: number(&value), source_file }))
    }

    fn shared(&mut self, name: &str) -> Arc<str> {
        if let Some(known) = self.names.get(name) {
            return Arc::clone(known);
        }
        let name: Arc<str> = name.into();
        self.names.insert(Arc::clone(&name));
        name
    }
}

/// A whole number of any type.
pub(super) fn integer(value: &ColumnData<'_>) -> Option<i64> {
    match value {
        ColumnData::U8(value) => value.map(i64::from),
        ColumnData::I16(value) => value.map(i64::from),
        ColumnData::I32(value) => value.map(i64::from),
        ColumnData::I64(value) => *value,
        ColumnData::Numeric(Some(value)) if value.scale() == 0 => i64::try_from(value.value()).ok(),
        _ => None,
    }
}

/// A number of any type, as the nearest float; None for NULL.
pub(super) fn number(value: &ColumnData<'_>) -> Option<f64> {
    match value {
        ColumnData::F32(value) => value.map(f64::from),
        ColumnData::F64(value) => *value,
        ColumnData::Numeric(value) => value.map(nearest),
        #[expect(
            clippy::cast_precision_loss,
            reason = "a count beyond 2^53 loses its last digits, as it would in Python"
        )]
        other => integer(other).map(|value| value as f64),
    }
}

/// The float nearest to a decimal. As long as the digits and the power of ten are exact floats, one
/// division rounds once; else the text is parsed, which rounds correctly for any number of digits.
fn nearest(decimal: Numeric) -> f64 {
    const EXACT: i128 = 1 << 53;
    let (digits, scale) = (decimal.value(), decimal.scale());
    if digits.abs() <= EXACT && scale <= 22 {
        #[expect(clippy::cast_precision_loss, reason = "exact up to 2^53")]
        return digits as f64 / 10_f64.powi(i32::from(scale));
    }
    format!("{digits}e-{scale}").parse().unwrap_or(f64::NAN)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_decimal_is_the_float_that_its_text_is() {
        for (digits, scale, text) in [
            (1_500_000, 6, "1.5"),
            (-1, 6, "-0.000001"),
            (21_000_001, 6, "21.000001"),
            (123_456_789_012_123_456, 6, "123456789012.123456"),
            (
                99_999_999_999_999_999_999_999_999_999_999_999_999,
                10,
                "9999999999999999999999999999.9999999999",
            ),
            (0, 18, "0"),
            (7, 0, "7"),
        ] {
            let expected: f64 = text.parse().unwrap_or(f64::NAN);
            assert_eq!(nearest(Numeric::new_with_scale(digits, scale)), expected, "{digits}e-{scale}");
        }
    }
}
