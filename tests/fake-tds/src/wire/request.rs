//! What a client asks for: batches (2.2.6.7), procedures (2.2.6.6), the rows of a bulk load
//! (2.2.6.1) and transactions (2.2.6.9).

use anyhow::{Result, bail};
use bytes::Buf;
use rusqlite::types::Value;

use super::types::{Type, is_fixed};
use super::{short_text, take, utf16};

const SP_EXECUTESQL: u16 = 10;

/// A parameter or a variable.
#[derive(Clone, Debug)]
pub(crate) struct Parameter {
    /// With its `@`; empty for one by position.
    pub(crate) name: String,
    pub(crate) kind: Type,
    pub(crate) value: Value,
}

/// A statement with its parameters, or a procedure by its name.
#[derive(Debug)]
pub(crate) enum Call {
    Statement(String, Vec<Parameter>),
    Procedure(String, Vec<Parameter>),
}

/// What the client wants of its transaction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Transaction {
    Begin,
    Commit,
    RollBack,
}

/// The text of a batch.
pub(crate) fn batch(mut message: &[u8]) -> Result<String> {
    skip_headers(&mut message)?;
    utf16(message)
}

pub(crate) fn call(mut message: &[u8]) -> Result<Call> {
    skip_headers(&mut message)?;
    let (number, name) = match message.try_get_u16_le()? {
        u16::MAX => (Some(message.try_get_u16_le()?), String::new()),
        units => (None, utf16(take(&mut message, usize::from(units) * 2)?)?),
    };
    message.try_get_u16_le()?;
    let mut parameters = Vec::new();
    while !message.is_empty() {
        let name = short_text(&mut message)?;
        message.try_get_u8()?;
        // NULLTYPE: a NULL of no type.
        if message.first() == Some(&0x1F) {
            message.advance(1);
            parameters.push(Parameter { name, kind: Type::TEXT, value: Value::Null });
            continue;
        }
        let fixed = message.first().is_some_and(|&code| is_fixed(code));
        let kind = Type::described(&mut message)?;
        parameters.push(Parameter { name, kind, value: kind.decode(&mut message, fixed)? });
    }
    if number == Some(SP_EXECUTESQL) || name.eq_ignore_ascii_case("sp_executesql") {
        // The statement, the parameters' declarations (each parameter brings its own type besides),
        // the parameters.
        let mut parameters = parameters.into_iter();
        let Some(Parameter { value: Value::Text(statement), .. }) = parameters.next() else {
            bail!("sp_executesql without a statement")
        };
        return Ok(Call::Statement(statement, parameters.skip(1).collect()));
    }
    match number {
        None => Ok(Call::Procedure(name, parameters)),
        Some(number) => bail!("the fake does not know the procedure number {number}"),
    }
}

/// The rows of a bulk load, in the form of a result: their columns' types, then the rows.
pub(crate) fn bulk(mut message: &[u8]) -> Result<(Vec<Type>, Vec<Vec<Value>>)> {
    let mut columns = Vec::new();
    let mut rows = Vec::new();
    while !message.is_empty() {
        match message.try_get_u8()? {
            0x81 => {
                for _ in 0..message.try_get_u16_le()? {
                    take(&mut message, 6)?;
                    let fixed = message.first().is_some_and(|&code| is_fixed(code));
                    columns.push((Type::described(&mut message)?, fixed));
                    short_text(&mut message)?;
                }
            }
            0xD1 => {
                let row = columns.iter().map(|&(kind, fixed)| kind.decode(&mut message, fixed));
                rows.push(row.collect::<Result<_>>()?);
            }
            0xFD => return Ok((columns.into_iter().map(|(kind, _)| kind).collect(), rows)),
            other => bail!("a bulk load with the token {other:#04x}"),
        }
    }
    bail!("a bulk load that does not end")
}

pub(crate) fn transaction(mut message: &[u8]) -> Result<Transaction> {
    skip_headers(&mut message)?;
    match message.try_get_u16_le()? {
        5 => Ok(Transaction::Begin),
        7 => Ok(Transaction::Commit),
        8 => Ok(Transaction::RollBack),
        other => bail!("the fake does not know the transaction request {other}"),
    }
}

/// ALL_HEADERS, which say in which transaction the client believes to be.
fn skip_headers(message: &mut &[u8]) -> Result<()> {
    let mut peek = *message;
    let length = peek.try_get_u32_le()?;
    take(message, length as usize)?;
    Ok(())
}
