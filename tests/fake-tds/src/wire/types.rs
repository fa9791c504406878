//! The types of columns and parameters (2.2.5.4): as SQL writes them, as the wire describes them, and their values on the wire.
//!
//! A value here is what SQLite keeps: a datetime is text of one width, `2025-01-15 10:00:00.5030000`, which sorts as it should and
//! holds all the digits; a decimal is a REAL; a BIT 0 or 1.

use anyhow::{Context, Result, bail};
use bytes::{Buf, BufMut};
use chrono::{Datelike, NaiveDate, NaiveDateTime, NaiveTime, TimeDelta, Timelike};
use rusqlite::types::Value;

use super::{take, utf16};
use crate::fault::SqlError;

/// Latin1_General_100_CI_AS_SC_UTF8: a VARCHAR holds any text, and is UTF-8 on the wire.
pub(crate) const COLLATION: [u8; 5] = [0x09, 0x04, 0xD0, 0x24, 0x00];
/// The length that means MAX.
const MAX: u16 = 0xFFFF;
/// How long a datetime is that is kept as text.
pub(crate) const KEPT: usize = "2025-01-15 10:00:00.5030000".len();

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Type {
    Bit,
    /// Of 1, 2, 4 or 8 bytes.
    Int(u8),
    /// Of 4 or 8 bytes.
    Float(u8),
    Decimal {
        precision: u8,
        scale: u8,
    },
    Date,
    DateTime,
    DateTime2(u8),
    /// With their greatest length, in bytes (NVARCHAR: in UTF-16 units); None is MAX.
    VarChar(Option<u16>),
    NVarChar(Option<u16>),
    VarBinary(Option<u16>),
}

impl Type {
    pub(crate) const INT: Self = Self::Int(4);
    pub(crate) const BIGINT: Self = Self::Int(8);
    pub(crate) const TEXT: Self = Self::NVarChar(Some(4000));

