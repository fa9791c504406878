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

/// Readings of a variable, two months of them, and what of the rule's time is the pattern's memory.
const READINGS: usize = 60 * 288;

fn readings() -> Vec<f64> {
    let mut state = 1_u64;
    let mut uniform = || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 11) as f64 / (1_u64 << 53) as f64
    };
    let mut level = 0.0;
    let mut reading = |row: usize| {
        level = 0.9 * level + uniform() - 0.5;
        level + 3.0 * (row as f64 * std::f64::consts::TAU / 288.0).sin()
    };
    (0..READINGS).map(&mut reading).collect()
}

#[divan::bench]
fn rule(bencher: divan::Bencher<'_, '_>) {
    let readings = readings();
    bencher.counter(ItemsCount::new(READINGS)).bench_local(|| {
        let mut variable = rule::Variable::new(rule::RuleSettings::new(375));
        let judge = |(row, y): (usize, &f64)| variable.judge(row as i64 * 300_000_000, *y, None).score;
        readings.iter().enumerate().map(judge).sum::<f64>()
    });
}

#[divan::bench]
fn rule_pattern(bencher: divan::Bencher<'_, '_>) {
    let readings = readings();
    bencher.counter(ItemsCount::new(READINGS)).bench_local(|| {
        let mut novelty = rule::Novelty::new(375);
        readings.iter().map(|y| novelty.push(*y)).sum::<f64>()
    });
}
