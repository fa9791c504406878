//! Models as training could have left them, made up at random: any growth, scaling, seasons with
//! and without conditions, holidays with windows, regressors, and one row of parameters or several.
//!
//! What a request brings besides timestamps is a function of the timestamp, so that a row has the
//! same inputs in whatever batch it stands.

use std::collections::BTreeSet;

use prophet::{Inputs, Model, Role};
use proptest::prelude::*;
use serde_json::{Value, json};

/// Microseconds.
pub const DAY: i64 = 86_400_000_000;

/// Any season's period divides it, in days: weeks and years of 365.25 days meet after 28 years.
pub const COMMON_PERIOD: i64 = 10_227;

const PERIODS: [f64; 4] = [1.0, 7.0, 3.5, 365.25];

const MOST_CHANGEPOINTS: usize = 6;
const MOST_WEIGHTS: usize = 60;

/// What training found, in the terms of Prophet's file.
#[derive(Clone, Debug)]
pub struct Plausible {
    pub growth: &'static str,
    pub minmax: bool,
    /// Of logistic growth: the request brings it.
    pub floor: bool,
    /// Days since 1970, and how many.
    pub start: i64,
    pub span: f64,
    pub y_scale: f64,
    pub y_min: f64,
    pub changepoints: Vec<f64>,
    pub seasons: Vec<Season>,
    pub holidays: Vec<Holiday>,
    /// Whether they multiply.
    pub holidays_mode: bool,
    /// Mean, deviation, whether it multiplies.
    pub regressors: Vec<(f64, f64, bool)>,
    pub draws: Vec<Draw>,
}

#[derive(Clone, Debug)]
pub struct Season {
    pub period: f64,
    pub order: usize,
    pub multiplies: bool,
    pub conditional: bool,
}

#[derive(Clone, Debug)]
pub struct Holiday {
    /// After the start of training.
    pub days: Vec<i64>,
    pub window: (i64, i64),
}

#[derive(Clone, Debug)]
pub struct Draw {
    pub k: f64,
    pub m: f64,
    pub sigma: f64,
    pub deltas: Vec<f64>,
    pub weights: Vec<f64>,
}

pub fn plausible() -> impl Strategy<Value = Plausible> {
    let season = (prop::sample::select(&PERIODS[..]), 1..4_usize, any::<bool>(), any::<bool>()).prop_map(
        |(period, order, multiplies, conditional)| Season { period, order, multiplies, conditional },
    );
    let holiday = (prop::collection::vec(-3..40_i64, 0..4), (-2..1_i64, 0..3_i64))
        .prop_map(|(days, window)| Holiday { days, window });
    let draw = (
        -0.5..1.5_f64,
        0.1..0.9_f64,
        0.005..0.2_f64,
        prop::collection::vec(-0.4..0.4_f64, MOST_CHANGEPOINTS),
        prop::collection::vec(-0.2..0.2_f64, MOST_WEIGHTS),
    )
        .prop_map(|(k, m, sigma, deltas, weights)| Draw { k, m, sigma, deltas, weights });
    let time = (10_000..25_000_i64, 2.0..40.0_f64);
    let scale = (any::<bool>(), any::<bool>(), 0.01..1000.0_f64, -100.0..100.0_f64);
    let features = (
        prop::collection::vec(season, 0..4),
        prop::collection::vec(holiday, 0..3),
        any::<bool>(),
        prop::collection::vec((-5.0..5.0_f64, 0.1..9.0_f64, any::<bool>()), 0..3),
    );
    (
        prop::sample::select(&["linear", "logistic", "flat"][..]),
        time,
        scale,
        prop::collection::vec(0.01..0.85_f64, 0..MOST_CHANGEPOINTS),
        features,
        prop_oneof![2 => prop::collection::vec(draw.clone(), 1), 1 => prop::collection::vec(draw, 2..5)],
    )
        .prop_map(
            |(growth, (start, span), (minmax, floor, y_scale, y_min), mut changepoints, features, draws)| {
                changepoints.sort_by(f64::total_cmp);
                let (seasons, holidays, holidays_mode, regressors) = features;
                let floor = floor && growth == "logistic";
                Plausible {
                    growth,
                    minmax,
                    floor,
                    start,
                    span,
                    y_scale,
                    y_min,
                    changepoints,
                    seasons,
                    holidays,
                    holidays_mode,
                    regressors,
                    draws,
                }
            },
        )
}

