//! A detector to start from: it learns the mean and the deviation of each variable as readings
//! arrive, and flags a reading that is further than `threshold` deviations from the mean. What it
//! learnt is its checkpoint, which the host stores with the verdicts and hands back after a
//! restart. It needs no model files and can make some (`training`): then it starts from what the
//! past has to teach. `../../wit/detector.wit` is the contract.

#![cfg(target_family = "wasm")]

mod training;

use std::cell::RefCell;
use std::collections::BTreeMap;

use anomaly_worker::detector::types::*;
use exports::anomaly_worker::detector::judging::{Guest, GuestDetector};
use serde::{Deserialize, Serialize};

wit_bindgen::generate!({ path: "../../wit", world: "trainable-detector" });

struct Module;

#[derive(Deserialize)]
#[serde(deny_unknown_fields, default)]
struct Settings {
    threshold: f64,
}

impl Default for Settings {
    fn default() -> Self {
        Self { threshold: 4.0 }
    }
}

/// Readings of a variable that are learnt from before the first is judged.
const WARM_UP: u64 = 10;

/// What is known of one variable: Welford's running mean and sum of squares.
#[derive(Default, Serialize, Deserialize)]
struct Learnt {
    readings: u64,
    mean: f64,
    squares: f64,
    newest: Option<i64>,
}

impl Learnt {
    fn deviation(&self) -> f64 {
        (self.squares / (self.readings - 1) as f64).sqrt()
    }

    /// A late reading is judged and changes nothing: the contract asks for that.
    fn learn(&mut self, at: i64, y: f64) {
        if y.is_nan() || self.newest.is_some_and(|newest| at <= newest) {
            return;
        }
        self.readings += 1;
        let before = y - self.mean;
        self.mean += before / self.readings as f64;
        self.squares += before * (y - self.mean);
        self.newest = Some(at);
    }
}

/// A model file.
#[derive(Serialize, Deserialize)]
struct ModelOf {
    variable: String,
    learnt: Learnt,
}

struct Detector {
    settings: Settings,
    models: Vec<Model>,
    passed_over: Vec<String>,
    variables: RefCell<BTreeMap<String, Learnt>>,
}

impl Guest for Module {
    type Detector = Detector;

    fn describe() -> Description {
        Description { name: "threshold".into(), version: "0.1.0".into(), checkpoint_schema: 1 }
    }

    fn compact(_: ModelFile) -> Result<Option<Vec<u8>>, String> {
        Ok(None)
    }
}

impl GuestDetector for Detector {
    fn open(
        files: Vec<ModelFile>,
        settings: String,
        resume: Vec<Part>,
    ) -> Result<exports::anomaly_worker::detector::judging::Detector, OpenError> {
        let settings =
            serde_json::from_str(&settings).map_err(|error| OpenError::Settings(error.to_string()))?;
        let mut variables: BTreeMap<String, Learnt> = match resume.first() {
            Some(part) => serde_json::from_slice(&part.bytes)
                .map_err(|error| OpenError::CheckpointUnreadable(error.to_string()))?,
            None => BTreeMap::new(),
        };
        let (mut models, mut passed_over) = (Vec::new(), Vec::new());
        for file in files {
            let Ok(model) = serde_json::from_slice::<ModelOf>(&file.bytes) else {
                passed_over.push(file.path);
                continue;
            };
            // What was learnt to a later reading counts.
            let known = variables.entry(model.variable.clone()).or_default();
            if known.newest < model.learnt.newest {
                *known = model.learnt;
            }
            models.push(Model { path: file.path, variable: model.variable, refused: None });
        }
        models.sort_by(|a, b| a.variable.cmp(&b.variable));
        let detector = Self { settings, models, passed_over, variables: RefCell::new(variables) };
        Ok(exports::anomaly_worker::detector::judging::Detector::new(detector))
    }

    fn summary(&self) -> Summary {
        Summary {
            models: self.models.clone(),
            scope: InstantScope::SingleReadings,
            passed_over: self.passed_over.clone(),
            lookback: 0,
        }
    }

    fn detect(&self, batch: Batch) -> Result<Vec<Outcome>, DetectError> {
        let mut variables = self.variables.borrow_mut();
        let judged = batch.columns.into_iter().map(|column| {
            let learnt = variables.entry(column.variable).or_default();
            Outcome::Judged(judge(learnt, self.settings.threshold, &batch.instants, &column.values))
        });
        Ok(judged.collect())
    }

    /// One part, which is small and changes with every batch.
    fn checkpoint(&self) -> Vec<PartChange> {
        let bytes = serde_json::to_vec(&*self.variables.borrow()).ok();
        vec![PartChange { name: "variables".into(), bytes }]
    }
}

/// Judges each reading by what was learnt before it; withholds the verdict while too little was.
fn judge(learnt: &mut Learnt, threshold: f64, instants: &[i64], values: &[f64]) -> Verdicts {
    let mut verdicts = Verdicts {
        expected: Vec::new(),
        lower: Vec::new(),
        upper: Vec::new(),
        score: Vec::new(),
        flags: Vec::new(),
        withheld: Vec::new(),
    };
    let mut learning = Vec::new();
    for (row, (&at, &y)) in (0..).zip(instants.iter().zip(values)) {
        let known = learnt.readings >= WARM_UP;
        let mean = if known { learnt.mean } else { f64::NAN };
        let half = if known { threshold * learnt.deviation() } else { f64::NAN };
        // No comparison with NaN holds, so that a reading which is not there is not flagged.
        let outside = (y - mean).abs() > half;
        verdicts.expected.push(mean);
        verdicts.lower.push(mean - half);
        verdicts.upper.push(mean + half);
        verdicts.flags.push(if outside { OUTSIDE | ANOMALY } else { 0 });
        match known {
            // 50 is the threshold. A variable that never moved has no deviation: any change of it
            // is 100.
            true if !y.is_nan() => verdicts.score.push((50.0 * (y - mean).abs() / half.max(1e-9)).min(100.0)),
            true => verdicts.score.push(0.0),
            false => {
                verdicts.score.push(f64::NAN);
                if !y.is_nan() {
                    learning.push(row);
                }
            }
        }
        learnt.learn(at, y);
    }
    if !learning.is_empty() {
        let reason =
            format!("learning: {WARM_UP} readings of the variable are needed before the first is judged");
        verdicts.withheld.push(Withholding { reason, rows: learning });
    }
    verdicts
}

/// Bits of `verdicts.flags`.
const OUTSIDE: u8 = 1;
const ANOMALY: u8 = 4;

export!(Module);
