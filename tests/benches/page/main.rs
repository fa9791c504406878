//! What the page costs beside a large table: `just bench-page`, or with PAGE_VERDICTS another
//! number of verdicts than ten million. PAGE_DATABASE names a file in which they are kept for the
//! next time.
//!
//! Minutes of 25 variables, one in 200 an anomaly, in a SQLite file. Each view is asked for over
//! HTTP. Then what a page that is looked at and alerts that are delivered cost a cycle. Nothing here
//! asserts a time.

#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "a benchmark stops at the first surprise and prints"
)]

mod beside;

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use host::metrics::Metrics;
use host::store::{Clock, Commit, Connector, SqliteStore};
use host::web::{AccessRules, WebServer, WebSettings};
use tests::conformance::{at, state};
use tests::http::ask;

const VERDICTS: u64 = 10_000_000;

const VARIABLES: u64 = 25;

const ROUNDS: usize = 15;

fn main() {
    if !std::env::args().any(|argument| argument == "--bench") {
        return;
    }
    tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap().block_on(measure());
}

async fn measure() {
    let verdicts = std::env::var("PAGE_VERDICTS").ok().and_then(|text| text.parse().ok()).unwrap_or(VERDICTS);
    let directory = tempfile::tempdir().unwrap();
    let kept = std::env::var_os("PAGE_DATABASE").map(PathBuf::from);
    let file = kept.unwrap_or_else(|| directory.path().join("plant.sqlite"));
    let now = at("2025-06-01 12:00:00");
    let store = SqliteStore { clock: Clock::fixed(now), ..SqliteStore::new(&file) };
    if !file.exists() {
        let begun = Instant::now();
        fill(&file, &store, verdicts).await;
        println!("{verdicts} verdicts written in {:.0} s", begun.elapsed().as_secs_f64());
    }
    let settings = WebSettings {
        listen: SocketAddr::from(([127, 0, 0, 1], 0)),
        access: AccessRules::default(),
        worker: "default".into(),
        interval: Duration::from_secs(600),
        live: None,
        metrics: Metrics::default(),
        actions: false,
        store: Box::new(store),
    };
    let server = WebServer::start(settings).unwrap();
    println!("| view | median | range | weight |\n|---|---|---|---|");
    for (what, path) in [
        ("overview", "/"),
        ("chart of two hours", "/variable?name=VAR-07&range=2h"),
        ("chart of a day", "/variable?name=VAR-07&range=24h"),
        ("chart of a month", "/variable?name=VAR-07&range=30d"),
        ("chart of a year", "/variable?name=VAR-07&range=1y"),
        ("worst of a week", "/anomalies?range=7d"),
    ] {
        let mut times = Vec::new();
        let mut weight = 0;
        for _ in 0..ROUNDS {
            let begun = Instant::now();
            let answer = ask(server.address(), "GET", path, &[], "");
            times.push(1e3 * begun.elapsed().as_secs_f64());
            assert_eq!(answer.status, 200, "{path}");
            weight = answer.body.len();
        }
        times.sort_by(f64::total_cmp);
        let (first, median, last) = (times[0], times[ROUNDS / 2], times[ROUNDS - 1]);
        println!("| {what} | {median:.1} ms | {first:.1} – {last:.1} | {} kB |", weight / 1000);
    }
    drop(server);
    beside::measure().await;
}

/// The tables as the store makes them, filled by SQLite itself, which makes the indexes after that.
async fn fill(file: &Path, store: &SqliteStore, verdicts: u64) {
    let now = at("2025-06-01 12:00:00");
    let connection = rusqlite::Connection::open(file).unwrap();
    let input = host::store::TableName::of("dbo", "datos_proceso");
    connection.execute_batch(&host::store::schema::sqlite::input(&input)).unwrap();
    let (_, mut output) = store.open().await.unwrap();
    output.ensure_tables().await.unwrap();
    let epoch = output.claim("default").await.unwrap().epoch;
    let state = host::state::State { watermark: Some(now), updated_at: now, ..state(epoch) };
    output.commit("default", &Commit::of(&[], &state)).await.unwrap();
    let minutes = verdicts / VARIABLES;
    let sql = "SELECT name FROM sqlite_schema WHERE type = 'index' AND tbl_name = 'anomalies_detector' AND sql IS NOT NULL";
    let mut statement = connection.prepare(sql).unwrap();
    let names: Vec<String> =
        statement.query_map([], |row| row.get(0)).unwrap().collect::<Result<_, _>>().unwrap();
    drop(statement);
    for name in names {
        connection.execute_batch(&format!("DROP INDEX \"{name}\"")).unwrap();
    }
    connection
        .execute_batch(&format!(
            "PRAGMA synchronous = OFF; BEGIN;
             WITH RECURSIVE m(i) AS (SELECT {minutes} UNION ALL SELECT i - 1 FROM m WHERE i > 1),
             v(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM v WHERE n < {VARIABLES})
             INSERT INTO anomalies_detector (ds, variable, y, yhat, yhat_lower, yhat_upper, residual, outside_interval, high_residual,
                 is_anomaly, anomaly_score, prediction_error_pct, processed_at)
             SELECT datetime('2025-06-01 12:00:00', '-' || i || ' minutes'), printf('VAR-%02d', n), 20 + (i * 7919 + n) % 100 / 50.0,
                 21, 20, 22, 0.5, 0, 0, (i * 31 + n * 17) % 200 = 0, (i * 31 + n * 17) % 200 / 2.0, 1.5, '2025-06-01 12:00:00'
             FROM m CROSS JOIN v;
             COMMIT;"
        ))
        .unwrap();
    for index in host::store::schema::sqlite::indexes(&store.tables.output) {
        connection.execute_batch(&index).unwrap();
    }
}
