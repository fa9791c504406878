//! A server that is not SQL Server. It has the real TDS protocol (login, TLS, parameters, bulk
//! load, transactions, errors), so that a real driver can use it over a real socket. But it knows
//! only the T-SQL of one program, this project's store, and translates it to SQLite's SQL.
//!
//! A test that passes here shows that the connection is handled well: that a lost connection, a
//! server's error or a half packet do no harm. It is **never a reason to believe that the SQL is
//! right**: SQLite has other types, other locks (one writer a database file, where SQL Server locks
//! rows) and no lock hints at all. That is what `just test-sqlserver` is for.
//!
//! A [`Server`] runs until the value is dropped, which closes all connections. Each connection has
//! a thread. A statement that it does not know is an error with the statement's text and a number
//! of its own ([`UNKNOWN`]).

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
