//! What a file can have wrong, and the sentence that says so: a row each.
#![allow(clippy::unwrap_used, reason = "a test")]

mod common;

use common::model_json;
use prophet::Model;
use serde_json::{Value, json};

/// A good model, changed.
fn refusal(change: impl FnOnce(&mut Value)) -> String {
    let mut document: Value = serde_json::from_slice(&model_json("process_10day_1min")).unwrap();
    change(&mut document);
    match Model::from_json(document.to_string().as_bytes()) {
        Ok(_) => "read".to_owned(),
        Err(error) => error.to_string(),
    }
}

fn set(path: &'static str, value: Value) -> impl FnOnce(&mut Value) {
    move |document| {
        let (parent, key) = path.rsplit_once('/').unwrap();
        let parent = document.pointer_mut(parent).unwrap();
        match parent {
            Value::Array(list) => list[key.parse::<usize>().unwrap()] = value,
            _ => parent[key] = value,
        }
    }
}

#[test]
fn the_model_itself_is_read() {
    assert_eq!(refusal(|_| ()), "read");
}

#[test]
fn country_holidays_without_dates_are_refused_with_what_to_do() {
    assert_eq!(
        refusal(set("/country_holidays", json!("AR"))),
        "has the country holidays of `AR` but not their dates; the export tool adds them"
    );
    let mut document: Value = serde_json::from_slice(&model_json("country_holidays_us")).unwrap();
    for dates in [json!([]), json!(null)] {
        document["country_holiday_dates"] = dates;
        let error = Model::from_json(document.to_string().as_bytes()).unwrap_err().to_string();
        assert_eq!(error, "has the country holidays of `US` but not their dates; the export tool adds them");
    }
    document["country_holiday_dates"] = json!([["2024-12-32", "Christmas Day"]]);
    let error = Model::from_json(document.to_string().as_bytes()).unwrap_err().to_string();
    assert_eq!(error, "has the date `2024-12-32` in `country_holiday_dates`; expected dates as `2024-12-25`");
}

