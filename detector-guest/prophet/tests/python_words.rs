//! Files that Python reads and writes and that are no JSON: `NaN`, `Infinity`, `-Infinity`; and a
//! width without an interval.
#![allow(clippy::unwrap_used, reason = "a test")]

mod common;

use common::model_json;
use prophet::interval::RANGE_OF_DRAWS;
use prophet::{Model, from_python_json};
use serde_json::{Value, json};

/// The fixture with another value under `path`, which may be one of Python's words.
fn changed(fixture: &str, path: &str, value: &str) -> Vec<u8> {
    let mut document: Value = serde_json::from_slice(&model_json(fixture)).unwrap();
    let (parent, key) = path.rsplit_once('/').unwrap();
    let parent = document.pointer_mut(parent).unwrap();
    match parent {
        Value::Array(list) => list[key.parse::<usize>().unwrap()] = json!("<value>"),
        _ => parent[key] = json!("<value>"),
    }
    document.to_string().replace("\"<value>\"", value).into_bytes()
}

const WORDS: [&str; 3] = ["NaN", "Infinity", "-Infinity"];

#[test]
fn a_key_that_prediction_does_not_need_may_hold_anything() {
    for (fixture, paths) in [
        (
            "process_10day_1min",
            &[
                "/holidays_prior_scale",
                "/changepoint_prior_scale",
                "/seasonalities/1/daily/prior_scale",
                "/params/lp__",
                "/fit_kwargs/init",
                // Of the other scaling.
                "/y_min",
            ][..],
        ),
        ("flat", &["/params/k", "/params/delta/0/3", "/changepoints_t/5"]),
        ("regressor_additive_standardised", &["/mcmc_samples"]),
    ] {
        let whole = Model::from_json(&model_json(fixture)).unwrap();
        for (path, word) in paths.iter().flat_map(|path| WORDS.map(|word| (path, word))) {
            let file = changed(fixture, path, word);
            let read = Model::from_json(&file).unwrap();
            let instants: Vec<i64> =
                (0..50).map(|hour| 1_700_000_000_000_000 + hour * 3_600_000_000).collect();
            let bits = |model: &Model| {
                model.predict(&instants).yhat().iter().map(|yhat| yhat.to_bits()).collect::<Vec<_>>()
            };
            assert_eq!(bits(&read), bits(&whole), "{fixture} {path} {word}");
            assert_eq!(read.interval_width(), whole.interval_width());
            // Neither does the compact form.
            let compact = Model::from_bytes(&Model::compact(&file).unwrap(), None).unwrap();
            assert_eq!(bits(&compact), bits(&whole), "{fixture} {path} {word}");
        }
    }
}

#[test]
fn a_key_that_prediction_needs_is_named_with_the_word() {
    for (fixture, path, expected) in [
        ("process_10day_1min", "/y_scale", "has <word> in `y_scale`; expected a number above 0"),
        ("process_10day_1min", "/start", "has <word> in `start`; expected seconds since 1970"),
        (
            "process_10day_1min",
            "/t_scale",
            "has <word> in `t_scale`; expected the seconds from first to last training row",
        ),
        ("process_10day_1min", "/params/k", "has <word> in `params.k`; expected finite numbers"),
        ("process_10day_1min", "/params/beta/0/2", "has <word> in `params.beta`; expected finite numbers"),
        (
            "process_10day_1min",
            "/changepoints_t/7",
            "has <word> in `changepoints_t`; expected finite numbers",
        ),
        (
            "process_10day_1min",
            "/seasonalities/1/daily/period",
            "has period <word> in `seasonalities.daily`; expected days, above 0",
        ),
        (
            "regressor_additive_standardised",
            "/extra_regressors/1/load/std",
            "in `extra_regressors.load`; expected a mean and a deviation other than 0",
        ),
        ("minmax_linear", "/y_min", "has <word> in `y_min`; expected a finite number"),
        (
            "process_10day_1min",
            "/seasonalities/1/daily/fourier_order",
            "`fourier_order` is <word>; expected a whole number",
        ),
    ] {
        for word in WORDS {
            let found = Model::from_json(&changed(fixture, path, word)).unwrap_err().to_string();
            assert!(found.contains(&expected.replace("<word>", word)), "{path}: {found}");
            assert!(found.contains(word), "{path}: {found}");
        }
    }
}

/// What `json.dump(model_to_json(m), file)` leaves, and a byte order mark.
#[test]
fn a_file_within_a_text_is_read_the_same() {
    let inner = String::from_utf8(changed("flat", "/holidays_prior_scale", "Infinity")).unwrap();
    let file = [b"\xef\xbb\xbf".as_slice(), json!(inner).to_string().as_bytes()].concat();
    assert_eq!(Model::from_json(&file).unwrap(), Model::from_json(&model_json("flat")).unwrap());
    assert_eq!(from_python_json::<Value>(b"[1, NaN]").unwrap(), json!([1, "NaN"]));
}

#[test]
fn a_width_without_an_interval_costs_the_interval_alone() {
    for (width, level) in [
        ("1", Ok(RANGE_OF_DRAWS)),
        ("1.0", Ok(RANGE_OF_DRAWS)),
        ("0.8", Ok(0.8)),
        ("95", Err("95")),
        ("0", Err("0")),
        ("-0.5", Err("-0.5")),
        ("NaN", Err("NaN")),
        ("Infinity", Err("Infinity")),
    ] {
        let file = changed("flat", "/interval_width", width);
        let level = level.map_err(|found| {
            format!(
                "has {found} in `interval_width`; expected a number above 0, at most 1, where it is not set elsewhere"
            )
        });
        let compact = Model::compact(&file).unwrap();
        for file in [file, compact] {
            let model = Model::from_bytes(&file, None).unwrap();
            assert_eq!(model.level().map_err(|error| error.to_string()), level, "{width}");
            let yhat = model.predict(&[0]).yhat()[0];
            assert_eq!(yhat, Model::from_json(&model_json("flat")).unwrap().predict(&[0]).yhat()[0]);
        }
    }
}
