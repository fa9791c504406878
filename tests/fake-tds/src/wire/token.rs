//! What a server answers: tokens, one after the other (2.2.7).

use anyhow::Result;
use bytes::BufMut;
use rusqlite::types::Value;

use super::types::{COLLATION, Type};
use crate::fault::SqlError;

const TDS_74: u32 = 0x7400_0004;
/// The kind of statement (2.2.7.6), which clients ignore.
const SELECT: u16 = 0xC1;

/// A column of a result.
#[derive(Clone, Debug)]
pub(crate) struct Column {
    pub(crate) name: String,
    pub(crate) kind: Type,
    pub(crate) nullable: bool,
    pub(crate) identity: bool,
}

/// Which of the three DONE tokens.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Done {
    /// After a statement of a batch.
    Batch = 0xFD,
    /// After the procedure.
    Procedure = 0xFE,
    /// After a statement within a procedure.
    InProcedure = 0xFF,
}

pub(crate) mod status {
    pub(crate) const FINAL: u16 = 0;
    pub(crate) const MORE: u16 = 1;
    pub(crate) const ERROR: u16 = 2;
    pub(crate) const COUNT: u16 = 16;
    pub(crate) const ATTENTION: u16 = 32;
}

/// An answer as it grows.
#[derive(Default)]
pub(crate) struct Answer(pub(crate) Vec<u8>);

impl Answer {
    pub(crate) fn login(&mut self) {
        let mut body = vec![1];
        body.put_u32(TDS_74);
        // A client that shows the name shows that this is not SQL Server.
        put_short_text(&mut body, "fake-tds, not SQL Server");
        body.put_slice(&[16, 0, 0, 0]);
        self.sized(0xAD, &body);
    }

    /// ENVCHANGE: the database.
    pub(crate) fn database(&mut self, new: &str, old: &str) {
        let mut body = vec![1];
        put_short_text(&mut body, new);
        put_short_text(&mut body, old);
        self.sized(0xE3, &body);
    }

    pub(crate) fn packet_size(&mut self, size: usize) {
        let mut body = vec![4];
        put_short_text(&mut body, &size.to_string());
        put_short_text(&mut body, &size.to_string());
        self.sized(0xE3, &body);
    }

    pub(crate) fn collation(&mut self) {
        let mut body = vec![7, 5];
        body.put_slice(&COLLATION);
        body.put_u8(0);
        self.sized(0xE3, &body);
    }

    /// ENVCHANGE: a transaction has begun.
    pub(crate) fn begun(&mut self) {
        let mut body = vec![8, 8];
        body.put_u64_le(1);
        body.put_u8(0);
        self.sized(0xE3, &body);
    }

    /// ENVCHANGE: it is over.
    pub(crate) fn ended(&mut self, committed: bool) {
        let mut body = vec![if committed { 9 } else { 10 }, 0, 8];
        body.put_u64_le(1);
        self.sized(0xE3, &body);
    }

    /// ENVCHANGE: the client is routed elsewhere, as by Azure's gateways.
    pub(crate) fn routing(&mut self, host: &str, port: u16) {
        let units: Vec<u8> = host.encode_utf16().flat_map(u16::to_le_bytes).collect();
        let mut body = vec![20];
        body.put_u16_le(u16::try_from(units.len() + 5).unwrap_or(u16::MAX));
        body.put_u8(0);
        body.put_u16_le(port);
        body.put_u16_le(u16::try_from(units.len() / 2).unwrap_or(u16::MAX));
        body.put_slice(&units);
        body.put_u16_le(0);
        self.sized(0xE3, &body);
    }

    pub(crate) fn error(&mut self, error: &SqlError) {
        let mut body = Vec::new();
        body.put_i32_le(error.number);
        body.put_slice(&[error.state, error.severity]);
        put_text(&mut body, &error.message);
        put_short_text(&mut body, "fake-tds");
        put_short_text(&mut body, "");
        body.put_u32_le(1);
        self.sized(0xAA, &body);
    }

    pub(crate) fn columns(&mut self, columns: &[Column]) {
        self.0.put_u8(0x81);
        self.0.put_u16_le(u16::try_from(columns.len()).unwrap_or(u16::MAX));
        for column in columns {
            self.0.put_u32_le(0);
            // Nullable; identity, or else one that may be written.
            let how = if column.identity { 0x10 } else { 0x08 };
            self.0.put_u16_le(u16::from(column.nullable) | how);
            column.kind.describe(&mut self.0);
            put_short_text(&mut self.0, &column.name);
        }
    }

    pub(crate) fn row(&mut self, columns: &[Column], values: Vec<Value>) -> Result<()> {
        self.0.put_u8(0xD1);
        for (column, value) in columns.iter().zip(values) {
            column.kind.encode(value, &mut self.0)?;
        }
        Ok(())
    }

    pub(crate) fn return_status(&mut self, status: i32) {
        self.0.put_u8(0x79);
        self.0.put_i32_le(status);
    }

    pub(crate) fn done(&mut self, kind: Done, status: u16, rows: u64) {
        self.0.put_u8(kind as u8);
        self.0.put_u16_le(status);
        self.0.put_u16_le(SELECT);
        self.0.put_u64_le(rows);
    }

    fn sized(&mut self, token: u8, body: &[u8]) {
        self.0.put_u8(token);
        self.0.put_u16_le(u16::try_from(body.len()).unwrap_or(u16::MAX));
        self.0.put_slice(body);
    }
}

fn put_short_text(buffer: &mut Vec<u8>, text: &str) {
    let units: Vec<u16> = text.encode_utf16().take(usize::from(u8::MAX)).collect();
    buffer.put_u8(u8::try_from(units.len()).unwrap_or(u8::MAX));
    units.into_iter().for_each(|unit| buffer.put_u16_le(unit));
}

fn put_text(buffer: &mut Vec<u8>, text: &str) {
    let units: Vec<u16> = text.encode_utf16().take(4000).collect();
    buffer.put_u16_le(u16::try_from(units.len()).unwrap_or(u16::MAX));
    units.into_iter().for_each(|unit| buffer.put_u16_le(unit));
}
