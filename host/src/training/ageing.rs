//! Finds aged models: those whose last errors are much larger than the error at their training.
//!
//! The rule: a model is aged if the typical error of its last readings (50 at least) is more than
//! 1.5 times its error on the held-out end. The typical error is 1.4826 times the median, which for
//! normal noise equals the root mean square, and which a fault of some hours does not change. Of a
//! model that was trained elsewhere only the interval is known: there half the interval's width is
//! compared.
//!
//! Errors are computed anew, under the rule that does not learn, because stored verdicts may
//! include what was learnt since. They are kept in memory while the worker runs. A batch that
//! cannot be judged is skipped.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::sync::Arc;

use super::record::SetRecord;
use crate::aged::Aged;
use crate::batch::{Batch, Outcome};
use crate::detector::{Detector, hex};

/// Above this ratio of errors a model is aged.
pub const OUTGROWN: f64 = 1.5;

/// The fewest errors that a model is judged by, and the most that are kept of it.
const LEAST: usize = 50;
const MOST: usize = 128;

/// The ratio of the root mean square to the median absolute value, for normal noise.
const OF_MEDIAN: f64 = 1.4826;

/// The last errors of each model.
#[derive(Debug, Default)]
pub struct Errors(HashMap<Arc<str>, Recent>);

#[derive(Debug, Default)]
struct Recent {
    model: String,
    /// Absolute errors.
    errors: VecDeque<f32>,
    half_width: f64,
}

impl Errors {
    /// Judges these batches with a detector that does not learn, and keeps the errors.
    pub async fn take(&mut self, detector: &mut Detector, batches: &[Arc<Batch>]) {
        let set = Arc::clone(detector.set());
        let digests: HashMap<&str, String> =
            set.files_by_path().map(|(path, digest)| (path, hex(digest))).collect();
        for model in detector.summary().loaded() {
            let Some(digest) = digests.get(&*model.path) else { continue };
            let recent = self.0.entry(Arc::clone(&model.variable)).or_default();
            if recent.model != *digest {
                *recent = Recent { model: digest.clone(), ..Recent::default() };
            }
        }
        for batch in batches {
            let judged = detector.judge(Arc::clone(batch)).await;
            // What the detector learnt from this is dropped.
            detector.discard();
            let Ok(judged) = judged else { continue };
            for (column, outcome) in batch.columns.iter().zip(&judged.outcomes) {
                if let (Some(recent), Outcome::Judged(verdicts)) = (self.0.get_mut(&column.variable), outcome)
                {
                    let expected = column.values.iter().zip(&verdicts.expected);
                    let widths =
                        verdicts.lower.iter().zip(&verdicts.upper).map(|(lower, upper)| upper - lower);
                    for ((value, expected), width) in expected.zip(widths) {
                        recent.push((value - expected).abs(), width / 2.0);
                    }
                }
            }
        }
    }

    /// The models that are aged. For a model with too few readings the earlier result for the same
    /// model is kept.
    pub fn aged(&self, record: &SetRecord, before: &BTreeMap<String, Aged>) -> BTreeMap<String, Aged> {
        let mut found = BTreeMap::new();
        for (variable, recent) in &self.0 {
            let known = record.models.get(&**variable).filter(|known| known.digest == recent.model);
            let usual = known.and_then(super::record::ModelRecord::usual_error).unwrap_or(recent.half_width);
            let aged = match recent.typical() {
                Some(error) if error > OUTGROWN * usual => {
                    Some(Aged { error, usual, model: recent.model.clone() })
                }
                Some(_) => None,
                None => before.get(&**variable).filter(|before| before.model == recent.model).cloned(),
            };
            found.extend(aged.map(|aged| (variable.to_string(), aged)));
        }
        found
    }
}

impl Recent {
    fn push(&mut self, error: f64, half_width: f64) {
        if !error.is_finite() || !half_width.is_finite() {
            return;
        }
        if self.errors.len() == MOST {
            self.errors.pop_front();
        }
        self.errors.push_back(error as f32);
        self.half_width = half_width;
    }

    /// None if there are too few readings.
    fn typical(&self) -> Option<f64> {
        if self.errors.len() < LEAST {
            return None;
        }
        let mut sorted: Vec<_> = self.errors.iter().copied().collect();
        sorted.sort_unstable_by(f32::total_cmp);
        sorted.get(sorted.len() / 2).map(|median| OF_MEDIAN * f64::from(*median))
    }
}

#[cfg(test)]
mod tests {
    use super::super::holdout::HoldoutScore;
    use super::super::record::ModelRecord;
    use super::*;
    use crate::datetime::Datetime;
    use crate::detector::TrainingReport;

    fn record(variable: &str, error: f64) -> SetRecord {
        let at = Datetime::from_micros(0);
        let report = TrainingReport {
            rows: 1,
            rows_without_reading: 0,
            first: at,
            last: at,
            noise: 1.0,
            log_density: None,
            steps: 0,
            warnings: Vec::new(),
            details: serde_json::Map::new(),
        };
        let score = HoldoutScore { error, within: 1.0, readings: 1 };
        let model =
            ModelRecord { digest: "m".into(), ..ModelRecord::new("p", b"", at, &report, Some(score)) };
        SetRecord { generation: 1, models: [(variable.to_owned(), model)].into() }
    }

    fn errors(model: &str, errors: impl IntoIterator<Item = f64>, half_width: f64) -> Errors {
        let mut recent = Recent { model: model.into(), ..Recent::default() };
        errors.into_iter().for_each(|error| recent.push(error, half_width));
        Errors([(Arc::from("T1"), recent)].into())
    }

    #[test]
    fn a_model_is_aged_once_its_typical_error_has_outgrown_its_training() {
        let none = BTreeMap::new();
        let repeat = |error, times| std::iter::repeat_n(error, times);
        // A constant error that has this typical error.
        let as_error = |error: f64| error / OF_MEDIAN;
        let known = record("T1", 2.0);
        for (why, found, record, aged) in [
            ("as it was", errors("m", repeat(as_error(2.0), 60), 9.0), &known, false),
            ("half again as large", errors("m", repeat(as_error(2.99), 60), 9.0), &known, false),
            ("more", errors("m", repeat(as_error(3.1), 60), 9.0), &known, true),
            ("too few", errors("m", repeat(as_error(30.0), 49), 9.0), &known, false),
            (
                "a fault of less than half of them",
                errors("m", repeat(as_error(2.0), 60).chain(repeat(1e6, 59)), 9.0),
                &known,
                false,
            ),
            ("another's, within its interval", errors("x", repeat(as_error(3.1), 60), 9.0), &known, false),
            ("another's, beyond it", errors("x", repeat(as_error(3.1), 60), 2.0), &known, true),
            ("no numbers", errors("m", repeat(f64::NAN, 200), 1.0), &known, false),
        ] {
            assert_eq!(found.aged(record, &none).contains_key("T1"), aged, "{why}");
        }
    }

    #[test]
    fn what_was_said_of_a_model_holds_until_more_is_known() {
        let known = record("T1", 1.0);
        let few = errors("m", [0.1], 1.0);
        let said = |model: &str| {
            BTreeMap::from([("T1".to_owned(), Aged { error: 9.0, usual: 1.0, model: model.into() })])
        };
        assert_eq!(few.aged(&known, &said("m")), said("m"));
        assert_eq!(few.aged(&known, &said("another")), BTreeMap::new(), "it was trained since");
        assert_eq!(errors("m", [0.1; 50], 1.0).aged(&known, &said("m")), BTreeMap::new());
    }
}
