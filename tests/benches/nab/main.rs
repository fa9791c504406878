//! The Numenta Anomaly Benchmark through the real path: each of its 58 files in a database, judged
//! by the worker with the built-in component, and the output table scored. The detector has no
//! models.
//!
//!     just bench-nab DIR
//!
//! DIR is a checkout of the benchmark. Nothing is set: the detector's defaults for all files, with
//! the values as they are and far from zero on either side.

#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "a measurement stops at the first surprise and prints"
)]

#[path = "../../../detector-guest/rule/examples/nab/score.rs"]
mod score;

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use host::datetime::Datetime;
use host::detector::{Module, Set};
use score::{PROFILES, Profile, Score, score};
use sha2::{Digest, Sha256};
use tests::fixture::{Fixture, Layout, open_set};

/// What is added to all values.
const OFFSETS: [f64; 3] = [0.0, 1_048_576.0, -12_345.678];

/// Detectors whose scores the benchmark publishes, to hold this scorer against.
const PUBLISHED: [&str; 3] = ["numenta", "ARTime", "windowedGaussian"];

/// Of the same raw scores the sums must agree to this.
const AGREES: f64 = 1e-6;

type Windows = BTreeMap<String, Vec<(String, String)>>;

/// A file of the benchmark with its windows as rows.
struct Series {
    name: String,
    rows: Vec<(String, f64)>,
    windows: Vec<(usize, usize)>,
}

/// What the worker made of a file.
struct Judged {
    scores: [Score; 3],
    rows: usize,
    alarms: usize,
    flagged: usize,
    /// Of those within a window.
    expected: usize,
    weeks: f64,
    half: u8,
}

fn main() {
    let Some(dir) = std::env::args().skip(1).find(|argument| !argument.starts_with("--")) else {
        println!("the benchmark's directory is missing: just bench-nab DIR");
        return;
    };
    let dir = Path::new(&dir);
    let labels = std::fs::read_to_string(dir.join("labels/combined_windows.json")).unwrap();
    let labels: Windows = serde_json::from_str(&labels).unwrap();
    let series: Vec<Series> = labels.iter().map(|(name, windows)| read(dir, name, windows)).collect();
    hold_against_what_is_published(dir, &series);
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    for offset in OFFSETS {
        let judged: Vec<Judged> =
            series.iter().map(|series| runtime.block_on(judge(series, offset))).collect();
        println!("\ndefaults, offset {offset}");
        print(&judged);
    }
}

fn read(dir: &Path, name: &str, windows: &[(String, String)]) -> Series {
    let mut table = csv::Reader::from_path(dir.join("data").join(name)).unwrap();
    let rows: Vec<(String, f64)> = table.deserialize().collect::<Result<_, _>>().unwrap();
    // The labels have microseconds.
    let row_of = |at: &str| rows.iter().position(|(row, _)| at.starts_with(row.as_str())).unwrap();
    let windows = windows.iter().map(|(first, last)| (row_of(first), row_of(last))).collect();
    Series { name: name.to_owned(), rows, windows }
}

/// The same score of each file as the benchmark's own, from the same anomaly scores and thresholds.
/// What is published is in `results`: the `thresholds.json` of its repository is older for some.
fn hold_against_what_is_published(dir: &Path, series: &[Series]) {
    let results = dir.join("results");
    for detector in PUBLISHED.iter().filter(|detector| results.join(detector).is_dir()) {
        for profile in PROFILES {
            let path = results.join(format!("{detector}/{detector}_{}_scores.csv", profile.name));
            let mut sum = Score::default();
            for row in csv::Reader::from_path(path).unwrap().deserialize() {
                let row: BTreeMap<String, String> = row.unwrap();
                // The last row is the sum.
                let Some(series) = series.iter().find(|series| series.name == row["File"]) else { continue };
                let (folder, file) = series.name.split_once('/').unwrap();
                let scores = results.join(format!("{detector}/{folder}/{detector}_{file}"));
                let ours = of_published(&scores, row["Threshold"].parse().unwrap(), series, profile);
                let theirs: f64 = row["Score"].parse().unwrap();
                assert!((ours.points - theirs).abs() < AGREES, "{detector} {}: {}", series.name, ours.points);
                sum = sum.add(ours);
            }
            println!("{detector:17} {:19} {:6.2} as published", profile.name, sum.normalised(profile));
        }
    }
}

fn of_published(scores: &Path, threshold: f64, series: &Series, profile: Profile) -> Score {
    let mut table = csv::Reader::from_path(scores).unwrap();
    let column = table.headers().unwrap().iter().position(|name| name == "anomaly_score").unwrap();
    let over = |row: csv::StringRecord| row[column].parse::<f64>().unwrap() >= threshold;
    let alarms: Vec<bool> = table.records().map(|row| over(row.unwrap())).collect();
    score(&alarms, &series.windows, profile)
}

