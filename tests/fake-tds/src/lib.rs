//! A server that is not SQL Server. It speaks real TDS (login, TLS, parameters, bulk load,
//! transactions, errors), so that a real driver talks to it over a real socket; but it answers the
//! T-SQL of one program, this project's store, by turning it into SQLite's own.
//!
//! What passes here shows that the wire holds: that a lost connection, a server's error or a half
//! packet harm nothing. It is **never a reason to believe that the SQL is right**: SQLite has other
//! types, other locks (one writer a database file, where SQL Server locks rows) and no lock hints
//! at all. That is what `just test-sqlserver` is for.
//!
//! A [`Server`] lives as long as the value; a thread a connection serves it, and dropping it cuts
//! them all. What it does not know it says, with the statement's text, as an error of its own
//! number ([`UNKNOWN`]).

pub mod fault;
pub mod proxy;
mod rights;
mod server;
mod session;
mod sql;
mod wire;

pub use fault::{Fault, SqlError, What, When};
pub use server::{PASSWORD, Server, USER};
pub use sql::UNKNOWN;