    /// As T-SQL writes it: `DECIMAL(18, 6)`, `nvarchar(max)`. INTEGER is what an identity column is in SQLite.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let lower = text.trim().to_ascii_lowercase().replace(['[', ']', ' '], "");
        let (name, arguments) = match lower.split_once('(') {
            Some((name, rest)) => (name, rest.trim_end_matches(')').split(',').collect::<Vec<_>>()),
            None => (&*lower, Vec::new()),
        };
        let number = |at: usize, default: u16| match arguments.get(at) {
            Some(&("max" | "-1")) => None,
            Some(text) => text.parse().ok(),
            None => Some(default),
        };
        let byte = |at, default| number(at, default).and_then(|number| u8::try_from(number).ok());
        Some(match name {
            "bit" => Self::Bit,
            "tinyint" => Self::Int(1),
            "smallint" => Self::Int(2),
            "int" => Self::Int(4),
            "bigint" | "integer" => Self::Int(8),
            "real" => Self::Float(4),
            "float" if byte(0, 53)? <= 24 => Self::Float(4),
            "float" => Self::Float(8),
            "decimal" | "numeric" => Self::Decimal { precision: byte(0, 18)?, scale: byte(1, 0)? },
            "date" => Self::Date,
            "datetime" => Self::DateTime,
            "datetime2" => Self::DateTime2(byte(0, 7)?),
            "varchar" | "char" => Self::VarChar(number(0, 30)),
            "nvarchar" | "nchar" | "sysname" => {
                Self::NVarChar(number(0, if name == "sysname" { 128 } else { 30 }))
            }
            "varbinary" | "binary" => Self::VarBinary(number(0, 30)),
            _ => return None,
        })
    }

    /// Its name in sys.types.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Bit => "bit",
            Self::Int(1) => "tinyint",
            Self::Int(2) => "smallint",
            Self::Int(4) => "int",
            Self::Int(_) => "bigint",
            Self::Float(4) => "real",
            Self::Float(_) => "float",
            Self::Decimal { .. } => "decimal",
            Self::Date => "date",
            Self::DateTime => "datetime",
            Self::DateTime2(_) => "datetime2",
            Self::VarChar(_) => "varchar",
            Self::NVarChar(_) => "nvarchar",
            Self::VarBinary(_) => "varbinary",
        }
    }

    /// What becomes of a value that is assigned to a column of this type, or cast to it.
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

    /// TYPE_INFO. Every type is its nullable form.
    pub(crate) fn describe(self, buffer: &mut Vec<u8>) {
        match self {
            Self::Bit => buffer.put_slice(&[0x68, 1]),
            Self::Int(bytes) => buffer.put_slice(&[0x26, bytes]),
            Self::Float(bytes) => buffer.put_slice(&[0x6D, bytes]),
            Self::Decimal { precision, scale } => buffer.put_slice(&[0x6A, 17, precision, scale]),
            Self::Date => buffer.put_slice(&[0x28]),
            Self::DateTime => buffer.put_slice(&[0x6F, 8]),
            Self::DateTime2(scale) => buffer.put_slice(&[0x2A, scale]),
            Self::VarChar(length) => {
                buffer.put_u8(0xA7);
                buffer.put_u16_le(length.unwrap_or(MAX));
                buffer.put_slice(&COLLATION);
            }
            Self::NVarChar(length) => {
                buffer.put_u8(0xE7);
                buffer.put_u16_le(length.map_or(MAX, |characters| characters * 2));
                buffer.put_slice(&COLLATION);
            }
            Self::VarBinary(length) => {
                buffer.put_u8(0xA5);
                buffer.put_u16_le(length.unwrap_or(MAX));
            }
        }
    }

    /// Reads TYPE_INFO.
    pub(crate) fn described(buffer: &mut &[u8]) -> Result<Self> {
        let code = buffer.try_get_u8()?;
        Ok(match code {
            0x32 => Self::Bit,
            0x30 => Self::Int(1),
            0x34 => Self::Int(2),
            0x38 => Self::Int(4),
            0x7F => Self::Int(8),
            0x3B => Self::Float(4),
            0x3E => Self::Float(8),
            0x3D => Self::DateTime,
            0x68 => {
                buffer.try_get_u8()?;
                Self::Bit
            }
            0x26 => Self::Int(buffer.try_get_u8()?),
            0x6D => Self::Float(buffer.try_get_u8()?),
            0x6A | 0x6C => {
                buffer.try_get_u8()?;
                Self::Decimal { precision: buffer.try_get_u8()?, scale: buffer.try_get_u8()? }
            }
            0x28 => Self::Date,
            0x6F => {
                buffer.try_get_u8()?;
                Self::DateTime
            }
            0x2A => Self::DateTime2(buffer.try_get_u8()?),
            0xA7 | 0xAF | 0xE7 | 0xEF => {
                let length = buffer.try_get_u16_le()?;
                take(buffer, COLLATION.len())?;
                let length = (length != MAX).then_some(length);
                if code & 0x40 == 0 {
                    Self::VarChar(length)
                } else {
                    Self::NVarChar(length.map(|bytes| bytes / 2))
                }
            }
            0xA5 | 0xAD => {
                let length = buffer.try_get_u16_le()?;
                Self::VarBinary((length != MAX).then_some(length))
            }
            other => bail!("the fake does not know the type {other:#04x}"),
        })
    }

    /// A value, with its length before it.
    pub(crate) fn encode(self, value: Value, buffer: &mut Vec<u8>) -> Result<()> {
        let value = self.convert(value).map_err(SqlError::into_driver)?;
        match self {
            Self::VarChar(length) | Self::NVarChar(length) | Self::VarBinary(length) => {
                let bytes = match (self, value) {
                    (_, Value::Null) => None,
                    (_, Value::Blob(bytes)) => Some(bytes),
                    (Self::VarChar(_), Value::Text(text)) => Some(text.into_bytes()),
                    (_, Value::Text(text)) => Some(text.encode_utf16().flat_map(u16::to_le_bytes).collect()),
                    (_, other) => bail!("{other:?} is no text"),
                };
                match (bytes, length) {
                    (None, None) => buffer.put_u64_le(u64::MAX),
                    (None, Some(_)) => buffer.put_u16_le(MAX),
                    (Some(bytes), None) => {
                        buffer.put_u64_le(bytes.len() as u64);
                        if !bytes.is_empty() {
                            buffer.put_u32_le(u32::try_from(bytes.len())?);
                            buffer.put_slice(&bytes);
                        }
                        buffer.put_u32_le(0);
                    }
                    (Some(bytes), Some(_)) => {
                        buffer.put_u16_le(u16::try_from(bytes.len())?);
                        buffer.put_slice(&bytes);
                    }
                }
            }
            _ if value == Value::Null => buffer.put_u8(0),
            Self::Bit => buffer.put_slice(&[1, u8::from(value != Value::Integer(0))]),
            Self::Int(bytes) => {
                let Value::Integer(whole) = value else { bail!("{value:?} is no integer") };
                buffer.put_u8(bytes);
                buffer.put_slice(&whole.to_le_bytes()[..usize::from(bytes)]);
            }
            Self::Float(bytes) => {
                buffer.put_u8(bytes);
                let number = number(&value).map_err(SqlError::into_driver)?;
                #[allow(clippy::cast_possible_truncation, reason = "that is what REAL is")]
                if bytes == 4 { buffer.put_f32_le(number as f32) } else { buffer.put_f64_le(number) }
            }
            Self::Decimal { scale, .. } => {
                let number = number(&value).map_err(SqlError::into_driver)?;
                #[allow(
                    clippy::cast_possible_truncation,
                    clippy::cast_sign_loss,
                    reason = "convert has checked it"
                )]
                let digits = (number.abs() * 10_f64.powi(i32::from(scale))).round() as u128;
                buffer.put_slice(&[17, u8::from(number >= 0.0)]);
                buffer.put_u128_le(digits);
            }
            Self::Date | Self::DateTime | Self::DateTime2(_) => {
                let Value::Text(text) = value else { bail!("{value:?} is no datetime") };
                let at = datetime(&text).map_err(SqlError::into_driver)?;
                match self {
                    Self::Date => {
                        buffer.put_u8(3);
                        buffer.put_slice(&days(at)?.to_le_bytes()[..3]);
                    }
                    Self::DateTime => {
                        let ticks = ticks(at);
                        buffer.put_u8(8);
                        buffer.put_i32_le(i32::try_from(ticks.div_euclid(DAY))?);
                        buffer.put_u32_le(u32::try_from(ticks.rem_euclid(DAY))?);
                    }
                    _ => {
                        let Self::DateTime2(scale) = self else { bail!("no other type is left") };
                        let since_midnight = at.time().signed_duration_since(NaiveTime::MIN);
                        let step = 10_i64.pow(9 - u32::from(scale.min(9)));
                        let time = since_midnight.num_nanoseconds().context("a day is short")? / step;
                        let bytes = time_bytes(scale);
                        buffer.put_u8(u8::try_from(bytes + 3)?);
                        buffer.put_slice(&time.to_le_bytes()[..bytes]);
                        buffer.put_slice(&days(at)?.to_le_bytes()[..3]);
                    }
                }
            }
        }
        Ok(())
    }

    /// Reads a value; `fixed` where the type was described in its form without a length.
    pub(crate) fn decode(self, buffer: &mut &[u8], fixed: bool) -> Result<Value> {
        if let Self::VarChar(length) | Self::NVarChar(length) | Self::VarBinary(length) = self {
            let bytes = match length {
                None => chunks(buffer)?,
                Some(_) => match buffer.try_get_u16_le()? {
                    MAX => None,
                    length => Some(take(buffer, usize::from(length))?.to_vec()),
                },
            };
            return Ok(match (self, bytes) {
                (_, None) => Value::Null,
                (Self::VarBinary(_), Some(bytes)) => Value::Blob(bytes),
                (Self::VarChar(_), Some(bytes)) => Value::Text(String::from_utf8(bytes)?),
                (_, Some(bytes)) => Value::Text(utf16(&bytes)?),
            });
        }
        let length = match (fixed, self) {
            (false, _) => usize::from(buffer.try_get_u8()?),
            (true, Self::Bit) => 1,
            (true, Self::Int(bytes) | Self::Float(bytes)) => usize::from(bytes),
            (true, _) => 8,
        };
        let mut bytes = take(buffer, length)?;
        if bytes.is_empty() {
            return Ok(Value::Null);
        }
        Ok(match self {
            Self::Bit => Value::Integer(i64::from(bytes.try_get_u8()? != 0)),
            Self::Int(_) if length == 1 => Value::Integer(bytes.try_get_u8()?.into()),
            Self::Int(_) => Value::Integer(bytes.try_get_int_le(length)?),
            Self::Float(_) if length == 4 => Value::Real(bytes.try_get_f32_le()?.into()),
            Self::Float(_) => Value::Real(bytes.try_get_f64_le()?),
            Self::Decimal { scale, .. } => {
                let sign = if bytes.try_get_u8()? == 0 { -1.0 } else { 1.0 };
                let mut digits = [0; 16];
                digits[..length - 1].copy_from_slice(bytes);
                #[allow(clippy::cast_precision_loss, reason = "a decimal is a REAL here")]
                Value::Real(sign * u128::from_le_bytes(digits) as f64 / 10_f64.powi(scale.into()))
            }
            Self::Date => Value::Text(date(bytes)?.format("%Y-%m-%d").to_string()),
            Self::DateTime => {
                let (days, ticks) = (bytes.try_get_i32_le()?, bytes.try_get_u32_le()?);
                let at =
                    from_ticks(i64::from(days) * DAY + i64::from(ticks)).map_err(SqlError::into_driver)?;
                Value::Text(keep(at))
            }
            Self::DateTime2(scale) => {
                let time = take(&mut bytes, length - 3)?;
                let mut wide = [0; 8];
                wide[..time.len()].copy_from_slice(time);
                let nanos = i64::from_le_bytes(wide) * 10_i64.pow(9 - u32::from(scale.min(9)));
                Value::Text(keep(date(bytes)?.and_time(NaiveTime::MIN) + TimeDelta::nanoseconds(nanos)))
            }
            Self::VarChar(_) | Self::NVarChar(_) | Self::VarBinary(_) => bail!("decoded above"),
        })
    }
}

