//! Every statement that this store sends, as text: the settings of a session, the queries on the
//! catalogue, on the input, and on the output and the tables beside it. Apart from these it sends
//! only the DDL of [`schema`](crate::store::schema::sqlserver) and the driver's own bulk load into
//! the tables of [`output::STAGED_VERDICTS`] and its like.
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
