//! Complete verdicts of a batch, natively: the same code as in the component. 25 variables with
//! daily and weekly seasons.
//!
//! `cargo bench -p detector-guest`; items are points (instants × variables).
#![allow(clippy::unwrap_used, reason = "a benchmark")]

use std::path::Path;

use detector_guest::{Column, File, ProphetDetector};
use divan::counter::ItemsCount;

const VARIABLES: usize = 25;

fn main() {
    divan::main();
}

/// The fixtures' six models under 25 names.
fn detector(settings: &str) -> ProphetDetector {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/models");
    let mut models: Vec<Vec<u8>> = Vec::new();
    for name in ["AGUA_FLOW_1", "GAS_P_2", "NIVEL_4", "POTENCIA_MW", "TEMP_03", "VIBRACION"] {
        models.push(std::fs::read(directory.join(format!("prophet_model_{name}.json"))).unwrap());
    }
    let paths: Vec<String> =
        (0..VARIABLES).map(|variable| format!("prophet_model_V{variable}.json")).collect();
    let files: Vec<_> =
        paths.iter().zip(models.iter().cycle()).map(|(path, bytes)| File { path, bytes }).collect();
    ProphetDetector::open(&files, settings).unwrap()
}

/// 5-minute readings from the end of training on, some of them absent.
fn judge(bencher: divan::Bencher<'_, '_>, rows: usize, settings: &str) {
    let mut detector = detector(settings);
    let names: Vec<String> = (0..VARIABLES).map(|variable| format!("V{variable}")).collect();
    let instants: Vec<i64> = (0..rows as i64).map(|row| 1_736_553_900_000_000 + row * 300_000_000).collect();
    let values: Vec<f64> =
        (0..rows).map(|row| if row % 101 == 7 { f64::NAN } else { (row % 97) as f64 }).collect();
    let columns: Vec<_> = names.iter().map(|variable| Column { variable, values: &values }).collect();
    bencher
        .counter(ItemsCount::new(rows * VARIABLES))
        .bench_local(|| detector.detect(divan::black_box(&instants), divan::black_box(&columns)).unwrap());
}

#[divan::bench(args = [5, 1_440, 43_200])]
fn none(bencher: divan::Bencher<'_, '_>, rows: usize) {
    judge(bencher, rows, "{}");
}

#[divan::bench(args = [5, 1_440])]
fn batch(bencher: divan::Bencher<'_, '_>, rows: usize) {
    judge(bencher, rows, r#"{"trend_uncertainty": "batch"}"#);
}

#[divan::bench(args = [5, 1_440])]
fn continuous(bencher: divan::Bencher<'_, '_>, rows: usize) {
    judge(bencher, rows, r#"{"trend_uncertainty": "continuous"}"#);
}

/// A model as Python users have it: 2.3 MB, of which all but 5 KB are its history.
fn with_history() -> Vec<u8> {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/models");
    let json = std::fs::read_to_string(directory.join("prophet_model_VIBRACION.json")).unwrap();
    let row = r#"{\"ds\":\"2024-03-04T00:00:00.000\",\"y\":57.5226147494,\"floor\":0.0,\"t\":0.0,\"y_scaled\":0.7717},"#;
    let history = row.repeat(2_300_000 / row.len());
    let end = json.rfind('}').unwrap();
    format!("{}, \"history\": \"{{\\\"data\\\":[{history}]}}\"}}", &json[..end]).into_bytes()
}

#[divan::bench]
fn read_json(bencher: divan::Bencher<'_, '_>) {
    let json = with_history();
    bencher.bench_local(|| prophet::Model::from_json(divan::black_box(&json)).unwrap());
}

#[divan::bench]
fn read_compact(bencher: divan::Bencher<'_, '_>) {
    let compact = prophet::Model::compact(&with_history()).unwrap();
    bencher.bench_local(|| prophet::Model::from_bytes(divan::black_box(&compact), None).unwrap());
}
