//! The commands for ranges on a server, the real program with the Python worker's own
//! configuration. The server is the fake one: this shows that the commands reach the server and get
//! its answers, and nothing about the SQL.

use std::process::{Command, Stdio};

use crate::common::{Place, Ran, wait};
use fake_tds::{PASSWORD, Server, USER};

const RANGE: [&str; 4] = ["--from", "2025-01-15", "--to", "2025-01-16"];

/// A plant on a server, and the configuration that the Python worker had for it.
struct Plant {
    server: Server,
    place: Place,
}

impl Plant {
    fn new() -> Self {
        let (server, place) = (Server::start().unwrap(), Place::new());
        place.write(
            "config.yaml",
            format!(
                "database:\n  server: 127.0.0.1\n  port: {}\n  username: {USER}\n  password: '{}'\n  schema: dbo\n  \
                 driver: ODBC Driver 17 for SQL Server\nanomaly_system:\n  input_database: plant\n  \
                 input_table: datos_proceso\n  output_database: plant\n  output_table: anomalies_detector\n",
                server.port(),
                PASSWORD.replace('\'', "''")
            ),
        );
        let mut csv = String::from("DATETIME;TEMP-03;AGUA/FLOW 1\n");
        for minute in 0..300 {
            csv.push_str(&format!("2025-01-15 {:02}:{:02};21,5;{minute}\n", minute / 60, minute % 60));
        }
        place.write("enero.csv", csv);
        Self { server, place }
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = self.place.command(&[arguments, &["--config", "config.yaml"]].concat());
        command.env_remove("ANOMALY_INPUT_DATABASE").env("ANOMALY_INPUT_TRUST_SERVER_CERTIFICATE", "true");
        command
    }

    fn run(&self, arguments: &[&str]) -> Ran {
        let ran = Ran::of(&self.command(arguments).output().unwrap());
        for said in [&ran.stdout, &ran.stderr] {
            assert!(!said.contains(PASSWORD), "{arguments:?} shows the password");
        }
        ran
    }

    /// What it prints. Fails if the program does.
    fn done(&self, arguments: &[&str]) -> String {
        let ran = self.run(arguments);
        assert_eq!(ran.code, Some(0), "{arguments:?}: {}", ran.stderr);
        ran.stdout
    }
}

fn backfill<'a>(more: &[&'a str]) -> Vec<&'a str> {
    [&["backfill"], &RANGE[..], more].concat()
}

#[test]
fn a_file_is_loaded_judged_judged_anew_and_written_out() {
    let plant = Plant::new();
    let refused = plant.run(&["import", "enero.csv"]);
    assert_eq!((refused.code, refused.stdout.as_str()), (Some(1), ""));
    let why = "there is no table `dbo.datos_proceso` (this login sees no tables); name the one that holds the \
               readings in the configuration, or have it made with --create-table";
    assert!(refused.stderr.contains(why), "{}", refused.stderr);
    let unused = "WARNING - `config.yaml`: not used here: `database.driver`";
    assert!(refused.stderr.contains(unused), "{}", refused.stderr);

    let loaded = "600 readings of 2 variables in 300 rows loaded";
    assert!(plant.done(&["import", "enero.csv", "--create-table"]).starts_with(&format!("{loaded}\n")));
    let again = "0 readings of 2 variables in 300 rows loaded, 600 were there already\n";
    assert_eq!(plant.done(&["import", "enero.csv"]), again);
    let checked = plant.done(&["check"]);
    assert!(checked.contains("`host run` would work"), "{checked}");
    // It is said once, and not by the driver at each connection.
    assert_eq!(checked.matches("is not checked, as it was configured").count(), 1, "{checked}");
    let once = plant.run(&["run", "--once", "--log-file", ""]).stderr;
    assert_eq!(once.matches("is not checked, as it was configured").count(), 1, "{once}");
    assert_eq!(once.matches("ertificate").count(), 1, "{once}");

    assert!(plant.done(&backfill(&[])).contains(": 600 readings judged, "));
    assert!(plant.done(&backfill(&[])).contains(": 0 readings judged, "));
    let anew = plant.done(&backfill(&["--replace", "--variables", "TEMP-03"]));
    assert!(anew.contains(": 300 readings judged, ") && anew.contains(", 300 verdicts replaced, "), "{anew}");

    let export = [&["export"], &RANGE[..]].concat();
    let csv = plant.done(&export);
    let first = csv.lines().nth(1).unwrap();
    assert!(first.starts_with("2025-01-15 00:00:00,0,") && first.contains(",AGUA/FLOW 1,"), "{first}");
    assert!(first.contains(",enero.csv,"), "{first}");
    assert_eq!(csv.lines().count(), 1 + 600);
}

/// Killed while it works, again and again: what the server has committed stays, and is not judged
/// again.
#[test]
fn a_backfill_that_is_killed_goes_on_where_the_server_has_it() {
    let plant = Plant::new();
    plant.done(&["import", "enero.csv", "--create-table"]);
    for _ in 0..3 {
        let mut command = plant.command(&backfill(&[]));
        command.env("ANOMALY_WORKER_BATCH_ROWS", "4").stdout(Stdio::null()).stderr(Stdio::null());
        plant.server.requests();
        let mut child = command.spawn().unwrap();
        let mut commits = 0;
        wait("some commits", || {
            let requests = plant.server.requests();
            commits +=
                requests.iter().filter(|text| text.contains("COMMIT TRANSACTION; SELECT @held")).count();
            commits >= 5 || child.try_wait().unwrap().is_some()
        });
        child.kill().unwrap();
        child.wait().unwrap();
        plant.server.wait_for_connections(0);
    }
    let ran = plant.run(&backfill(&[]));
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    assert!(ran.stderr.contains(" are done; it goes on from there"), "{}", ran.stderr);
    assert!(ran.stdout.contains(": 600 readings judged, "), "{}", ran.stdout);
    assert!(!ran.stdout.contains("judged before"), "{}", ran.stdout);
    assert_eq!(plant.done(&[&["export"], &RANGE[..]].concat()).lines().count(), 1 + 600);
}

/// The server limits what `check` reads of the plant's table to a cycle's batch.
#[test]
fn a_check_reads_no_more_than_a_cycle() {
    let plant = Plant::new();
    plant.done(&["import", "enero.csv", "--create-table"]);
    let of_input = |arguments: &[&str]| {
        plant.server.requests();
        plant.done(arguments);
        let all = plant.server.requests().into_iter();
        all.filter(|text| text.contains("FROM [dbo].[datos_proceso]")).collect::<Vec<_>>()
    };
    let check = of_input(&["check"]);
    let run = of_input(&["run", "--once", "--log-file", ""]);
    assert!(!check.is_empty() && check.len() <= run.len(), "{check:#?}\n{run:#?}");
    for text in &check {
        let ends = text.contains("[datetime] >= @P")
            && (text.contains("[datetime] < @P") || text.contains("[datetime] <= @P"));
        assert!(text.starts_with("SELECT TOP (@P1) ") && ends, "{text}");
    }
}