/// Whether TYPE_INFO begins with a type that has no length before its values.
pub(crate) fn is_fixed(code: u8) -> bool {
    matches!(code, 0x30 | 0x32 | 0x34 | 0x38 | 0x3B | 0x3D | 0x3E | 0x7F)
}

/// A value in chunks (2.2.5.2.3).
fn chunks(buffer: &mut &[u8]) -> Result<Option<Vec<u8>>> {
    if buffer.try_get_u64_le()? == u64::MAX {
        return Ok(None);
    }
    let mut bytes = Vec::new();
    loop {
        match buffer.try_get_u32_le()? {
            0 => return Ok(Some(bytes)),
            length => bytes.extend_from_slice(take(buffer, length as usize)?),
        }
    }
}

/// 1/300 s in a day.
const DAY: i64 = 86_400 * 300;

fn epoch(year: i32) -> NaiveDate {
    NaiveDate::from_ymd_opt(year, 1, 1).unwrap_or_default()
}

/// A DATETIME: 1/300 s since 1900, rounded.
fn ticks(at: NaiveDateTime) -> i64 {
    let since = at.signed_duration_since(epoch(1900).and_time(NaiveTime::MIN));
    let nanos = i64::from(since.subsec_nanos()).rem_euclid(1_000_000_000);
    let seconds = since.num_seconds() - i64::from(since.subsec_nanos() < 0);
    seconds * 300 + (nanos * 3 + 5_000_000) / 10_000_000
}

