//! A backlog of a million rows, worked off by the real worker with the built-in detector: how long
//! it takes, and that memory does not grow with it. Fails if it does.
//!
//!     cargo bench --package tests --bench backlog

#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "a measurement stops at the first surprise and prints"
)]

use std::time::{Duration, Instant};

use tests::fixture::{Fixture, Layout, open_set, prophet};

const VARIABLES: [&str; 6] = ["AGUA/FLOW 1", "GAS_P-2", "NIVEL 4", "POTENCIA/MW", "TEMP-03", "VIBRACION"];

/// What ten times the backlog may add to the peak, in MB: less than a byte a row would.
const MOST_GROWTH: u64 = 8;

/// The most memory that this process has held so far, in MB.
fn peak() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find(|line| line.starts_with("VmHWM:"))?;
    line.split_whitespace().nth(1)?.parse::<u64>().ok().map(|kb| kb / 1024)
}

/// Works off so many rows; returns what the peak was then.
async fn work_off(layout: Layout, rows: usize) -> Option<u64> {
    let mut bench = Fixture::new(layout);
    bench.settings.initial_lookback = Duration::from_secs(400 * 24 * 3600);
    let variables: Vec<_> = VARIABLES.iter().map(|variable| format!("('{variable}')")).collect();
    bench.execute(&format!(
        "WITH RECURSIVE n(i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM n WHERE i + 1 < {}), v(name) AS (VALUES {}) \
         INSERT INTO datos_proceso (datetime, variable_name, value) \
         SELECT datetime('2024-06-01', i || ' minutes'), name, 100 FROM n CROSS JOIN v",
        rows / VARIABLES.len(),
        variables.join(", ")
    ));
    let mut worker = bench.worker(open_set(prophet("{}")).await);
    let begun = Instant::now();
    let report = worker.cycle(|| false).await.unwrap();
    let took = begun.elapsed().as_secs_f64();
    let judged = report.counts.judged;
    assert_eq!(judged as usize, rows / VARIABLES.len() * VARIABLES.len());
    let peak = peak();
    println!(
        "{layout:?}: {judged} rows in {} batches, {took:.1} s, {:.0} rows/s, peak {} MB",
        report.batches,
        judged as f64 / took,
        peak.map_or_else(|| "?".into(), |peak| peak.to_string())
    );
    peak
}

fn main() {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    for layout in Layout::BOTH {
        let small = runtime.block_on(work_off(layout, 100_000));
        let large = runtime.block_on(work_off(layout, 1_000_000));
        if let Some((small, large)) = small.zip(large) {
            assert!(large <= small + MOST_GROWTH, "{layout:?}: memory grew from {small} to {large} MB");
        }
    }
}
