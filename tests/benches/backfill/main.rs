//! What a backfill costs beside the plainest way to get as many result rows into the same table,
//! and what a cycle costs a server, as tables: `just bench`.
//!
//! A backfill reads, judges and writes. What it is compared to writes the same verdicts by the same
//! path (the store's own transaction: a bulk load and one statement), and does nothing else; both
//! fill an empty table, in turn, in one run. Row by row is an INSERT each on a plain connection, as
//! scripts do it. Always on SQLite, and on the server that `TEST_SQLSERVER` names.
//!
//! Requests are counted by a proxy in front of that server, or of the fake one, which gets the
//! same. `BACKFILL_READINGS` says how many readings (5000000 for the figure that is asked for).
//! Nothing here asserts a time.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::print_stdout,
    reason = "a benchmark stops at the first surprise and prints"
)]

mod cycles;
#[path = "../../../host/benches/figures/times.rs"]
#[allow(dead_code, reason = "shared with benchmarks that use all of it")]
mod times;

use std::time::{Duration, Instant};

use host::batch::Flags;
use host::datetime::Datetime;
use host::reading::Reading;
use host::store::{Commit, Connector, StoredVerdict};
use host::verdict::VerdictRow;
use host::worker::backfill::{Backfill, BackfillPlan};
use tests::conformance::{Setup, TestDb, at, state};
use tests::conformance_sqlite::SqliteTestDb;
use tests::conformance_sqlserver::SqlServerTestDb;
use tests::fixture::{open_set, prophet};
use times::Times;

const VARIABLES: [&str; 6] = ["AGUA/FLOW 1", "GAS_P-2", "NIVEL 4", "POTENCIA/MW", "TEMP-03", "VIBRACION"];

/// Rows of a transaction, as the configuration has it by default.
const BATCH: usize = 4000;

/// Rows that are written one by one.
const SINGLY: usize = 1000;

fn main() {
    // `cargo test --benches` only wants to know that it builds.
    if !std::env::args().any(|argument| argument == "--bench") {
        return;
    }
    let asked = std::env::var("BACKFILL_READINGS").ok();
    let readings = asked.map_or(300_000, |asked| asked.parse().expect("BACKFILL_READINGS is a number"));
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    println!("| what | median | range | runs |\n|---|---|---|---|");
    runtime.block_on(measure::<SqliteTestDb>("SQLite", readings));
    if tests::sqlserver::server().is_some() {
        runtime.block_on(measure::<SqlServerTestDb>("SQL Server", readings));
    }
    runtime.block_on(cycles::count());
}

/// The figures of one kind of store.
async fn measure<B: TestDb>(name: &str, readings: usize) {
    let (mut backfills, mut copies, mut ratios, mut singly) =
        (Vec::new(), Vec::new(), Vec::new(), Vec::new());
    let datetimes = readings / VARIABLES.len();
    let rows = (datetimes * VARIABLES.len()) as f64;
    for _ in 0..3 {
        let plant = B::start(&Setup::default()).await.unwrap();
        fill(plant.connector().as_ref(), datetimes).await;
        let backfill = backfill(plant.connector().as_ref(), rows).await;
        let other = B::start(&Setup::default()).await.unwrap();
        let copy = copy(plant.connector().as_ref(), other.connector().as_ref(), rows).await;
        backfills.push(rows / backfill / 1000.0);
        copies.push(rows / copy / 1000.0);
        ratios.push(backfill / copy);
        singly.push(one_by_one(&other).await / 1000.0);
    }
    Times(backfills).row(&format!("{name}: backfill of {rows} readings"), "thousand a second", 1);
    Times(copies).row(&format!("{name}: plain bulk copy of their verdicts"), "thousand a second", 1);
    Times(ratios).row(&format!("{name}: backfill / copy"), "×", 2);
    Times(singly).row(&format!("{name}: an INSERT each, of {SINGLY}"), "thousand a second", 1);
}