async fn judge(series: &Series, offset: f64) -> Judged {
    let mut bench = Fixture::new(Layout::Keyed);
    bench.settings.initial_lookback = Duration::from_secs(30 * 366 * 24 * 3600);
    bench.settings.allowed_lateness = Some(bench.settings.initial_lookback);
    bench.settings.reconcile = None;
    let input = bench.input();
    let transaction = input.unchecked_transaction().unwrap();
    for (at, y) in &series.rows {
        let sql = "INSERT INTO datos_proceso (datetime, variable_name, value) VALUES (?1, 'V', ?2)";
        transaction.execute(sql, rusqlite::params![at, y + offset]).unwrap();
    }
    transaction.commit().unwrap();
    let set = Arc::new(Set::new(Module::built_in(), Vec::new(), "models".into(), "{}".into()));
    bench.worker(open_set(set).await).cycle(|| false).await.unwrap();

    let output = bench.output();
    let mut statement =
        output.prepare("SELECT ds, anomaly_score, is_anomaly FROM anomalies_detector").unwrap();
    let verdicts = statement.query_map([], |row| Ok((row.get(0)?, row.get::<_, f64>(1)?, row.get(2)?)));
    let verdicts: Vec<(String, f64, bool)> = verdicts.unwrap().collect::<Result<_, _>>().unwrap();
    let at = |ds: &str| Datetime::parse(ds).unwrap();
    let mut judged: BTreeMap<Datetime, (bool, bool)> =
        verdicts.iter().map(|(ds, score, flag)| (at(ds), (*score >= 50.0, *flag))).collect();
    let datetimes: BTreeSet<Datetime> = series.rows.iter().map(|(ds, _)| at(ds)).collect();
    assert_eq!(judged.len(), datetimes.len(), "{}: every datetime has a verdict", series.name);
    // An hour of autumn comes twice in some files: the first row of a datetime is judged.
    let found: Vec<(bool, bool)> =
        series.rows.iter().map(|(ds, _)| judged.remove(&at(ds)).unwrap_or_default()).collect();
    let alarms: Vec<bool> = found.iter().map(|(alarm, _)| *alarm).collect();
    let span =
        |(first, last): (&Datetime, &Datetime)| last.since(*first).as_secs_f64() / (7.0 * 24.0 * 3600.0);
    Judged {
        scores: PROFILES.map(|profile| score(&alarms, &series.windows, profile)),
        rows: alarms.len(),
        alarms: alarms.iter().filter(|alarm| **alarm).count(),
        flagged: found.iter().filter(|(_, flagged)| *flagged).count(),
        expected: series
            .windows
            .iter()
            .flat_map(|(first, last)| &found[*first..=*last])
            .filter(|(_, flagged)| *flagged)
            .count(),
        weeks: datetimes.first().zip(datetimes.last()).map_or(0.0, span),
        half: Sha256::digest(&series.name).last().map_or(0, |byte| byte % 2),
    }
}

fn print(files: &[Judged]) {
    for (n, profile) in PROFILES.into_iter().enumerate() {
        let score = |half: Option<u8>| {
            let of = files.iter().filter(|file| half.is_none_or(|half| file.half == half));
            of.map(|file| file.scores[n]).fold(Score::default(), Score::add).normalised(profile)
        };
        let [all, one, other] = [None, Some(0), Some(1)].map(score);
        println!("{:20} {all:6.2}   halves {one:6.2} {other:6.2}", profile.name);
    }
    let hit: usize = files.iter().map(|file| file.scores[0].hit).sum();
    let windows: usize = files.iter().map(|file| file.scores[0].windows).sum();
    let sum = |of: fn(&Judged) -> usize| files.iter().map(of).sum::<usize>();
    let (rows, alarms, flagged) = (sum(|file| file.rows), sum(|file| file.alarms), sum(|file| file.flagged));
    let weeks: f64 = files.iter().map(|file| file.weeks).sum();
    println!("windows hit          {hit} of {windows}");
    println!(
        "alarms               {alarms} of {rows} readings, {:.2} a week of a series",
        alarms as f64 / weeks
    );
    let share = |count: usize| 100.0 * count as f64 / rows as f64;
    let expected = sum(|file| file.expected);
    println!(
        "readings flagged     {:.2} %: {:.2} % within windows, {:.2} % outside",
        share(flagged),
        share(expected),
        share(flagged - expected)
    );
}
