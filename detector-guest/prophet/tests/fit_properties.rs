//! What must hold of a fit to any plausible series.
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "a test")]

mod common;

use common::training::Table;
use prophet::Model;
use prophet::fit::{FitSettings, Fitted, fit};
use proptest::prelude::*;
use serde_json::{Value, json};

const HOUR: i64 = 3_600_000_000;
/// A Monday.
const START: i64 = 1_709_510_400_000_000;

/// A series, and settings that fit it.
#[derive(Clone, Debug)]
struct Plausible {
    rows: Table,
    settings: Value,
}

impl Plausible {
    fn settings(&self) -> FitSettings {
        FitSettings::from_json(self.settings.to_string().as_bytes()).unwrap()
    }

    fn optimum(&self) -> (Model, f64, f64) {
        let (series, settings) = (self.rows.series(), self.settings());
        let fitted = fit(&series, &settings, None).unwrap();
        let report = fitted.report();
        (fitted.model().unwrap(), report.noise, report.log_density.unwrap())
    }

    fn with_y(&self, change: impl Fn(f64) -> f64) -> Self {
        let mut changed = self.clone();
        let y = changed.rows.columns.iter_mut().find(|column| column.0 == "y").unwrap();
        y.1.iter_mut().for_each(|y| *y = change(*y));
        changed
    }
}

/// Between 150 and 400 readings an hour or so apart, with a level, a slope, a change of slope, a
/// day and noise; a regressor and a condition.
fn plausible() -> impl Strategy<Value = Plausible> {
    let shape = (150..400_usize, 30.0..300.0, -0.1..0.1, -0.2..0.2, 0.0..20.0, 0.1..3.0);
    let choices = (
        prop_oneof![Just("linear"), Just("linear"), Just("flat")],
        prop_oneof![Just("additive"), Just("multiplicative")],
        prop_oneof![Just("absmax"), Just("minmax")],
        prop_oneof![Just(0), Just(5), Just(25)],
        prop_oneof![Just(0.01), Just(0.05), Just(0.5)],
        any::<bool>(),
        any::<bool>(),
    );
    (shape, choices, any::<u64>()).prop_map(|(shape, choices, seed)| {
        let (count, level, slope, change, day, noise) = shape;
        let (growth, mode, scaling, changepoints, scale, regressor, condition) = choices;
        let mut state = seed | 1;
        let mut random = move || {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            (state >> 11) as f64 / (1_u64 << 53) as f64 - 0.5
        };
        let instants: Vec<i64> =
            (0..count as i64).map(|row| START + row * HOUR + (random() * 1e8) as i64 * 10).collect();
        let load: Vec<f64> = (0..count).map(|row| 50.0 + (row % 37) as f64 + 9.0 * random()).collect();
        let shift: Vec<f64> = (0..count).map(|row| f64::from(u8::from(row % 24 >= 8))).collect();
        let y = (0..count).map(|row| {
            let hour = row as f64;
            let bend = (hour - count as f64 / 2.0).max(0.0) * change;
            let wave = day * libm::sin(hour / 24.0 * std::f64::consts::TAU);
            level + slope * hour + bend + wave + 0.05 * load[row] + noise * (random() + random())
        });
        let columns = vec![
            ("y".to_owned(), y.collect()),
            ("load".to_owned(), load.clone()),
            ("shift".to_owned(), shift.clone()),
        ];
        let season = json!({"name": "shifted", "period": 1, "fourier_order": 2, "condition_name": "shift"});
        let settings = json!({
            "prophet": {
                "growth": growth, "scaling": scaling, "seasonality_mode": mode, "n_changepoints": changepoints,
                "changepoint_prior_scale": scale, "weekly_seasonality": false,
            },
            "seasonalities": if condition { json!([season]) } else { json!([]) },
            "regressors": if regressor { json!([{"name": "load"}]) } else { json!([]) },
        });
        Plausible { rows: Table { instants, columns }, settings }
    })
}