/// A model and instants from before the end of its training to half as long again after it: a few,
/// or so many in an even row that their intervals are taken over stretches.
pub fn request() -> impl Strategy<Value = (Plausible, Vec<i64>)> {
    let few = prop::collection::btree_set(0..3_200_i64, 1..40);
    let many = (0..2_000_i64, 2..=8_usize).prop_map(|(first, step)| (first..3_200).step_by(step).collect());
    (plausible(), few, many, 0..4).prop_map(|(plausible, few, many, which): (_, _, BTreeSet<_>, _)| {
        // Those that are solved row by row would take minutes.
        let places = if which == 0 && plausible.has_stretches() { many } else { few };
        let at = |place: i64| plausible.at(place as f64 / 2_000.0 - 0.1);
        let instants = places.into_iter().map(at).collect();
        (plausible, instants)
    })
}

impl Plausible {
    /// The instant of scaled time `t`.
    pub fn at(&self, t: f64) -> i64 {
        self.start * DAY + (t * self.span * DAY as f64) as i64
    }

    /// y in other units.
    pub fn scaled(&self, factor: f64) -> Self {
        Self { y_scale: self.y_scale * factor, y_min: self.y_min * factor, ..self.clone() }
    }

    /// The same so many days later.
    pub fn shifted(&self, days: i64) -> Self {
        Self { start: self.start + days, ..self.clone() }
    }

    /// Whether rows of an uncertain trend are solved together.
    pub fn has_stretches(&self) -> bool {
        self.is_map() && self.growth == "linear"
    }

    pub fn is_map(&self) -> bool {
        self.draws.len() == 1
    }

    pub fn model(&self) -> Model {
        Model::from_json(&self.json()).unwrap()
    }

    /// What the request brings for a need.
    pub fn input(&self, name: &str, role: Role, at: i64) -> f64 {
        let hours = (at - self.start * DAY).div_euclid(DAY / 24);
        // From -1 to 1 and back.
        let wave = ((hours + 17 * name.len() as i64).rem_euclid(101) as f64 / 25.0 - 2.0).abs() - 1.0;
        match role {
            Role::Cap => self.y_scale * (1.6 + 0.3 * wave) + self.fixed_floor(),
            Role::Floor => self.y_scale * 0.1 * wave,
            Role::Regressor => 3.0 * wave,
            Role::Condition => f64::from(u8::from(hours.rem_euclid(3) != 0)),
        }
    }

    fn fixed_floor(&self) -> f64 {
        if self.minmax && !self.floor { self.y_min } else { 0.0 }
    }

    pub fn inputs(&self, instants: &[i64]) -> Inputs {
        let mut inputs = Inputs::new();
        for need in self.model().needs() {
            let values: Vec<f64> = instants.iter().map(|at| self.input(&need.name, need.role, *at)).collect();
            inputs.set(&need.name, &values);
        }
        inputs
    }

