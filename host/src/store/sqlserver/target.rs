//! Where a server is and how to get in, and what the driver is told of it.
//!
//! A target lives as long as the worker; a password in a file is read at each connection, so that
//! it can be changed under a running one. A password leaves here into the driver's own secret type
//! and nowhere else.

use std::fmt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use encoding_rs::{Encoding, UTF_8};
use secrecy::zeroize::Zeroizing;
use tiberius::{AuthMethod, Config, EncryptionLevel};

use super::connection_string::{ConnectionString, EncryptKey};
use super::error::Error;
use crate::regular;
use crate::secret::Secret;
use crate::store::ErrorKind;

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
            // Commits take milliseconds: whoever holds a lock this long is a person's open transaction, and
            // the next cycle tries again.
            lock: Duration::from_secs(5),
        }
    }
}

/// The server, as people write it.
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
            Address::ConnectionString(text) => parsed(text).is_ok_and(|said| said.trusts_any),
        }
    }

    /// Everything that the driver is told.
    pub(super) fn driver(&self) -> Result<Config, Error> {
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
                config.encryption(encryption.level());
                match trust {
                    Trust::System => {}
                    Trust::AlsoFile(file) => config.trust_cert_ca_bundle(certificates(file)?),
                    Trust::Any => config.trust_cert(),
                }
                config
            }
            Address::ConnectionString(text) => self.as_said(parsed(text)?)?,
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

    fn as_said(&self, said: ConnectionString) -> Result<Config, Error> {
        let mut config = Config::new();
        config.host(&said.host);
        if matches!(self.login, Login::OfConnectionString) {
            config.authentication(login(&said)?);
        }
        said.port.into_iter().for_each(|port| config.port(port));
        said.instance.into_iter().for_each(|instance| config.instance_name(instance));
        said.database.into_iter().for_each(|database| config.database(database));
        said.ca_file.into_iter().for_each(|file| config.trust_cert_ca(file));
        said.host_in_certificate.into_iter().for_each(|host| config.hostname_in_certificate(host));
        said.workstation.into_iter().for_each(|name| config.client_name(name));
        config.encryption(match said.encryption.unwrap_or(EncryptKey::Some(Encryption::Whole)) {
            EncryptKey::Some(encryption) => encryption.level(),
            EncryptKey::Nothing => EncryptionLevel::NotSupported,
        });
        if said.trusts_any {
            config.trust_cert();
        }
        config.readonly(said.read_only);
        config.multi_subnet_failover(said.multi_subnet);
        Ok(config)
    }
}

impl Encryption {
    fn level(self) -> EncryptionLevel {
        match self {
            Self::Whole => EncryptionLevel::Required,
            Self::Strict => EncryptionLevel::Strict,
            Self::LoginOnly => EncryptionLevel::Off,
        }
    }
}

/// Who a connection string names. An account of Windows counts before a user, as everywhere.
fn login(said: &ConnectionString) -> Result<AuthMethod, Error> {
    let wrong = |why: &str| Err(Error::Found(ErrorKind::Other, why.to_owned()));
    match (said.integrated, &said.user, &said.password) {
        (true, _, _) => integrated(),
        (false, Some(user), Some(password)) => Ok(AuthMethod::sql_server(user, password.reveal())),
        (false, Some(_), None) => wrong("the connection string names a user and no `Password`"),
        (false, None, _) => wrong(
            "the connection string names nobody to log in: it takes `User ID` and `Password`, or `Integrated Security=true`",
        ),
    }
}

impl Password {
    fn read(&self) -> Result<Secret, Error> {
        let file = match self {
            Self::Given(secret) => return Ok(secret.clone()),
            Self::File(file) => file,
        };
        let unread = |why: &dyn std::fmt::Display| {
            let why = format!("the password cannot be read from `{}` ({why})", file.display());
            Error::Found(ErrorKind::Permission, why)
        };
        let bytes = regular::read_small(file).map(Zeroizing::new).map_err(|error| unread(&error))?;
        let (encoding, mark) = Encoding::for_bom(&bytes).unwrap_or((UTF_8, 0));
        let text = encoding.decode_without_bom_handling_and_without_replacement(&bytes[mark..]);
        let text = Zeroizing::new(text.ok_or_else(|| unread(&"it is no text"))?.into_owned());
        // An editor ends the last line; a password does not end in a line break.
        match text.trim_end_matches(['\r', '\n']) {
            "" => Err(unread(&"there is nothing in it")),
            password => Ok(Secret::new(password)),
        }
    }

    /// The file, if everybody on this machine can read it.
    fn seen_by_all(&self) -> Option<&Path> {
        match self {
            Self::File(file) if is_readable_by_all(file) => Some(file),
            _ => None,
        }
    }
}

#[cfg(unix)]
fn is_readable_by_all(file: &Path) -> bool {
    use std::os::unix::fs::MetadataExt;
    std::fs::metadata(file).is_ok_and(|found| found.mode() & 0o004 != 0)
}

/// Who reads it is not said by a mode.
#[cfg(not(unix))]
fn is_readable_by_all(_: &Path) -> bool {
    false
}

fn parsed(text: &Secret) -> Result<ConnectionString, Error> {
    ConnectionString::read(text.reveal()).map_err(|why| Error::Found(ErrorKind::Other, why))
}

