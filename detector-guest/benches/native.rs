//! Complete verdicts of a batch, natively: the same code as in the component. 25 variables with daily and weekly seasons.
//!
//! `cargo bench -p detector-guest`; items are points (instants × variables).
#![allow(clippy::unwrap_used, reason = "a benchmark")]

use std::path::Path;

use detector_guest::{Column, Detector, File};
use divan::counter::ItemsCount;

const VARIABLES: usize = 25;

fn main() {
    divan::main();
}

/// The fixtures' six models under 25 names.
fn detector() -> Detector {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/models");
    let mut models: Vec<Vec<u8>> = Vec::new();
    for name in ["AGUA_FLOW_1", "GAS_P_2", "NIVEL_4", "POTENCIA_MW", "TEMP_03", "VIBRACION"] {
        models.push(std::fs::read(directory.join(format!("prophet_model_{name}.json"))).unwrap());
    }
    let paths: Vec<String> =
        (0..VARIABLES).map(|variable| format!("prophet_model_V{variable}.json")).collect();
    let files: Vec<_> =
        paths.iter().zip(models.iter().cycle()).map(|(path, bytes)| File { path, bytes }).collect();
    Detector::open(&files, "{}").unwrap()
}

/// 5-minute readings near what is expected, some of them absent.
#[divan::bench(args = [5, 1_440, 43_200])]
fn detect(bencher: divan::Bencher<'_, '_>, rows: usize) {
    let mut detector = detector();
    let names: Vec<String> = (0..VARIABLES).map(|variable| format!("V{variable}")).collect();
    let instants: Vec<i64> = (0..rows as i64).map(|row| 1_736_553_900_000_000 + row * 300_000_000).collect();
    let values: Vec<f64> =
        (0..rows).map(|row| if row % 101 == 7 { f64::NAN } else { (row % 97) as f64 }).collect();
    let columns: Vec<_> = names.iter().map(|variable| Column { variable, values: &values }).collect();
    bencher
        .counter(ItemsCount::new(rows * VARIABLES))
        .bench_local(|| detector.detect(divan::black_box(&instants), divan::black_box(&columns)).unwrap());
}
