//! A connection string: the meaning of each of its keys, or why a key cannot be used.
//!
//! ADO.NET, ODBC and JDBC have many names for the same settings. An unknown key is an error,
//! because its setting would be ignored: without a server the driver would connect to this machine,
//! without encryption to any. No value is ever shown, and a key only if it is similar to a known
//! one: a password with a `;` and no quotes turns parts of itself into keys.

mod keys;
mod pairs;

use self::keys::{Keyword, known, nearest};
use self::pairs::Pair;
use super::encryption::Encryption;
use super::endpoint::endpoint;
use crate::secret::Secret;

/// The settings of a connection string.
#[derive(Debug, Default, PartialEq)]
pub(super) struct ConnectionString {
    pub(super) host: String,
    pub(super) port: Option<u16>,
    pub(super) instance: Option<String>,
    pub(super) database: Option<String>,
    pub(super) user: Option<String>,
    pub(super) password: Option<Secret>,
    pub(super) integrated: bool,
    /// None: the whole connection.
    pub(super) encryption: Option<EncryptKey>,
    pub(super) trusts_any: bool,
    pub(super) ca_file: Option<String>,
    pub(super) host_in_certificate: Option<String>,
    pub(super) workstation: Option<String>,
    pub(super) read_only: bool,
    pub(super) multi_subnet: bool,
}

/// How much is encrypted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum EncryptKey {
    Some(Encryption),
    /// Nothing, not even the login: the driver's own setting, which tests of the protocol use.
    Nothing,
}

impl ConnectionString {
    /// # Errors
    /// A sentence on what is wrong, without any value.
    pub(super) fn read(text: &str) -> Result<Self, String> {
        let text = text.trim();
        other_kind(text)?;
        let (server, pairs) = pairs::read(text)?;
        let mut said = Self::default();
        let (mut servers, mut ports): (Vec<String>, Vec<String>) = (server.into_iter().collect(), Vec::new());
        let mut met: Vec<(Keyword, String)> = Vec::new();
        for (at, Pair { key: written, value }) in pairs.into_iter().enumerate() {
            let Some(key) = known(&written) else { return Err(unknown(&written, at)) };
            if matches!(key, Keyword::PassedOver)
                || value.is_empty() && !matches!(key, Keyword::Server | Keyword::Password)
            {
                continue;
            }
            if met.iter().any(|(other, before)| *other == key && *before != value) {
                return Err(format!(
                    "the connection string has `{written}` twice, with different values; keep one"
                ));
            }
            met.push((key, value.clone()));
            match key {
                Keyword::Server => servers.push(value),
                Keyword::Port => ports.push(value),
                Keyword::Instance => said.instance = Some(value),
                Keyword::Database => said.database = Some(value),
                Keyword::User => said.user = Some(value),
                Keyword::Password => said.password = Some(Secret::new(value)),
                Keyword::Integrated => {
                    said.integrated = value.eq_ignore_ascii_case("sspi") || truth(&written, &value)?;
                }
                Keyword::Encrypt => said.encryption = Some(encrypt(&written, &value)?),
                Keyword::TrustAny => said.trusts_any = truth(&written, &value)?,
                Keyword::CaFile => said.ca_file = Some(value),
                Keyword::HostInCertificate => said.host_in_certificate = Some(value),
                Keyword::Workstation => said.workstation = Some(value),
                Keyword::Intent => said.read_only = value.eq_ignore_ascii_case("readonly"),
                Keyword::MultiSubnet => said.multi_subnet = truth(&written, &value)?,
                // A SQL login by its full name.
                Keyword::Refused(_) if value.replace(' ', "").eq_ignore_ascii_case("sqlpassword") => {}
                Keyword::Refused(why) => {
                    return Err(format!("the connection string has a key `{written}`: {why}"));
                }
                Keyword::PassedOver => {}
            }
        }
        said.place(&servers, &ports)?;
        if said.trusts_any && said.ca_file.is_some() {
            return Err("`TrustServerCertificate` and `TrustServerCertificateCA` exclude each other in a connection string; \
                        with the file, certificates can be checked"
                .to_owned());
        }
        Ok(said)
    }

    fn place(&mut self, servers: &[String], ports: &[String]) -> Result<(), String> {
        let server = servers.iter().find(|server| !server.is_empty()).ok_or(
            "the connection string names no server; add `Server=host,port` (JDBC: `jdbc:sqlserver://host:port`)",
        )?;
        let (host, instance, port) = endpoint(server).ok_or(
            "the server of the connection string must be `host`, `host,port` or `host\\instance`, by TCP (JDBC: \
             `host:port`)",
        )?;
        let said = match ports.first() {
            Some(port) => Some(
                port.parse()
                    .ok()
                    .filter(|port| *port > 0)
                    .ok_or("`port` must be a number from 1 to 65535")?,
            ),
            None => None,
        };
        if port.is_some() && said.is_some_and(|said| Some(said) != port) {
            return Err("the connection string has two different ports; keep one".to_owned());
        }
        (self.host, self.port) = (host, port.or(said));
        self.instance = instance.or(self.instance.take());
        Ok(())
    }
}

