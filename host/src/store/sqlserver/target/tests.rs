//! The login of a server, and what is known of it before a connection is made.

use super::*;

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
        let target = Target {
            address: Address::ConnectionString(Secret::new(text)),
            database: None,
            login: Login::OfConnectionString,
            timeouts: Timeouts::default(),
        };
        assert_eq!(target.trusts_any(), expected, "{text}");
    }
}

/// The login is given, by the string or beside it.
#[test]
fn a_connection_string_names_who_logs_in() {
    let target = |text: &str, login| Target {
        address: Address::ConnectionString(Secret::new(text)),
        database: None,
        login,
        timeouts: Timeouts::default(),
    };
    let by_key = || Login::Sql { user: "w".to_owned(), password: Password::Given(Secret::new("p")) };
    for (text, login, said) in [
        ("server=h,1;user=w;password=p", Login::OfConnectionString, None),
        ("server=h,1;user=w;password=", Login::OfConnectionString, None),
        ("server=h,1", by_key(), None),
        ("server=h,1;user=w", Login::OfConnectionString, Some("names a user and no `Password`")),
        ("server=h,1", Login::OfConnectionString, Some("has no login")),
        ("database=p", by_key(), Some("names no server")),
    ] {
        let found = target(text, login).driver().map(|config| config.get_addr());
        match said {
            None => assert_eq!(found.ok().as_deref(), Some("h:1"), "{text}"),
            Some(said) => assert!(found.is_err_and(|fault| fault.said().contains(said)), "{text}"),
        }
    }
    let shown = |text: &str| target(text, Login::Integrated).to_string();
    assert_eq!(
        (shown(r"server=h\i;database=d"), shown("jdbc:sqlserver://h:5")),
        (r"h\i".to_owned(), "h,5".to_owned())
    );
}

/// If no account can log in by itself, that is reported before a connection is made.
#[cfg(not(any(windows, feature = "kerberos")))]
#[test]
fn an_integrated_login_takes_a_build_with_kerberos() {
    let target = Target {
        address: Address::ConnectionString(Secret::new("server=h")),
        database: None,
        login: Login::Integrated,
        timeouts: Timeouts::default(),
    };
    let said = target.driver().err().map(|fault| fault.said());
    assert!(said.is_some_and(|said| said.contains("build it with `--features kerberos`")));
}