    /// As `model_to_json` writes it.
    pub fn json(&self) -> Vec<u8> {
        let mode = |multiplies: bool| if multiplies { "multiplicative" } else { "additive" };
        let mut components = Vec::new();
        let mut columns = |count: usize, multiplies: bool| {
            let row = json!({"additive_terms": i32::from(!multiplies), "multiplicative_terms": i32::from(multiplies)});
            components.extend(std::iter::repeat_n(row, count));
        };
        let mut seasons = serde_json::Map::new();
        for (at, season) in self.seasons.iter().enumerate() {
            columns(2 * season.order, season.multiplies);
            let condition = season.conditional.then(|| format!("condition {at}"));
            seasons.insert(
                format!("season {at}"),
                json!({"period": season.period, "fourier_order": season.order,
                "prior_scale": 10.0, "mode": mode(season.multiplies), "condition_name": condition}),
            );
        }
        let mut dates = Vec::new();
        for (at, Holiday { days, window: (first, last) }) in self.holidays.iter().enumerate() {
            let width = if days.is_empty() { 1 } else { last - first + 1 };
            columns(width as usize, self.holidays_mode);
            dates.extend(days.iter().map(|day| {
                json!({"holiday": format!("holiday {at}"), "ds": date(self.start + day),
                "lower_window": first, "upper_window": last})
            }));
        }
        let mut regressors = serde_json::Map::new();
        for (at, (mu, std, multiplies)) in self.regressors.iter().enumerate() {
            columns(1, *multiplies);
            let regressor = json!({"mu": mu, "std": std, "mode": mode(*multiplies), "standardize": "auto"});
            regressors.insert(format!("regressor {at}"), regressor);
        }
        if components.is_empty() {
            components.push(json!({"additive_terms": 0, "multiplicative_terms": 0}));
        }
        let width = components.len();
        let table = |rows: Value| Value::from(json!({"schema": {}, "data": rows}).to_string());
        let names: Vec<_> = (0..self.holidays.len()).map(|at| format!("holiday {at}")).collect();
        let held = !self.holidays.is_empty();
        let changes = self.changepoints.len();
        let of = |get: fn(&Draw) -> f64| self.draws.iter().map(get).collect::<Vec<_>>();
        let delta = |draw: &Draw| if changes == 0 { vec![0.0] } else { draw.deltas[..changes].to_vec() };
        let document = json!({
            "growth": self.growth,
            "y_scale": self.y_scale,
            "y_min": self.y_min,
            "scaling": if self.minmax { "minmax" } else { "absmax" },
            "logistic_floor": self.floor,
            "start": self.start * 86_400,
            "t_scale": self.span * 86_400.0,
            "interval_width": 0.8,
            "country_holidays": null,
            "holidays": if held { table(Value::from(dates)) } else { Value::Null },
            "train_holiday_names": if held { table(Value::from(names)) } else { Value::Null },
            "train_component_cols": table(Value::from(components)),
            "changepoints_t": if changes == 0 { json!([0]) } else { json!(self.changepoints) },
            "seasonalities": [seasons.keys().cloned().collect::<Vec<_>>(), seasons],
            "extra_regressors": [regressors.keys().cloned().collect::<Vec<_>>(), regressors],
            "params": {
                "k": of(|draw| draw.k),
                "m": of(|draw| draw.m),
                "sigma_obs": of(|draw| draw.sigma),
                "delta": self.draws.iter().map(delta).collect::<Vec<_>>(),
                "beta": self.draws.iter().map(|draw| &draw.weights[..width]).collect::<Vec<_>>(),
            },
            "history_rows": 500,
        });
        document.to_string().into_bytes()
    }
}

/// `2024-12-25` of days since 1970 (Hinnant, "chrono-compatible low-level date algorithms").
fn date(days: i64) -> String {
    let from_era = days + 719_468;
    let (era, day) = (from_era.div_euclid(146_097), from_era.rem_euclid(146_097));
    let year = (day - day / 1_460 + day / 36_524 - day / 146_096) / 365;
    let of_year = day - (365 * year + year / 4 - year / 100);
    let month = (5 * of_year + 2) / 153;
    let of_month = of_year - (153 * month + 2) / 5 + 1;
    let (year, month) = if month < 10 { (year, month + 3) } else { (year + 1, month - 9) };
    format!("{:04}-{month:02}-{of_month:02}T00:00:00.000", era * 400 + year)
}