/// A text that parsers of pairs do not accept, but whose meaning is clear to a person.
fn other_kind(text: &str) -> Result<(), String> {
    const RIGHT: &str = "write it as ADO.NET does: `Server=host,port;Database=…;User ID=…;Password=…`";
    let scheme = text.split_once("://").map(|(scheme, _)| scheme).filter(|scheme| {
        scheme.len() <= 40 && scheme.chars().all(|c| c.is_ascii_alphanumeric() || "+.-:_".contains(c))
    });
    match scheme {
        Some(scheme) if scheme.eq_ignore_ascii_case("jdbc:sqlserver") => Ok(()),
        Some(scheme) => {
            Err(format!("a connection string that begins with `{scheme}://` is one of another kind; {RIGHT}"))
        }
        None if text.get(..5).is_some_and(|start| start.eq_ignore_ascii_case("jdbc:")) => {
            Err("a connection string of JDBC begins with `jdbc:sqlserver://`".to_owned())
        }
        None if !text.contains('=') => Err(format!("the connection string has no `key=value`; {RIGHT}")),
        None => Ok(()),
    }
}

fn unknown(written: &str, at: usize) -> String {
    match nearest(written) {
        Some(near) => {
            format!("the connection string has a key `{written}`, which is unknown; did you mean `{near}`?")
        }
        None => format!(
            "the key number {} of the connection string is none that is known; a value that holds a `;` stands in quotes (JDBC: \
             in braces)",
            at + 1
        ),
    }
}

fn truth(key: &str, value: &str) -> Result<bool, String> {
    match value.to_ascii_lowercase().as_str() {
        "true" | "yes" | "1" => Ok(true),
        "false" | "no" | "0" => Ok(false),
        _ => Err(format!("`{key}` of the connection string must be `true` or `false`")),
    }
}

