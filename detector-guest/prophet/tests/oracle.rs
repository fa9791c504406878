//! What Prophet 1.5.0 answered, case by case.
#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a test; it says what it skipped"
)]

mod common;

use std::path::Path;

use common::{Columns, cases, fixtures, micros};
use prophet::{Model, ReadError, interval};

/// Of the largest magnitude in the column.
const TOLERANCE: f64 = 1e-12;

fn largest(column: &[f64]) -> f64 {
    column.iter().fold(0.0, |most: f64, value| most.max(value.abs()))
}

/// Asserts one case and gives the worst difference of yhat, as a share of its largest magnitude.
fn check(case: &Path, model: &Model) -> f64 {
    let expected = Columns::read(&case.join("expected.csv"));
    let instants: Vec<i64> = expected.texts("ds").into_iter().map(micros).collect();
    let forecast = model.predict(&instants);
    let mut worst = 0.0;
    for (name, found) in [
        ("trend", forecast.trend()),
        ("additive_terms", forecast.additive_terms()),
        ("multiplicative_terms", forecast.multiplicative_terms()),
        ("yhat", forecast.yhat()),
    ] {
        let expected = expected.numbers(name);
        assert_eq!(found.len(), expected.len());
        let scale = largest(&expected);
        for (row, (found, expected)) in found.iter().zip(&expected).enumerate() {
            let off = (found - expected).abs();
            assert!(
                off <= TOLERANCE * scale,
                "{}: {name} of row {row}: {found}, not {expected}",
                case.display()
            );
            if name == "yhat" && off > worst * scale {
                worst = off / scale;
            }
        }
    }
    for sigma in expected.numbers("sigma") {
        assert!((model.noise() - sigma).abs() <= 1e-15 * sigma, "{}: sigma {sigma}", case.display());
    }
    let half_width = interval::z(model.interval_width()) * model.noise();
    let scale = largest(&expected.numbers("yhat"));
    let bounds = expected.numbers("exact_lower").into_iter().zip(expected.numbers("exact_upper"));
    for ((law, yhat), (lower, upper)) in expected.texts("law").into_iter().zip(forecast.yhat()).zip(bounds) {
        if law == "gaussian" {
            assert!(
                (yhat - half_width - lower).abs() <= TOLERANCE * scale,
                "{}: lower {lower}",
                case.display()
            );
            assert!(
                (yhat + half_width - upper).abs() <= TOLERANCE * scale,
                "{}: upper {upper}",
                case.display()
            );
        }
    }
    worst
}

#[test]
fn models_that_are_read_predict_what_prophet_predicts() {
    let cases = cases(&fixtures());
    assert_eq!(cases.len(), 16);
    for case in cases {
        let model = Model::from_json(&std::fs::read(case.join("model.json")).unwrap()).unwrap();
        check(&case, &model);
    }
}

/// Run with `ORACLE_DIR` naming a directory of cases (`model.json`, `expected.csv`), histories and all.
#[test]
fn every_case_of_an_oracle_is_predicted_or_refused_by_name() {
    let Some(root) = std::env::var_os("ORACLE_DIR") else {
        eprintln!("skipped: ORACLE_DIR names no directory of cases");
        return;
    };
    let mut predicted = 0;
    for case in cases(Path::new(&root)) {
        let name = case.file_name().unwrap().display();
        match Model::from_json(&std::fs::read(case.join("model.json")).unwrap()) {
            Ok(model) => {
                println!("{name}: {:.1e}", check(&case, &model));
                predicted += 1;
            }
            Err(ReadError::Unsupported(unsupported)) => println!("{name}: uses {unsupported}"),
            Err(error) => unreachable!("{name}: {error}"),
        }
    }
    assert!(predicted > 0, "no case was predicted");
}
