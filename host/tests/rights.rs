//! The least rights on a server: what `host schema` prints for a DBA is enough for all that the
//! service does, and `host check` names each right that is missing. On the server that
//! `TEST_SQLSERVER` names, by the real program and a login of its own.

#![allow(clippy::unwrap_used, reason = "a test stops at the first surprise")]

mod common;

use std::process::Command;

use common::server::{OnServer, PASSWORD};
use common::{Place, Ran, VARIABLES};
use host::store::{TableNames, schema};

const INPUT: &str = "dbo.datos_proceso";
const OUTPUT: &str = "dbo.anomalies_detector";
const STATE: &str = "dbo.anomaly_worker_state";
const PARTS: &str = "dbo.anomaly_worker_state_checkpoint";
const EPISODES: &str = "dbo.anomaly_worker_episodes";
const OUTBOX: &str = "dbo.anomaly_worker_outbox";

/// A plant with readings of today and of a past range, and a login that has no rights yet.
struct Plant {
    server: OnServer,
    place: Place,
    login: String,
}

impl Plant {
    fn new() -> Self {
        let mut server = OnServer::start();
        let login = server.login(&[]);
        server.run(&schema::sqlserver::input(&TableNames::default().input));
        for variable in VARIABLES {
            server.run(&format!(
                "INSERT INTO {INPUT} (datetime, variable_name, value) VALUES (DATEADD(minute, -5, GETDATE()), '{variable}', 100), \
                 ('2025-01-15T10:00:00', '{variable}', 100)"
            ));
        }
        Self { server, place: Place::new(), login }
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = self.place.command(arguments);
        self.server.address(&mut command);
        command.env("ANOMALY_INPUT_USER", &self.login).env("ANOMALY_INPUT_PASSWORD", PASSWORD);
        command
    }

    fn run(&self, arguments: &[&str]) -> Ran {
        Ran::of(&self.command(arguments).output().unwrap())
    }

    /// What it prints. Fails if the program does.
    fn done(&self, arguments: &[&str]) -> String {
        let ran = self.run(arguments);
        assert_eq!(ran.code, Some(0), "{arguments:?}: {}\n{}", ran.stdout, ran.stderr);
        ran.stdout
    }

    /// The statements that `host schema` prints, and those in remarks that begin with `GRANT` and
    /// `granting`.
    fn schema(&self, granting: &str) -> String {
        let printed = self.done(&["schema"]);
        let lines = printed.lines().filter_map(|line| match line.strip_prefix("-- ") {
            Some(remark) => {
                (!granting.is_empty() && remark.starts_with(&format!("GRANT {granting}"))).then_some(remark)
            }
            None => Some(line),
        });
        lines.collect::<Vec<_>>().join("\n")
    }

    /// The lines of `host check` that say what is wrong.
    fn failures(&self) -> Vec<String> {
        let ran = self.run(&["check"]);
        let failures: Vec<_> =
            ran.stdout.lines().filter(|line| line.starts_with("FAIL")).map(str::to_owned).collect();
        assert_eq!(ran.code, Some(if failures.is_empty() { 0 } else { 1 }), "{}", ran.stdout);
        failures
    }

    fn verdicts(&mut self) -> i64 {
        self.server.number(&format!("SELECT COUNT_BIG(*) FROM {OUTPUT}"))
    }
}

#[test]
#[ignore = "needs TEST_SQLSERVER"]
fn what_the_schema_grants_is_enough_and_of_what_is_missing_each_right_is_named() {
    let mut plant = Plant::new();
    let bare = plant.failures();
    let says = |failures: &[String], right: &str, table: &str| {
        let table = table.trim_start_matches("dbo.");
        failures.iter().any(|line| line.contains(right) && line.contains(table))
    };
    assert!(says(&bare, "CREATE TABLE", OUTPUT) && says(&bare, "CREATE TABLE", STATE), "{bare:#?}");
    assert!(says(&bare, "SELECT", INPUT), "{bare:#?}");

    // As a DBA does it.
    let statements = plant.schema("");
    plant.server.run(&statements);
    assert_eq!(plant.failures(), Vec::<String>::new());
    plant.done(&["run", "--once", "--log-file", ""]);
    assert_eq!(plant.verdicts(), 6);
    let range = ["--from", "2025-01-15", "--to", "2025-01-16"];
    plant.done(&[&["backfill"], &range[..]].concat());
    assert_eq!(plant.verdicts(), 12);
    plant.done(&["status"]);
    assert_eq!(plant.done(&[&["export"], &range[..]].concat()).lines().count(), 1 + 6);

    for (right, table) in [
        ("SELECT", INPUT),
        ("SELECT", OUTPUT),
        ("INSERT", OUTPUT),
        ("SELECT", STATE),
        ("INSERT", STATE),
        ("UPDATE", STATE),
        ("SELECT", PARTS),
        ("INSERT", PARTS),
        ("DELETE", PARTS),
        ("SELECT", EPISODES),
        ("INSERT", EPISODES),
        ("UPDATE", EPISODES),
        ("DELETE", EPISODES),
        ("SELECT", OUTBOX),
        ("INSERT", OUTBOX),
        ("UPDATE", OUTBOX),
        ("DELETE", OUTBOX),
    ] {
        let login = plant.login.clone();
        plant.server.run(&format!("REVOKE {right} ON {table} FROM {login}"));
        let failures = plant.failures();
        assert!(says(&failures, right, table), "{right} on {table}: {failures:#?}");
        assert_eq!(failures.len(), 1, "{right} on {table}: {failures:#?}");
        plant.server.run(&format!("GRANT {right} ON {table} TO {login}"));
    }
    assert_eq!(plant.failures(), Vec::<String>::new());
}

/// Each command that a person runs now and then needs one more right, which is printed as a remark.
#[test]
#[ignore = "needs TEST_SQLSERVER"]
fn a_replacement_and_an_import_take_a_right_more() {
    let mut plant = Plant::new();
    let statements = plant.schema("");
    plant.server.run(&statements);
    let backfill = ["backfill", "--from", "2025-01-15", "--to", "2025-01-16"];
    plant.done(&backfill);
    plant.place.write("enero.csv", "DATETIME,TEMP-03\n2025-01-15 11:00,21.5\n");
    let replace = [&backfill[..], &["--replace"]].concat();
    for (command, right) in [(&replace[..], "DELETE"), (&["import", "enero.csv"], "INSERT")] {
        let refused = plant.run(command);
        assert_eq!(refused.code, Some(1), "{command:?}: {}", refused.stdout);
        assert!(refused.stderr.contains("denied"), "{command:?}: {}", refused.stderr);
        let grants: Vec<String> =
            plant.schema(right).lines().filter(|line| line.starts_with("GRANT")).map(str::to_owned).collect();
        plant.server.run(&grants.join("\n"));
        plant.done(command);
    }
    assert_eq!(plant.verdicts(), 6);
}
