//! Files that others have open: Windows lets an opener keep others out.

use crate::common::{Place, VARIABLES, wait};
use crate::wine::{Running, aid_in, host, log, run, wait_for};

/// Keeps a file open until the file `let go` exists.
fn hold(place: &Place, share: &str, file: &str) -> Running {
    let mut command = aid_in(place, &["hold", share, file, "let go"]);
    let out = std::fs::File::create(place.path("held")).unwrap();
    let held = Running(command.stdout(out).spawn().unwrap());
    wait("it is held", || std::fs::read_to_string(place.path("held")).unwrap().starts_with("held"));
    held
}

fn let_go(place: &Place, held: Running) {
    place.write("let go", "");
    assert_eq!(held.ended(), Some(0));
    std::fs::remove_file(place.path("let go")).unwrap();
}

/// While a reader of the log does not allow others to rename it, it only grows.
#[test]
#[ignore = "needs Wine: just test-windows"]
fn a_log_is_renamed_once_its_reader_lets_go() {
    let place = Place::new();
    place.readings(&VARIABLES, 2);
    let line = format!("{}\n", "x".repeat(1023));
    place.write("worker.log", line.repeat(1024));
    place.write("c.toml", "[log]\nmax_mib = 1\n");
    let held = hold(&place, "rw", "worker.log");
    let ran = run(&place, &["run", "--once", "--config", "c.toml"]);
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    assert!(ran.stderr.contains("worker.log`: ") && ran.stderr.contains("; it grows on"), "{}", ran.stderr);
    assert!(!place.path("worker.log.1").exists());
    assert!(log(&place).contains(" - INFO - stopped: "), "lines go on in the file");
    let_go(&place, held);
    let ran = run(&place, &["run", "--once", "--config", "c.toml"]);
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    let renamed = std::fs::read_to_string(place.path("worker.log.1")).unwrap();
    assert!(renamed.starts_with(&line) && renamed.contains(" - INFO - stopped: "));
    assert_eq!(log(&place).matches(" - INFO - stopped: ").count(), 1);
    // A reader who allows it prevents nothing.
    place.write("worker.log", line.repeat(1024));
    let held = hold(&place, "rwd", "worker.log");
    assert_eq!(run(&place, &["run", "--once", "--config", "c.toml"]).code, Some(0));
    assert_eq!(std::fs::read_to_string(place.path("worker.log.1")).unwrap(), line.repeat(1024));
    let_go(&place, held);
}

/// A backup or a virus scanner keeps all others from the database for a while: cycles fail, and
/// then succeed again.
#[test]
#[ignore = "needs Wine: just test-windows"]
fn a_database_that_is_locked_costs_cycles_and_nothing_else() {
    let place = Place::new();
    place.readings(&VARIABLES, 2);
    let held = hold(&place, "-", "plant.sqlite");
    let once = run(&place, &["run", "--once", "--log-file", ""]);
    assert_eq!(once.code, Some(1), "{}", once.stderr);
    let running = Running::start(host(&place, &["run", "--interval", "1s"]));
    wait_for(&place, " - ERROR - ", 2);
    let_go(&place, held);
    wait_for(&place, " - INFO - judged ", 1);
    running.kill();
    assert_eq!(place.number("SELECT count(*) FROM anomalies_detector"), Some(12));
}