/// What a DATETIME is to whoever looks closer: its third of a hundredth, to 100 ns.
fn from_ticks(ticks: i64) -> Result<NaiveDateTime, SqlError> {
    let nanos = (ticks.rem_euclid(300) * 100_000_000 + 15) / 30;
    let since = TimeDelta::seconds(ticks.div_euclid(300)) + TimeDelta::nanoseconds(nanos / 100 * 100);
    let at = epoch(1900).and_time(NaiveTime::MIN).checked_add_signed(since);
    at.filter(|at| (1753..=9999).contains(&at.year())).ok_or_else(|| {
        let message = "The conversion of a datetime2 data type to a datetime data type resulted in an out-of-range value.";
        SqlError::new(242, 16, message)
    })
}

fn time_bytes(scale: u8) -> usize {
    match scale {
        0..=2 => 3,
        3..=4 => 4,
        _ => 5,
    }
}

fn days(at: NaiveDateTime) -> Result<u32> {
    Ok(u32::try_from(at.date().signed_duration_since(epoch(1)).num_days())?)
}

fn date(bytes: &[u8]) -> Result<NaiveDate> {
    let days = bytes.iter().rev().fold(0, |days, &byte| days << 8 | i64::from(byte));
    epoch(1).checked_add_signed(TimeDelta::days(days)).context("a date beyond the calendar")
}

pub(crate) fn keep(at: NaiveDateTime) -> String {
    let mut text = at.format("%Y-%m-%d %H:%M:%S%.9f").to_string();
    text.truncate(KEPT);
    text
}

/// A datetime as T-SQL or this file writes it.
pub(crate) fn datetime(text: &str) -> Result<NaiveDateTime, SqlError> {
    let text = text.trim();
    for format in ["%Y-%m-%d %H:%M:%S%.f", "%Y-%m-%dT%H:%M:%S%.f", "%Y%m%d %H:%M:%S%.f", "%Y-%m-%d %H:%M"] {
        if let Ok(at) = NaiveDateTime::parse_from_str(text, format) {
            return Ok(at);
        }
    }
    for format in ["%Y-%m-%d", "%Y%m%d"] {
        if let Ok(day) = NaiveDate::parse_from_str(text, format) {
            return Ok(day.and_time(NaiveTime::MIN));
        }
    }
    Err(SqlError::new(241, 16, "Conversion failed when converting date and/or time from character string."))
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
fn number(value: &Value) -> Result<f64, SqlError> {
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