/// A reading a minute of each variable, loaded as `host import` loads.
async fn fill(store: &dyn Connector, datetimes: usize) {
    let mut importer = store.open_importer(false).await.unwrap();
    let per_call = BATCH / VARIABLES.len();
    for from in (0..datetimes).step_by(per_call) {
        let minutes = from..datetimes.min(from + per_call);
        let readings: Vec<Reading> = minutes
            .flat_map(|minute| {
                let datetime = begin().later(Duration::from_secs(60 * minute as u64));
                VARIABLES.map(|variable| Reading {
                    id: None,
                    datetime,
                    variable: variable.into(),
                    value: Some(100.0 + (minute % 7) as f64),
                    source_file: Some("bench.csv".into()),
                })
            })
            .collect();
        importer.insert(&readings).await.unwrap();
    }
    importer.close().await.unwrap();
}

fn begin() -> Datetime {
    at("2015-01-01")
}

/// Seconds from the first look to the last commit.
async fn backfill(store: &dyn Connector, rows: f64) -> f64 {
    let mut detector = open_set(prophet("{}")).await;
    let plan = BackfillPlan {
        worker: "default".into(),
        shard: None,
        from: begin(),
        to: at("2100-01-01"),
        variables: None,
        replace: false,
        rules: Default::default(),
        batch_rows: BATCH,
    };
    let begun = Instant::now();
    let mut backfill = Backfill::begin(&plan, store, &mut detector).await.unwrap();
    while backfill.step(&mut detector).await.unwrap() {}
    let judged = backfill.progress().counts.judged;
    backfill.finish().await.unwrap();
    let took = begun.elapsed().as_secs_f64();
    assert!((judged as f64 - rows).abs() < 1.0, "{judged} of {rows} were judged");
    took
}

/// Seconds that the verdicts of one store take to be written into another, in transactions of the
/// same size.
async fn copy(from: &dyn Connector, to: &dyn Connector, rows: f64) -> f64 {
    let (_, mut from) = from.open().await.unwrap();
    let (_, mut to) = to.open().await.unwrap();
    to.ensure_tables().await.unwrap();
    let epoch = to.claim("copy").await.unwrap().epoch;
    let (mut took, mut written, mut since) = (Duration::ZERO, 0, begin());
    loop {
        let page = from.read_verdicts(since, at("2100-01-01"), false, BATCH).await.unwrap();
        // The last datetime of a full page comes again.
        let last = page.verdicts.last().map(|row| row.ds).filter(|_| page.full);
        let whole = page.verdicts.into_iter().filter(|row| last.is_none_or(|last| row.ds < last));
        let verdicts: Vec<VerdictRow> = whole.map(verdict).collect();
        let begun = Instant::now();
        written += to.commit("copy", &Commit::of(&verdicts, &state(epoch))).await.unwrap();
        took += begun.elapsed();
        match last {
            Some(last) => since = last,
            None => break,
        }
    }
    assert!((written as f64 - rows).abs() < 1.0, "{written} of {rows} were written");
    took.as_secs_f64()
}

fn verdict(row: StoredVerdict) -> VerdictRow {
    VerdictRow {
        ds: row.ds,
        variable: row.variable,
        y: row.y.unwrap(),
        yhat: row.yhat.unwrap(),
        yhat_lower: row.yhat_lower.unwrap(),
        yhat_upper: row.yhat_upper.unwrap(),
        residual: row.residual.unwrap(),
        flags: Flags {
            outside_interval: row.outside_interval.unwrap(),
            high_residual: row.high_residual.unwrap(),
            anomaly: row.is_anomaly.unwrap(),
            ..Flags::default()
        },
        anomaly_score: row.anomaly_score.unwrap(),
        prediction_error_pct: row.prediction_error_pct.unwrap(),
        source_file: row.source_file,
    }
}

/// Rows a second, each by a statement and a transaction of its own.
async fn one_by_one<B: TestDb>(bench: &B) -> f64 {
    let times: Vec<String> = (0..SINGLY)
        .map(|minute| at("2014-01-01").later(Duration::from_secs(60 * minute as u64)).to_string())
        .collect();
    let keys: Vec<(&str, &str)> = times.iter().map(|time| (time.as_str(), "TEMP-03")).collect();
    let begun = Instant::now();
    bench.insert_verdicts(&keys).await.unwrap();
    SINGLY as f64 / begun.elapsed().as_secs_f64()
}
