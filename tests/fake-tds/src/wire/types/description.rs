//! A type as the wire describes it: TYPE_INFO.

use anyhow::{Result, bail};
use bytes::{Buf, BufMut};

use super::Type;
use crate::wire::take;

/// Latin1_General_100_CI_AS_SC_UTF8: a VARCHAR holds any text, and is UTF-8 on the wire.
pub(crate) const COLLATION: [u8; 5] = [0x09, 0x04, 0xD0, 0x24, 0x00];
/// The length that means MAX.
pub(super) const MAX: u16 = 0xFFFF;

impl Type {
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
}

/// Whether TYPE_INFO begins with a type that has no length before its values.
pub(crate) fn is_fixed(code: u8) -> bool {
    matches!(code, 0x30 | 0x32 | 0x34 | 0x38 | 0x3B | 0x3D | 0x3E | 0x7F)
}
