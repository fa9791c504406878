//! How fast models are trained: the component beside real Prophet where there is one, and the whole
//! command from SQLite; and what memory that takes, by the number of variables and by the length of
//! their series.
//!
//! `BENCH_PROPHET` is a command that fits the columns of a wide CSV file with real Prophet and
//! prints the seconds of each: `just bench-prophet`. `TRAINING_READINGS` says how many readings the
//! largest table has.

use std::fmt::Write;
use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use host::datetime::Datetime;
use host::demo::plant::{Plant, SEED};
use host::demo::variables::VARIABLES;
use host::detector::{Engine, Limits, Module, Series, Trainer};
use host::store::{TableNames, schema};
use rusqlite::{Connection, params};

use crate::program::memory;
use crate::times::{Times, seconds};

/// Ten days of minutes, as people train on today.
const ROWS: u32 = 14_400;
const MINUTE: Duration = Duration::from_secs(60);

/// With the season that the usual settings leave out on ten days, because Prophet is given it. The
/// file is as `host train` writes it.
const SETTINGS: &str = r#"{"prophet": {"interval_width": 0.95, "seasonality_mode": "multiplicative",
    "daily_seasonality": true, "weekly_seasonality": true, "yearly_seasonality": false}, "history": "ends"}"#;

/// With all rows in the file, as Prophet's `model_to_json` writes it: what `fit` alone does not do.
const ALL_ROWS: &str = r#"{"prophet": {"interval_width": 0.95, "seasonality_mode": "multiplicative",
    "daily_seasonality": true, "weekly_seasonality": true, "yearly_seasonality": false}, "history": "all"}"#;

const RUNS: usize = 5;

/// Of the largest table.
const READINGS: u32 = 4_320_000;

/// The plant's 25 variables: the component, real Prophet, and the whole command.
pub(crate) async fn speed() {
    let place = tempfile::tempdir().unwrap();
    let series = plant();
    let engine = Engine::new(Limits::default(), None).unwrap();
    let trainer = Trainer::new(&engine, &Module::built_in()).await.unwrap();
    let table = place.path().join("series.csv");
    fs::write(&table, wide(&series)).unwrap();
    let (mut own, mut all_rows) = (Vec::new(), Vec::new());
    for _ in 0..RUNS {
        let begun = std::time::Instant::now();
        for one in &series {
            trainer.train(one, SETTINGS, &[], &[]).await.unwrap();
        }
        own.push(begun.elapsed().as_secs_f64());
        let begun = std::time::Instant::now();
        for one in &series {
            trainer.train(one, ALL_ROWS, &[], &[]).await.unwrap();
        }
        all_rows.push(1000.0 * begun.elapsed().as_secs_f64());
    }
    // Once is enough: it takes a minute.
    let prophets = std::env::var("BENCH_PROPHET").map(|command| fitted_by(&command, &table));
    Times(own.iter().map(|seconds| 1000.0 * seconds).collect()).row(
        &format!("{} series of {ROWS} rows, trained in the component", series.len()),
        "ms",
        0,
    );
    Times(all_rows).row("the same with all rows in the model files", "ms", 0);
    if let Ok(prophets) = prophets {
        let all: f64 = prophets.iter().sum();
        Times(prophets).row("one of them by Prophet's own `fit`", "s", 2);
        let ratios = own.iter().map(|own| all / own).collect();
        Times(ratios).row("all of them by Prophet / in the component, taken one after the other", "×", 0);
    }

    let database = place.path().join("plant.sqlite");
    fill(
        &database,
        series.iter().flat_map(|one| {
            one.datetimes.iter().zip(&one.values).map(|(at, value)| (*at, one.variable.clone(), *value))
        }),
    );
    fs::write(place.path().join("settings.json"), SETTINGS).unwrap();
    let (mut whole, mut peak) = (Vec::new(), 0.0);
    for run in 0..RUNS {
        let mut took = 0.0;
        peak = train(place.path(), &format!("out-{run}"), &mut took);
        whole.push(took);
    }
    Times(whole).row("the same by `host train` from SQLite, each twice and measured", "s", 2);
    Times(vec![peak]).row("its memory at its peak", "MB", 0);
}

