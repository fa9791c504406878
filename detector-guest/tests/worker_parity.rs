//! The Python worker's verdicts on the same batches, with the scale that it uses.
//!
//! Its bounds are the quantiles of 1,000 simulated draws. Where a reading lies within a few standard errors of one of them,
//! chance decided the worker's flag; those readings are left out, and counted.
#![allow(clippy::print_stdout, clippy::print_stderr, reason = "a test; it says what it left out")]

mod common;

use std::path::Path;

use common::{Row, expected, files, fixtures, input, judge, open};

/// Standard errors of a simulated bound that are still chance.
const CHANCE: f64 = 5.0;

/// Checks a batch; gives the readings and how many of their flags chance decided.
fn check(directory: &Path, batch: &str) -> (usize, usize) {
    let mut detector = open(&files(&directory.join("models")), r#"{"residual_scale": "batch"}"#)
        .unwrap_or_else(|error| {
            unreachable!("{error}");
        });
    let (instants, columns) = input(directory, batch);
    let found = judge(&mut detector, &instants, &columns);
    let expected = expected(directory, batch);
    assert_eq!(found.keys().collect::<Vec<_>>(), expected.keys().collect::<Vec<_>>());
    let mut undecided = 0;
    for (at, expected) in &expected {
        let found = &found[at];
        let context = format!("{batch} {at:?}: {found:?}, not {expected:?}");
        assert!((found.yhat - expected.yhat).abs() <= 1e-12 * expected.yhat.abs(), "{context}");
        assert_eq!(found.high, expected.high, "{context}");
        let chance = CHANCE * expected.bound_se;
        assert!((found.lower - expected.lower).abs() <= chance, "{context}");
        assert!((found.upper - expected.upper).abs() <= chance, "{context}");
        if (expected.y - found.lower).abs().min((expected.y - found.upper).abs()) <= chance {
            undecided += 1;
            continue;
        }
        assert_eq!((found.outside, found.anomaly), (expected.outside, expected.anomaly), "{context}");
        assert!((found.score - expected.score).abs() <= score_chance(found, chance), "{context}");
    }
    (expected.len(), undecided)
}

/// By how much the score may differ: rounding inside the interval; outside, what the bound's chance is worth, since
/// `50 · (y - bound) / (bound - yhat)` changes by `50 · (y - yhat) / (bound - yhat)²` with the bound.
fn score_chance(found: &Row, chance: f64) -> f64 {
    if !found.outside {
        return 1e-9;
    }
    let half_width = found.upper - found.yhat - chance;
    50.0 * (found.y - found.yhat).abs() / (half_width * half_width) * chance
}

#[test]
fn verdicts_are_the_python_workers() {
    let checked: Vec<_> = ["one_datetime", "two_datetimes", "five_datetimes", "offset", "gaps"]
        .map(|batch| (batch, check(&fixtures(), batch)))
        .into();
    println!("{checked:?}");
    assert_eq!(checked.iter().map(|(_, (readings, _))| readings).sum::<usize>(), 6 + 12 + 30 + 30 + 308);
    assert!(checked.iter().map(|(_, (_, undecided))| undecided).sum::<usize>() < 80, "{checked:?}");
}

/// Run with `ORACLE_WORKER_DIR` naming the directory of the Python worker's batches.
#[test]
fn a_whole_day_is_the_python_workers() {
    let Some(root) = std::env::var_os("ORACLE_WORKER_DIR") else {
        eprintln!("skipped: ORACLE_WORKER_DIR names no directory of batches");
        return;
    };
    println!("one_day: {:?}", check(Path::new(&root), "one_day"));
}
