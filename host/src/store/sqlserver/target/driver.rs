//! Converts a target to the driver's settings.

use std::path::Path;

use tiberius::{AuthMethod, Config, EncryptionLevel};

use super::{Address, Login, Target, Trust, parsed};
use crate::regular;
use crate::store::ErrorKind;
use crate::store::sqlserver::connection_string::{ConnectionString, EncryptKey};
use crate::store::sqlserver::encryption::Encryption;
use crate::store::sqlserver::error::Error;

/// The program's name in the server's list of sessions.
const APPLICATION: &str = "anomaly-worker";

impl Target {
    /// All settings of the driver.
    pub(in crate::store::sqlserver) fn driver(&self) -> Result<Config, Error> {
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
        // A variable name that is not valid UTF-16 must not stop reading.
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

/// The login of a connection string. A Windows account takes precedence over a user, as in other
/// programs.
fn login(said: &ConnectionString) -> Result<AuthMethod, Error> {
    let wrong = |why: &str| Err(Error::Found(ErrorKind::Other, why.to_owned()));
    match (said.integrated, &said.user, &said.password) {
        (true, _, _) => integrated(),
        (false, Some(user), Some(password)) => Ok(AuthMethod::sql_server(user, password.reveal())),
        (false, Some(_), None) => wrong("the connection string names a user and no `Password`"),
        (false, None, _) => wrong(
            "the connection string has no login; add `User ID` and `Password`, or `Integrated Security=true`",
        ),
    }
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
