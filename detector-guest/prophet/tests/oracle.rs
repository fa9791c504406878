//! What Prophet 1.5.0 answered, case by case.
#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a test; it says what it skipped"
)]

mod common;

use std::path::Path;

use common::{Case, cases, fixtures, interval};
use prophet::interval::TrendUncertainty;

/// Of the largest magnitude in the column.
const TOLERANCE: f64 = 1e-12;

fn largest(column: &[f64]) -> f64 {
    column.iter().fold(0.0, |most: f64, value| most.max(value.abs()))
}

/// Asserts the point forecast of one case and gives the worst difference of yhat, as a share of its
/// largest magnitude.
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

/// Of the interval's width.
const INTERVAL_TOLERANCE: f64 = 1e-6;

/// Of yhat: values so large, or intervals so narrow, that their ends are rounded more coarsely than
/// that.
const ROUNDING: f64 = 1e-13;

/// Asserts the intervals of one case and gives the worst difference of an end from the closed
/// forms, as a share of the width, for the continuous law and that of Prophet's default call.
fn check_intervals(case: &Case) -> [f64; 2] {
    let Case { name, model, expected, .. } = case;
    let ends = |trend| interval(model, &case.instants, &case.inputs, model.interval_width(), trend);
    let yhat = expected.numbers("yhat");
    let known = ends(TrendUncertainty::None);
    for (row, law) in expected.texts("law").into_iter().enumerate().filter(|(_, law)| *law == "gaussian") {
        for (found, column) in [(&known.0, "exact_lower"), (&known.1, "exact_upper")] {
            let off = (found[row] - expected.numbers(column)[row]).abs();
            assert!(off <= TOLERANCE * largest(&yhat), "{name}: {column} of row {row} ({law})");
        }
    }
    let laws = [TrendUncertainty::Continuous, TrendUncertainty::Batch(model.grid(&case.instants))];
    let mut worst = [0.0; 2];
    for ((trend, prefix), worst) in laws.into_iter().zip(["exact", "exactv"]).zip(&mut worst) {
        // Prophet's default call has no closed form for logistic growth.
        if !expected.has(&format!("{prefix}_lower")) {
            continue;
        }
        let found = ends(trend);
        let (lower, upper) =
            (expected.numbers(&format!("{prefix}_lower")), expected.numbers(&format!("{prefix}_upper")));
        for row in 0..yhat.len() {
            let width = upper[row] - lower[row];
            let off = (found.0[row] - lower[row]).abs().max((found.1[row] - upper[row]).abs());
            let allowed = INTERVAL_TOLERANCE * width + ROUNDING * yhat[row].abs();
            assert!(
                off <= allowed,
                "{name}: row {row}: {prefix} [{}, {}], not [{}, {}]: {:e} of the width",
                found.0[row],
                found.1[row],
                lower[row],
                upper[row],
                off / width
            );
            *worst = f64::max(*worst, off / width);
        }
    }
    worst
}

#[test]
fn every_interval_is_the_closed_form() {
    for case in cases(&fixtures()) {
        check_intervals(&Case::read(&case));
    }
}

#[test]
fn every_model_predicts_what_prophet_predicts() {
    let cases = cases(&fixtures());
    assert_eq!(cases.len(), 29);
    for case in cases {
        check(&Case::read(&case));
    }
}

/// The worst distance from the quantiles of Prophet's own draws, in their standard errors.
fn against_draws(case: &Case) -> [f64; 2] {
    let Case { model, expected, .. } = case;
    let laws = [TrendUncertainty::Continuous, TrendUncertainty::Batch(model.grid(&case.instants))];
    let mut worst = [0.0; 2];
    for ((trend, prefix), worst) in laws.into_iter().zip(["mc", "mcv"]).zip(&mut worst) {
        if !expected.has(&format!("{prefix}_lower")) {
            continue;
        }
        let (lower, upper) = interval(model, &case.instants, &case.inputs, model.interval_width(), trend);
        for (found, end) in [(lower, "lower"), (upper, "upper")] {
            let drawn = expected.numbers(&format!("{prefix}_{end}"));
            let errors = expected.numbers(&format!("{prefix}_{end}_se"));
            for ((found, drawn), error) in found.iter().zip(drawn).zip(errors) {
                *worst = f64::max(*worst, (found - drawn).abs() / error);
            }
        }
    }
    worst
}

/// Run with `ORACLE_DIR` naming a directory of cases (`model.json`, `input.csv`, `expected.csv`),
/// histories and all.
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
        let (yhat, [continuous, batch]) = (check(&case), check_intervals(&case));
        println!("{}: yhat {yhat:.1e}, continuous {continuous:.1e}, batch {batch:.1e}", case.name);
        let [continuous, batch] = against_draws(&case);
        assert!(continuous < 5.0, "{}: {continuous} standard errors", case.name);
        // Prophet moves the changes of logistic growth to a grid of its own; this request has none
        // that is even.
        assert!(batch < 5.0 || case.name == "logistic_low_noise", "{}: {batch} standard errors", case.name);
        println!("    standard errors from draws: continuous {continuous:.1}, batch {batch:.1}");
    }
}
