//! What a model takes from the batch's other variables, and from tables beside it; against
//! Prophet's own numbers.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test")]

mod common;

use std::path::{Path, PathBuf};

use common::open;
use detector_guest::{Column, ColumnOutcome, ColumnVerdicts, OpenError, ProphetDetector};
use prophet::interval::{Intervals, TrendUncertainty};

fn case(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("prophet/tests/fixtures").join(name)
}

fn model(name: &str) -> Vec<(String, Vec<u8>)> {
    let json = std::fs::read(case(name).join("model.json")).unwrap();
    vec![("prophet_model_Y.json".to_owned(), json)]
}

/// A column of the case's `file`; texts as they are.
fn texts(name: &str, file: &str, column: &str) -> Vec<String> {
    let mut reader = csv::Reader::from_path(case(name).join(file)).unwrap();
    let at = reader.headers().unwrap().iter().position(|header| header == column).unwrap();
    let all: Vec<String> = reader.records().map(|record| record.unwrap()[at].to_owned()).collect();
    distinct(name).into_iter().map(|row| all[row].clone()).collect()
}

/// The first row of each timestamp: the oracle's requests repeat some, a batch never does.
fn distinct(name: &str) -> Vec<usize> {
    let mut reader = csv::Reader::from_path(case(name).join("expected.csv")).unwrap();
    let all: Vec<i64> = reader.records().map(|record| micros(&record.unwrap()[0])).collect();
    (0..all.len()).filter(|row| *row == 0 || all[row - 1] != all[*row]).collect()
}

fn numbers(name: &str, file: &str, column: &str) -> Vec<f64> {
    texts(name, file, column).iter().map(|text| text.parse().unwrap()).collect()
}

/// Of the case's rows.
fn instants(name: &str) -> Vec<i64> {
    texts(name, "expected.csv", "ds").iter().map(|ds| micros(ds)).collect()
}

fn micros(ds: &str) -> i64 {
    let (date, time) = ds.split_once('T').unwrap();
    let date: Vec<i64> = date.split('-').map(|part| part.parse().unwrap()).collect();
    let (year, month, day) = (date[0], date[1], date[2]);
    let (clock, fraction) = time.split_once('.').unwrap_or((time, "0"));
    let clock: Vec<i64> = clock.split(':').map(|part| part.parse().unwrap()).collect();
    let fraction: i64 = format!("{fraction:0<6}").parse().unwrap();
    let (year, month) = if month > 2 { (year, month - 3) } else { (year - 1, month + 9) };
    let days = 365 * year + year / 4 - year / 100 + year / 400 + (153 * month + 2) / 5 + day - 719_469;
    ((days * 24 + clock[0]) * 60 + clock[1]) * 60_000_000 + clock[2] * 1_000_000 + fraction
}

