//! The real program under one attack after the other. During all of them the good readings are
//! judged, and no cycle begins later than an interval after its time.

#![cfg(unix)]
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test stops at the first surprise")]

use std::fs;
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use host::store::{TableNames, schema};
use rusqlite::Connection;
use tests::HOSTILE;
use tests::fixture::described;

/// Short for a plant, and longer than the delays of a busy machine.
const INTERVAL: Duration = Duration::from_secs(4);

/// The program, and when it began its cycles.
struct Service {
    child: Child,
    begun: Arc<Mutex<Vec<Instant>>>,
    said: Arc<Mutex<Vec<String>>>,
}

impl Service {
    fn start(dir: &Path) -> Self {
        let mut child = Command::new(env!("CARGO_BIN_EXE_host-under-test"))
            .current_dir(dir)
            .args(["run", "--config", "worker.toml"])
            .env("ANOMALY_DETECTOR_STATE_DIR", "state")
            .env_remove("ANOMALY_INPUT_DATABASE")
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let (begun, said) = <(Arc<Mutex<Vec<Instant>>>, Arc<Mutex<Vec<String>>>)>::default();
        let (cycles, lines, stderr) = (Arc::clone(&begun), Arc::clone(&said), child.stderr.take().unwrap());
        thread::spawn(move || {
            for line in BufReader::new(stderr).lines().map_while(Result::ok) {
                if line.contains("checking for new data") {
                    cycles.lock().unwrap().push(Instant::now());
                }
                lines.lock().unwrap().push(line);
            }
        });
        Self { child, begun, said }
    }

    fn cycles(&self) -> usize {
        self.begun.lock().unwrap().len()
    }

    fn said(&self) -> String {
        self.said.lock().unwrap().join("\n")
    }

    /// Waits until something is so, and no longer than a busy machine may take.
    fn wait(&self, what: &str, mut so: impl FnMut() -> bool) {
        let begun = Instant::now();
        while !so() {
            assert!(begun.elapsed() < Duration::from_secs(300), "{what}: never\n{}", self.said());
            thread::sleep(Duration::from_millis(20));
        }
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// An attack.
type Attack = (&'static str, fn(&Path));

fn harm(dir: &Path, harm: &str) {
    fs::write(dir.join("models/harm.json"), harm).unwrap();
}

fn module(dir: &Path, bytes: &[u8]) {
    fs::write(dir.join("coming"), bytes).unwrap();
    fs::rename(dir.join("coming"), dir.join("hostile.wasm")).unwrap();
}

const ATTACKS: [Attack; 10] = [
    ("a variable that it spins over", |dir| harm(dir, r#"{"do": "spin", "to": "BAD"}"#)),
    ("one that it sleeps over", |dir| harm(dir, r#"{"do": "sleep", "to": "BAD"}"#)),
    ("one that takes all memory", |dir| harm(dir, r#"{"do": "memory", "to": "BAD"}"#)),
    ("a flood of lines", |dir| harm(dir, r#"{"do": "flood", "to": "T1"}"#)),
    ("a checkpoint of 20 MiB", |dir| harm(dir, r#"{"do": "checkpoint-huge"}"#)),
    ("it spins when it is opened", |dir| harm(dir, r#"{"do": "open-spin"}"#)),
    ("a model that it spins over, a pipe and a device as models", |dir| {
        harm(dir, "{}");
        fs::write(dir.join("models/S"), "compact spin").unwrap();
        std::os::unix::fs::symlink("/dev/zero", dir.join("models/Z")).unwrap();
        assert!(Command::new("mkfifo").arg(dir.join("models/P")).status().unwrap().success());
    }),
    ("a module that is none", |dir| module(dir, b"\0asm\x0d\0\x01\0 and no more")),
    ("a lookback over which it spins", |dir| {
        harm(dir, r#"{"do": "spin"}"#);
        module(dir, &described(8, Duration::from_secs(3600)).bytes);
    }),
    ("and all is well", |dir| {
        harm(dir, "{}");
        module(dir, HOSTILE);
    }),
];

#[test]
fn the_schedule_is_kept_through_attacks() {
    let dir = tempfile::tempdir().unwrap();
    let at = |name: &str| dir.path().join(name);
    let plant = Connection::open(at("plant.sqlite")).unwrap();
    plant.busy_timeout(Duration::from_secs(20)).unwrap();
    plant.execute_batch(&schema::sqlite::input(&TableNames::default().input)).unwrap();
    fs::create_dir(at("models")).unwrap();
    fs::write(at("models/*"), "").unwrap();
    fs::write(at("hostile.wasm"), HOSTILE).unwrap();
    let config = format!(
        "[input]\ndatabase = \"plant.sqlite\"\n[detector]\nmodule = \"hostile.wasm\"\nmodels = \"models\"\n\
         deadline = \"500ms\"\ncache_dir = \"cache\"\n[worker]\ninterval = \"{}s\"\n[log]\nfile = \"\"\n",
        INTERVAL.as_secs()
    );
    fs::write(at("worker.toml"), config).unwrap();
    let service = Service::start(dir.path());
    service.wait("a cycle", || service.cycles() > 0);

    let mut good = 0;
    for (attack, begin) in ATTACKS {
        begin(dir.path());
        // One cycle with the files as they were, one with the new ones, and one for what follows
        // from these.
        for _ in 0..2 {
            let cycles = service.cycles();
            good += 1;
            plant
                .execute_batch(&format!(
                    "INSERT INTO datos_proceso (datetime, variable_name, value) VALUES \
                     (datetime('now', 'localtime', '-{good} minutes'), 'T1', {good}), \
                     (datetime('now', 'localtime', '-{good} minutes'), 'BAD', -1)"
                ))
                .unwrap();
            service.wait(attack, || service.cycles() > cycles);
        }
        let judged = || {
            let sql = "SELECT COUNT(*) FROM anomalies_detector WHERE variable = 'T1'";
            plant.query_row(sql, [], |row| row.get::<_, i64>(0)).unwrap_or(0)
        };
        service.wait(attack, || judged() == good);
    }
    let begun = service.begun.lock().unwrap().clone();
    let late: Vec<_> =
        begun.windows(2).map(|two| two[1] - two[0]).filter(|gap| *gap > 2 * INTERVAL).collect();
    assert!(late.is_empty(), "{late:?}\n{}", service.said());
}
