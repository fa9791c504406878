//! The same model in every shape that a version of Prophet, or a way of saving it, has left on a
//! disk.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test")]

mod common;

use common::model_json;
use prophet::Model;
use serde_json::{Value, json};

fn without(keys: &'static [&'static str]) -> impl Fn(&mut Value) {
    move |document| {
        for key in keys {
            document.as_object_mut().unwrap().remove(*key).unwrap();
        }
    }
}

#[test]
fn all_shapes_are_the_same_model() {
    let json = model_json("minmax_linear");
    let absmax = model_json("no_changepoints");
    for (what, json, change) in [
        ("flat parameters", &json, Box::new(flatten) as Box<dyn Fn(&mut Value)>),
        (
            "keys that older versions do not write",
            &absmax,
            Box::new(without(&["scaling", "y_min", "holidays_mode"])),
        ),
        (
            "keys that say there is nothing",
            &json,
            Box::new(without(&["holidays", "country_holidays", "train_holiday_names", "extra_regressors"])),
        ),
        (
            "keys that nobody knows",
            &json,
            Box::new(|document: &mut Value| document["history"] = json!("{\"data\": [not even JSON")),
        ),
    ] {
        let plain = Model::from_json(json).unwrap();
        let mut document: Value = serde_json::from_slice(json).unwrap();
        change(&mut document);
        assert_eq!(Model::from_json(document.to_string().as_bytes()).unwrap(), plain, "{what}");
    }
}

fn flatten(document: &mut Value) {
    for key in ["k", "m", "sigma_obs", "delta", "beta"] {
        document["params"][key] = document["params"][key][0].take();
    }
    document["params"]["k"] = document["params"]["k"][0].take();
}

#[test]
fn a_byte_order_mark_and_a_string_around_the_model_do_not_matter() {
    let json = model_json("flat");
    let plain = Model::from_json(&json).unwrap();
    let dumped_twice = serde_json::to_vec(std::str::from_utf8(&json).unwrap()).unwrap();
    assert_eq!(Model::from_json(&dumped_twice).unwrap(), plain);
    assert_eq!(Model::from_json(&[b"\xef\xbb\xbf \n", json.as_slice()].concat()).unwrap(), plain);
}

#[test]
fn integers_are_numbers() {
    let mut document: Value = serde_json::from_slice(&model_json("flat")).unwrap();
    for (key, value) in [("start", json!(1_700_000_000)), ("t_scale", json!(86_400)), ("y_scale", json!(2))] {
        document[key] = value;
    }
    document["params"]["k"] = json!([[0]]);
    document["params"]["m"] = json!([[1]]);
    document["params"]["beta"] = json!([[0, 0, 0, 0, 0, 0, 0, 0]]);
    let model = Model::from_json(document.to_string().as_bytes()).unwrap();
    assert_eq!(model.predict(&[0, 1_700_000_000_000_000]).yhat(), [2.0, 2.0]);
}

/// Draws of one changepoint or of one feature stand in a flat list; with more of them, in a list of
/// lists.
#[test]
fn draws_are_read_in_every_shape() {
    let mut document: Value = serde_json::from_slice(&model_json("mcmc_small")).unwrap();
    document["changepoints_t"] = json!([0.5]);
    let components: Value = serde_json::from_str(document["train_component_cols"].as_str().unwrap()).unwrap();
    document["train_component_cols"] = json!(json!({"data": [components["data"][0]]}).to_string());
    document["seasonalities"] = json!([[], {}]);
    document["extra_regressors"] = json!([["load"], {"load": {"mu": 0, "std": 1, "mode": "additive", "predictor_spec": null, "predictor": null}}]);
    let draws = |numbers: &[f64]| json!(numbers);
    let nested = |numbers: &[f64]| json!(numbers.iter().map(|number| vec![*number]).collect::<Vec<_>>());
    let (k, m, sigma) = ([0.1, 0.2, 0.3], [1.0, 2.0, 3.0], [0.01, 0.02, 0.03]);
    let mut read = |delta: Value, beta: Value| {
        document["params"] =
            json!({"k": draws(&k), "m": draws(&m), "delta": delta, "sigma_obs": draws(&sigma), "beta": beta});
        Model::from_json(document.to_string().as_bytes()).unwrap()
    };
    let (delta, beta) = ([0.1, -0.1, 0.3], [5.0, 6.0, 7.0]);
    let flat = read(draws(&delta), draws(&beta));
    assert_eq!(flat.draws(), 3);
    assert_eq!(flat, read(nested(&delta), nested(&beta)));
    assert_ne!(flat, read(draws(&[0.1, 0.3, -0.1]), draws(&beta)));
    // The point forecast is that of the mean of the draws.
    let single = |document: &mut Value| {
        document["params"] =
            json!({"k": [[0.2]], "m": [[2]], "delta": [[0.1]], "sigma_obs": [[0.02]], "beta": [[6]]});
        Model::from_json(document.to_string().as_bytes()).unwrap()
    };
    let single = single(&mut document);
    assert!((flat.noise() - single.noise()).abs() < 1e-15 * single.noise());
    let mut inputs = prophet::Inputs::new();
    inputs.set("load", &[1.5, -2.0]);
    let predicted = |model: &Model| {
        let mut forecast = prophet::Forecast::default();
        model.forecast(&mut prophet::Features::new(&[0, 1_400_000_000_000_000]), &inputs, &mut forecast);
        forecast.yhat().to_vec()
    };
    for (draws, mean) in predicted(&flat).iter().zip(predicted(&single)) {
        assert!((draws - mean).abs() < 1e-14 * mean.abs(), "{draws} {mean}");
    }
}
