//! What must hold for any interval of any model.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test")]

mod common;

use common::{Case, fixtures, interval, model_json};
use prophet::interval::{Intervals, TrendUncertainty};
use prophet::{Features, Forecast, Inputs, Model};
use proptest::prelude::*;
use serde_json::Value;

/// A model of every law, timestamps being enough.
const NAMES: [&str; 5] = ["flat", "minmax_linear", "nearly_noise_free", "no_changepoints", "mcmc_small"];

fn model(name: &str) -> Model {
    Model::from_json(&model_json(name)).unwrap()
}

fn law(model: &Model, which: usize, instants: &[i64]) -> TrendUncertainty {
    [TrendUncertainty::None, TrendUncertainty::Continuous, TrendUncertainty::Batch(model.grid(instants))]
        [which]
}

/// From before the end of training to as long again after it.
fn instants(name: &str) -> impl Strategy<Value = Vec<i64>> + use<> {
    let document: Value = serde_json::from_slice(&model_json(name)).unwrap();
    let (start, span) = (document["start"].as_f64().unwrap(), document["t_scale"].as_f64().unwrap());
    let at = move |h: f64| ((start + span * (1.0 + h)) * 1e6) as i64;
    prop::collection::btree_set((0..1_000_i64).prop_map(move |h| at(h as f64 / 1_000.0 - 0.1)), 1..12)
        .prop_map(|instants| instants.into_iter().collect())
}

fn request() -> impl Strategy<Value = (&'static str, Vec<i64>, usize)> {
    (0..NAMES.len(), 0..3_usize)
        .prop_flat_map(|(name, law)| (Just(NAMES[name]), instants(NAMES[name]), Just(law)))
}

fn close(found: &[f64], expected: &[f64], scale: f64) -> Result<(), TestCaseError> {
    for (found, expected) in found.iter().zip(expected) {
        prop_assert!((found - expected).abs() <= scale, "{found}, not {expected} within {scale}");
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, cases: 48, ..ProptestConfig::default() })]

    #[test]
    fn intervals_widen_with_their_level((name, instants, which) in request(), level in 0.05..0.98, more in 1.001..1.5) {
        let model = model(name);
        let wider = 1.0 - (1.0 - level) / more;
        let trend = law(&model, which, &instants);
        let (lower, upper) = interval(&model, &instants, &Inputs::new(), level, trend);
        let (lowest, uppest) = interval(&model, &instants, &Inputs::new(), wider, trend);
        let forecast = model.predict(&instants);
        for row in 0..instants.len() {
            prop_assert!(lowest[row] < lower[row] && lower[row] < upper[row] && upper[row] < uppest[row]);
            // The draws of MCMC have a centre of their own.
            if name != "mcmc_small" {
                prop_assert!(lower[row] < forecast.yhat()[row] && forecast.yhat()[row] < upper[row]);
            }
        }
    }

    /// A request in two parts, the grid being that of the whole, and a grid of the part that
    /// follows.
    #[test]
    fn parts_of_a_request_have_its_intervals((name, instants, which) in request(), cut in any::<prop::sample::Index>()) {
        let model = model(name);
        let trend = law(&model, which, &instants);
        let whole = interval(&model, &instants, &Inputs::new(), 0.9, trend);
        let cut = cut.index(instants.len());
        let first = interval(&model, &instants[..cut], &Inputs::new(), 0.9, trend);
        let second = interval(&model, &instants[cut..], &Inputs::new(), 0.9, trend.after(cut));
        let parts = ([first.0, second.0].concat(), [first.1, second.1].concat());
        for row in 0..instants.len() {
            // Of its own width: that of the first row may be a hundredth of the last one's.
            let tolerance = 1e-7 * (whole.1[row] - whole.0[row]);
            close(&parts.0[row..=row], &whole.0[row..=row], tolerance)?;
            close(&parts.1[row..=row], &whole.1[row..=row], tolerance)?;
        }
    }

    /// Memory that served another model leaves no trace.
    #[test]
    fn nothing_is_left_of_an_earlier_model((one, early, which_one) in request(), (other, late, which_other) in request()) {
        let mut intervals = Intervals::new();
        let mut found = (Vec::new(), Vec::new());
        for (name, instants, which) in [(one, &early, which_one), (other, &late, which_other)] {
            let model = model(name);
            let (mut features, mut forecast) = (Features::new(instants), Forecast::default());
            model.forecast(&mut features, &Inputs::new(), &mut forecast);
            found = (vec![0.0; instants.len()], vec![0.0; instants.len()]);
            let trend = law(&model, which, instants);
            intervals.bound(&model, &mut features, &Inputs::new(), &forecast, (0.9, trend), &mut found.0, &mut found.1);
        }
        let model = model(other);
        prop_assert_eq!(found, interval(&model, &late, &Inputs::new(), 0.9, law(&model, which_other, &late)));
    }

    /// No clock, level or law makes a panic, an endless search or a NaN.
    #[test]
    fn ends_are_numbers_in_order(micros in any::<i64>(), name in 0..NAMES.len(), which in 0..3_usize, level in 0.001..0.9999) {
        let model = model(NAMES[name]);
        let (lower, upper) = interval(&model, &[micros], &Inputs::new(), level, law(&model, which, &[micros]));
        prop_assert!(lower[0] <= upper[0], "{} {}", lower[0], upper[0]);
    }
}

