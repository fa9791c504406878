//! Messages, cut into packets (2.2.3): a header of eight bytes, which says how long the packet is
//! and whether it is the message's last.

use std::io::{ErrorKind, Read, Write};

use anyhow::{Result, ensure};

/// What a message is (2.2.3.1.1), as far as it is served.
pub(crate) mod kind {
    pub(crate) const BATCH: u8 = 1;
    pub(crate) const RPC: u8 = 3;
    pub(crate) const RESPONSE: u8 = 4;
    pub(crate) const ATTENTION: u8 = 6;
    pub(crate) const BULK: u8 = 7;
    pub(crate) const TRANSACTION: u8 = 14;
    pub(crate) const LOGIN: u8 = 16;
    pub(crate) const PRELOGIN: u8 = 18;
}

pub(crate) const HEADER: usize = 8;
const LAST: u8 = 1;
/// The size that both sides use until they agree on another, which is never done here.
pub(crate) const SIZE: usize = 4096;
/// No request of a test or benchmark is larger: a broken stream must not be waited for.
const MOST: usize = 128 << 20;

/// A whole message; None where the other side has closed.
pub(crate) fn read(stream: &mut impl Read) -> Result<Option<(u8, Vec<u8>)>> {
    let mut message = Vec::new();
    loop {
        let mut header = [0; HEADER];
        match stream.read_exact(&mut header) {
            Err(error) if error.kind() == ErrorKind::UnexpectedEof && message.is_empty() => return Ok(None),
            other => other?,
        }
        let length = usize::from(u16::from_be_bytes([header[2], header[3]]));
        ensure!(length >= HEADER && message.len() < MOST, "a packet of {length} bytes");
        let start = message.len();
        message.resize(start + length - HEADER, 0);
        stream.read_exact(&mut message[start..])?;
        if header[1] & LAST == LAST {
            return Ok(Some((header[0], message)));
        }
    }
}

/// Sends a message, each packet with a write of its own, so that the proxy can cut the stream
/// between packets.
pub(crate) fn write(stream: &mut impl Write, kind: u8, message: &[u8]) -> std::io::Result<()> {
    let mut parts = message.chunks(SIZE - HEADER).peekable();
    let mut number = 1_u8;
    loop {
        let part = parts.next().unwrap_or_default();
        let last = parts.peek().is_none();
        let length = u16::try_from(part.len() + HEADER).unwrap_or(u16::MAX).to_be_bytes();
        let mut packet = vec![kind, u8::from(last), length[0], length[1], 0, 0, number, 0];
        packet.extend_from_slice(part);
        stream.write_all(&packet)?;
        number = number.wrapping_add(1);
        if last {
            return stream.flush();
        }
    }
}
