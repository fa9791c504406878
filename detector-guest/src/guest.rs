//! The contract's side of the component: every function of the world, translated and nothing more.
//!
//! Columns cross as they are, without a copy here. A panic is logged through the host before it
//! ends the instance; without that its text would be lost.

mod training;

use std::cell::RefCell;
use std::sync::Once;

use crate::{CHECKPOINT_SCHEMA, Column, File, NAME, OpenError, UnreadableModel, VERSION};

#[allow(unsafe_code, reason = "generated: what a component imports and exports is unsafe by nature")]
mod bindings {
    wit_bindgen::generate!({ world: "trainable-detector", path: "../wit" });
}

use bindings::anomaly_worker::detector::logging::{Level, log};
use bindings::anomaly_worker::detector::types;
use bindings::exports::anomaly_worker::detector::judging::{self, Guest, GuestDetector};

struct Component;

#[allow(unsafe_code, reason = "as above")]
mod export {
    use super::{Component, bindings};

    bindings::export!(Component with_types_in bindings);
}

struct DetectorResource(RefCell<crate::ProphetDetector>);

fn log_panics() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| std::panic::set_hook(Box::new(|panic| log(Level::Error, &panic.to_string()))));
}

/// What is to be told of variables.
fn tell(detector: &mut crate::ProphetDetector) {
    for news in detector.news() {
        log(if news.is_warning { Level::Warn } else { Level::Info }, &news.text);
    }
}

impl Guest for Component {
    type Detector = DetectorResource;

    fn describe() -> types::Description {
        types::Description {
            name: NAME.to_owned(),
            version: VERSION.to_owned(),
            checkpoint_schema: CHECKPOINT_SCHEMA,
        }
    }

    fn compact(file: types::ModelFile) -> Result<Option<Vec<u8>>, String> {
        log_panics();
        crate::compact(&File { path: &file.path, bytes: &file.bytes })
    }
}

impl GuestDetector for DetectorResource {
    fn open(
        files: Vec<types::ModelFile>,
        settings: String,
        resume: Vec<types::Part>,
    ) -> Result<judging::Detector, types::OpenError> {
        log_panics();
        let read = files.iter().filter(|file| file.unreadable.is_none());
        let read: Vec<_> = read.map(|file| File { path: &file.path, bytes: &file.bytes }).collect();
        let unread = |file: &types::ModelFile| Some((file.path.clone(), file.unreadable.clone()?));
        let unread: Vec<_> = files.iter().filter_map(unread).collect();
        let unread: Vec<_> = unread.iter().map(|(path, why)| UnreadableModel { path, why }).collect();
        let parts = resume.into_iter().map(|part| (part.name, part.bytes)).collect();
        let mut detector = crate::ProphetDetector::open_without(&read, &unread, &settings, parts)?;
        if !detector.ignored().is_empty() {
            log(Level::Debug, &format!("files that are no models: `{}`", detector.ignored().join("`, `")));
        }
        if let [first, more @ ..] = detector.whole() {
            let more = if more.is_empty() { String::new() } else { format!(" and {} more", more.len()) };
            let text = format!(
                "`interval_width` is 1 for `{first}`{more}: an interval that holds everything has no ends, so what the range of \
                 Prophet's 1,000 draws holds is taken, {:.3}",
                prophet::interval::RANGE_OF_DRAWS
            );
            log(Level::Info, &text);
        }
        tell(&mut detector);
        Ok(judging::Detector::new(Self(RefCell::new(detector))))
    }

    fn summary(&self) -> types::Summary {
        let model = |model: &crate::ModelState| types::Model {
            path: model.path.clone(),
            variable: model.variable.clone(),
            refused: model.refused.clone(),
        };
        let detector = self.0.borrow();
        let scope = if detector.needs_whole_instants() {
            types::InstantScope::WholeInstants
        } else {
            types::InstantScope::SingleReadings
        };
        types::Summary {
            models: detector.models().iter().map(model).collect(),
            scope,
            passed_over: detector.ignored().to_vec(),
            lookback: u64::try_from(detector.lookback().as_micros()).unwrap_or(u64::MAX),
        }
    }

    fn detect(&self, batch: types::Batch) -> Result<Vec<types::Outcome>, types::DetectError> {
        let columns: Vec<_> = batch
            .columns
            .iter()
            .map(|column| Column { variable: &column.variable, values: &column.values })
            .collect();
        let mut detector = self.0.borrow_mut();
        let judged = detector.detect(&batch.instants, &columns);
        tell(&mut detector);
        match judged {
            Ok(outcomes) => Ok(outcomes.into_iter().map(Into::into).collect()),
            Err(error) => Err(types::DetectError::Batch(error.to_string())),
        }
    }

    fn checkpoint(&self) -> Vec<types::PartChange> {
        let part = |part: crate::StatePart| types::PartChange { name: part.name, bytes: part.bytes };
        self.0.borrow_mut().changes().into_iter().map(part).collect()
    }
}

impl From<OpenError> for types::OpenError {
    fn from(error: OpenError) -> Self {
        match error {
            OpenError::Settings(text) => Self::Settings(text),
            OpenError::Models(text) => Self::Models(text),
            OpenError::State(text) => Self::CheckpointUnreadable(text),
        }
    }
}

impl From<crate::ColumnOutcome> for types::Outcome {
    fn from(outcome: crate::ColumnOutcome) -> Self {
        match outcome {
            crate::ColumnOutcome::NoModel => Self::NoModel,
            crate::ColumnOutcome::Judged(verdicts) => Self::Judged(types::Verdicts {
                expected: verdicts.expected,
                lower: verdicts.lower,
                upper: verdicts.upper,
                score: verdicts.score,
                // In place: the same bytes under another name.
                flags: verdicts.flags.into_iter().map(crate::FlagBits::bits).collect(),
                withheld: verdicts.withheld.into_iter().map(Into::into).collect(),
            }),
        }
    }
}

impl From<crate::Withholding> for types::Withholding {
    fn from(withholding: crate::Withholding) -> Self {
        Self { reason: withholding.reason, rows: withholding.rows }
    }
}
