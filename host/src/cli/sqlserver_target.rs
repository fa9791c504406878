//! Converts the keys of a section to a server and a login, or finds the conflict between them.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use crate::config::{Access, Config, Encrypt, whole};
use crate::secret::credential;
use crate::store::sqlserver::{Address, Encryption, Login, Password, Target, Timeouts, Trust, endpoint};

/// Both servers of a configuration that names one.
///
/// # Errors
/// A sentence on the conflict.
pub(super) fn targets(config: &Config) -> Result<(Target, Target), String> {
    let credentials = std::env::var_os("CREDENTIALS_DIRECTORY");
    if !config.input.access.is_server() {
        return Err(
            "`[output]` names a server and `[input]` does not; readings out of an SQLite file and verdicts on a server do not \
             go together: name the input's server too"
                .to_owned(),
        );
    }
    let input = Section { name: "input", access: &config.input.access, credentials: credentials.clone() };
    let input_target = input.target(config.input.database.as_deref())?;

    let access = config.output_access();
    // The same login as the input's has the input's password.
    let own_login = config.output.access.is_server() || config.output.access.has_login();
    let name = if own_login { "output" } else { "input" };
    let output = Section { name, access: &access, credentials };
    // The input's database does not exist on another server.
    let inherited = if config.output.access.is_server() { None } else { config.input.database.as_deref() };
    let output_target = output.target(config.output.database.as_deref().or(inherited))?;
    Ok((input_target, output_target))
}

struct Section<'a> {
    /// The section that a message refers to.
    name: &'static str,
    access: &'a Access,
    /// systemd's directory of credentials.
    credentials: Option<OsString>,
}

