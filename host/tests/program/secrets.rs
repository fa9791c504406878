//! No part of a password is in what the program prints, in its log or in its arguments, whatever
//! fails on the way to the server.

use crate::common::{Place, Ran};

/// Part of every secret here.
const MARK: &str = "Hush4";

/// Nothing listens there.
const NOBODY: &str = "127.0.0.1,1";

type Variables<'a> = Vec<(&'a str, &'a str)>;

#[test]
fn a_password_is_nowhere_to_be_read() {
    let secret = format!("x{MARK};'y\"z");
    let string = format!("server=tcp:{NOBODY};user=w;password='x{MARK};y'");
    let file = format!("{MARK}-in-a-file\n");
    let server = [("ANOMALY_INPUT_SERVER", NOBODY), ("ANOMALY_INPUT_USER", "w")];
    // What is set, and what the last line of standard error says about it.
    let cases: [(&str, Variables<'_>, &str); 9] = [
        ("given", vec![("ANOMALY_INPUT_PASSWORD", &secret)], "it cannot be reached"),
        ("in a file", vec![("ANOMALY_INPUT_PASSWORD_FILE", "password")], "it cannot be reached"),
        ("among credentials", vec![("CREDENTIALS_DIRECTORY", "credentials")], "it cannot be reached"),
        (
            "in no file",
            vec![("ANOMALY_INPUT_PASSWORD_FILE", "nothing")],
            "the password cannot be read from `nothing`",
        ),
        ("that no key takes", vec![("ANOMALY_INPUT_PASSWORD", "Hush4\u{7}")], "is `(not shown)`; it must be"),
        (
            "without a user",
            vec![("ANOMALY_INPUT_PASSWORD", &secret), ("ANOMALY_INPUT_USER", "")],
            "there is a password for `[input]`, and no user",
        ),
        (
            "in a connection string",
            vec![
                ("ANOMALY_INPUT_CONNECTION_STRING", &string),
                ("ANOMALY_INPUT_SERVER", ""),
                ("ANOMALY_INPUT_USER", ""),
            ],
            "it cannot be reached",
        ),
        (
            "in one that cannot be read",
            vec![
                ("ANOMALY_INPUT_CONNECTION_STRING", "server=h;user=w;password='Hush4"),
                ("ANOMALY_INPUT_SERVER", ""),
                ("ANOMALY_INPUT_USER", ""),
            ],
            "the connection string is neither ADO.NET's nor JDBC's",
        ),
        (
            "in one of JDBC's that cannot be read",
            vec![
                ("ANOMALY_INPUT_CONNECTION_STRING", "jdbc:sqlserver://h:1;user=w;password={Hush4"),
                ("ANOMALY_INPUT_SERVER", ""),
                ("ANOMALY_INPUT_USER", ""),
            ],
            "the connection string is neither ADO.NET's nor JDBC's",
        ),
    ];
    for (why, variables, said) in cases {
        let place = Place::new();
        place.write("password", &file);
        place.write("credentials/input_password", &file);
        for arguments in [["run", "--once"].as_slice(), &["check"], &["status"]] {
            let mut command = place.command(arguments);
            command.envs(server).envs(variables.iter().copied());
            command.envs([("ANOMALY_LOG_LEVEL", "debug"), ("RUST_BACKTRACE", "1"), ("RUST_LOG", "trace")]);
            let ran = Ran::of(&command.output().unwrap()).seen_from(&place);
            let log = std::fs::read_to_string(place.path("worker.log")).unwrap_or_default();
            let all = format!("{}{}{log}", ran.stdout, ran.stderr);
            assert!(!all.contains(MARK), "a password {why} is shown by {arguments:?}:\n{all}");
            assert!(all.contains(said), "{why}, {arguments:?}:\n{all}");
            assert_ne!(ran.code, Some(0), "{why}, {arguments:?}");
        }
    }
}

/// What cannot be understood is said before any connection, and nothing is sent to another server
/// than the one that is named.
#[test]
fn a_connection_string_is_understood_or_refused() {
    let login = format!("Database=p;User ID=u;Password=x{MARK}");
    for (string, said) in [
        (format!("Server={NOBODY};{login};Encrypt=Mandatory"), "it cannot be reached"),
        (format!("Server={NOBODY};{login};Encrypt=Optional"), "it cannot be reached"),
        (format!("Server={NOBODY};{login};Encrypt=Strict"), "it cannot be reached"),
        (
            format!("Server={NOBODY};{login};Encrypt=Sometimes"),
            "`Encrypt` of the connection string must be `true`",
        ),
        (format!("Sever={NOBODY};{login}"), "has a key `Sever`, which is unknown; did you mean `Server`?"),
        (login.clone(), "the connection string names no server"),
        (
            format!("mssql+pyodbc://u:x{MARK}@10.9.8.7:1433/p?driver=ODBC+Driver+18+for+SQL+Server"),
            "begins with `mssql+pyodbc://` is one of another kind; write it as ADO.NET does",
        ),
    ] {
        let place = Place::new();
        let mut command = place.command(&["check"]);
        command.env("ANOMALY_INPUT_CONNECTION_STRING", &string).env_remove("ANOMALY_INPUT_DATABASE");
        let ran = Ran::of(&command.output().unwrap());
        let line = ran.stdout.lines().find(|line| line.starts_with("FAIL  input")).unwrap_or_default();
        assert!(line.contains(said), "{string}: {}{}", ran.stdout, ran.stderr);
        assert!(!format!("{}{}", ran.stdout, ran.stderr).contains(MARK), "{}{}", ran.stdout, ran.stderr);
    }
}

/// While the program waits for a server that is not there, a list of processes shows its arguments.
#[cfg(unix)]
#[test]
fn a_list_of_processes_shows_no_password() {
    let place = Place::new();
    place.write("c.toml", format!("[input]\nserver = '{NOBODY}'\nuser = 'w'\npassword = '{MARK}'\n"));
    let mut command = place.command(&["run", "--config", "c.toml", "--log-file", "log"]);
    command.stdout(std::process::Stdio::null()).stderr(std::process::Stdio::null());
    let mut child = command.spawn().unwrap();
    crate::common::wait("it looks for its server", || {
        std::fs::read_to_string(place.path("log")).is_ok_and(|log| log.contains("out of reach"))
    });
    let listed = std::process::Command::new("ps").args(["-A", "-o", "pid=,args="]).output();
    child.kill().unwrap();
    child.wait().unwrap();
    let Ok(listed) = listed else {
        eprintln!("left out: there is no `ps` here");
        return;
    };
    let listed = String::from_utf8_lossy(&listed.stdout).into_owned();
    assert!(listed.contains("--config c.toml"), "{listed}");
    assert!(!listed.contains(MARK), "{listed}");
}

/// A list of processes would show a flag.
#[test]
fn no_flag_takes_a_secret() {
    let place = Place::new();
    for command in ["run", "check", "status"] {
        let help = place.run(&[command, "--help"]).stdout.to_lowercase();
        assert!(!help.contains("--password") && !help.contains("--connection"), "{help}");
    }
    // For one in the file the message has its place and not its text.
    place.write("c.toml", format!("[input]\npassword = [\"{MARK}\"]\n"));
    let ran = place.run(&["run", "--config", "c.toml"]);
    assert_eq!(ran.code, Some(2));
    assert!(ran.stderr.contains("line 2: `input.password` is `(not shown)`"), "{}", ran.stderr);
    place.write("c.toml", format!("[input]\npassword = \"{MARK}\n"));
    let ran = place.run(&["run", "--config", "c.toml"]);
    assert!(ran.code == Some(2) && !ran.stderr.contains(MARK), "{}", ran.stderr);
}
