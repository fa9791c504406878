//! What Prophet 1.5.0 answered, case by case.
#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a test; it says what it skipped"
)]

mod common;

use std::path::Path;

use common::{Case, cases, fixtures};

/// Of the largest magnitude in the column.
const TOLERANCE: f64 = 1e-12;

fn largest(column: &[f64]) -> f64 {
    column.iter().fold(0.0, |most: f64, value| most.max(value.abs()))
}

/// Asserts the point forecast of one case and gives the worst difference of yhat, as a share of its largest magnitude.
fn check(case: &Case) -> f64 {
    let Case { name, model, expected, .. } = case;
    let forecast = case.forecast();
    assert_eq!(forecast.absent(), [], "{name}");
    let mut worst = 0.0;
    for (column, found) in [
        ("trend", forecast.trend()),
        ("additive_terms", forecast.additive_terms()),
        ("multiplicative_terms", forecast.multiplicative_terms()),
        ("yhat", forecast.yhat()),
    ] {
        let expected = expected.numbers(column);
        assert_eq!(found.len(), expected.len());
        let scale = largest(&expected);
        for (row, (found, expected)) in found.iter().zip(&expected).enumerate() {
            let off = (found - expected).abs();
            assert!(off <= TOLERANCE * scale, "{name}: {column} of row {row}: {found}, not {expected}");
            if column == "yhat" && off > worst * scale {
                worst = off / scale;
            }
        }
    }
    for sigma in expected.numbers("sigma").into_iter().filter(|sigma| !sigma.is_nan()) {
        assert!((model.noise() - sigma).abs() <= 1e-15 * sigma, "{name}: sigma {sigma}");
    }
    worst
}

#[test]
fn every_model_predicts_what_prophet_predicts() {
    let cases = cases(&fixtures());
    assert_eq!(cases.len(), 29);
    for case in cases {
        check(&Case::read(&case));
    }
}

/// Run with `ORACLE_DIR` naming a directory of cases (`model.json`, `input.csv`, `expected.csv`), histories and all.
#[test]
fn every_case_of_an_oracle() {
    let Some(root) = std::env::var_os("ORACLE_DIR") else {
        eprintln!("skipped: ORACLE_DIR names no directory of cases");
        return;
    };
    let cases = cases(Path::new(&root));
    assert!(!cases.is_empty());
    for case in cases {
        let case = Case::read(&case);
        println!("{}: yhat {:.1e}", case.name, check(&case));
    }
}
