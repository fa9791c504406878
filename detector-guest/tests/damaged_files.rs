//! Everything that reads a file, given the fixtures with systematic damage: cut short, bits
//! flipped, digits changed, every value replaced by ones that nobody expects, and lengths that
//! promise more than there is. What must hold is what the fuzz targets look for (`fuzz/src/lib.
//! rs`), so CI asks it of some ten thousand files without a fuzzer.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test")]

#[path = "../../fuzz/src/lib.rs"]
#[allow(
    clippy::expect_used,
    unreachable_pub,
    reason = "shared with the fuzz targets, where a panic is a finding"
)]
mod bodies;

use std::path::Path;
use std::sync::{Mutex, MutexGuard, PoisonError};

use bodies::Body;
use serde_json::{Value, json};

/// Memory is counted for the whole process, so one test runs at a time.
fn alone() -> MutexGuard<'static, ()> {
    static ONE: Mutex<()> = Mutex::new(());
    ONE.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The models that Prophet saved, by case.
fn models() -> Vec<(String, Vec<u8>)> {
    let fixtures = Path::new(env!("CARGO_MANIFEST_DIR")).join("prophet/tests/fixtures");
    let mut models: Vec<_> = std::fs::read_dir(fixtures)
        .unwrap()
        .map(|case| case.unwrap())
        .map(|case| {
            (case.file_name().into_string().unwrap(), std::fs::read(case.path().join("model.json")).unwrap())
        })
        .collect();
    models.sort();
    models
}

fn compact_bodies() -> Vec<Vec<u8>> {
    let body =
        |(_, json): (String, Vec<u8>)| prophet::Model::compact(&json).unwrap()[bodies::HEADER..].to_vec();
    models().into_iter().map(body).collect()
}

/// Up to `most` of the numbers below `end`, evenly spread.
fn some(end: usize, most: usize) -> impl Iterator<Item = usize> {
    let count = end.min(most);
    (0..count).map(move |at| at * end / count)
}

/// Gives a body every kind of damage to `file`; up to `most` of each. How many files were accepted,
/// and how many there were.
fn damage(body: Body, file: &[u8], most: usize) -> (usize, usize) {
    assert!(body(file), "undamaged");
    let (mut accepted, mut all) = (0, 0);
    let mut give = |file: &[u8]| {
        accepted += usize::from(body(file));
        all += 1;
    };
    for length in some(file.len(), most) {
        give(&file[..length]);
    }
    for bit in some(8 * file.len(), most) {
        let mut file = file.to_vec();
        file[bit / 8] ^= 1 << (bit % 8);
        give(&file);
    }
    let digits: Vec<usize> = (0..file.len()).filter(|at| file[*at].is_ascii_digit()).collect();
    for place in some(digits.len(), most) {
        for other in *b"09-e. \"" {
            let mut file = file.to_vec();
            file[digits[place]] = other;
            give(&file);
        }
    }
    (accepted, all)
}

#[test]
fn small_files_at_every_length_and_with_every_bit() {
    let _alone = alone();
    for (_, body, files) in bodies::SMALL {
        let (mut accepted, mut all) = (0, 0);
        for file in files {
            let found = damage(body, file.as_bytes(), usize::MAX);
            (accepted, all) = (accepted + found.0, all + found.1);
        }
        assert!(accepted > 0 && accepted < all, "{accepted} of {all}: {files:?}");
    }
}

#[test]
fn damaged_series_make_a_model_or_a_sentence() {
    let _alone = alone();
    for series in bodies::SERIES {
        let (accepted, all) = damage(bodies::training, series.as_bytes(), 100);
        assert!(accepted > 0 && accepted < all, "{accepted} of {all}: {series}");
    }
}

#[test]
fn models_at_many_lengths_and_with_many_bits() {
    let _alone = alone();
    for (name, json) in models() {
        let (accepted, all) = damage(bodies::json, &json, 6);
        assert!(accepted > 0 && accepted < all, "{name}: {accepted} of {all}");
    }
    for body in compact_bodies() {
        let (accepted, all) = damage(bodies::compact, &body, 10);
        assert!(accepted > 0 && accepted < all, "{accepted} of {all}");
    }
}

/// Lengths in postcard stand before what they count; here one could stand anywhere.
#[test]
fn a_length_that_promises_more_than_there_is_takes_no_memory() {
    let _alone = alone();
    for body in compact_bodies() {
        for place in some(body.len(), 60) {
            for length in [
                &b"\xff\xff\xff\xff\x0f"[..],
                b"\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01",
                b"\x80\x80\x80\x04",
            ] {
                let file = [&body[..place], length, &body[place..]].concat();
                bodies::compact(&file);
                bodies::compact(&file[..place + length.len()]);
            }
        }
    }
}

/// Of what nobody expects each place is given these many, the next place the ones that follow.
const AT_A_PLACE: usize = 2;

