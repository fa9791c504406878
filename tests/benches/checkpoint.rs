//! What the state of a detector costs a commit: `just bench-checkpoint`.
//!
//! 10,000 variables of some 7.5 KB each, stored as one part that changes with every commit, as a
//! part a variable that all change, and as they are meant to be: a sixtieth of the parts and a
//! small one with what came since. Commits of each kind are timed in turn, in one run, on SQLite
//! and on the fake server, which is SQLite behind the driver and its bulk load. Before that the
//! built-in detector is opened in its sandbox with the whole of such a state, within the default
//! limits, and judges. Nothing here asserts a time.

#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "a benchmark stops at the first surprise and prints"
)]

use std::sync::Arc;
use std::time::{Duration, Instant};

use detector_guest::{CHECKPOINT_SCHEMA, Column as GuestColumn, NAME, ProphetDetector};
use fake_tds::Server;
use host::batch::{Batch, Column};
use host::checkpoint::{Checkpoint, Parts};
use host::datetime::Datetime;
use host::detector::{Detector, Engine, Limits, Module, Set};
use host::state::State;
use host::store::{Commit, Connector, Output};
use tests::conformance::{Setup, TestDb, state, verdict};
use tests::conformance_sqlite::SqliteTestDb;
use tests::tds::{self, PLAIN};

const ROUNDS: usize = 7;

const VARIABLES: usize = 10_000;

/// Parts of a variable each, 75 MB in all.
const PART: usize = 7_500;

/// A commit's own readings, each with its variable.
const SINCE: usize = 160_000;

/// What of the parts is written anew with a commit.
const SHARE: usize = 60;

fn main() {
    if std::env::args().any(|argument| argument == "--bench") {
        tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap().block_on(measure());
    }
}

async fn measure() {
    reopened().await;
    println!("| commit | store | median | range | of the first |\n|---|---|---|---|---|");
    let bench = SqliteTestDb::start(&Setup::default()).await.unwrap();
    on(|| bench.connector(), "SQLite").await;
    let server = Server::start().unwrap();
    let mut target = tds::target(server.port(), PLAIN, "plant");
    // The server's own side of 75 MB is not what is measured, but has to be waited for.
    target.timeouts.query = Duration::from_secs(600);
    let store = tds::store(target);
    on(|| Box::new(store.clone()), "fake SQL Server").await;
}

/// A variable's readings until its state grows no more, and how far apart they are.
const GROWN: i64 = 5_000;
const STEP: i64 = 300_000_000;

/// Opens the detector with the states of all variables, as after a restart, and judges an instant.
async fn reopened() {
    let parts = grown();
    let size = parts.size().bytes;
    let stored = Checkpoint {
        schema: CHECKPOINT_SCHEMA,
        detector: Some(NAME.into()),
        set_digest: String::new(),
        parts,
    };
    let engine = Engine::new(Limits::default(), None).unwrap();
    let set = Arc::new(Set::new(Module::built_in(), Vec::new(), "models".into(), "{}".into()));
    // What is compiled is kept for the next.
    Detector::open(&engine, Arc::clone(&set), None).await.unwrap();
    let begun = Instant::now();
    let mut detector = Detector::open(&engine, set, Some(stored)).await.unwrap();
    let opened = begun.elapsed();
    assert!(detector.has_checkpoint(), "it begins anew");
    let column = |number: usize| Column { variable: name(number).into(), values: vec![20.5] };
    let columns = (0..VARIABLES).map(column).collect();
    let batch = Batch { datetimes: vec![Datetime::from_micros(GROWN * STEP)], columns };
    let begun = Instant::now();
    detector.judge(Arc::new(batch)).await.unwrap();
    println!(
        "{VARIABLES} variables, {:.1} MB of state: opened in {:.2} s, an instant judged in {:.2} s, within {} MiB\n",
        size as f64 / 1e6,
        opened.as_secs_f64(),
        begun.elapsed().as_secs_f64(),
        Limits::default().memory >> 20
    );
}

fn name(number: usize) -> String {
    format!("V{number:05}")
}

