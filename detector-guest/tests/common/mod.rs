//! The fixtures: six models that Prophet 1.5.0 trained (history dropped), batches, and what the
//! Python worker wrote for them.
#![allow(
    dead_code,
    unreachable_pub,
    clippy::unwrap_used,
    clippy::panic,
    reason = "test support, shared by several test binaries"
)]

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use detector_guest::{Column, ColumnOutcome, File, FlagBits, OpenError, ProphetDetector};

pub fn fixtures() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures")
}

/// Path and bytes of every file in `directory`, sorted.
pub fn files(directory: &Path) -> Vec<(String, Vec<u8>)> {
    let read = |entry: std::io::Result<std::fs::DirEntry>| {
        let entry = entry.unwrap();
        (entry.file_name().into_string().unwrap(), std::fs::read(entry.path()).unwrap())
    };
    let mut files: Vec<_> = std::fs::read_dir(directory).unwrap().map(read).collect();
    files.sort();
    files
}

/// Under the rule that decides as the Python worker does.
pub fn open(files: &[(String, Vec<u8>)], settings: &str) -> Result<ProphetDetector, OpenError> {
    let files: Vec<_> = files.iter().map(|(path, bytes)| File { path, bytes }).collect();
    ProphetDetector::open(&files, &by_interval(settings))
}

/// The settings with this rule.
pub fn by_interval(settings: &str) -> String {
    let mut settings: serde_json::Value = serde_json::from_str(settings).unwrap();
    settings["rule"] = "interval".into();
    settings.to_string()
}

/// One row of `<batch>.expected.csv`, or what this detector says of the same reading.
#[derive(Clone, Debug, PartialEq)]
pub struct Row {
    pub y: f64,
    pub yhat: f64,
    pub lower: f64,
    pub upper: f64,
    pub score: f64,
    pub outside: bool,
    pub high: bool,
    pub anomaly: bool,
    /// Standard error of the worker's bounds, which are simulated.
    pub bound_se: f64,
}

/// By variable and microseconds since 1970.
pub type Rows = BTreeMap<(String, i64), Row>;

pub fn expected(directory: &Path, batch: &str) -> Rows {
    let mut reader = csv::Reader::from_path(directory.join(format!("{batch}.expected.csv"))).unwrap();
    let header: Vec<String> = reader.headers().unwrap().iter().map(str::to_owned).collect();
    let row = |record: Result<csv::StringRecord, csv::Error>| {
        let record = record.unwrap();
        let text = |name: &str| record[header.iter().position(|column| column == name).unwrap()].to_owned();
        let number = |name: &str| text(name).parse::<f64>().unwrap();
        let row = Row {
            y: number("y"),
            yhat: number("yhat"),
            lower: number("yhat_lower"),
            upper: number("yhat_upper"),
            score: number("anomaly_score"),
            outside: text("outside_interval") == "1",
            high: text("high_residual") == "1",
            anomaly: text("is_anomaly") == "1",
            bound_se: number("bound_se"),
        };
        ((text("variable"), micros(&text("ds"))), row)
    };
    reader.records().map(row).collect()
}

/// `<batch>.input.csv`, pivoted: instants, and a column for each variable.
pub fn input(directory: &Path, batch: &str) -> (Vec<i64>, Vec<(String, Vec<f64>)>) {
    let mut reader = csv::Reader::from_path(directory.join(format!("{batch}.input.csv"))).unwrap();
    let readings: Vec<(i64, String, f64)> = reader
        .records()
        .map(Result::unwrap)
        .map(|row| (micros(&row[0]), row[1].to_owned(), row[2].parse().unwrap()))
        .collect();
    let instants: Vec<i64> =
        readings.iter().map(|reading| reading.0).collect::<BTreeSet<_>>().into_iter().collect();
    let mut columns: BTreeMap<String, Vec<f64>> = BTreeMap::new();
    for (at, variable, value) in readings {
        let row = instants.binary_search(&at).unwrap();
        columns.entry(variable).or_insert_with(|| vec![f64::NAN; instants.len()])[row] = value;
    }
    (instants, columns.into_iter().collect())
}

/// What the detector says of every reading of a batch.
pub fn judge(detector: &mut ProphetDetector, instants: &[i64], columns: &[(String, Vec<f64>)]) -> Rows {
    let borrowed: Vec<_> = columns.iter().map(|(variable, values)| Column { variable, values }).collect();
    let outcomes = detector.detect(instants, &borrowed).unwrap();
    let mut rows = Rows::new();
    for ((variable, values), outcome) in columns.iter().zip(outcomes) {
        let ColumnOutcome::Judged(verdicts) = outcome else {
            panic!("`{variable}` was not judged: {outcome:?}")
        };
        assert_eq!(verdicts.withheld, []);
        for (at, y) in values.iter().enumerate().filter(|(_, y)| !y.is_nan()) {
            let flags = verdicts.flags[at];
            let row = Row {
                y: *y,
                yhat: verdicts.expected[at],
                lower: verdicts.lower[at],
                upper: verdicts.upper[at],
                score: verdicts.score[at],
                outside: flags.contains(FlagBits::OUTSIDE_INTERVAL),
                high: flags.contains(FlagBits::HIGH_RESIDUAL),
                anomaly: flags.contains(FlagBits::ANOMALY),
                bound_se: f64::NAN,
            };
            rows.insert((variable.clone(), instants[at]), row);
        }
    }
    rows
}

/// Microseconds since 1970 of `2025-01-11T00:10:00`; the fixtures are all of January and February
/// 2025.
pub fn micros(ds: &str) -> i64 {
    let (date, time) = ds.split_once(['T', ' ']).unwrap();
    let date: Vec<i64> = date.split('-').map(|part| part.parse().unwrap()).collect();
    let time: Vec<i64> = time.split(':').map(|part| part.parse().unwrap()).collect();
    let days = match date[..] {
        [2025, 1, day] => 20_088 + day,
        [2025, 2, day] => 20_119 + day,
        _ => panic!("{ds} is no day of the fixtures"),
    };
    (((days * 24 + time[0]) * 60 + time[1]) * 60 + time[2]) * 1_000_000
}
