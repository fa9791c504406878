//! The address of a server and the login. A target lives as long as the worker. A password is
//! passed from here into the driver's own secret type and nowhere else.

mod driver;
mod password;
#[cfg(test)]
mod tests;

use std::fmt;
use std::path::{Path, PathBuf};
use std::time::Duration;

pub use password::Password;

use super::connection_string::ConnectionString;
use super::encryption::Encryption;
use super::error::{Error, ServerContext};
use crate::secret::Secret;
use crate::store::ErrorKind;

/// A database on a server.
#[derive(Clone, Debug)]
pub struct Target {
    pub address: Address,
    /// None: the connection string's, else the login's own.
    pub database: Option<String>,
    pub login: Login,
    pub timeouts: Timeouts,
}

/// The server, and how far its answers are trusted.
#[derive(Clone, Debug)]
pub enum Address {
    Server {
        host: String,
        /// None: 1433, or the port that the server's browser service gives for `instance`.
        port: Option<u16>,
        instance: Option<String>,
        encryption: Encryption,
        trust: Trust,
    },
    /// In the notation of ADO.NET or JDBC.
    ConnectionString(Secret),
}

/// Which certificates are accepted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Trust {
    System,
    /// Those in this file too.
    AlsoFile(PathBuf),
    Any,
}

/// The login.
#[derive(Clone, Debug)]
pub enum Login {
    Sql {
        user: String,
        password: Password,
    },
    /// The account of this process.
    Integrated,
    /// As in the connection string.
    OfConnectionString,
}

/// The timeouts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Timeouts {
    /// For the whole of connecting and logging in.
    pub connect: Duration,
    /// For the next piece of an answer.
    pub query: Duration,
    /// For another session's lock.
    pub lock: Duration,
}

impl Default for Timeouts {
    fn default() -> Self {
        Self {
            connect: Duration::from_secs(15),
            query: Duration::from_secs(30),
            // Commits take milliseconds: a lock that is held this long belongs to a person's open
            // transaction, and the next cycle tries again.
            lock: Duration::from_secs(5),
        }
    }
}

/// The server, in the notation that people use.
impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.address {
            Address::Server { host, port, instance, .. } => server(f, host, instance.as_deref(), *port),
            Address::ConnectionString(text) => match parsed(text) {
                Ok(said) => server(f, &said.host, said.instance.as_deref(), said.port),
                Err(_) => f.write_str("connection_string"),
            },
        }
    }
}

fn server(f: &mut fmt::Formatter<'_>, host: &str, instance: Option<&str>, port: Option<u16>) -> fmt::Result {
    f.write_str(host)?;
    if let Some(instance) = instance {
        write!(f, "\\{instance}")?;
    }
    port.map_or(Ok(()), |port| write!(f, ",{port}"))
}

impl Target {
    /// The file with the password, if everybody on this machine can read it.
    pub fn exposed_password(&self) -> Option<&Path> {
        match &self.login {
            Login::Sql { password, .. } => password.seen_by_all(),
            Login::Integrated | Login::OfConnectionString => None,
        }
    }

    /// The server's name in errors.
    pub(super) fn context(&self) -> ServerContext {
        ServerContext {
            server: self.to_string(),
            database: self.database.clone().unwrap_or_default(),
            lock_timeout: self.timeouts.lock,
        }
    }

    /// The database and the server, in messages.
    pub fn place(&self) -> String {
        match &self.database {
            Some(database) => format!("{database} on {self}"),
            None => self.to_string(),
        }
    }

    /// Whether any certificate is accepted, so that an interception is not noticed.
    pub fn trusts_any(&self) -> bool {
        match &self.address {
            Address::Server { trust, .. } => *trust == Trust::Any,
            Address::ConnectionString(text) => parsed(text).is_ok_and(|said| said.trusts_any),
        }
    }
}

/// The settings of a connection string.
fn parsed(text: &Secret) -> Result<ConnectionString, Error> {
    ConnectionString::read(text.reveal()).map_err(|why| Error::Found(ErrorKind::Other, why))
}