fn encrypt(key: &str, value: &str) -> Result<EncryptKey, String> {
    match value.to_ascii_lowercase().as_str() {
        "true" | "yes" | "1" | "mandatory" => Ok(EncryptKey::Some(Encryption::Whole)),
        "false" | "no" | "0" | "optional" => Ok(EncryptKey::Some(Encryption::LoginOnly)),
        "strict" => Ok(EncryptKey::Some(Encryption::Strict)),
        _ if value == "DANGER_PLAINTEXT" => Ok(EncryptKey::Nothing),
        _ => Err(format!(
            "`{key}` of the connection string must be `true` or `mandatory`, `false` or `optional`, or `strict`"
        )),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

    use super::*;

    fn on(host: &str, port: Option<u16>) -> ConnectionString {
        ConnectionString { host: host.into(), port, ..ConnectionString::default() }
    }

    #[test]
    fn the_same_is_said_by_many_names() {
        let plant = || ConnectionString {
            database: Some("plant".into()),
            user: Some("w".into()),
            password: Some(Secret::new("p;'x")),
            trusts_any: true,
            ..on("h", Some(1500))
        };
        for text in [
            "Server=tcp:h,1500;Database=plant;User ID=w;Password=\"p;'x\";TrustServerCertificate=True",
            "Data Source=h,1500;Initial Catalog=plant;UID=w;PWD='p;''x';Trust Server Certificate=yes;Pooling=false;",
            "Driver={ODBC Driver 18 for SQL Server};SERVER=h;PORT=1500;DATABASE=plant;Uid=w;Pwd={p;'x};TrustServerCertificate=yes",
            "Provider=MSOLEDBSQL;Address=h,1500;Database=plant;User=w;Password={p;'x};Trust Server Certificate=true",
            "jdbc:sqlserver://h:1500;databaseName=plant;user=w;password={p;'x};trustServerCertificate=true",
            "jdbc:sqlserver://;serverName=h;portNumber=1500;database=plant;userName=w;password={p;'x};trustServerCertificate=true;",
        ] {
            assert_eq!(ConnectionString::read(text), Ok(plant()), "{text}");
        }
    }

    #[test]
    fn what_each_key_says_is_taken() {
        let encrypted = |by| ConnectionString { encryption: Some(by), ..on("h", None) };
        let (whole, login) = (EncryptKey::Some(Encryption::Whole), EncryptKey::Some(Encryption::LoginOnly));
        for (text, expected) in [
            ("Server=h;Encrypt=Mandatory", encrypted(whole)),
            ("Server=h;Encrypt=true", encrypted(whole)),
            ("Server=h;Encrypt=Optional", encrypted(login)),
            ("Server=h;encrypt = no ", encrypted(login)),
            ("Server=h;Encrypt=Strict", encrypted(EncryptKey::Some(Encryption::Strict))),
            ("Server=h;Encrypt=DANGER_PLAINTEXT", encrypted(EncryptKey::Nothing)),
            ("Server=h;Trusted_Connection=Yes", ConnectionString { integrated: true, ..on("h", None) }),
            ("Server=h;Integrated Security=SSPI", ConnectionString { integrated: true, ..on("h", None) }),
            (
                r"Server=.\SQLEXPRESS",
                ConnectionString { instance: Some("SQLEXPRESS".into()), ..on("localhost", None) },
            ),
            (
                r"jdbc:sqlserver://h\i:1500",
                ConnectionString { instance: Some("i".into()), ..on("h", Some(1500)) },
            ),
            ("Server=h;Database=;Authentication=Sql Password", on("h", None)),
            (
                "Server=h;MultiSubnetFailover=true;ApplicationIntent=ReadOnly",
                ConnectionString { multi_subnet: true, read_only: true, ..on("h", None) },
            ),
            (
                "Server=h;User ID=ñ;Password=contraseña",
                ConnectionString {
                    user: Some("ñ".into()),
                    password: Some(Secret::new("contraseña")),
                    ..on("h", None)
                },
            ),
        ] {
            assert_eq!(ConnectionString::read(text).as_ref(), Ok(&expected), "{text}");
        }
    }

    #[test]
    fn what_cannot_be_meant_is_said_without_any_value() {
        for (text, said) in [
            (
                "Sever=h;Database=p",
                "the connection string has a key `Sever`, which is unknown; did you mean `Server`?",
            ),
            (
                "Server=h;Pasword=Hush",
                "the connection string has a key `Pasword`, which is unknown; did you mean `Password`?",
            ),
            (
                "Server=h;Encript=no",
                "the connection string has a key `Encript`, which is unknown; did you mean `Encrypt`?",
            ),
            (
                "Server=h;TrustServerCert=true",
                "`TrustServerCert`, which is unknown; did you mean `TrustServerCertificate`?",
            ),
            (
                "Server=h;Password=a;Hush=b",
                "the key number 3 of the connection string is none that is known; a value that holds a `;`",
            ),
            (
                "Database=p;User ID=u;Password=x",
                "the connection string names no server; add `Server=host,port`",
            ),
            ("Server=;Database=p", "the connection string names no server"),
            ("jdbc:sqlserver://;databaseName=p", "the connection string names no server"),
            (
                "mssql+pyodbc://u:Hush@h:1433/p?driver=x",
                "begins with `mssql+pyodbc://` is one of another kind; write it as ADO.NET does",
            ),
            ("postgresql://u:Hush@h/p", "begins with `postgresql://` is one of another kind"),
            (
                "jdbc:postgresql://h/p?password=Hush",
                "begins with `jdbc:postgresql://` is one of another kind",
            ),
            ("jdbc:Hush", "a connection string of JDBC begins with `jdbc:sqlserver://`"),
            ("plant-sql,1433", "the connection string has no `key=value`"),
            ("Server=h:1433", "the server of the connection string must be `host`, `host,port`"),
            (r"Server=np:\\h\pipe\sql", "the server of the connection string must be"),
            (r"Server=(localdb)\Hush", "the server of the connection string must be"),
            (
                "Server=a;Data Source=b",
                "the connection string has `Data Source` twice, with different values",
            ),
            ("Server=a,1;Port=2", "the connection string has two different ports"),
            ("Server=h;Encrypt=Hush", "`Encrypt` of the connection string must be `true` or `mandatory`"),
            (
                "Server=h;TrustServerCertificate=Hush",
                "`TrustServerCertificate` of the connection string must be `true` or `false`",
            ),
            ("Server=h;Authentication=Active Directory Hush", "a key `Authentication`: "),
            ("DSN=Hush", "a key `DSN`: "),
            ("Server=h;TrustServerCertificate=true;TrustServerCertificateCA=ca.pem", "exclude each other"),
            ("Server=h;Password='Hush", "the connection string is neither ADO.NET's nor JDBC's"),
            ("Server=h;Password=a;Hush", "the connection string is neither ADO.NET's nor JDBC's"),
        ] {
            let error = ConnectionString::read(text).unwrap_err();
            assert!(error.contains(said) && !error.contains("Hush"), "{text}: {error}");
        }
    }
}
