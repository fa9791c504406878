//! What must hold for any timestamps and any file.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test")]

mod common;

use std::sync::LazyLock;

use common::{cases, fixtures, model_json};
use prophet::{Features, Forecast, Inputs, Model};
use proptest::prelude::*;

/// Those for which timestamps are enough, in any year.
static MODELS: LazyLock<Vec<Model>> = LazyLock::new(|| {
    let read = |case: std::path::PathBuf| {
        Model::from_json(&std::fs::read(case.join("model.json")).unwrap()).unwrap()
    };
    let cases = cases(&fixtures()).into_iter().filter(|case| !case.ends_with("country_holidays_us"));
    cases.map(read).filter(|model| model.needs().is_empty()).collect()
});

/// A century around the training of the fixtures, and what a clock can say at worst.
fn instant() -> impl Strategy<Value = i64> {
    prop_oneof![8 => 0..4_000_000_000_000_000_i64, 1 => any::<i64>(), 1 => Just(1_709_510_400_000_000)]
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    /// Tiles and shared columns are an arrangement, not a meaning: a row does not depend on its
    /// neighbours.
    #[test]
    fn rows_do_not_depend_on_their_batch(instants in prop::collection::vec(instant(), 1..80), cut in any::<prop::sample::Index>()) {
        let cut = cut.index(instants.len());
        let mut shared = Features::new(&instants);
        let mut forecast = Forecast::default();
        for model in MODELS.iter() {
            model.forecast(&mut shared, &Inputs::new(), &mut forecast);
            let (first, second) = (model.predict(&instants[..cut]), model.predict(&instants[cut..]));
            prop_assert_eq!(forecast.yhat(), [first.yhat(), second.yhat()].concat());
            let backwards: Vec<i64> = instants.iter().rev().copied().collect();
            let backwards = model.predict(&backwards);
            let turned: Vec<f64> = backwards.yhat().iter().rev().copied().collect();
            prop_assert_eq!(forecast.yhat(), turned);
        }
    }

    #[test]
    fn predictions_are_numbers(instants in prop::collection::vec(any::<i64>(), 1..40)) {
        for model in MODELS.iter() {
            let forecast = model.predict(&instants);
            prop_assert!(forecast.yhat().iter().all(|yhat| yhat.is_finite()));
        }
    }

    /// Features that were used for another batch are as good as new ones.
    #[test]
    fn nothing_is_left_of_an_earlier_batch(earlier in prop::collection::vec(instant(), 0..40), instants in prop::collection::vec(instant(), 0..40)) {
        let mut used = Features::new(&earlier);
        let mut forecast = Forecast::default();
        for model in MODELS.iter() {
            model.forecast(&mut used, &Inputs::new(), &mut forecast);
        }
        used.reset(&instants);
        for model in MODELS.iter() {
            model.forecast(&mut used, &Inputs::new(), &mut forecast);
            prop_assert_eq!(&forecast, &model.predict(&instants));
        }
    }

    /// Moving all of training and the request by whole common periods moves nothing else.
    #[test]
    fn weeks_later_is_the_same(weeks in -200..200_i64, instants in prop::collection::vec(1_709_000_000_000_000..1_712_000_000_000_000_i64, 1..20)) {
        let mut document: serde_json::Value = serde_json::from_slice(&model_json("process_10day_1min")).unwrap();
        let here = Model::from_json(document.to_string().as_bytes()).unwrap();
        document["start"] = (document["start"].as_f64().unwrap() + (weeks * 7 * 86_400) as f64).into();
        let there = Model::from_json(document.to_string().as_bytes()).unwrap();
        let moved: Vec<i64> = instants.iter().map(|micros| micros + weeks * 7 * 86_400_000_000).collect();
        for (here, there) in here.predict(&instants).yhat().iter().zip(there.predict(&moved).yhat()) {
            prop_assert!((here - there).abs() <= 1e-9 * here.abs(), "{here} {there}");
        }
    }

    #[test]
    fn a_damaged_file_is_read_or_refused(
        edits in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..6),
        length in any::<prop::sample::Index>(),
        cut in any::<bool>(),
    ) {
        let mut json = model_json("user_changepoints");
        for (at, byte) in edits {
            let at = at.index(json.len());
            json[at] = byte;
        }
        if cut {
            json.truncate(length.index(json.len()));
        }
        if let Ok(model) = Model::from_json(&json) {
            prop_assert_eq!(model.predict(&[0, i64::MIN, i64::MAX]).yhat().len(), 3);
        }
    }
}