impl Section<'_> {
    fn target(&self, database: Option<&Path>) -> Result<Target, String> {
        let timeouts = Timeouts::default();
        Ok(Target {
            address: self.address()?,
            database: database.map(|name| name.display().to_string()),
            login: self.login()?,
            timeouts: Timeouts {
                connect: self.access.connect_timeout.unwrap_or(timeouts.connect),
                query: self.access.query_timeout.unwrap_or(timeouts.query),
                lock: self.access.lock_timeout.unwrap_or(timeouts.lock),
            },
        })
    }

    fn address(&self) -> Result<Address, String> {
        let Access { server, port, connection_string, encrypt, trust_server_certificate, ca_file, .. } =
            self.access;
        let trusts_any = trust_server_certificate.unwrap_or(false);
        if let Some(text) = connection_string {
            let besides = [
                ("server", server.is_some()),
                ("port", port.is_some()),
                ("encrypt", encrypt.is_some()),
                ("trust_server_certificate", trust_server_certificate.is_some()),
                ("ca_file", ca_file.is_some()),
            ];
            return match besides.iter().find(|(_, set)| *set) {
                Some((key, _)) => Err(format!(
                    "`{section}.{key}` and `{section}.connection_string` are both set; keep the connection string alone",
                    section = self.name
                )),
                None => Ok(Address::ConnectionString(text.clone())),
            };
        }
        let (host, instance, written) = endpoint(server.as_deref().unwrap_or_default()).ok_or_else(|| {
            format!(
                "`{}.server` must be `host`, `host,port` or `host\\instance`, by TCP; a connection string goes into `connection_string`",
                self.name
            )
        })?;
        if written.is_some() && port.is_some() {
            return Err(format!("`{0}.server` holds a port and `{0}.port` is set too; keep one", self.name));
        }
        let trust = match (trusts_any, ca_file) {
            (true, Some(_)) => {
                return Err(format!(
                    "`{0}.trust_server_certificate` and `{0}.ca_file` are both set; with the file, certificates can be checked",
                    self.name
                ));
            }
            (true, None) => Trust::Any,
            (false, Some(file)) => Trust::AlsoFile(file.clone()),
            (false, None) => Trust::System,
        };
        Ok(Address::Server {
            host,
            port: written.or(*port),
            instance,
            encryption: match encrypt.unwrap_or(Encrypt::Yes) {
                Encrypt::Yes => Encryption::Whole,
                Encrypt::Strict => Encryption::Strict,
                Encrypt::No => Encryption::LoginOnly,
            },
            trust,
        })
    }

    fn login(&self) -> Result<Login, String> {
        let Access { connection_string, user, password, integrated, .. } = self.access;
        let section = self.name;
        match (user, integrated.unwrap_or(false)) {
            (Some(_), true) => Err(format!(
                "`{section}.user` and `{section}.integrated` are both set; either a user logs in, or the account of this process"
            )),
            (None, true) => Ok(Login::Integrated),
            (Some(user), false) => {
                let password = match password {
                    Some(password) => Password::Given(password.clone()),
                    None => Password::File(self.password_file().ok_or_else(|| {
                        format!(
                            "there is no password for `{section}.user`; set ANOMALY_{}_PASSWORD, `password_file`, `password` or a \
                             systemd credential `{section}_password`",
                            section.to_uppercase()
                        )
                    })?),
                };
                Ok(Login::Sql { user: user.clone(), password })
            }
            (None, false) if password.is_some() || self.access.password_file.is_some() => {
                Err(format!("there is a password for `[{section}]`, and no user; set `{section}.user`"))
            }
            (None, false) if connection_string.is_some() => Ok(Login::OfConnectionString),
            (None, false) => Err(format!(
                "there is no login; set `{section}.user` and a password, or `{section}.integrated = true`"
            )),
        }
    }

    /// The place of the password: the configured file, first among the credentials, or the
    /// credential of the section's name.
    fn password_file(&self) -> Option<PathBuf> {
        let credential = |name: &Path| credential(self.credentials.as_deref(), name);
        match &self.access.password_file {
            Some(file) => Some(credential(file).unwrap_or_else(|| whole(file))),
            None => credential(Path::new(&format!("{}_password", self.name))),
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

    use super::*;
    use crate::secret::Secret;

    fn on_server(access: Access) -> Config {
        let mut config = Config::default();
        config.input.access = Access { server: Some("plant".to_owned()), ..access };
        config
    }

    fn sql_login() -> Access {
        Access { user: Some("w".to_owned()), password: Some(Secret::new("p")), ..Access::default() }
    }

    #[test]
    fn what_does_not_go_together_is_said() {
        let with = |change: fn(&mut Config)| {
            let mut config = on_server(sql_login());
            change(&mut config);
            targets(&config).map(|_| ())
        };
        assert_eq!(with(|_| ()), Ok(()));
        type Change = fn(&mut Config);
        let cases: [(Change, &str); 9] = [
            (|config| config.input.access.user = None, "there is a password for `[input]`, and no user"),
            (
                |config| config.input.access.password = None,
                "there is no password for `input.user`; set ANOMALY_INPUT_PASSWORD",
            ),
            (
                |config| config.input.access = Access { server: Some("h".to_owned()), ..Access::default() },
                "there is no login",
            ),
            (
                |config| config.input.access.integrated = Some(true),
                "`input.user` and `input.integrated` are both set",
            ),
            (|config| config.input.access.server = Some("h;x".to_owned()), "`input.server` must be"),
            (
                |config| {
                    config.input.access.server = Some("h,1".to_owned());
                    config.input.access.port = Some(1);
                },
                "`input.server` holds a port and `input.port` is set too",
            ),
            (
                |config| {
                    config.input.access.trust_server_certificate = Some(true);
                    config.input.access.ca_file = Some("ca.pem".into());
                },
                "`input.trust_server_certificate` and `input.ca_file` are both set",
            ),
            (
                |config| {
                    config.input.access.connection_string = Some(Secret::new("server=h"));
                    config.input.access.server = Some("h".to_owned());
                },
                "`input.server` and `input.connection_string` are both set",
            ),
            (
                |config| {
                    config.output.access = config.input.access.clone();
                    config.input.access = Access::default();
                },
                "`[output]` names a server and `[input]` does not",
            ),
        ];
        for (change, said) in cases {
            let error = with(change).unwrap_err();
            assert!(error.starts_with(said), "{said}: {error}");
        }
    }

    #[test]
    fn the_output_is_on_the_inputs_server_or_on_one_of_its_own() {
        let mut config = on_server(sql_login());
        config.input.database = Some("plant".into());
        let said = |config: &Config| {
            let (input, output) = targets(config).unwrap();
            [input, output].map(|target| (target.to_string(), target.database))
        };
        let here = |database: &str| ("plant".to_owned(), Some(database.to_owned()));
        assert_eq!(said(&config), [here("plant"), here("plant")]);
        config.output.database = Some("verdicts".into());
        assert_eq!(said(&config), [here("plant"), here("verdicts")]);
        config.output.database = None;
        config.output.access = Access { server: Some(r"b\i".to_owned()), ..sql_login() };
        assert_eq!(said(&config), [here("plant"), (r"b\i".to_owned(), None)]);
        // The missing password is that of the section with the login.
        config.output.access.password = None;
        assert!(targets(&config).unwrap_err().contains("ANOMALY_OUTPUT_PASSWORD"));
    }

    #[test]
    fn a_password_is_looked_for_among_the_credentials_first() {
        let directory = tempfile::tempdir().unwrap();
        for name in ["input_password", "plant"] {
            std::fs::write(directory.path().join(name), "p").unwrap();
        }
        for (named, found) in [
            (None, Some(directory.path().join("input_password"))),
            (Some("plant"), Some(directory.path().join("plant"))),
            (Some("elsewhere/plant"), Some(whole(Path::new("elsewhere/plant")))),
        ] {
            let access = Access { password_file: named.map(PathBuf::from), ..Access::default() };
            let credentials = Some(directory.path().as_os_str().to_owned());
            let section = Section { name: "input", access: &access, credentials };
            assert_eq!(section.password_file(), found);
            let section = Section { name: "input", access: &access, credentials: None };
            assert_eq!(section.password_file(), named.map(|file| whole(Path::new(file))));
        }
    }
}
