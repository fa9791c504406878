//! The same model in every shape that a version of Prophet, or a way of saving it, has left on a disk.
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
