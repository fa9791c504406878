//! The figures of the README, as a table: `just bench`.
//!
//! Whole things are timed as their users meet them (a judged batch, a cycle, a start of the program), each several times in turn, and the
//! median is given with the range. What is compared is measured alternately in one run, because machines drift. Nothing here
//! asserts a time: a test that fails on a busy machine says nothing.

#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "a benchmark stops at the first surprise and prints"
)]

mod times;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use host::batch::{Batch, Column};
use host::datetime::Datetime;
use host::demo::models::FILES;
use host::demo::plant::{Plant, SEED, START, STEP};
use host::demo::variables::VARIABLES;
use host::detector::{Detector, Engine, Limits, ModelFile, Module, Set};
use host::reload::watch::{Pace, Watch};
use host::reload::{Reloader, Shared, Source};
use host::store::clock::Clock;
use host::store::{SqliteStore, TableNames, schema};
use host::worker::{Settings, Worker};
use rusqlite::{Connection, params};
use times::{Times, seconds};

fn main() {
    // `cargo test --benches` only wants to know that it builds.
    if !std::env::args().any(|argument| argument == "--bench") {
        return;
    }
    let runtime = tokio::runtime::Runtime::new().unwrap();
    println!("| what | median | range | runs |\n|---|---|---|---|");
    runtime.block_on(throughput());
    runtime.block_on(cycle());
    runtime.block_on(reload());
    start();
    idle();
    backlog();
}

/// Points judged per second through the component and natively, alternately.
async fn throughput() {
    let engine = Engine::new(Limits { memory: 1 << 30, ..Limits::default() }, None).unwrap();
    let mut component = Detector::open(&engine, Arc::new(set()), None).await.unwrap();
    let native_files: Vec<_> =
        FILES.iter().map(|file| detector_guest::File { path: file.name, bytes: file.bytes }).collect();
    let mut native = detector_guest::Detector::open(&native_files, "{}").unwrap();
    for (rows, rounds) in [(5, 2001), (1_440, 101), (43_200, 11)] {
        let batch = Arc::new(batch(rows));
        let instants: Vec<i64> = batch.datetimes.iter().map(|at| at.micros()).collect();
        let columns: Vec<_> = batch
            .columns
            .iter()
            .map(|column| detector_guest::Column { variable: &column.variable, values: &column.values })
            .collect();
        let points = f64::from(rows) * VARIABLES.len() as f64 / 1e6;
        let (mut inside, mut outside, mut ratios) = (Vec::new(), Vec::new(), Vec::new());
        for round in 0..=rounds {
            let begun = Instant::now();
            component.judge(Arc::clone(&batch)).await.unwrap();
            let wasm = begun.elapsed().as_secs_f64();
            let bare = seconds(|| drop(std::hint::black_box(native.detect(&instants, &columns).unwrap())));
            if round > 0 {
                inside.push(points / wasm);
                outside.push(points / bare);
                ratios.push(wasm / bare);
            }
        }
        Times(inside).row(&format!("component, {rows} × 25"), "M points/s", 1);
        Times(outside).row(&format!("native, {rows} × 25"), "M points/s", 1);
        Times(ratios).row(&format!("component / native, {rows} × 25"), "×", 2);
    }
}

/// A cycle over five new datetimes of 25 variables, the commit to disk included.
async fn cycle() {
    let place = Place::new();
    let (clock, hand) = Clock::settable(START);
    let (mut worker, _) = place.worker(clock, "{}").await;
    let times: Vec<f64> = {
        let mut times = Vec::new();
        for round in 0..201 {
            let from = START.later(STEP * (5 * round));
            place.insert(from, 5);
            hand.set(from.later(STEP * 5));
            let begun = Instant::now();
            let report = worker.cycle(|| false).await.unwrap();
            assert_eq!(report.counts.judged, 125);
            times.push(1000.0 * begun.elapsed().as_secs_f64());
        }
        times.split_off(1)
    };
    Times(times).row("cycle of 5 × 25, commit included", "ms", 2);
    let mut idle = Vec::new();
    for _ in 0..201 {
        let begun = Instant::now();
        worker.cycle(|| false).await.unwrap();
        idle.push(1000.0 * begun.elapsed().as_secs_f64());
    }
    Times(idle).row("idle cycle", "ms", 2);
}

