//! The protocol's own part, after Microsoft's open specification \[MS-TDS\]; section numbers are
//! from there. Nothing here knows SQL.

pub(crate) mod login;
pub(crate) mod packet;
pub(crate) mod prelogin;
pub(crate) mod request;
pub(crate) mod tls;
pub(crate) mod token;
pub(crate) mod types;

use anyhow::{Context, Result, ensure};
use bytes::Buf;

/// Takes `length` bytes off the front.
pub(crate) fn take<'a>(buffer: &mut &'a [u8], length: usize) -> Result<&'a [u8]> {
    ensure!(buffer.len() >= length, "the message ends within a value of {length} bytes");
    let (taken, rest) = buffer.split_at(length);
    *buffer = rest;
    Ok(taken)
}

/// UTF-16, little-endian, as names and NVARCHAR values are.
pub(crate) fn utf16(bytes: &[u8]) -> Result<String> {
    let units = bytes.chunks_exact(2).map(|pair| u16::from_le_bytes([pair[0], pair[1]]));
    char::decode_utf16(units).collect::<Result<_, _>>().context("a text is no UTF-16")
}

/// A text with its number of UTF-16 units before it, in one byte (B_VARCHAR).
pub(crate) fn short_text(buffer: &mut &[u8]) -> Result<String> {
    let units = buffer.try_get_u8()?;
    utf16(take(buffer, usize::from(units) * 2)?)
}
