//! A detector gives exactly the same answers natively and in its component. So a model that is
//! tested in one is good for the other, and the library's tests are valid for the component.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use host::batch::{Batch, Column, Outcome};
use host::datetime::Datetime;
use host::demo::models::FILES;
use host::demo::variables::START;
use host::demo::variables::VARIABLES;
use host::detector::{Detector, Engine, Limits, ModelFile, Module, Set};

const LAWS: [&str; 3] = ["none", "continuous", "batch"];

/// A judged column: all its numbers, as bits.
type Bits = Vec<Vec<u64>>;

fn bits(numbers: [&[f64]; 4], flags: impl Iterator<Item = u8>) -> Bits {
    let numbers = numbers.map(|list| list.iter().map(|number| number.to_bits()).collect());
    numbers.into_iter().chain([flags.map(u64::from).collect()]).collect()
}

async fn in_the_component(files: &[(String, Vec<u8>)], settings: &str, batch: &Batch) -> Vec<Option<Bits>> {
    let engine = Engine::new(Limits::default(), None).unwrap();
    let files = files.iter().map(|(path, bytes)| ModelFile { path: path.clone(), bytes: bytes.clone() });
    let set = Set::new(Module::built_in(), files.collect(), "models".into(), settings.into());
    let mut detector = Detector::open(&engine, Arc::new(set), None).await.unwrap();
    let judged = detector.judge(Arc::new(batch.clone())).await.unwrap();
    let column = |outcome: Outcome| match outcome {
        Outcome::Judged(said) => {
            Some(bits([&said.expected, &said.lower, &said.upper, &said.score], said.flags.into_iter()))
        }
        _ => None,
    };
    judged.outcomes.into_iter().map(column).collect()
}

fn natively(files: &[(String, Vec<u8>)], settings: &str, batch: &Batch) -> Vec<Option<Bits>> {
    let files: Vec<_> = files.iter().map(|(path, bytes)| detector_guest::File { path, bytes }).collect();
    let instants: Vec<i64> = batch.datetimes.iter().map(|at| at.micros()).collect();
    let columns = batch
        .columns
        .iter()
        .map(|column| detector_guest::Column { variable: &column.variable, values: &column.values });
    let mut detector = detector_guest::ProphetDetector::open(&files, settings).unwrap();
    let column = |outcome: detector_guest::ColumnOutcome| match outcome {
        detector_guest::ColumnOutcome::Judged(said) => Some(bits(
            [&said.expected, &said.lower, &said.upper, &said.score],
            said.flags.iter().map(|flags| flags.bits()),
        )),
        detector_guest::ColumnOutcome::NoModel => None,
    };
    detector.detect(&instants, &columns.collect::<Vec<_>>()).unwrap().into_iter().map(column).collect()
}

async fn compare(files: &[(String, Vec<u8>)], batch: &Batch, judged: usize) {
    let by_interval =
        LAWS.map(|law| (format!(r#"{{"rule": "interval", "trend_uncertainty": "{law}"}}"#), judged));
    // The rule that learns judges all of them.
    let by_rule = by_interval.into_iter().chain([("{}".to_owned(), batch.columns.len())]);
    for (settings, judged) in by_rule {
        let (inside, outside) =
            (in_the_component(files, &settings, batch).await, natively(files, &settings, batch));
        assert_eq!(outside.iter().flatten().count(), judged);
        for ((column, inside), outside) in batch.columns.iter().zip(inside).zip(outside) {
            assert!(inside == outside, "`{}` with {settings}", column.variable);
        }
    }
}

fn batch(variables: impl Iterator<Item = String>, from: Datetime, step: Duration, rows: u32) -> Batch {
    let datetimes: Vec<_> = (0..rows).map(|row| from.later(step * row)).collect();
    let values: Vec<f64> = (0..rows).map(|row| 40.0 + f64::from(row % 7)).collect();
    let columns = variables.map(|variable| Column { variable: variable.into(), values: values.clone() });
    Batch { columns: columns.collect(), datetimes }
}

/// A month ahead of the demo's plant, so that intervals are taken over stretches.
#[tokio::test]
async fn long_batches_far_from_training() {
    let files: Vec<_> = FILES.iter().map(|file| (file.name.to_owned(), file.bytes.to_vec())).collect();
    let variables = VARIABLES.iter().map(|variable| variable.name.to_owned());
    let batch = batch(variables, START.later(Duration::from_secs(30 * 86_400)), Duration::from_secs(60), 300);
    compare(&files, &batch, VARIABLES.len()).await;
}

/// Growth with a capacity, sampled parameters, holidays: laws that are solved row by row.
#[tokio::test]
async fn every_kind_of_model() {
    let cases = ["logistic_cap_floor", "mcmc_small", "holidays_windows", "minmax_linear", "constant_series"];
    let fixtures = Path::new(env!("CARGO_MANIFEST_DIR")).join("../detector-guest/prophet/tests/fixtures");
    let file = |case: &str| {
        (format!("prophet_model_{case}.json"), std::fs::read(fixtures.join(case).join("model.json")).unwrap())
    };
    let files: Vec<_> = cases.into_iter().map(file).collect();
    let variables = cases.into_iter().chain(["cap", "floor"]).map(str::to_owned);
    let mut batch =
        batch(variables, Datetime::parse("2025-06-01 00:00:00").unwrap(), Duration::from_secs(40_000), 5);
    batch.columns[cases.len()].values.fill(120.0);
    batch.columns[cases.len() + 1].values.fill(1.0);
    compare(&files, &batch, cases.len()).await;
}
