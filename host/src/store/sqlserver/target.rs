//! Where a server is and how to get in, and what the driver is told of it.
//!
//! A target lives as long as the worker; a password in a file is read at each connection, so that it can be changed under a
//! running one. A password leaves here into the driver's own secret type and nowhere else.

use std::fmt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use tiberius::{AuthMethod, Config, EncryptionLevel};

use super::fault::Fault;
use crate::secret::Secret;
use crate::store::Trouble;

/// What a DBA sees in the list of sessions.
const APPLICATION: &str = "anomaly-worker";

/// A database on a server.
#[derive(Clone, Debug)]
pub struct Target {
    pub address: Address,
    /// None: the connection string's, else the login's own.
    pub database: Option<String>,
    pub login: Login,
    pub timeouts: Timeouts,
}

/// Where the server is, and how far its answers are trusted.
#[derive(Clone, Debug)]
pub enum Address {
    Server {
        host: String,
        /// None: 1433, or what the server's browser service says of `instance`.
        port: Option<u16>,
        instance: Option<String>,
        encryption: Encryption,
        trust: Trust,
    },
    /// As ADO.NET or JDBC write it.
    ConnectionString(Secret),
}

/// How much of the connection is encrypted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Encryption {
    Whole,
    /// From the first byte on (TDS 8.0).
    Strict,
    LoginOnly,
}

/// Which certificates will do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Trust {
    System,
    /// Those in this file too.
    AlsoFile(PathBuf),
    Any,
}

/// Who logs in.
#[derive(Clone, Debug)]
pub enum Login {
    Sql {
        user: String,
        password: Password,
    },
    /// The account that this process runs under.
    Integrated,
    /// As the connection string says.
    OfConnectionString,
}

/// A password, or where it is.
#[derive(Clone, Debug)]
pub enum Password {
    Given(Secret),
    File(PathBuf),
}

/// How long to wait for what.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Timeouts {
    /// For the whole of connecting and logging in.
    pub connect: Duration,
    /// For the next piece of an answer.
    pub query: Duration,
    /// For somebody else's lock.
    pub lock: Duration,
}

impl Default for Timeouts {
    fn default() -> Self {
        Self {
            connect: Duration::from_secs(15),
            query: Duration::from_secs(30),
            // Commits take milliseconds: whoever holds a lock this long is a person's open transaction, and the next cycle tries again.
            lock: Duration::from_secs(5),
        }
    }
}

/// The server, as people write it.
impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.address {
            Address::Server { host, port, instance, .. } => {
                f.write_str(host)?;
                if let Some(instance) = instance {
                    write!(f, "\\{instance}")?;
                }
                port.map_or(Ok(()), |port| write!(f, ",{port}"))
            }
            Address::ConnectionString(text) => match parsed(text) {
                Ok(config) => f.write_str(&config.get_addr().replacen(':', ",", 1)),
                Err(_) => f.write_str("connection_string"),
            },
        }
    }
}

impl Target {
    /// The database and the server, as a message names them.
    pub fn place(&self) -> String {
        match &self.database {
            Some(database) => format!("{database} on {self}"),
            None => self.to_string(),
        }
    }

    /// Whether any certificate will do, so that whoever stands between is not noticed.
    pub fn trusts_any(&self) -> bool {
        match &self.address {
            Address::Server { trust, .. } => *trust == Trust::Any,
            Address::ConnectionString(text) => text.reveal().split(';').any(|pair| {
                let pair: String = pair.chars().filter(|c| !c.is_whitespace()).collect();
                let pair = pair.to_ascii_lowercase();
                matches!(pair.as_str(), "trustservercertificate=true" | "trustservercertificate=yes")
            }),
        }
    }

    /// Everything that the driver is told.
    pub(super) fn driver(&self) -> Result<Config, Fault> {
        let mut config = match &self.address {
            Address::Server { host, port, instance, encryption, trust } => {
                let mut config = Config::new();
                config.host(host);
                if let Some(port) = port {
                    config.port(*port);
                }
                if let Some(instance) = instance {
                    config.instance_name(instance);
                }
                config.encryption(match encryption {
                    Encryption::Whole => EncryptionLevel::Required,
                    Encryption::Strict => EncryptionLevel::Strict,
                    Encryption::LoginOnly => EncryptionLevel::Off,
                });
                match trust {
                    Trust::System => {}
                    Trust::AlsoFile(file) => config.trust_cert_ca_bundle(certificates(file)?),
                    Trust::Any => config.trust_cert(),
                }
                config
            }
            Address::ConnectionString(text) => parsed(text)?,
        };
        if let Some(database) = &self.database {
            config.database(database);
        }
        match &self.login {
            Login::Sql { user, password } => {
                config.authentication(AuthMethod::sql_server(user, password.read()?.reveal()));
            }
            Login::Integrated => config.authentication(integrated()?),
            Login::OfConnectionString => {}
        }
        config.application_name(APPLICATION);
        config.handshake_timeout(Some(self.timeouts.connect));
        config.command_timeout(Some(self.timeouts.query));
        // A name that is no Unicode is somebody's odd name, and no reason to stop reading.
        config.lossy_utf16_decoding(true);
        Ok(config)
    }
}

