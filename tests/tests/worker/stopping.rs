//! The real program is asked to stop while it reads, opens or waits for a store: it ends at once,
//! and does not finish that first.

#![cfg(unix)]
use std::io::{BufRead, BufReader};
use std::net::TcpListener;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use host::store::{TableNames, schema};
use rusqlite::Connection;
use rustix::process::{Pid, Signal, kill_process};
use tests::HOSTILE;
use tests::fixture::described;

/// Far less than what is waited for (10 minutes), far more than a busy machine takes to end a
/// process.
const SOON: Duration = Duration::from_secs(60);

/// What the program waits for when it is asked to stop.
enum Waits {
    /// For a detector that computes, after it has logged this.
    Detector(&'static str),
    /// For a server that accepts the connection and sends nothing.
    Server,
}

fn program(dir: &Path, arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_host-under-test"));
    command
        .current_dir(dir)
        .args(arguments)
        .args(["--config", "worker.toml"])
        .env("ANOMALY_DETECTOR_CACHE_DIR", Path::new(env!("CARGO_TARGET_TMPDIR")).join("stopping"))
        .env("ANOMALY_DETECTOR_STATE_DIR", "state")
        .env_remove("ANOMALY_INPUT_DATABASE")
        .stdin(Stdio::null());
    command
}

/// Runs it, asks it to stop by the signal once it waits, and gives the exit code.
fn stopped(
    dir: &Path,
    arguments: &[&str],
    signal: Signal,
    waits: &Waits,
    server: &TcpListener,
) -> Option<i32> {
    // Connections of an earlier process, which were not accepted, are removed.
    server.set_nonblocking(true).unwrap();
    while server.accept().is_ok() {}
    server.set_nonblocking(false).unwrap();
    let mut child = program(dir, arguments).stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
    let mut said = BufReader::new(child.stderr.take().unwrap()).lines();
    let _asked = match waits {
        Waits::Detector(line) => {
            assert!(said.any(|said| said.unwrap().contains(line)), "{arguments:?}: it never says `{line}`");
            None
        }
        Waits::Server => Some(server.accept().unwrap()),
    };
    let begun = Instant::now();
    kill_process(Pid::from_child(&child), signal).unwrap();
    loop {
        match child.try_wait().unwrap() {
            Some(ended) => break ended.code(),
            None if begun.elapsed() > SOON => {
                child.kill().unwrap();
                panic!("{arguments:?}: still there {SOON:?} after {signal:?}");
            }
            None => std::thread::sleep(Duration::from_millis(10)),
        }
    }
}

#[test]
fn a_stop_ends_a_start_at_once() {
    let dir = tempfile::tempdir().unwrap();
    let server = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = server.local_addr().unwrap().port();
    std::fs::write(dir.path().join("hostile.wasm"), HOSTILE).unwrap();
    std::fs::write(dir.path().join("in.csv"), "DATETIME,T1\n2025-01-01 00:00:00,1\n").unwrap();
    std::fs::create_dir(dir.path().join("models")).unwrap();
    std::fs::write(
        dir.path().join("worker.toml"),
        format!(
            "[input]\nserver = \"127.0.0.1,{port}\"\ndatabase = \"plant\"\nuser = \"u\"\npassword = \"p\"\n\
             connect_timeout = \"10m\"\n[detector]\nmodule = \"hostile.wasm\"\nmodels = \"models\"\ndeadline = \"10m\"\n\
             [log]\nfile = \"\"\n"
        ),
    )
    .unwrap();
    let run = ["run"].as_slice();
    let backfill = ["backfill", "--from", "2025-01-01", "--to", "2025-01-02"].as_slice();
    let import = ["import", "in.csv"].as_slice();
    let spin = r#"{"do": "open-spin"}"#;
    for (file, contents, waits, commands) in [
        ("harm.json", spin, Waits::Detector("spins in open"), &[(run, Some(0)), (backfill, Some(1))][..]),
        ("T1", "compact spin", Waits::Detector("spins in compact"), &[(run, Some(0)), (backfill, Some(1))]),
        ("T1", "", Waits::Server, &[(run, Some(0)), (backfill, Some(1)), (import, Some(1))]),
    ] {
        let file = dir.path().join("models").join(file);
        std::fs::write(&file, contents).unwrap();
        for ((arguments, code), signal) in commands.iter().zip([Signal::TERM, Signal::INT, Signal::INT]) {
            assert_eq!(
                stopped(dir.path(), arguments, signal, &waits, &server),
                *code,
                "{arguments:?} {contents}"
            );
        }
        std::fs::remove_file(file).unwrap();
    }
}

/// A detector that spins at its lookback. A stop there loses nothing.
#[test]
fn a_stop_ends_a_lookback_at_once() {
    let dir = tempfile::tempdir().unwrap();
    let at = |name: &str| dir.path().join(name);
    let plant = Connection::open(at("plant.sqlite")).unwrap();
    plant.execute_batch(&schema::sqlite::input(&TableNames::default().input)).unwrap();
    let insert = || {
        plant
            .execute_batch(
                "INSERT INTO datos_proceso (datetime, variable_name, value) VALUES (datetime('now', 'localtime'), 'T1', 1)",
            )
            .unwrap();
    };
    insert();
    std::fs::create_dir(at("models")).unwrap();
    std::fs::write(at("models/T1"), "").unwrap();
    let config = "[input]\ndatabase = \"plant.sqlite\"\n[detector]\nmodule = \"hostile.wasm\"\nmodels = \"models\"\n\
                  deadline = \"10m\"\n[log]\nfile = \"\"\n";
    std::fs::write(at("worker.toml"), config).unwrap();
    // A detector without state has judged before, so that there are readings for the lookback.
    std::fs::write(at("hostile.wasm"), &*described(0, Duration::ZERO).bytes).unwrap();
    let before = program(dir.path(), &["run", "--once"]).output().unwrap();
    assert!(before.status.success(), "{}", String::from_utf8_lossy(&before.stderr));
    std::fs::write(at("hostile.wasm"), &*described(7, Duration::from_secs(3600)).bytes).unwrap();
    std::fs::write(at("models/harm.json"), r#"{"do": "spin"}"#).unwrap();
    insert();
    let none = TcpListener::bind("127.0.0.1:0").unwrap();
    let waits = Waits::Detector("readings before it judges");
    for signal in [Signal::TERM, Signal::INT] {
        assert_eq!(stopped(dir.path(), &["run"], signal, &waits, &none), Some(0), "{signal:?}");
    }
}
