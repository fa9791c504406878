//! Every statement that this store sends, as text: what a session is set up with and asked of the
//! catalogue, what reads the input, what reads and writes the output and the tables beside it.
//! Beside these it sends only the DDL of [`schema`](crate::store::schema::sqlserver) and the
//! driver's own bulk load into the tables of [`output::STAGED_VERDICTS`] and its like.
//!
//! Parameters are `@P1`, `@P2`, …; names are quoted by
//! [`TableName::sql_server`](crate::store::TableName::sql_server). A statement has few shapes, so
//! that the server's cache of plans holds each once. Pure.

#[cfg(test)]
mod documented;
pub mod episodes;
pub mod input;
pub mod outbox;
pub mod output;
pub mod page;
pub mod session;