/// From a new model file to the verdicts of the first batch judged by it; half a second of it waits for the files to rest.
async fn reload() {
    let place = Place::new();
    let (clock, hand) = Clock::settable(START);
    let (mut worker, parts) = place.worker(clock, "{}").await;
    place.insert(START, 1);
    hand.set(START.later(STEP));
    worker.cycle(|| false).await.unwrap();
    let reloader = Reloader::new(parts.engine, parts.source, parts.shared, worker.detector());
    let _watch = Watch::start(reloader, Pace::default());
    tokio::time::sleep(Duration::from_millis(300)).await;
    let mut times = Vec::new();
    for round in 1..=7 {
        place.insert(START.later(STEP * round), 1);
        hand.set(START.later(STEP * (round + 1)));
        let before = worker.detector().set().digest.clone();
        let begun = Instant::now();
        let text = String::from_utf8(FILES[1].bytes.to_vec()).unwrap();
        fs::write(place.models().join(FILES[1].name), format!("{text}{}", " ".repeat(round as usize)))
            .unwrap();
        while worker.detector().set().digest == before {
            worker.cycle(|| false).await.unwrap();
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        times.push(begun.elapsed().as_secs_f64());
    }
    Times(times).row("new model file to first batch judged by it", "s", 2);
}

/// The whole program from its start to the end of one cycle over 5 × 25 readings.
fn start() {
    let (mut cold, mut warm) = (Vec::new(), Vec::new());
    for _ in 0..7 {
        let place = Place::new();
        place.insert(now().earlier(STEP * 5), 5);
        cold.push(1000.0 * seconds(|| place.run_once()));
        place.insert(now().later(STEP), 1);
        warm.push(1000.0 * seconds(|| place.run_once()));
    }
    Times(cold).row("start to first verdicts and exit, nothing compiled yet", "ms", 0);
    Times(warm).row("start to first verdicts and exit, compiled before", "ms", 0);
}

/// Resident memory of a worker that waits for its next tick.
fn idle() {
    let mut resident = Vec::new();
    for _ in 0..3 {
        let place = Place::new();
        place.insert(now().earlier(STEP * 5), 5);
        place.run_once();
        let mut child = place.command(&["--interval", "60"]).stderr(Stdio::piped()).spawn().unwrap();
        wait_for(&mut child, "next check in");
        std::thread::sleep(Duration::from_secs(1));
        resident.push(memory(child.id(), "VmRSS:"));
        child.kill().unwrap();
        child.wait().unwrap();
    }
    Times(resident).row("resident memory, idle", "MB", 1);
}

/// A backlog: memory must not grow with it.
fn backlog() {
    for rows in [100_000_u32, 1_000_000] {
        let place = Place::new();
        let instants = rows / 25;
        place.insert_many(
            now().earlier(Duration::from_secs(20 * 3600)),
            instants,
            Duration::from_millis(1000),
        );
        place.run_once_elsewhere();
        let mut child = place.command(&["--interval", "60"]).stderr(Stdio::piped()).spawn().unwrap();
        let begun = Instant::now();
        wait_for(&mut child, "next check in");
        let took = begun.elapsed().as_secs_f64();
        let peak = memory(child.id(), "VmHWM:");
        child.kill().unwrap();
        child.wait().unwrap();
        Times(vec![f64::from(rows) / took / 1000.0]).row(
            &format!("backlog of {rows} readings"),
            "thousand/s",
            0,
        );
        Times(vec![peak]).row(&format!("peak memory over {rows} readings"), "MB", 1);
    }
}

fn now() -> Datetime {
    Clock::system().now()
}

fn wait_for(child: &mut Child, line: &str) {
    use std::io::BufRead;
    let stderr = std::io::BufReader::new(child.stderr.take().unwrap());
    let (found, finding) = std::sync::mpsc::channel();
    let line = line.to_owned();
    // The pipe is read on to its end, so that the worker never waits for its reader.
    std::thread::spawn(move || {
        for said in stderr.lines().map_while(Result::ok) {
            if said.contains(&line) {
                let _ = found.send(());
            }
        }
    });
    finding.recv_timeout(Duration::from_secs(300)).unwrap();
}

/// A line of the kernel's account of a process, in MB; not a number where there is none.
fn memory(process: u32, line: &str) -> f64 {
    let status = fs::read_to_string(format!("/proc/{process}/status")).unwrap_or_default();
    let kilobytes =
        status.lines().find_map(|found| found.strip_prefix(line)?.trim().strip_suffix(" kB")?.parse().ok());
    kilobytes.map_or(f64::NAN, |kilobytes: f64| kilobytes / 1000.0)
}

fn set() -> Set {
    let files = FILES.iter().map(|file| ModelFile { path: file.name.into(), bytes: file.bytes.to_vec() });
    Set::new(Module::built_in(), files.collect(), "demo".into(), "{}".into())
}

fn batch(rows: u32) -> Batch {
    let plant = Plant::new(SEED);
    let datetimes: Vec<_> = (0..rows).map(|row| START.later(STEP * row)).collect();
    let columns = VARIABLES
        .iter()
        .map(|variable| Column {
            variable: variable.name.into(),
            values: datetimes.iter().map(|&at| plant.value(variable, at)).collect(),
        })
        .collect();
    Batch { datetimes, columns }
}

/// A directory with a database, the demo's models and a cache of its own.
struct Place(tempfile::TempDir);

struct Parts {
    engine: Engine,
    source: Source,
    shared: Shared,
}

impl Place {
    fn new() -> Self {
        let place = Self(tempfile::tempdir().unwrap());
        fs::create_dir(place.models()).unwrap();
        for file in FILES {
            fs::write(place.models().join(file.name), file.bytes).unwrap();
        }
        let database = place.connection();
        database.execute_batch("PRAGMA journal_mode = WAL").unwrap();
        database.execute_batch(&schema::sqlite::input(&TableNames::default().input)).unwrap();
        place
    }

    fn models(&self) -> PathBuf {
        self.0.path().join("models")
    }

    fn database(&self) -> PathBuf {
        self.0.path().join("plant.sqlite")
    }

    fn connection(&self) -> Connection {
        Connection::open(self.database()).unwrap()
    }

    fn insert(&self, from: Datetime, instants: u32) {
        self.insert_many(from, instants, STEP);
    }

    fn insert_many(&self, from: Datetime, instants: u32, step: Duration) {
        let plant = Plant::new(SEED);
        let mut connection = self.connection();
        let transaction = connection.transaction().unwrap();
        {
            let mut insert = transaction
                .prepare("INSERT INTO datos_proceso (datetime, variable_name, value) VALUES (?1, ?2, ?3)")
                .unwrap();
            for instant in 0..instants {
                let at = from.later(step * instant);
                for variable in &VARIABLES {
                    insert
                        .execute(params![at.to_string(), variable.name, plant.value(variable, at)])
                        .unwrap();
                }
            }
        }
        transaction.commit().unwrap();
    }

    async fn worker(&self, clock: Clock, settings: &str) -> (Worker, Parts) {
        let engine = Engine::new(Limits::default(), None).unwrap();
        let source =
            Source { module: None, models: self.models(), settings: settings.into(), own: Vec::new() };
        let set = Arc::new(source.read(&engine).await.unwrap());
        let detector = Detector::open(&engine, set, None).await.unwrap();
        let shared = Shared::default();
        let store = SqliteStore { clock, ..SqliteStore::new(self.database()) };
        let settings = Settings {
            name: "default".into(),
            shard: None,
            batch_rows: 4000,
            initial_lookback: Duration::from_secs(24 * 3600),
            allowed_lateness: None,
            settle: Duration::from_secs(1200),
        };
        let worker = Worker::new(settings, Box::new(store), detector, shared.clone());
        (worker, Parts { engine, source, shared })
    }

    fn command(&self, flags: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_host"));
        command
            .arg("run")
            .args(flags)
            .arg("--database")
            .arg(self.database())
            .arg("--models")
            .arg(self.models());
        command.args(["--log-file", ""]).env("CACHE_DIRECTORY", self.0.path().join("cache"));
        command.stdout(Stdio::null()).stderr(Stdio::null()).current_dir(self.0.path());
        command
    }

    fn run_once(&self) {
        assert!(self.command(&["--once"]).status().unwrap().success());
    }

    /// Fills the cache without touching the backlog.
    fn run_once_elsewhere(&self) {
        let cache: &Path = &self.0.path().join("cache");
        let other = Self::new();
        let done = other.command(&["--once"]).env("CACHE_DIRECTORY", cache).status().unwrap();
        assert!(done.success());
    }
}