impl Password {
    fn read(&self) -> Result<Secret, Fault> {
        let file = match self {
            Self::Given(secret) => return Ok(secret.clone()),
            Self::File(file) => file,
        };
        let text = std::fs::read_to_string(file).map(secrecy::zeroize::Zeroizing::new).map_err(|error| {
            Fault::Found(
                Trouble::Permission,
                format!("the password cannot be read from `{}` ({error})", file.display()),
            )
        })?;
        // An editor ends the last line; a password does not end in a line break.
        Ok(Secret::new(text.trim_end_matches(['\r', '\n'])))
    }
}

/// The driver's own words on what is wrong could repeat a part of it.
fn parsed(text: &Secret) -> Result<Config, Fault> {
    let text = text.reveal().trim();
    let parsed = if is_jdbc(text) { Config::from_jdbc_string(text) } else { Config::from_ado_string(text) };
    parsed.map_err(|_| {
        Fault::Found(
            Trouble::Other,
            "the connection string is neither ADO.NET's nor JDBC's: pairs `key=value` stand between `;`, a value that holds \
             a `;` stands in quotes (JDBC: in braces), `TrustServerCertificate` and `TrustServerCertificateCA` exclude each \
             other, and all of it is ASCII: another user or password goes into the keys `user` and `password`"
                .to_owned(),
        )
    })
}

fn is_jdbc(text: &str) -> bool {
    text.get(..5).is_some_and(|start| start.eq_ignore_ascii_case("jdbc:"))
}

fn certificates(file: &Path) -> Result<Vec<u8>, Fault> {
    std::fs::read(file).map_err(|error| {
        Fault::Found(
            Trouble::Permission,
            format!("the certificates in `{}` cannot be read ({error})", file.display()),
        )
    })
}

#[cfg(any(windows, all(unix, feature = "kerberos")))]
#[expect(clippy::unnecessary_wraps, reason = "elsewhere it is an error")]
fn integrated() -> Result<AuthMethod, Fault> {
    Ok(AuthMethod::Integrated)
}

#[cfg(not(any(windows, all(unix, feature = "kerberos"))))]
fn integrated() -> Result<AuthMethod, Fault> {
    Err(Fault::Found(
        Trouble::Permission,
        "this program was built without Kerberos, so no account can log in by itself; name a user and a password, or build \
         it with `--features kerberos`"
            .to_owned(),
    ))
}

#[cfg(test)]
mod tests {
    #[test]
    fn a_certificate_that_is_not_checked_is_known() {
        for (text, expected) in [
            ("server=h;TrustServerCertificate=True", true),
            ("server=h;trustservercertificate = yes;encrypt=true", true),
            ("jdbc:sqlserver://h;encrypt=true;trustServerCertificate=true", true),
            ("server=h;trustservercertificate=false", false),
            ("server=h", false),
        ] {
            let target = super::Target {
                address: super::Address::ConnectionString(crate::secret::Secret::new(text)),
                database: None,
                login: super::Login::OfConnectionString,
                timeouts: super::Timeouts::default(),
            };
            assert_eq!(target.trusts_any(), expected, "{text}");
        }
    }

    /// Where no account can log in by itself, that is said before anybody is asked.
    #[cfg(not(any(windows, feature = "kerberos")))]
    #[test]
    fn an_integrated_login_takes_a_build_with_kerberos() {
        let target = super::Target {
            address: super::Address::ConnectionString(crate::secret::Secret::new("server=h")),
            database: None,
            login: super::Login::Integrated,
            timeouts: super::Timeouts::default(),
        };
        let said = target.driver().err().map(|fault| fault.said());
        assert!(said.is_some_and(|said| said.contains("build it with `--features kerberos`")));
    }
}