/// Calls `visit` with the document changed at each of its places in turn: the first, second and
/// last of a list stand for it. Tables, which are JSON in a string, are opened.
fn at_every_place(document: &Value, turn: &mut usize, visit: &mut dyn FnMut(Value)) {
    let hostile = hostile();
    for _ in 0..AT_A_PLACE {
        visit(hostile[*turn % hostile.len()].clone());
        *turn += 1;
    }
    match document {
        Value::Object(object) => {
            for (key, value) in object {
                at_every_place(value, turn, &mut |value| {
                    let mut object = object.clone();
                    object[key] = value;
                    visit(object.into());
                });
                let mut object = object.clone();
                object.remove(key);
                visit(object.into());
            }
        }
        Value::Array(list) => {
            let places = [0, 1, list.len().saturating_sub(1)];
            for (at, value) in list.iter().enumerate().filter(|(at, _)| places.contains(at)) {
                at_every_place(value, turn, &mut |value| {
                    let mut list = list.clone();
                    list[at] = value;
                    visit(list.into());
                });
            }
        }
        Value::String(text) if text.starts_with('{') => {
            let table: Value = serde_json::from_str(text).unwrap();
            at_every_place(&table, turn, &mut |table| visit(table.to_string().into()));
        }
        _ => {}
    }
}

fn hostile() -> Vec<Value> {
    vec![
        json!(null),
        json!(true),
        json!(""),
        json!("2024-13-45"),
        json!([]),
        json!([[], [1.5]]),
        json!({}),
        json!(0),
        json!(-1),
        json!(2),
        json!(1e-320),
        json!(-0.0),
        json!(1e308),
        json!(-1e308),
        json!(1_000_000_000),
        json!(u64::MAX),
        json!(i64::MIN),
    ]
}

#[test]
fn every_value_replaced_by_what_nobody_expects() {
    let _alone = alone();
    let mut turn = 0;
    // A case of each kind: what the others have, these have.
    for case in [
        "country_holidays_us",
        "conditional_seasonality",
        "holidays_windows",
        "logistic_cap_floor",
        "mcmc_small",
        "minmax_linear",
        "regressor_multiplicative_unstandardised",
    ] {
        let (_, json) = models().into_iter().find(|(name, _)| name == case).unwrap();
        let (mut accepted, mut all) = (0, 0);
        at_every_place(&serde_json::from_slice(&json).unwrap(), &mut turn, &mut |document| {
            accepted += usize::from(bodies::json(document.to_string().as_bytes()));
            all += 1;
        });
        assert!(accepted > 0 && accepted < all, "{case}: {accepted} of {all}");
    }
}

/// A fixture with these values, by key.
fn with(case: &str, values: &[(&str, Value)]) -> Vec<u8> {
    let (_, json) = models().into_iter().find(|(name, _)| name == case).unwrap();
    let mut document: Value = serde_json::from_slice(&json).unwrap();
    for (pointer, value) in values {
        let (parent, key) = pointer.rsplit_once('/').unwrap();
        document.pointer_mut(parent).unwrap()[key] = value.clone();
    }
    document.to_string().into_bytes()
}

fn table(rows: &[Value]) -> Value {
    json!({"data": rows}).to_string().into()
}

/// Files that ask for much: whether they are accepted, and what they are made of.
#[test]
fn a_small_file_cannot_ask_for_much() {
    let _alone = alone();
    let many = 1_000_000;
    let holiday = |day: usize, window: f64| {
        let ds = format!("{:04}-{:02}-{:02}", 1 + day / 360, 1 + day / 30 % 12, 1 + day % 28);
        json!({"holiday": "h", "ds": ds, "lower_window": -window, "upper_window": window})
    };
    let names = json!({"data": ["h"]}).to_string();
    let additive = json!({"additive_terms": 1, "multiplicative_terms": 0});
    let brackets = String::from_utf8(with("flat", &[("/params/k", json!("here"))])).unwrap();
    let brackets = brackets.replacen("\"here\"", &"[".repeat(many), 1);
    for (what, accepted, file) in [
        (
            "a season of a billion columns",
            false,
            with("flat", &[("/seasonalities/1/daily/fourier_order", json!(1_000_000_000))]),
        ),
        (
            "a million changepoints",
            true,
            with(
                "flat",
                &[("/changepoints_t", json!(vec![0.5; many])), ("/params/delta", json!(vec![0.0; many]))],
            ),
        ),
        (
            "a million changepoints and a change",
            false,
            with("flat", &[("/changepoints_t", json!(vec![0.5; many]))]),
        ),
        ("a million draws", false, with("flat", &[("/params/k", json!(vec![0.5; many]))])),
        (
            "windows of two billion days",
            false,
            with(
                "flat",
                &[("/holidays", table(&[holiday(0, 1e9)])), ("/train_holiday_names", names.clone().into())],
            ),
        ),
        (
            "windows of all days",
            false,
            with(
                "flat",
                &[("/holidays", table(&[holiday(0, 1e300)])), ("/train_holiday_names", names.clone().into())],
            ),
        ),
        // Two thousand columns for ten thousand holidays each: twenty million days from a megabyte.
        (
            "many wide windows",
            false,
            with(
                "flat",
                &[
                    ("/seasonalities", json!([[], {}])),
                    ("/holidays", table(&(0..10_000).map(|day| holiday(day, 1_000.0)).collect::<Vec<_>>())),
                    ("/train_holiday_names", names.clone().into()),
                    ("/train_component_cols", table(&vec![additive; 2_001])),
                    ("/params/beta", json!(vec![0.0; 2_001])),
                ],
            ),
        ),
        ("a million brackets", false, vec![b'['; many]),
        ("a million brackets in a value", false, format!("{{\"growth\": {}", "[".repeat(many)).into_bytes()),
        ("a million brackets in a parameter", false, brackets.into_bytes()),
    ] {
        assert_eq!(bodies::json(&file), accepted, "{what}");
    }
}
