//! LOGIN7 (2.2.6.4): who logs in, and to which database.

use anyhow::{Context, Result};

use super::utf16;

/// The places of the pairs of offset and length (in UTF-16 units).
const USER: usize = 40;
const PASSWORD: usize = 44;
const DATABASE: usize = 68;

pub(crate) struct Login {
    pub(crate) user: String,
    pub(crate) password: String,
    /// Empty: the login's default.
    pub(crate) database: String,
}

impl Login {
    pub(crate) fn parse(message: &[u8]) -> Result<Self> {
        // Each byte of the password has its halves swapped and is then XORed with 0xA5.
        let password: Vec<u8> =
            field(message, PASSWORD)?.iter().map(|byte| (byte ^ 0xA5).rotate_left(4)).collect();
        Ok(Self {
            user: utf16(field(message, USER)?)?,
            password: utf16(&password)?,
            database: utf16(field(message, DATABASE)?)?,
        })
    }
}

fn field(message: &[u8], at: usize) -> Result<&[u8]> {
    let number = |at: usize| -> Option<usize> {
        let bytes = message.get(at..at + 2)?;
        Some(usize::from(u16::from_le_bytes([bytes[0], bytes[1]])))
    };
    let range =
        number(at).zip(number(at + 2)).and_then(|(offset, units)| message.get(offset..offset + units * 2));
    range.context("a login that ends early")
}