/// Memory by the number of variables, and by the length of their series.
pub(crate) fn footprint() {
    let readings = std::env::var("TRAINING_READINGS").ok().and_then(|text| text.parse().ok());
    let readings: u32 = readings.unwrap_or(READINGS);
    for (variables, readings) in
        [(100, readings), (1_000, readings), (10_000, readings), (1_000, readings / 4)]
    {
        let place = tempfile::tempdir().unwrap();
        let instants = readings / variables;
        let begin = Datetime::parse("2025-01-01").unwrap();
        fill(
            &place.path().join("plant.sqlite"),
            (0..instants).flat_map(|instant| {
                let at = begin.later(MINUTE * 5 * instant);
                (0..variables).map(move |variable| {
                    let wave = (f64::from(instant) * std::f64::consts::TAU / 288.0).sin();
                    let noise = f64::from((instant.wrapping_mul(7919) ^ variable) % 101) / 101.0;
                    (at, format!("T{variable}"), 50.0 + 10.0 * wave + noise)
                })
            }),
        );
        fs::write(place.path().join("settings.json"), "{}").unwrap();
        let mut took = 0.0;
        let peak = train(place.path(), "out", &mut took);
        let what = format!("{variables} variables × {instants} readings");
        Times(vec![took]).row(&format!("`host train`: {what}"), "s", 1);
        Times(vec![peak]).row("its memory at its peak", "MB", 0);
    }
}

/// Ten days of the demo's plant.
fn plant() -> Vec<Series> {
    let (plant, begin) = (Plant::new(SEED), Datetime::parse("2025-03-01").unwrap());
    let datetimes: Vec<_> = (0..ROWS).map(|row| begin.later(MINUTE * row)).collect();
    let series = VARIABLES.iter().map(|variable| Series {
        variable: variable.name.to_owned(),
        values: datetimes.iter().map(|at| plant.value(variable, *at)).collect(),
        datetimes: datetimes.clone(),
        columns: Vec::new(),
    });
    series.collect()
}

fn wide(series: &[Series]) -> String {
    let mut text = String::from("DATETIME");
    series.iter().for_each(|one| text.push_str(&format!(",{}", one.variable)));
    for row in 0..ROWS as usize {
        // Writing to a String cannot fail.
        let _ = write!(text, "\n{}", series[0].datetimes[row]);
        series.iter().for_each(|one| text.push_str(&format!(",{}", one.values[row])));
    }
    text.push('\n');
    text
}

/// The seconds that Prophet took for each column.
fn fitted_by(command: &str, table: &Path) -> Vec<f64> {
    let mut words = command.split_whitespace();
    let mut prophet = Command::new(words.next().unwrap());
    prophet.args(words).arg(table).stderr(Stdio::inherit());
    let said = prophet.output().unwrap();
    assert!(said.status.success(), "`{command}` failed");
    String::from_utf8(said.stdout).unwrap().lines().map(|line| line.trim().parse().unwrap()).collect()
}

fn fill(database: &Path, readings: impl Iterator<Item = (Datetime, String, f64)>) {
    let mut connection = Connection::open(database).unwrap();
    connection.execute_batch("PRAGMA journal_mode = WAL; PRAGMA synchronous = OFF").unwrap();
    connection.execute_batch(&schema::sqlite::input(&TableNames::default().input)).unwrap();
    let transaction = connection.transaction().unwrap();
    let sql = "INSERT INTO datos_proceso (datetime, variable_name, value) VALUES (?1, ?2, ?3)";
    let mut insert = transaction.prepare(sql).unwrap();
    for (at, variable, value) in readings {
        insert.execute(params![at.to_string(), variable, value]).unwrap();
    }
    drop(insert);
    transaction.commit().unwrap();
}

/// Trains all that there is; its memory at its peak, in MB.
fn train(place: &Path, out: &str, took: &mut f64) -> f64 {
    let mut command = Command::new(env!("CARGO_BIN_EXE_host"));
    command.args(["train", "--database", "plant.sqlite", "--models", "none", "--settings", "settings.json"]);
    command.args(["--from", "2025-01-01", "--to", "2026-01-01", "--out", out]);
    command.stdout(Stdio::null()).stderr(Stdio::null()).current_dir(place);
    let mut peak = f64::NAN;
    *took = seconds(|| {
        let mut child = command.spawn().unwrap();
        let status = loop {
            match child.try_wait().unwrap() {
                Some(status) => break status,
                // Of a process that has ended there is no account.
                None => peak = peak.max(memory(child.id(), "VmHWM:")),
            }
            std::thread::sleep(Duration::from_millis(5));
        };
        assert!(status.success());
    });
    peak
}
