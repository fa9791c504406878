//! The values with which a service is registered in the service manager of Windows: names, command,
//! account, and when to restart it. `scm` carries it out.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// The service's own control code: to look at its files; `sc control NAME 128`.
pub const RELOAD: u32 = 128;

/// The pause after the first failure, the second, and every later one: a lost server is often back
/// after a minute, and a machine that has just started has its network.
pub const RESTARTS: [Duration; 3] =
    [Duration::from_secs(10), Duration::from_secs(60), Duration::from_secs(300)];

/// After this time without a failure, the next one counts as the first.
pub const FORGIVEN: Duration = Duration::from_secs(24 * 3600);

/// The time to stop when the machine shuts down. The current batch takes 20 s at most.
pub const STOP: Duration = Duration::from_secs(60);

/// The longest start: a detector is compiled, models are read.
pub const START: Duration = Duration::from_secs(300);

/// The program that holds the text of the events: its text for each number below 1000 is the text
/// that is sent. Every Windows has it.
pub const MESSAGES: &str = r"%SystemRoot%\System32\EventCreate.exe";

/// The registry key for sources of the log `Application`.
pub const SOURCES: &str = r"SYSTEM\CurrentControlSet\Services\EventLog\Application";

/// The account that it runs as.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Account {
    /// In the notation of the service manager.
    pub name: String,
    /// Windows knows the password, or there is none.
    pub managed: bool,
}

/// A service as it is registered.
#[derive(Debug, PartialEq, Eq)]
pub struct Registration {
    pub name: String,
    pub display_name: String,
    pub program: PathBuf,
    pub arguments: Vec<OsString>,
    pub account: Account,
}

impl Registration {
    /// # Errors
    /// A sentence: the name or the account is not valid.
    pub fn new(name: &str, program: &Path, config: &Path, account: Option<&str>) -> Result<Self, String> {
        expect_name(name)?;
        let mut arguments: Vec<OsString> =
            ["service", "run", "--name", name, "--config"].map(OsString::from).to_vec();
        arguments.push(config.into());
        Ok(Self {
            name: name.to_owned(),
            display_name: format!("Judges a plant's readings ({name})"),
            program: program.to_owned(),
            arguments,
            account: Account::of(name, account)?,
        })
    }
}

/// It is also the name of an event source, part of an account, and an argument of a command.
fn expect_name(name: &str) -> Result<(), String> {
    let plain = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
    let begins = name.starts_with(|c: char| c.is_ascii_alphanumeric());
    if begins && name.chars().all(plain) && name.len() <= 80 {
        return Ok(());
    }
    Err(format!(
        "`{name}` cannot be the name of a service; it takes 1 to 80 of A to Z, a to z, 0 to 9, `-` and `_`, \
         a letter or a digit first"
    ))
}

impl Account {
    /// The default is an account that Windows keeps for this service alone.
    fn of(service: &str, wish: Option<&str>) -> Result<Self, String> {
        let managed = |name: String| Ok(Self { name, managed: true });
        let Some(wish) = wish else { return managed(format!(r"NT SERVICE\{service}")) };
        let (domain, user) = wish.split_once('\\').unwrap_or(("", wish));
        let is = |one: &str, other: &str| one.eq_ignore_ascii_case(other);
        let of_windows = domain.is_empty() || is(domain, "NT AUTHORITY");
        for known in ["LocalService", "NetworkService"] {
            if of_windows && is(user, known) {
                return managed(format!(r"NT AUTHORITY\{known}"));
            }
        }
        if of_windows && (is(user, "LocalSystem") || is(user, "SYSTEM")) {
            return managed("LocalSystem".into());
        }
        if is(domain, "NT SERVICE") {
            return managed(wish.to_owned());
        }
        if user.is_empty()
            || user == "$"
            || user.contains(['\\', '/', '"'])
            || user.contains(char::is_control)
        {
            return Err(format!("`{wish}` is no account; it is written as `DOMAIN\\name` or `name`"));
        }
        match (domain, user) {
            // A group-managed account: only a domain has them.
            ("" | ".", user) if user.ends_with('$') => {
                Err(format!("`{wish}` is an account of a domain; write it as `DOMAIN\\{user}`"))
            }
            (_, user) if user.ends_with('$') => managed(wish.to_owned()),
            ("", user) if user.contains('@') => Ok(Self { name: wish.to_owned(), managed: false }),
            ("", user) => Ok(Self { name: format!(r".\{user}"), managed: false }),
            _ => Ok(Self { name: wish.to_owned(), managed: false }),
        }
    }
}

