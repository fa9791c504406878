//! Converts a value to a type.

use chrono::{TimeDelta, Timelike};
use rusqlite::types::Value;

use super::Type;
use super::calendar::{datetime, from_ticks, keep, ticks};
use crate::fault::SqlError;

impl Type {
    /// The value after it is assigned to a column of this type, or cast to it.
    pub(crate) fn convert(self, value: Value) -> Result<Value, SqlError> {
        if value == Value::Null {
            return Ok(value);
        }
        Ok(match self {
            Self::Bit => Value::Integer(i64::from(number(&value)? != 0.0)),
            Self::Int(bytes) => {
                let whole = match value {
                    Value::Integer(whole) => whole,
                    #[allow(
                        clippy::cast_possible_truncation,
                        reason = "it is checked below, and T-SQL truncates"
                    )]
                    other => number(&other)?.trunc() as i64,
                };
                let bits = u32::from(bytes) * 8 - 1;
                let range =
                    if bytes == 1 { 0..=255 } else { i64::MIN >> (63 - bits)..=i64::MAX >> (63 - bits) };
                if !range.contains(&whole) {
                    return Err(overflow(self.name()));
                }
                Value::Integer(whole)
            }
            Self::Float(_) => Value::Real(number(&value)?),
            Self::Decimal { precision, scale } => {
                let number = number(&value)?;
                let rounded = (number * 10_f64.powi(i32::from(scale))).round();
                if !number.is_finite() || rounded.abs() >= 10_f64.powi(i32::from(precision)) {
                    return Err(overflow("numeric"));
                }
                Value::Real(rounded / 10_f64.powi(i32::from(scale)))
            }
            Self::Date => Value::Text(datetime(&text(value)?)?.format("%Y-%m-%d").to_string()),
            Self::DateTime => Value::Text(keep(from_ticks(ticks(datetime(&text(value)?)?))?)),
            Self::DateTime2(scale) => {
                let at = datetime(&text(value)?)?;
                let step = 10_i64.pow(9 - u32::from(scale.min(9)));
                let nanos = i64::from(at.nanosecond());
                Value::Text(keep(at + TimeDelta::nanoseconds((nanos + step / 2) / step * step - nanos)))
            }
            Self::VarChar(most) | Self::NVarChar(most) => {
                let text = text(value)?;
                let length =
                    if matches!(self, Self::VarChar(_)) { text.len() } else { text.encode_utf16().count() };
                if most.is_some_and(|most| length > usize::from(most)) {
                    return Err(SqlError::new(2628, 16, "String or binary data would be truncated."));
                }
                Value::Text(text)
            }
            Self::VarBinary(_) => match value {
                Value::Blob(bytes) => Value::Blob(bytes),
                other => Value::Blob(text(other)?.into_bytes()),
            },
        })
    }
}

fn text(value: Value) -> Result<String, SqlError> {
    Ok(match value {
        Value::Text(text) => text,
        Value::Integer(whole) => whole.to_string(),
        Value::Real(number) => number.to_string(),
        Value::Blob(bytes) => String::from_utf8(bytes).map_err(|_| clash("varbinary"))?,
        Value::Null => String::new(),
    })
}

#[allow(clippy::cast_precision_loss, reason = "as T-SQL's own conversion to FLOAT")]
pub(super) fn number(value: &Value) -> Result<f64, SqlError> {
    match value {
        Value::Integer(whole) => Ok(*whole as f64),
        Value::Real(number) => Ok(*number),
        Value::Text(text) => text.trim().parse().map_err(|_| clash("nvarchar")),
        _ => Err(clash("varbinary")),
    }
}

fn overflow(to: &str) -> SqlError {
    SqlError::new(8115, 16, format!("Arithmetic overflow error converting expression to data type {to}."))
}

fn clash(from: &str) -> SqlError {
    SqlError::new(8114, 16, format!("Error converting data type {from}."))
}
