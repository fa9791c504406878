//! How to reach a SQL Server: the keys that `[input]` and `[output]` have in common.
//!
//! Plain data, as it was written. `cli/sqlserver_target.rs` checks which keys go together and makes
//! a connection of them. A key that was not written is `None`, so that `[output]` can take it from
//! `[input]`.

use std::path::PathBuf;
use std::time::Duration;

use super::value::{Choice, Literal, word};
use crate::secret::Secret;

/// The address of a SQL Server, and the login. Without `server` and `connection_string` there is no
/// server.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Access {
    /// `host`, `host,port`, `host\instance`, or these with `tcp:` before them.
    pub server: Option<String>,
    pub port: Option<u16>,
    /// In the notation of ADO.NET or JDBC, instead of `server` and all other keys of the
    /// connection.
    pub connection_string: Option<Secret>,
    pub user: Option<String>,
    pub password: Option<Secret>,
    /// Read at each connection, so that a password can be changed under a running worker.
    pub password_file: Option<PathBuf>,
    /// Whether the account of this process logs in.
    pub integrated: Option<bool>,
    /// None: [`Encrypt::Yes`].
    pub encrypt: Option<Encrypt>,
    /// Whether any certificate is accepted. None: no.
    pub trust_server_certificate: Option<bool>,
    /// Certificates that are trusted besides the system's.
    pub ca_file: Option<PathBuf>,
    pub connect_timeout: Option<Duration>,
    pub query_timeout: Option<Duration>,
    pub lock_timeout: Option<Duration>,
}

/// How much of a connection is encrypted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Encrypt {
    /// All of it.
    Yes,
    /// All of it and from the first byte on, which needs SQL Server 2022 (TDS 8.0).
    Strict,
    /// Only the login, if the server supports it.
    No,
}

impl Choice for Encrypt {
    const ALL: &'static [(&'static str, Self)] =
        &[("yes", Self::Yes), ("strict", Self::Strict), ("no", Self::No)];
}

impl Literal for Encrypt {
    fn literal(&self) -> String {
        word(*self)
    }
}

impl Access {
    /// Whether a server is named.
    pub fn is_server(&self) -> bool {
        self.server.is_some() || self.connection_string.is_some()
    }

    /// Whether there is any key of the login.
    pub fn has_login(&self) -> bool {
        self.user.is_some()
            || self.password.is_some()
            || self.password_file.is_some()
            || self.integrated.is_some()
    }

    /// These keys, completed by those of `other`: another server has a login and certificates of
    /// its own too, so that no password is sent to the wrong server; on the same server only the
    /// login may differ.
    #[must_use]
    pub fn over(&self, other: &Self) -> Self {
        let mut merged = if self.is_server() { self.clone() } else { other.clone() };
        if !self.is_server() && self.has_login() {
            merged.user.clone_from(&self.user);
            merged.password.clone_from(&self.password);
            merged.password_file.clone_from(&self.password_file);
            merged.integrated = self.integrated;
        }
        if !self.is_server() {
            merged.encrypt = self.encrypt.or(other.encrypt);
            merged.trust_server_certificate =
                self.trust_server_certificate.or(other.trust_server_certificate);
            merged.ca_file = self.ca_file.clone().or_else(|| other.ca_file.clone());
        }
        merged.connect_timeout = self.connect_timeout.or(other.connect_timeout);
        merged.query_timeout = self.query_timeout.or(other.query_timeout);
        merged.lock_timeout = self.lock_timeout.or(other.lock_timeout);
        merged
    }
}
