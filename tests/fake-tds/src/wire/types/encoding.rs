//! Values on the wire.

use anyhow::{Context, Result, bail};
use bytes::{Buf, BufMut};
use chrono::{NaiveTime, TimeDelta};
use rusqlite::types::Value;

use super::Type;
use super::calendar::{DAY, date, datetime, days, from_ticks, keep, ticks, time_bytes};
use super::convert::number;
use super::description::MAX;
use crate::fault::SqlError;
use crate::wire::{take, utf16};

impl Type {
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
