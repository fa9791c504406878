//! What must hold for any set of models that training could have left, any batch and any settings.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test")]

#[path = "../../fuzz/src/contract.rs"]
#[allow(unreachable_pub, reason = "shared with the fuzz targets")]
mod contract;
#[path = "../prophet/tests/common/plausible.rs"]
#[allow(unreachable_pub, dead_code, reason = "shared with the tests of the models")]
mod plausible;

use detector_guest::{Column, ColumnOutcome, ColumnVerdicts, File, ProphetDetector};
use plausible::{COMMON_PERIOD, DAY, Plausible, request};
use prophet::{Need, Role};
use proptest::prelude::*;
use serde_json::{Map, Value, json};

/// Rows that are solved one by one take their time.
const FEW: usize = 40;

/// A plant: models of the same days, each the model of a variable `V0`, `V1`, …
#[derive(Clone, Debug)]
struct Plant {
    models: Vec<Plausible>,
    instants: Vec<i64>,
    columns: Vec<(String, Vec<f64>)>,
    residual_scale: &'static str,
    trend_uncertainty: &'static str,
    interval_width: f64,
}

/// Where readings lie, from the lower end (0) to the upper (1); NaN where there is none.
fn places() -> impl Strategy<Value = Vec<f64>> {
    prop::collection::vec(prop_oneof![6 => -0.3..1.3_f64, 1 => Just(f64::NAN), 1 => -9.0..9.0_f64], 40)
}

fn plant() -> impl Strategy<Value = Plant> {
    let settings = (
        prop::sample::select(&["model", "batch"][..]),
        prop::sample::select(&["none", "batch", "continuous"][..]),
        prop_oneof![0.5..0.99_f64, 1e-6..0.1_f64],
    );
    (
        request(),
        prop::collection::vec(plausible::plausible(), 0..3),
        prop::collection::vec(places(), 3),
        settings,
    )
        .prop_map(
            |((first, mut instants), others, places, (residual_scale, trend_uncertainty, interval_width))| {
                let mut models = vec![first];
                models.extend(others);
                if !models.iter().all(Plausible::has_stretches) {
                    instants.truncate(FEW);
                }
                let (start, span) = (models[0].start, models[0].span);
                for model in &mut models {
                    (model.start, model.span) = (start, span);
                }
                let mut plant = Plant {
                    models,
                    instants,
                    columns: vec![],
                    residual_scale,
                    trend_uncertainty,
                    interval_width,
                };
                plant.supply();
                plant.read(&places);
                plant
            },
        )
}

impl Plant {
    fn variable(at: usize) -> String {
        format!("V{at}")
    }

    /// Which variable supplies a need of model `at`: V0 the first regressor of the others, else one
    /// of its own.
    fn supplier(at: usize, need: &Need) -> String {
        match need.role {
            Role::Regressor if at > 0 && need.name == "regressor 0" => Self::variable(0),
            role => format!("{role} {} of V{at}", need.name),
        }
    }

    /// Columns that are not judged, then the judged ones, still without readings.
    fn supply(&mut self) {
        for (at, model) in self.models.iter().enumerate() {
            for need in model.model().needs().iter().filter(|need| Self::supplier(at, need) != "V0") {
                let values = self.instants.iter().map(|instant| model.input(&need.name, need.role, *instant));
                self.columns.push((Self::supplier(at, need), values.collect()));
            }
        }
        for at in 0..self.models.len() {
            self.columns.push((Self::variable(at), vec![f64::NAN; self.instants.len()]));
        }
    }

    /// Readings relative to what is expected, which for some depends on the readings of others.
    fn read(&mut self, places: &[Vec<f64>]) {
        let mut detector = self.detector();
        let first = self.columns.len() - self.models.len();
        for (at, places) in (0..self.models.len()).zip(places) {
            let verdicts = judged(&self.judge(&mut detector)[first + at]).clone();
            for (row, y) in self.columns[first + at].1.iter_mut().enumerate() {
                let (lower, upper) = (verdicts.lower[row], verdicts.upper[row]);
                let reading = lower + places[row % places.len()] * (upper - lower);
                // Where another has no reading nothing is expected.
                *y = if reading.is_nan() && !places[row % places.len()].is_nan() {
                    places[row % places.len()]
                } else {
                    reading
                };
            }
        }
    }