/// The exit code that the service manager gets. It restarts a service that ended with a code other
/// than 0, also without a crash. An error that no restart repairs must therefore be 0 there; the
/// log has the reason.
pub fn told(code: u8) -> u32 {
    if code == super::USAGE { 0 } else { u32::from(code) }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test stops at the first surprise")]

    use super::*;

    #[test]
    fn what_is_registered() {
        let (program, config) = (Path::new(r"C:\Program Files\host.exe"), Path::new(r"D:\planta ñ\c.toml"));
        let registered = Registration::new("north", program, config, None).unwrap();
        assert_eq!(
            registered,
            Registration {
                name: "north".into(),
                display_name: "Judges a plant's readings (north)".into(),
                program: program.into(),
                arguments: ["service", "run", "--name", "north", "--config", r"D:\planta ñ\c.toml"]
                    .map(OsString::from)
                    .to_vec(),
                account: Account { name: r"NT SERVICE\north".into(), managed: true },
            }
        );
    }

    #[test]
    fn names() {
        let long = "n".repeat(81);
        for (name, may) in [
            ("anomaly-worker", true),
            ("Norte_2", true),
            ("2", true),
            (&long[1..], true),
            (&long, false),
            ("", false),
            ("-n", false),
            ("a b", false),
            (r"a\b", false),
            ("a/b", false),
            ("a\"b", false),
            ("ñ", false),
        ] {
            let said = expect_name(name);
            assert_eq!(said.is_ok(), may, "{name}");
            assert!(may || said.unwrap_err().starts_with(&format!("`{name}` cannot be the name")));
        }
    }

    #[test]
    fn accounts() {
        for (wish, expected) in [
            (None, Ok((r"NT SERVICE\n", true))),
            (Some("localservice"), Ok((r"NT AUTHORITY\LocalService", true))),
            (Some(r"NT AUTHORITY\NetworkService"), Ok((r"NT AUTHORITY\NetworkService", true))),
            (Some(r"nt authority\system"), Ok(("LocalSystem", true))),
            (Some("LocalSystem"), Ok(("LocalSystem", true))),
            (Some(r"NT SERVICE\other"), Ok((r"NT SERVICE\other", true))),
            (Some(r"PLANT\worker$"), Ok((r"PLANT\worker$", true))),
            (Some(r"PLANT\ana"), Ok((r"PLANT\ana", false))),
            (Some("ana@plant.local"), Ok(("ana@plant.local", false))),
            (Some("ana"), Ok((r".\ana", false))),
            (Some(r".\ana"), Ok((r".\ana", false))),
            (Some("worker$"), Err(r"write it as `DOMAIN\worker$`")),
            (Some(r".\worker$"), Err("is an account of a domain")),
            (Some(""), Err("is no account")),
            (Some(r"PLANT\"), Err("is no account")),
            (Some(r"A\b\c"), Err("is no account")),
            (Some("a\nb"), Err("is no account")),
        ] {
            match (Account::of("n", wish), expected) {
                (Ok(account), Ok((name, managed))) => {
                    assert_eq!(account, Account { name: name.into(), managed }, "{wish:?}");
                }
                (Err(said), Err(expected)) => assert!(said.contains(expected), "{wish:?}: {said}"),
                (account, _) => unreachable!("{wish:?}: {account:?}"),
            }
        }
    }

    #[test]
    fn what_no_restart_mends_is_not_restarted() {
        assert_eq!([0, 1, 2, 101].map(told), [0, 1, 0, 101]);
    }
}
