//! A real component that returns what a fuzzer makes. The host accepts each answer whole or refuses
//! it with a sentence, what it accepts is fit for the output, and the next call is served.
//!
//! `just fuzz-answers 100000` for more cases than a test needs.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test stops at the first surprise")]

use std::sync::Arc;

use host::batch::{Batch, Column, Outcome};
use host::datetime::Datetime;
use host::detector::{Detector, JudgeError};
use host::pivot::pivot;
use host::reading::Reading;
use host::verdict;
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};
use tests::fixture::{hostile, open_set};

/// The numbers that the guest is told to return, with a column for each list.
fn told() -> impl Strategy<Value = Vec<Vec<u32>>> {
    let number = prop_oneof![4 => 0..16_u32, 1 => any::<u32>()];
    (1..4_usize, 1..40_usize).prop_flat_map(move |(columns, rows)| {
        prop::collection::vec(prop::collection::vec(number.clone(), rows), columns)
    })
}

fn readings(told: &[Vec<u32>]) -> Vec<Reading> {
    let one = |column: usize, row: usize, number: u32| Reading {
        id: None,
        datetime: Datetime::from_micros(row as i64),
        variable: format!("T{column}").into(),
        value: Some(f64::from(number)),
        source_file: None,
    };
    let column = |(at, numbers): (usize, &Vec<u32>)| {
        numbers.iter().enumerate().map(|(row, number)| one(at, row, *number)).collect::<Vec<_>>()
    };
    told.iter().enumerate().flat_map(column).collect()
}

/// Panics unless what was accepted is fit to be stored and printed.
fn fit(readings: &[Reading], outcomes: &[Outcome]) {
    let cells = pivot(readings, &[]).cells;
    let written = verdict::rows(readings, &cells, outcomes, |_| true);
    for row in &written.rows {
        let numbers = [row.y, row.yhat, row.yhat_lower, row.yhat_upper, row.residual];
        assert!(numbers.iter().all(|number| number.abs() < 1e12), "{row:?}");
        assert!(row.yhat_lower <= row.yhat && row.yhat <= row.yhat_upper, "{row:?}");
        assert!((0.0..=100.0).contains(&row.anomaly_score), "{row:?}");
        assert!((0.0..=999.99).contains(&row.prediction_error_pct), "{row:?}");
    }
    for outcome in outcomes {
        let said: Vec<&String> = match outcome {
            Outcome::Failed(why) => vec![why],
            Outcome::NoModel => vec![],
            Outcome::Judged(verdicts) => verdicts.withheld.iter().map(|withheld| &withheld.reason).collect(),
        };
        said.into_iter().for_each(plain);
    }
}

/// On one line, and not too long for one.
fn plain(said: &String) {
    assert!(said.len() <= 2_000 && !said.chars().any(char::is_control), "{said}");
}

async fn case(detector: &mut Detector, told: &[Vec<u32>]) {
    let readings = readings(told);
    let batch = Arc::new(pivot(&readings, &[]).batch);
    match detector.judge(batch).await {
        Ok(judged) => fit(&readings, &judged.outcomes),
        Err(JudgeError::Contract(why) | JudgeError::Refused(why)) => plain(&why),
        Err(error) => panic!("{error}"),
    }
    // Zeros are a valid answer.
    let zeros = Column { variable: "T0".into(), values: vec![0.0] };
    let batch = Batch { datetimes: vec![Datetime::from_micros(0)], columns: vec![zeros] };
    assert!(matches!(&detector.judge(Arc::new(batch)).await.unwrap().outcomes[..], [Outcome::Judged(_)]));
}

#[test]
fn whatever_a_component_answers_is_taken_whole_or_refused() {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
    let detector = runtime.block_on(async { open_set(hostile(r#"{"do": "say"}"#, &["*"])).await });
    let detector = std::sync::Mutex::new(detector);
    let mut runner = TestRunner::new(Config::default());
    runner
        .run(&told(), |told| {
            runtime.block_on(case(&mut detector.lock().unwrap(), &told));
            Ok(())
        })
        .unwrap();
}