#[test]
fn what_no_trained_model_has_is_named() {
    for (path, value, expected) in [
        ("/growth", json!("cubic"), "has `cubic` in `growth`; expected `linear`, `logistic` or `flat`"),
        ("/scaling", json!("zscore"), "has `zscore` in `scaling`; expected `absmax` or `minmax`"),
        ("/y_scale", json!(0), "has 0 in `y_scale`; expected a number above 0"),
        ("/y_scale", json!(-1.5), "has -1.5 in `y_scale`; expected a number above 0"),
        ("/t_scale", json!(0), "has 0 in `t_scale`; expected the seconds from first to last training row"),
        ("/t_scale", json!(1e300), "has 1"),
        ("/start", json!(1e300), "has 1"),
        ("/params/sigma_obs", json!([[0]]), "has 0 in `params.sigma_obs`; expected a number above 0"),
        ("/params/sigma_obs", json!([[]]), "has 0 entries in `params.sigma_obs` where `params.k` makes it 1"),
        ("/params/k", json!([]), "has no number in `params.k`; expected one number, or one for each draw"),
        ("/params/m", json!([1, 2]), "has 2 entries in `params.m` where `params.k` makes it 1"),
        (
            "/params/delta",
            json!([[1, 2]]),
            "has 2 entries in `params.delta` where `changepoints_t` makes it 25",
        ),
        ("/changepoints_t", json!([0]), "has 25 entries in `params.delta` where `changepoints_t` makes it 1"),
        (
            "/changepoints_t/3",
            json!(0),
            "has numbers out of order in `changepoints_t`; expected increasing numbers",
        ),
        (
            "/params/beta",
            json!([[0]]),
            "has 1 entries in `params.beta` where `train_component_cols` makes it 14",
        ),
        (
            "/seasonalities/1/daily/fourier_order",
            json!(3),
            "has 14 entries in `train_component_cols` where `seasonalities` makes it 12",
        ),
        (
            "/seasonalities/1/daily/fourier_order",
            json!(4_000_000_000_u32),
            "has 14 entries in `train_component_cols` where `seasonalities` makes it 8000000006",
        ),
        (
            "/seasonalities/1/daily/fourier_order",
            json!(0),
            "has order 0 in `seasonalities.daily`; expected at least 1",
        ),
        ("/seasonalities/1/daily/fourier_order", json!(-1), "is not what Prophet's `model_to_json` writes: "),
        (
            "/seasonalities/1/daily/period",
            json!(0),
            "has period 0 in `seasonalities.daily`; expected days, above 0",
        ),
        (
            "/seasonalities/1/daily/period",
            json!(-7),
            "has period -7 in `seasonalities.daily`; expected days, above 0",
        ),
        ("/seasonalities/1/daily/period", json!(1e-320), "has period 0.000"),
        ("/seasonalities/1/daily/period", json!(1e-300), "has period 0.000"),
        (
            "/seasonalities/1/daily/mode",
            json!("additive"),
            "has another mode in `train_component_cols` in `seasonalities.daily`; expected the same mode in all its columns",
        ),
        (
            "/seasonalities/1/daily/mode",
            json!("both"),
            "has mode `both` in `seasonalities.daily`; expected `additive` or `multiplicative`",
        ),
        (
            "/seasonalities/0/1",
            json!("nightly"),
            "has the name `nightly` without a value in `seasonalities`; expected a value for each name",
        ),
        (
            "/holidays",
            json!(r#"{"data":[{"holiday":"xmas","ds":"soon"}]}"#),
            "has the date `soon` in `holidays`; expected dates as `2024-12-25`",
        ),
        (
            "/train_holiday_names",
            json!(r#"{"name":"holiday","index":[0],"data":["xmas"]}"#),
            "has 14 entries in `train_component_cols` where `holidays` makes it 15",
        ),
        (
            "/extra_regressors",
            json!([["T2"], {"T2": {"mu": 0.0, "std": 0, "mode": "additive"}}]),
            "has mu 0 and std 0 in `extra_regressors.T2`; expected a mean and a deviation other than 0",
        ),
        (
            "/extra_regressors",
            json!([["T2"], {"T2": {"mu": 0.0, "std": 1, "mode": "additive"}}]),
            "has 14 entries in `train_component_cols` where `extra_regressors` makes it 15",
        ),
        (
            "/train_component_cols",
            json!("{\"data\": 1}"),
            "is not what Prophet's `model_to_json` writes: in a table: invalid type: integer `1`, expected a sequence",
        ),
    ] {
        let found = refusal(set(path, value.clone()));
        assert!(found.starts_with(expected), "{path} {value}: {found}");
    }
}

#[test]
fn what_is_no_model_at_all_is_named() {
    for (bytes, expected) in [
        (&b"\x80\x05pickle"[..], "expected value at line 1 column 1"),
        (b"{}", "missing field `growth` at line 1 column 2"),
        (b"[]", "invalid length 0, expected struct ModelDocument"),
        (b"\"text\"", "expected ident at line 1 column 2"),
        (b"{\"growth\": NaN}", "missing field `y_scale` at line 1 column 17"),
        (b"{\"growth\": NaM}", "expected value at line 1 column 12"),
    ] {
        let expected = format!("is not what Prophet's `model_to_json` writes: {expected}");
        let found = Model::from_json(bytes).unwrap_err().to_string();
        assert!(found.starts_with(&expected), "{found}");
    }
}

#[test]
fn a_file_that_ends_in_the_middle_says_that_it_is_cut_short() {
    for bytes in ["", "{", "{\"growth\": \"lin", "{\"growth\": \"linear\", \"y_scale\": "] {
        let found = Model::from_json(bytes.as_bytes()).unwrap_err().to_string();
        assert!(
            found.starts_with("is cut short: copy the file again, whole (EOF while parsing"),
            "{bytes}: {found}"
        );
    }
}