/// What is stored of one variable, under the names of all.
fn grown() -> Parts {
    let instants: Vec<i64> = (0..GROWN).map(|row| row * STEP).collect();
    let values: Vec<f64> = (0..GROWN).map(|row| 20.0 + (row * 7919 % 1009) as f64 / 1009.0).collect();
    let mut detector = ProphetDetector::open(&[], "{}").unwrap();
    detector.detect(&instants, &[GuestColumn { variable: &name(0), values: &values }]).unwrap();
    let base = detector.changes().into_iter().find_map(|part| part.bytes).unwrap();
    let at = base.windows(6).position(|bytes| bytes == name(0).as_bytes()).unwrap();
    let part = |number: usize| {
        let mut bytes = base.clone();
        bytes[at..at + 6].copy_from_slice(name(number).as_bytes());
        let end = bytes.len() - 4;
        let crc = crc32fast::hash(&bytes[..end]);
        bytes[end..].copy_from_slice(&crc.to_le_bytes());
        (format!("base-{number:05}").into(), bytes.into())
    };
    (0..VARIABLES).map(part).collect()
}

/// Times the kinds in turn.
async fn on(connector: impl Fn() -> Box<dyn Connector>, store: &str) {
    let mut kinds = Vec::new();
    for (worker, what, make) in [
        ("whole", "one part of 75 MB", whole as fn(usize) -> Parts),
        ("all", "10,000 parts, all of them", all),
        ("some", "167 of 10,000 parts, and 160 KB since", some),
        ("none", "without a state", none),
    ] {
        let (_, mut output) = connector().open().await.unwrap();
        output.ensure_tables().await.unwrap();
        let epoch = output.claim(worker).await.unwrap().epoch;
        kinds.push(Kind { worker, what, make, output, epoch, times: Vec::new() });
    }
    for round in 0..=ROUNDS {
        for kind in &mut kinds {
            kind.commit(round).await;
        }
    }
    let first = kinds[0].median();
    for kind in &mut kinds {
        let median = kind.median();
        let (least, most) = (kind.times[0], kind.times[kind.times.len() - 1]);
        println!(
            "| {} | {store} | {:.1} ms | {:.1} – {:.1} | {:.4} |",
            kind.what,
            1e3 * median,
            1e3 * least,
            1e3 * most,
            median / first
        );
    }
}

struct Kind {
    worker: &'static str,
    what: &'static str,
    make: fn(usize) -> Parts,
    output: Box<dyn Output>,
    epoch: i64,
    times: Vec<f64>,
}

impl Kind {
    /// The first writes all there is, and is not counted.
    async fn commit(&mut self, round: usize) {
        let parts = (self.make)(round);
        let checkpoint = (!parts.is_empty()).then(|| Checkpoint {
            schema: 1,
            detector: Some("bench".into()),
            set_digest: String::new(),
            parts,
        });
        let state = State { checkpoint, ..state(self.epoch) };
        let verdicts = [verdict(&format!("2025-01-15 10:00:0{round}"), self.worker)];
        let begun = Instant::now();
        self.output.commit(self.worker, &Commit::of(&verdicts, &state)).await.unwrap();
        if round > 0 {
            self.times.push(begun.elapsed().as_secs_f64());
        }
    }

    fn median(&mut self) -> f64 {
        self.times.sort_by(f64::total_cmp);
        self.times[self.times.len() / 2]
    }
}

fn bytes(length: usize, round: usize) -> Arc<[u8]> {
    let of = |at: usize| u8::try_from((at * 31 + round) % 251).unwrap_or_default();
    (0..length).map(of).collect()
}

fn none(_: usize) -> Parts {
    Parts::default()
}

fn whole(round: usize) -> Parts {
    Parts::whole(bytes(VARIABLES * PART, round))
}

fn all(round: usize) -> Parts {
    let bytes = bytes(PART, round);
    (0..VARIABLES).map(|number| (format!("{number:05}").into(), Arc::clone(&bytes))).collect()
}

/// Each part changes in one of so many rounds.
fn some(round: usize) -> Parts {
    let of = |number: usize| (round + number) / SHARE;
    let kinds: Vec<_> = (0..2 + (VARIABLES + ROUNDS) / SHARE).map(|kind| bytes(PART, kind)).collect();
    let parts = (0..VARIABLES).map(|number| (format!("{number:05}").into(), Arc::clone(&kinds[of(number)])));
    parts.chain([("since".into(), bytes(SINCE, round))]).collect()
}