/// The log density and its derivatives by differences, from the model's own forecasts: nothing of
/// what searched.
fn density(fitted: &Fitted<'_>, case: &Plausible, change: impl Fn(&mut Value)) -> f64 {
    let mut file: Value = serde_json::from_slice(&fitted.to_short_json()).unwrap();
    change(&mut file);
    let model = Model::from_json(file.to_string().as_bytes()).unwrap();
    let list = |key: &str| -> Vec<f64> {
        let row = &file["params"][key][0];
        row.as_array().unwrap().iter().map(|number| number.as_f64().unwrap()).collect()
    };
    let (k, m, sigma) = (list("k")[0], list("m")[0], list("sigma_obs")[0]);
    let scale = file["y_scale"].as_f64().unwrap();
    let yhat = case.rows.yhat(&model);
    let y = case.rows.column("y");
    let squares: f64 = y.iter().zip(&yhat).map(|(y, yhat)| ((y - yhat) / scale) * ((y - yhat) / scale)).sum();
    let changes: f64 = list("delta").iter().map(|delta| delta.abs()).sum();
    // Every prior scale of these settings is 10, or there is no column at all.
    let weights: f64 = list("beta").iter().map(|beta| beta * beta / 200.0).sum();
    let tau = file["changepoint_prior_scale"].as_f64().unwrap();
    -(k * k + m * m) / 50.0
        - changes / tau
        - weights
        - 2.0 * sigma * sigma
        - y.len() as f64 * libm::log(sigma)
        - squares / (2.0 * sigma * sigma)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 40, failure_persistence: None, ..ProptestConfig::default() })]

    /// The density is what the report says, no parameter moved by itself makes it larger, and the
    /// file has all digits.
    #[test]
    fn nothing_near_is_better(case in plausible()) {
        let (series, settings) = (case.rows.series(), case.settings());
        let fitted = fit(&series, &settings, None).unwrap();
        let report = fitted.report();
        prop_assert!(report.violation <= 1e-6, "{report:?}");
        // With minmax scaling Prophet multiplies the floor too, so the forecast is not that of the
        // search.
        prop_assume!(settings.prophet.scaling == prophet::fit::Scaling::Absmax);
        let here = density(&fitted, &case, |_| ());
        let known = report.log_density.unwrap();
        prop_assert!((here - known).abs() <= 1e-9 * known.abs().max(1.0), "{here}, not {known}");
        let file: Value = serde_json::from_slice(&fitted.to_short_json()).unwrap();
        for key in ["k", "m", "sigma_obs", "delta", "beta"] {
            for place in 0..file["params"][key][0].as_array().unwrap().len() {
                for factor in [-1e-5, 1e-5] {
                    let moved = density(&fitted, &case, |file| {
                        let number = &mut file["params"][key][0][place];
                        *number = (number.as_f64().unwrap() + factor * report.noise.min(1.0)).into();
                    });
                    prop_assert!(moved <= here + 1e-9 * here.abs(), "{key} {place}: {moved} above {here}");
                }
            }
        }
    }

    #[test]
    fn the_order_of_rows_does_not_matter(case in plausible(), shift in any::<prop::sample::Index>()) {
        let mut turned = case.clone();
        let by = shift.index(case.rows.instants.len());
        turned.rows.instants.rotate_left(by);
        for (_, values) in &mut turned.rows.columns {
            values.rotate_left(by);
        }
        let whole = |case: &Plausible| {
            let (series, settings) = (case.rows.series(), case.settings());
            fit(&series, &settings, None).unwrap().to_json()
        };
        // No two rows are of one instant, so the sorted rows are the same, and the files to the
        // last byte.
        prop_assert_eq!(whole(&case), whole(&turned));
    }

    #[test]
    fn units_of_y_do_not_matter(case in plausible(), factor in prop_oneof![1e-6..1e6_f64, Just(-1.0_f64)]) {
        prop_assume!(factor > 0.0 || case.settings["prophet"]["scaling"] == "absmax");
        let (model, noise, density) = case.optimum();
        let (other, other_noise, other_density) = case.with_y(|y| y * factor).optimum();
        prop_assert!((noise * factor.abs() / other_noise - 1.0).abs() < 1e-6);
        prop_assert!((density - other_density).abs() < 1e-7 * density.abs(), "{density} {other_density}");
        for (yhat, other) in case.rows.yhat(&model).iter().zip(case.rows.yhat(&other)) {
            prop_assert!((yhat * factor - other).abs() <= 1e-5 * other_noise);
        }
    }

    /// Of minmax scaling: the floor moves with y.
    #[test]
    fn a_level_does_not_matter(case in plausible(), level in -1e3..1e3_f64) {
        let mut case = case;
        case.settings["prophet"]["scaling"] = "minmax".into();
        // Prophet multiplies the floor too.
        case.settings["prophet"]["seasonality_mode"] = "additive".into();
        let (model, noise, _) = case.optimum();
        let (other, ..) = case.with_y(|y| y + level).optimum();
        for (yhat, other) in case.rows.yhat(&model).iter().zip(case.rows.yhat(&other)) {
            prop_assert!((yhat + level - other).abs() <= 1e-5 * noise);
        }
    }

    /// Weeks and days later all is the same, but for the rounding of phases, which grow with the
    /// date.
    #[test]
    fn whole_periods_do_not_matter(case in plausible(), weeks in -500..500_i64) {
        let mut later = case.clone();
        later.rows.instants.iter_mut().for_each(|instant| *instant += weeks * 168 * HOUR);
        let ((model, noise, _), (other, ..)) = (case.optimum(), later.optimum());
        for (yhat, other) in case.rows.yhat(&model).iter().zip(later.rows.yhat(&other)) {
            prop_assert!((yhat - other).abs() <= 1e-5 * noise);
        }
    }
}