fn judge(detector: &mut ProphetDetector, instants: &[i64], columns: &[Column<'_>]) -> ColumnVerdicts {
    match detector.detect(instants, columns).unwrap().into_iter().next() {
        Some(ColumnOutcome::Judged(verdicts)) => verdicts,
        other => unreachable!("{other:?}"),
    }
}

fn assert_close(found: &[f64], expected: &[f64], tolerance: f64, what: &str) {
    let scale = expected.iter().fold(0.0, |most: f64, value| most.max(value.abs()));
    for (row, (found, expected)) in found.iter().zip(expected).enumerate() {
        assert!((found - expected).abs() <= tolerance * scale, "{what}: row {row}: {found}, not {expected}");
    }
}

#[test]
fn other_variables_supply_what_a_model_needs() {
    for (name, needs) in [
        ("regressor_additive_standardised", &["load"][..]),
        ("regressor_multiplicative_unstandardised", &["valve", "on"]),
        ("conditional_seasonality", &["on_shift", "off_shift"]),
        ("logistic_cap_floor", &["cap", "floor"]),
    ] {
        let mut detector = open(&model(name), "{}").unwrap();
        assert!(detector.needs_whole_instants(), "{name}");
        let instants = instants(name);
        let y = numbers(name, "expected.csv", "yhat");
        let supplied: Vec<_> = needs.iter().map(|need| (*need, numbers(name, "input.csv", need))).collect();
        let mut columns = vec![Column { variable: "Y", values: &y }];
        columns.extend(supplied.iter().map(|(variable, values)| Column { variable, values }));
        let verdicts = judge(&mut detector, &instants, &columns);
        assert_eq!(verdicts.withheld, [], "{name}");
        assert_close(&verdicts.expected, &y, 1e-12, name);
    }
}

#[test]
fn a_value_that_is_missing_costs_its_instant_by_name() {
    let name = "regressor_additive_standardised";
    let (instants, yhat) = (instants(name), numbers(name, "expected.csv", "yhat"));
    let mut load = numbers(name, "input.csv", "load");
    (load[3], load[5], load[70]) = (f64::NAN, f64::NAN, f64::NAN);
    let mut y = yhat.clone();
    y[5] = f64::NAN;
    for (settings, supplier, reason) in [
        ("{}", "load", "regressor `load` has no reading"),
        (
            r#"{"columns": {"Y": {"load": "POWER/MW"}}, "residual_scale": "batch", "trend_uncertainty": "continuous"}"#,
            "POWER/MW",
            "regressor `load` (variable `POWER/MW`) has no reading",
        ),
    ] {
        let columns = [Column { variable: "Y", values: &y }, Column { variable: supplier, values: &load }];
        let mut detector = open(&model(name), settings).unwrap();
        let verdicts = judge(&mut detector, &instants, &columns);
        assert_eq!(verdicts.withheld.len(), 1);
        assert_eq!(
            (verdicts.withheld[0].reason.as_str(), &verdicts.withheld[0].rows[..]),
            (reason, &[3, 70][..])
        );
        for (row, yhat) in yhat.iter().enumerate() {
            let four =
                [verdicts.expected[row], verdicts.lower[row], verdicts.upper[row], verdicts.score[row]];
            match row {
                3 | 70 => assert!(four.iter().all(|number| number.is_nan()), "{row}"),
                5 => assert!(verdicts.expected[row].is_nan() && verdicts.score[row] == 0.0),
                _ => assert!((verdicts.expected[row] - yhat).abs() < 1e-10),
            }
        }
        let alone = judge(&mut detector, &instants[..2], &[Column { variable: "Y", values: &y[..2] }]);
        assert_eq!((alone.withheld[0].reason.as_str(), &alone.withheld[0].rows[..]), (reason, &[0, 1][..]));
    }
}

#[test]
fn a_condition_that_is_none_and_a_capacity_below_the_floor_are_said() {
    for (name, needs, wrong, reason) in [
        (
            "conditional_seasonality",
            ["on_shift", "off_shift"],
            0.5,
            "condition `on_shift` is neither 0 nor 1",
        ),
        ("logistic_cap_floor", ["cap", "floor"], -1e6, "the capacity `cap` is not above the floor"),
    ] {
        let (instants, y) = (instants(name), numbers(name, "expected.csv", "yhat"));
        let mut first = numbers(name, "input.csv", needs[0]);
        let second = numbers(name, "input.csv", needs[1]);
        first[2] = wrong;
        let columns = [
            Column { variable: "Y", values: &y },
            Column { variable: needs[0], values: &first },
            Column { variable: needs[1], values: &second },
        ];
        let verdicts = judge(&mut open(&model(name), "{}").unwrap(), &instants, &columns);
        assert_eq!(verdicts.withheld.len(), 1, "{name}");
        assert_eq!(
            (verdicts.withheld[0].reason.as_str(), &verdicts.withheld[0].rows[..]),
            (reason, &[2][..])
        );
    }
}

#[test]
fn columns_that_no_model_needs_are_mistakes() {
    for (name, settings, expected) in [
        (
            "regressor_additive_standardised",
            r#"{"columns": {"Y": {"laod": "P"}}}"#,
            "`columns`: the model of `Y` needs no column `laod`; it needs `load`",
        ),
        (
            "flat",
            r#"{"columns": {"Y": {"load": "P"}}}"#,
            "`columns`: the model of `Y` needs no column, so no `load`",
        ),
        ("flat", r#"{"columns": {"Z": {"load": "P"}}}"#, "`columns`: there is no model of `Z`"),
    ] {
        assert_eq!(open(&model(name), settings).unwrap_err(), OpenError::Settings(expected.to_owned()));
    }
    assert!(!open(&model("flat"), "{}").unwrap().needs_whole_instants());
}

#[test]
fn a_table_beside_the_models_has_the_country_holidays() {
    let name = "country_holidays_us";
    let mut files = model(name);
    let mut document: serde_json::Value = serde_json::from_slice(&files[0].1).unwrap();
    let dates = document.as_object_mut().unwrap().remove("country_holiday_dates").unwrap();
    files[0].1 = serde_json::to_vec(&document).unwrap();
    let refusal = |files: &[(String, Vec<u8>)]| open(files, "{}").unwrap_err().to_string();
    assert_eq!(
        refusal(&files),
        "none of the 1 model files can be used; `prophet_model_Y.json`: model `Y` has the country holidays of `US` but not \
         their dates; the export tool adds them"
    );
    let mut table = csv::Writer::from_writer(Vec::new());
    table.write_record(["ds", "holiday"]).unwrap();
    for date in dates.as_array().unwrap() {
        table.write_record([date[0].as_str().unwrap(), date[1].as_str().unwrap()]).unwrap();
    }
    files.push(("country_holidays.csv".to_owned(), table.into_inner().unwrap()));
    let mut detector = open(&files, "{}").unwrap();
    assert!(detector.ignored().is_empty());
    let (mut instants, mut y) = (instants(name), numbers(name, "expected.csv", "yhat"));
    instants.push(micros("2031-07-04T00:00:00"));
    y.push(0.0);
    let verdicts = judge(&mut detector, &instants, &[Column { variable: "Y", values: &y }]);
    let last = instants.len() - 1;
    assert_close(&verdicts.expected[..last], &y[..last], 1e-12, name);
    assert_eq!(verdicts.withheld[0].reason, "the country holidays of `US` are not known for that year");
    assert_eq!(verdicts.withheld[0].rows, [u32::try_from(last).unwrap()]);

    files[1].1 = b"date,name\n".to_vec();
    assert_eq!(
        refusal(&files),
        "none of the 1 model files can be used; `prophet_model_Y.json`: model `Y` needs the country holidays in \
         `country_holidays.csv`: it has no column `ds`; expected `ds,holiday`"
    );
}

#[test]
fn intervals_follow_the_setting() {
    for name in ["process_10day_1min", "nearly_noise_free", "mcmc_small"] {
        let (instants, y) = (instants(name), numbers(name, "expected.csv", "yhat"));
        let judged = |trend: &str| {
            let settings = format!(r#"{{"trend_uncertainty": "{trend}"}}"#);
            let columns = [Column { variable: "Y", values: &y }];
            judge(&mut open(&model(name), &settings).unwrap(), &instants, &columns)
        };
        let continuous = judged("continuous");
        for (found, column) in [(continuous.lower, "exact_lower"), (continuous.upper, "exact_upper")] {
            assert_close(&found, &numbers(name, "expected.csv", column), 1e-9, &format!("{name} {column}"));
        }
        // The oracle's own grid has repeated rows, which a batch has not.
        let batch = judged("batch");
        let model = prophet::Model::from_json(&model(name)[0].1).unwrap();
        let (mut features, mut forecast) = (prophet::Features::new(&instants), prophet::Forecast::default());
        model.forecast(&mut features, &prophet::Inputs::new(), &mut forecast);
        let (mut lower, mut upper) = (vec![0.0; instants.len()], vec![0.0; instants.len()]);
        let law = (model.interval_width(), TrendUncertainty::Batch(model.grid(&instants)));
        Intervals::new().bound(
            &model,
            &mut features,
            &prophet::Inputs::new(),
            &forecast,
            law,
            &mut lower,
            &mut upper,
        );
        assert_eq!((batch.lower, batch.upper), (lower, upper), "{name}");
    }
}

/// The detector works in slices; the clock of Prophet's default call runs through all of them.
#[test]
fn a_long_batch_has_one_grid() {
    let start = micros("2024-03-14T00:00:00");
    let instants: Vec<i64> = (0..9_000).map(|row| start + row * 60_000_000).collect();
    let files = model("process_10day_1min");
    let mut detector = open(&files, r#"{"trend_uncertainty": "batch"}"#).unwrap();
    let values = vec![f64::NAN; instants.len()];
    let verdicts = judge(&mut detector, &instants, &[Column { variable: "Y", values: &values }]);
    let width = |row: usize| verdicts.upper[row] - verdicts.lower[row];
    assert!(width(8_999) > 1.5 * width(0), "{} {}", width(0), width(8_999));
    let worst = (1..9_000).map(|row| (width(row) / width(row - 1) - 1.0).abs()).fold(0.0, f64::max);
    assert!(worst < 0.01, "{worst}");
}
