//! Judging: the same verdicts as on Linux, each once, however the program is ended.

use std::path::Path;
use std::process::Command;

use rusqlite::types::Value;

use crate::common::{Place, Ran, VARIABLES, masked, untimed};
use crate::wine::{Running, host, log, ran, run, wait_for, windows};

/// All verdicts with exact numbers, without the times and the order in which they were written.
fn verdicts(database: &Path) -> Vec<Vec<String>> {
    let connection = rusqlite::Connection::open(database).unwrap();
    let columns = "ds, variable, y, yhat, yhat_lower, yhat_upper, residual, outside_interval, high_residual, \
                   is_anomaly, anomaly_score, prediction_error_pct, source_file";
    let sql = format!("SELECT {columns} FROM anomalies_detector ORDER BY ds, variable");
    let mut statement = connection.prepare(&sql).unwrap();
    let exact = |value: Value| match value {
        Value::Real(real) => format!("{:x}", real.to_bits()),
        other => format!("{other:?}"),
    };
    let row = |row: &rusqlite::Row<'_>| (0..13).map(|column| row.get(column).map(exact)).collect();
    statement.query_map([], row).unwrap().map(Result::unwrap).collect()
}

/// What was printed, without numbers, the form of paths, the program's place, and the set's digest:
/// the detector was built in another place.
fn said(ran: &Ran, directory: &str) -> Vec<String> {
    let printed = masked(&ran.stdout.replace(directory, "DIR").replace('\\', "/"));
    let word = |word: &str| match word.trim_end_matches(".exe") {
        program if program.ends_with("/host") => "HOST".to_owned(),
        _ => word.to_owned(),
    };
    let line = |line: &str| match line.split_once("the new set ") {
        Some((_, rest)) => rest.split_once(' ').unwrap_or_default().1.to_owned(),
        None => line.split(' ').map(word).collect::<Vec<_>>().join(" "),
    };
    printed.lines().map(line).collect()
}

#[test]
#[ignore = "needs Wine: just test-windows"]
fn the_demo_is_linuxs_to_the_last_bit() {
    let place = Place::new();
    let there = run(&place, &["demo", "--dir", "demo-wine"]);
    assert_eq!(there.code, Some(0), "{}", there.stderr);
    let here = place.run(&["demo", "--dir", "demo-linux"]);
    assert_eq!(here.code, Some(0), "{}", here.stderr);
    assert_eq!(said(&there, "demo-wine"), said(&here, "demo-linux"));
    // By the interval, and by the rule that learns.
    for (database, least) in [("plant.sqlite", 20_000), ("learning.sqlite", 20_000)] {
        let of = |directory: &str| verdicts(&place.path(directory).join(database));
        let (there, here) = (of("demo-wine"), of("demo-linux"));
        assert!(there.len() > least, "{database}: {}", there.len());
        assert!(there == here, "{database}: of {} verdicts some are not Linux's", here.len());
    }
}

#[test]
#[ignore = "needs Wine: just test-windows"]
fn check_run_and_status() {
    let place = Place::new();
    place.readings(&VARIABLES, 3);
    let checked = run(&place, &["check"]);
    assert_eq!(checked.code, Some(0), "{}{}", checked.stdout, checked.stderr);
    assert!(checked.stdout.contains("`host run` would work"), "{}", checked.stdout);
    let linux = Place::new();
    std::fs::copy(place.path("plant.sqlite"), linux.path("plant.sqlite")).unwrap();
    for place in [&place, &linux] {
        let mut command = if std::ptr::eq(place, &linux) {
            place.command(&["run", "--once"])
        } else {
            host(place, &["run", "--once"])
        };
        let ran = ran(&mut command);
        assert_eq!(ran.code, Some(0), "{}", ran.stderr);
        assert_eq!(untimed(&log(place)), untimed(&ran.stderr), "the file has the same lines");
    }
    let judged = verdicts(&place.path("plant.sqlite"));
    assert_eq!(judged.len(), 18);
    assert_eq!(judged, verdicts(&linux.path("plant.sqlite")));
    let json = run(&place, &["status", "--json"]);
    assert_eq!(json.code, Some(0), "{}", json.stderr);
    let json: serde_json::Value = serde_json::from_str(&json.stdout).unwrap();
    assert_eq!(json["counts"]["judged"], 18);
    assert_eq!(run(&place, &["run", "--once"]).code, Some(0));
    assert_eq!(verdicts(&place.path("plant.sqlite")), judged);
}