    fn detector(&self) -> ProphetDetector {
        let mut columns = Map::new();
        for (at, model) in self.models.iter().enumerate() {
            let needs = model.model().needs().to_vec();
            let pairs = needs.iter().map(|need| (need.name.clone(), Value::from(Self::supplier(at, need))));
            columns.insert(Self::variable(at), pairs.collect::<Map<_, _>>().into());
        }
        let settings = json!({"rule": "interval", "residual_scale": self.residual_scale, "trend_uncertainty": self.trend_uncertainty,
            "interval_width": self.interval_width, "columns": columns});
        let files: Vec<_> = self
            .models
            .iter()
            .enumerate()
            .map(|(at, model)| (format!("prophet_model_V{at}.json"), model.json()))
            .collect();
        let files: Vec<_> = files.iter().map(|(path, bytes)| File { path, bytes }).collect();
        ProphetDetector::open(&files, &settings.to_string()).unwrap()
    }

    fn judge(&self, detector: &mut ProphetDetector) -> Vec<ColumnOutcome> {
        detector.detect(&self.instants, &borrowed(&self.columns)).unwrap()
    }

    /// What a variable's verdicts depend on: its own column and those of its suppliers.
    fn alone(&self, at: usize) -> Vec<(String, Vec<f64>)> {
        let needs = self.models[at].model().needs().to_vec();
        let mut names: Vec<String> = needs.iter().map(|need| Self::supplier(at, need)).collect();
        names.push(Self::variable(at));
        self.columns.iter().filter(|column| names.contains(&column.0)).cloned().collect()
    }

    fn rows(&self, rows: std::ops::Range<usize>) -> Self {
        let columns = self.columns.iter().map(|(name, values)| (name.clone(), values[rows.clone()].to_vec()));
        Self { instants: self.instants[rows.clone()].to_vec(), columns: columns.collect(), ..self.clone() }
    }

    /// With the last variable in other units, which none of the others looks at unless it is the
    /// first.
    fn scaled(&self, factor: f64) -> Self {
        let mut plant = self.clone();
        let last = plant.models.len() - 1;
        plant.models[last] = plant.models[last].scaled(factor);
        let mut names = vec![Self::variable(last)];
        let needs = plant.models[last].model().needs().to_vec();
        let in_units_of_y = needs.iter().filter(|need| [Role::Cap, Role::Floor].contains(&need.role));
        names.extend(in_units_of_y.map(|need| Self::supplier(last, need)));
        for (_, values) in plant.columns.iter_mut().filter(|column| names.contains(&column.0)) {
            values.iter_mut().for_each(|value| *value *= factor);
        }
        plant
    }

    fn shifted(&self, days: i64) -> Self {
        let models = self.models.iter().map(|model| model.shifted(days)).collect();
        let instants = self.instants.iter().map(|at| at + days * DAY).collect();
        Self { models, instants, ..self.clone() }
    }
}

fn borrowed(columns: &[(String, Vec<f64>)]) -> Vec<Column<'_>> {
    columns.iter().map(|(variable, values)| Column { variable, values }).collect()
}

fn judged(outcome: &ColumnOutcome) -> &ColumnVerdicts {
    match outcome {
        ColumnOutcome::Judged(verdicts) => verdicts,
        ColumnOutcome::NoModel => unreachable!("not judged"),
    }
}

/// As texts, because a number that is none differs from itself.
fn shown(verdicts: &impl std::fmt::Debug) -> String {
    format!("{verdicts:?}")
}

fn same(found: &impl std::fmt::Debug, expected: &impl std::fmt::Debug) -> Result<(), TestCaseError> {
    let (found, expected) = (shown(found), shown(expected));
    let apart = found.bytes().zip(expected.bytes()).position(|(found, expected)| found != expected);
    let around = |text: &str, at: usize| text[..at].char_indices().rev().nth(99).map_or(0, |place| place.0);
    if let Some(at) = apart {
        let from = around(&found, at);
        prop_assert!(false, "…{:.200}… not …{:.200}…", &found[from..], &expected[from..]);
    }
    prop_assert_eq!(found.len(), expected.len());
    Ok(())
}