#[test]
fn logistic_intervals_hold_what_is_expected_and_widen() {
    for name in ["logistic_cap", "logistic_low_noise", "minmax_logistic_floor"] {
        let case = Case::read(&fixtures().join(name));
        for which in 0..3 {
            let trend = law(&case.model, which, &case.instants);
            let mut inner: Option<(Vec<f64>, Vec<f64>)> = None;
            for level in [0.5, 0.8, 0.99] {
                let (lower, upper) = interval(&case.model, &case.instants, &case.inputs, level, trend);
                for (row, yhat) in case.forecast().yhat().iter().enumerate() {
                    assert!(lower[row] < *yhat && *yhat < upper[row], "{name} {level} {row}");
                    if let Some((low, high)) = &inner {
                        assert!(lower[row] < low[row] && high[row] < upper[row], "{name} {level} {row}");
                    }
                }
                inner = Some((lower, upper));
            }
        }
    }
}

/// However many changes are expected: in the end the trend may be at its floor as well as at its
/// capacity.
#[test]
fn logistic_intervals_widen_until_they_reach_from_floor_to_capacity() {
    for name in ["logistic_cap", "logistic_low_noise"] {
        let document: Value = serde_json::from_slice(&model_json(name)).unwrap();
        let (start, span) = (document["start"].as_f64().unwrap(), document["t_scale"].as_f64().unwrap());
        let model = model(name);
        let cap = 1.5 * document["y_scale"].as_f64().unwrap();
        let mut narrower = (f64::INFINITY, f64::NEG_INFINITY);
        for h in [0.1, 1.0, 3.0, 10.0, 27.0, 31.0, 100.0, 1e3, 1e5] {
            let at = [((start + span * (1.0 + h)) * 1e6) as i64];
            let mut inputs = Inputs::new();
            inputs.set("cap", &[cap]);
            inputs.set("floor", &[0.0]);
            let (lower, upper) = interval(&model, &at, &inputs, 0.95, TrendUncertainty::Continuous);
            // What the seasons add differs from one row to the next.
            let room = 0.2 * cap;
            assert!(lower[0] < narrower.0 + room && upper[0] > narrower.1 - room, "{name} {h}");
            narrower = (lower[0], upper[0]);
        }
        assert!(narrower.0 < 0.2 * cap && narrower.1 > 0.8 * cap, "{name}: {narrower:?} with capacity {cap}");
    }
}

#[test]
fn a_level_that_is_none_has_no_interval() {
    for level in [f64::NAN, -0.1, 0.0, 1.0, 95.0] {
        for which in 0..3 {
            let model = model("minmax_linear");
            let (lower, upper) =
                interval(&model, &[i64::MAX], &Inputs::new(), level, law(&model, which, &[i64::MAX]));
            assert!(lower[0].is_nan() && upper[0].is_nan(), "{level}");
        }
    }
}

/// A single row after training has the spacing of the training rows; a file that does not tell how
/// many has none.
#[test]
fn a_single_row_takes_its_step_from_training() {
    let mut document: Value = serde_json::from_slice(&model_json("nearly_noise_free")).unwrap();
    let (start, span) = (document["start"].as_f64().unwrap(), document["t_scale"].as_f64().unwrap());
    let at = [((start + 1.5 * span) * 1e6) as i64];
    let width = |document: &Value| {
        let model = Model::from_json(document.to_string().as_bytes()).unwrap();
        let trend = TrendUncertainty::Batch(model.grid(&at));
        let (lower, upper) = interval(&model, &at, &Inputs::new(), 0.95, trend);
        (upper[0] - lower[0]) / (2.0 * prophet::interval::z(0.95) * model.noise())
    };
    document["history_rows"] = 2.into();
    assert!(width(&document) > 1.5, "{}", width(&document));
    document["history_rows"] = Value::Null;
    assert!((width(&document) - 1.0).abs() < 1e-12);
    document["history"] = r#"{"data":[{"ds":"a"},{"ds":"b"}]}"#.into();
    assert!(width(&document) > 1.5);
}