/// The codes that supervisors and the Task Scheduler use.
#[test]
#[ignore = "needs Wine: just test-windows"]
fn exit_codes() {
    let place = Place::new();
    place.readings(&VARIABLES, 1);
    place.write("wrong.toml", "[worker]\ninterval = 0\n");
    place.write("refused.toml", "[detector.settings]\nthreshold = 'much'\n");
    place.write("nowhere.toml", "[input]\ndatabase = 'Z:\\no\\such\\plant.sqlite'\n");
    for (config, code, said) in [
        ("wrong.toml", 2, "`worker.interval` is `0`"),
        ("refused.toml", 2, "the detector refuses its settings"),
        ("nowhere.toml", 1, r"Z:\no\such\plant.sqlite"),
    ] {
        let mut command = host(&place, &["run", "--once", "--config", config]);
        if config == "nowhere.toml" {
            command.env_remove("ANOMALY_INPUT_DATABASE");
        }
        let ran = ran(&mut command);
        assert_eq!(ran.code, Some(code), "{config}: {}", ran.stderr);
        assert!(ran.stderr.contains(said), "{config}: {}", ran.stderr);
    }
    assert_eq!(run(&place, &["run", "--once"]).code, Some(0));
}

/// Killed in the middle, and started again: nothing is lost, and nothing judged twice.
#[test]
#[ignore = "needs Wine: just test-windows"]
fn killed_and_started_again() {
    let place = Place::new();
    place.readings(&VARIABLES, 600);
    place.write("c.toml", "[worker]\nbatch_rows = 60\ninterval = '1s'\n");
    for round in 1..=3 {
        let running = Running::start(host(&place, &["run", "--config", "c.toml"]));
        wait_for(&place, "judged ", 2 * round);
        running.kill();
    }
    let ran = run(&place, &["run", "--once"]);
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    assert_eq!(place.number("SELECT count(*) FROM anomalies_detector"), Some(3600));
    let linux = Place::new();
    std::fs::copy(place.path("plant.sqlite"), linux.path("plant.sqlite")).unwrap();
    linux.sql("DELETE FROM anomalies_detector; DELETE FROM anomaly_worker_state");
    let ran = Ran::of(&linux.command(&["run", "--once"]).output().unwrap());
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    assert!(verdicts(&place.path("plant.sqlite")) == verdicts(&linux.path("plant.sqlite")));
}

/// Any name that a person may give to a directory.
#[test]
#[ignore = "needs Wine: just test-windows"]
fn paths_with_blanks_backslashes_and_any_letters() {
    let place = Place::new();
    place.readings(&VARIABLES, 2);
    place.copy_models(&[]);
    let directory = place.path("Planta Ñandú 1/Größe 測定");
    std::fs::create_dir_all(&directory).unwrap();
    for name in ["models", "plant.sqlite"] {
        std::fs::rename(place.path(name), directory.join(name)).unwrap();
    }
    let below = |name: &str| windows(&directory.join(name));
    let toml = format!(
        "[input]\ndatabase = '{}'\n[detector]\nmodels = '{}'\ncache_dir = '{}'\n[log]\nfile = '{}'\n",
        below("plant.sqlite"),
        below("models"),
        below("caché"),
        below("registro.log")
    );
    std::fs::write(directory.join("configuración.toml"), toml).unwrap();
    let elsewhere = Place::new();
    let clean = |command: &mut Command| {
        for name in ["INPUT_DATABASE", "DETECTOR_MODELS", "DETECTOR_CACHE_DIR"] {
            command.env_remove(format!("ANOMALY_{name}"));
        }
        ran(command)
    };
    let config = below("configuración.toml");
    for arguments in [&["check"][..], &["run", "--once"], &["status"]] {
        let arguments = [arguments, &["--config", &config]].concat();
        let ran = clean(&mut host(&elsewhere, &arguments));
        assert_eq!(ran.code, Some(0), "{arguments:?}: {}{}", ran.stdout, ran.stderr);
    }
    assert_eq!(verdicts(&directory.join("plant.sqlite")).len(), 12);
    let log = std::fs::read_to_string(directory.join("registro.log")).unwrap();
    assert!(log.contains(&format!("configured by `{config}`")), "{log}");
    assert!(log.contains(" - INFO - stopped: "), "{log}");
}