/// Scores and flags that are the same to rounding: a score moves by at most `tolerance`, and a flag
/// only with a reading on the very edge.
fn same_to_rounding(
    found: &ColumnVerdicts,
    expected: &ColumnVerdicts,
    values: &[f64],
    tolerance: f64,
) -> Result<(), TestCaseError> {
    for (row, y) in values.iter().enumerate() {
        let (score, other) = (found.score[row], expected.score[row]);
        let width = expected.upper[row] - expected.lower[row];
        let edge =
            [expected.lower[row], expected.upper[row]].iter().any(|end| (y - end).abs() <= tolerance * width);
        if !edge {
            prop_assert!(
                score.is_nan() && other.is_nan() || (score - other).abs() <= 1e3 * tolerance,
                "{score} {other}"
            );
            prop_assert_eq!(found.flags[row], expected.flags[row], "row {}", row);
        }
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, cases: 32, ..ProptestConfig::default() })]

    #[test]
    fn verdicts_keep_the_contract(plant in plant()) {
        for (column, outcome) in plant.columns.iter().zip(plant.judge(&mut plant.detector())) {
            match outcome {
                ColumnOutcome::Judged(verdicts) => contract::keep(&verdicts, &column.1),
                ColumnOutcome::NoModel => prop_assert!(!column.0.starts_with('V')),
            }
        }
    }

    /// Whatever the settings, a column's verdicts depend on it and its suppliers: on no other
    /// column, and on no order.
    #[test]
    fn variables_are_judged_for_themselves(plant in plant(), turn in any::<prop::sample::Index>()) {
        let mut detector = plant.detector();
        let together = plant.judge(&mut detector);
        let turn = turn.index(plant.columns.len());
        let mut turned = plant.clone();
        turned.columns.rotate_left(turn);
        let mut outcomes = turned.judge(&mut detector);
        outcomes.rotate_right(turn);
        same(&outcomes, &together)?;
        turned.columns.reverse();
        let mut outcomes = turned.judge(&mut detector);
        outcomes.reverse();
        outcomes.rotate_right(turn);
        same(&outcomes, &together)?;
        let first = plant.columns.len() - plant.models.len();
        for at in 0..plant.models.len() {
            let columns = plant.alone(at);
            let own = columns.iter().position(|column| column.0 == Plant::variable(at)).unwrap();
            let outcomes = detector.detect(&plant.instants, &borrowed(&columns)).unwrap();
            same(&outcomes[own], &together[first + at])?;
        }
    }

    /// Unless the law or the scale is the batch's own, rows are judged for themselves too.
    #[test]
    fn rows_are_judged_for_themselves(mut plant in plant(), continuous in any::<bool>(), cut in any::<prop::sample::Index>()) {
        (plant.residual_scale, plant.trend_uncertainty) = ("model", if continuous { "continuous" } else { "none" });
        let mut detector = plant.detector();
        let together = plant.judge(&mut detector);
        let cut = cut.index(plant.instants.len() + 1);
        for rows in [0..cut, cut..plant.instants.len()] {
            let part = plant.rows(rows.clone());
            let outcomes = part.judge(&mut detector);
            for at in plant.columns.len() - plant.models.len()..plant.columns.len() {
                let (whole, part) = (judged(&together[at]), judged(&outcomes[at]));
                same(&part.expected, &whole.expected[rows.clone()].to_vec())?;
                let whole = ColumnVerdicts {
                    lower: whole.lower[rows.clone()].to_vec(),
                    upper: whole.upper[rows.clone()].to_vec(),
                    score: whole.score[rows.clone()].to_vec(),
                    flags: whole.flags[rows.clone()].to_vec(),
                    ..ColumnVerdicts::default()
                };
                // A quantile is found from the one of the row before, to 1e-12 or so.
                same_to_rounding(part, &whole, &plant.columns[at].1[rows.clone()], 1e-6)?;
                if !continuous {
                    same(&(&part.lower, &part.upper), &(&whole.lower, &whole.upper))?;
                }
            }
        }
    }

    /// The units of y mean nothing; powers of two round nothing.
    #[test]
    fn units_do_not_matter(plant in plant(), power in -30..30_i32, factor in 0.001..1000.0_f64) {
        let expected = plant.judge(&mut plant.detector());
        let (last, outcome) = (plant.columns.len() - 1, expected.last().unwrap());
        let doubled = plant.scaled(2.0_f64.powi(power));
        let found = doubled.judge(&mut doubled.detector());
        let of = |outcome: &ColumnOutcome| shown(&(&judged(outcome).score, &judged(outcome).flags, &judged(outcome).withheld));
        prop_assert_eq!(of(&found[last]), of(outcome));
        let scaled = plant.scaled(factor);
        let found = scaled.judge(&mut scaled.detector());
        same_to_rounding(judged(&found[last]), judged(outcome), &plant.columns[last].1, 1e-6)?;
    }

    /// Nor does the origin, where all seasons begin anew; their phases are rounded elsewhere.
    #[test]
    fn the_origin_does_not_matter(mut plant in plant(), periods in -1..3_i64) {
        // Where chance widens an interval a million times, its rounding is that much nearer to the
        // noise.
        plant.interval_width = plant.interval_width.max(0.5);
        plant.models.iter_mut().for_each(|model| model.y_min = 0.0);
        let expected = plant.judge(&mut plant.detector());
        let later = plant.shifted(periods * COMMON_PERIOD);
        let found = later.judge(&mut later.detector());
        for at in plant.columns.len() - plant.models.len()..plant.columns.len() {
            same_to_rounding(judged(&found[at]), judged(&expected[at]), &plant.columns[at].1, 1e-4)?;
        }
    }
}
