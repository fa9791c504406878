//! The first exchange (2.2.6.5): versions, and whether the rest is encrypted.

use anyhow::{Result, ensure};
use bytes::{Buf, BufMut};

const VERSION: u8 = 0;
const ENCRYPTION: u8 = 1;
const END: u8 = 0xFF;
const ON: u8 = 1;
const NOT_SUPPORTED: u8 = 2;

/// Whether a client can do TLS at all. One that wants its login encrypted gets everything
/// encrypted.
pub(crate) fn wants_tls(message: &[u8]) -> Result<bool> {
    let mut options = message;
    loop {
        let option = options.try_get_u8()?;
        ensure!(option != END, "the prelogin says nothing of encryption");
        let (offset, length) = (options.try_get_u16()?, options.try_get_u16()?);
        if option == ENCRYPTION {
            let value = message.get(usize::from(offset)..usize::from(offset) + usize::from(length));
            return Ok(value.is_some_and(|value| value != [NOT_SUPPORTED]));
        }
    }
}

/// The answer.
pub(crate) fn answer(tls: bool) -> Vec<u8> {
    let mut message = Vec::new();
    message.put_u8(VERSION);
    message.put_u16(11);
    message.put_u16(6);
    message.put_u8(ENCRYPTION);
    message.put_u16(17);
    message.put_u16(1);
    message.put_u8(END);
    message.put_slice(&[16, 0, 0, 0, 0, 0]);
    message.put_u8(if tls { ON } else { NOT_SUPPORTED });
    message
}