fn certificates(file: &Path) -> Result<Vec<u8>, Error> {
    regular::read_small(file).map_err(|error| {
        Error::Found(
            ErrorKind::Permission,
            format!("the certificates in `{}` cannot be read ({error})", file.display()),
        )
    })
}

#[cfg(any(windows, all(unix, feature = "kerberos")))]
#[expect(clippy::unnecessary_wraps, reason = "elsewhere it is an error")]
fn integrated() -> Result<AuthMethod, Error> {
    Ok(AuthMethod::Integrated)
}

#[cfg(not(any(windows, all(unix, feature = "kerberos"))))]
fn integrated() -> Result<AuthMethod, Error> {
    Err(Error::Found(
        ErrorKind::Permission,
        "this program was built without Kerberos, so no account can log in by itself; name a user and a password, or build \
         it with `--features kerberos`"
            .to_owned(),
    ))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

    #[test]
    fn a_certificate_that_is_not_checked_is_known() {
        for (text, expected) in [
            ("server=h;TrustServerCertificate=True", true),
            ("server=h;trustservercertificate = yes;encrypt=true", true),
            ("jdbc:sqlserver://h;encrypt=true;trustServerCertificate=true", true),
            ("server=h;Trust Server Certificate=1", true),
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

    /// Who logs in is said, by the string or beside it.
    #[test]
    fn a_connection_string_names_who_logs_in() {
        let target = |text: &str, login| super::Target {
            address: super::Address::ConnectionString(crate::secret::Secret::new(text)),
            database: None,
            login,
            timeouts: super::Timeouts::default(),
        };
        let by_key = || super::Login::Sql {
            user: "w".to_owned(),
            password: super::Password::Given(crate::secret::Secret::new("p")),
        };
        for (text, login, said) in [
            ("server=h,1;user=w;password=p", super::Login::OfConnectionString, None),
            ("server=h,1;user=w;password=", super::Login::OfConnectionString, None),
            ("server=h,1", by_key(), None),
            ("server=h,1;user=w", super::Login::OfConnectionString, Some("names a user and no `Password`")),
            ("server=h,1", super::Login::OfConnectionString, Some("names nobody to log in")),
            ("database=p", by_key(), Some("names no server")),
        ] {
            let found = target(text, login).driver().map(|config| config.get_addr());
            match said {
                None => assert_eq!(found.ok().as_deref(), Some("h:1"), "{text}"),
                Some(said) => assert!(found.is_err_and(|fault| fault.said().contains(said)), "{text}"),
            }
        }
        let shown = |text: &str| target(text, super::Login::Integrated).to_string();
        assert_eq!(
            (shown(r"server=h\i;database=d"), shown("jdbc:sqlserver://h:5")),
            (r"h\i".to_owned(), "h,5".to_owned())
        );
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

    /// As editors and shells leave it: with a mark of its encoding, with or without an end of the
    /// line.
    #[test]
    fn a_password_is_read_as_it_is_meant() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("password");
        let utf_16 = |text: &str, order: fn(u16) -> [u8; 2]| -> Vec<u8> {
            text.encode_utf16().flat_map(order).collect()
        };
        let cases: [(Vec<u8>, Result<&str, &str>); 10] = [
            ("contraseña".into(), Ok("contraseña")),
            (" p \r\n".into(), Ok(" p ")),
            ("\u{feff}contraseña\n".into(), Ok("contraseña")),
            (utf_16("\u{feff}señal\r\n", u16::to_le_bytes), Ok("señal")),
            (utf_16("\u{feff}señal", u16::to_be_bytes), Ok("señal")),
            (vec![], Err("there is nothing in it")),
            ("\n".into(), Err("there is nothing in it")),
            ("\u{feff}\r\n".into(), Err("there is nothing in it")),
            (b"contrase\xf1a".to_vec(), Err("it is no text")),
            (vec![0xff, 0xfe, 0, 0xd8], Err("it is no text")),
        ];
        for (bytes, expected) in cases {
            std::fs::write(&file, &bytes).unwrap();
            let read = super::Password::File(file.clone()).read();
            let read = read.map(|secret| secret.reveal().to_owned()).map_err(|fault| format!("{fault:?}"));
            match expected {
                Ok(password) => assert_eq!(read.as_deref(), Ok(password), "{bytes:?}"),
                Err(why) => {
                    assert!(read.as_ref().is_err_and(|said| said.contains(why)), "{bytes:?}: {read:?}");
                }
            }
        }
    }

    #[cfg(unix)]
    #[test]
    fn a_password_that_everybody_reads_is_known() {
        use std::os::unix::fs::PermissionsExt;

        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("password");
        std::fs::write(&file, "p").unwrap();
        for (mode, seen) in [(0o600, false), (0o400, false), (0o640, false), (0o644, true), (0o604, true)] {
            std::fs::set_permissions(&file, std::fs::Permissions::from_mode(mode)).unwrap();
            let password = super::Password::File(file.clone());
            assert_eq!(password.seen_by_all().is_some(), seen, "{mode:o}");
        }
        assert!(super::Password::File(dir.path().join("absent")).seen_by_all().is_none());
    }
}
