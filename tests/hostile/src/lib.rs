//! A detector for the tests of the sandbox and of the worker: it does what its settings say, which
//! is mostly harm.
//!
//! Settings: `{"do": "<behaviour>", "to": "<variable>"}`. Without `to` it misbehaves on every
//! batch, with it only on batches that hold the variable. Told nothing, it is honest: it expects
//! just what it reads, and the one part of its checkpoint counts the readings; told `remember`, it
//! expects what it makes of all readings before, and keeps those in many parts. Model files are
//! variables by name, so that a test decides what has a model; `*` stands for all. One called
//! `harm.json` is none: it holds the settings instead, so that a test of reload can change them on
//! disk. A file that begins with `compact` says what `compact` is to do with it, and in which form
//! it is opened is told.
//!
//! What it says of itself before it is told anything stands in its bytes ([`DESCRIBED`]), where a
//! test writes something else.

#![cfg(target_family = "wasm")]
#![allow(
    unsafe_code,
    reason = "the code that `wit_bindgen` generates for the border is unsafe; nothing written here is"
)]
#![allow(clippy::panic, clippy::print_stdout, reason = "that is the harm")]

mod harm;
mod memory;
mod saying;
mod training;

use std::cell::{Cell, RefCell};

use serde::Deserialize;

use anomaly_worker::detector::logging::{Level, log};
use anomaly_worker::detector::types::{
    Batch, Description, DetectError, InstantScope, Model, ModelFile, OpenError, Outcome, Part, PartChange,
    Summary, Verdicts,
};
use exports::anomaly_worker::detector::judging::{Guest, GuestDetector};

wit_bindgen::generate!({ path: "../../wit", world: "trainable-detector" });

const HARM: &str = "harm.json";

/// The one part of the honest state.
const STATE: &str = "state";

/// A mark to find it by, the schema of its checkpoints, and its lookback in microseconds;
/// little-endian.
#[used]
static DESCRIBED: [u8; 30] = *b"hostile-describes:\x07\0\0\0\0\0\0\0\0\0\0\0";

fn described() -> (u32, u64) {
    // Otherwise the compiler would know the bytes.
    let described = std::hint::black_box(&DESCRIBED);
    let schema = described[18..22].try_into().map_or(0, u32::from_le_bytes);
    (schema, described[22..].try_into().map_or(0, u64::from_le_bytes))
}

struct Module;

#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields, default)]
struct Settings {
    r#do: String,
    to: Option<String>,
}

/// What the honest detector does: it judges everything and counts.
struct Detector {
    settings: Settings,
    variables: Vec<String>,
    /// Model files that contain the word `broken`, or that cannot be read.
    broken: Vec<String>,
    /// Files that contain `passed over`.
    passed_over: Vec<String>,
    readings: Cell<u64>,
    memory: Option<RefCell<memory::Memory>>,
    resumed: bool,
}

impl Guest for Module {
    type Detector = Detector;

    fn describe() -> Description {
        let (checkpoint_schema, _) = described();
        Description { name: "hostile".into(), version: "1".into(), checkpoint_schema }
    }

    fn compact(file: ModelFile) -> Result<Option<Vec<u8>>, String> {
        match file.bytes.strip_prefix(b"compact ") {
            None => Ok(None),
            Some(told) => {
                log(Level::Info, &format!("compacts {}", file.path));
                harm::at_compact(&String::from_utf8_lossy(told))
            }
        }
    }
}

impl GuestDetector for Detector {
    fn open(
        files: Vec<ModelFile>,
        settings: String,
        resume: Vec<Part>,
    ) -> Result<exports::anomaly_worker::detector::judging::Detector, OpenError> {
        let settings = match files.iter().find(|file| file.path == HARM) {
            Some(file) => serde_json::from_slice(&file.bytes),
            None => serde_json::from_str(&settings),
        };
        let settings: Settings = settings.map_err(|error| OpenError::Settings(error.to_string()))?;
        if let Some(harm) = settings.r#do.strip_prefix("open-").filter(|harm| !harm.starts_with("resumed-")) {
            harm::at_open(harm)?;
        }
        let resumed = !resume.is_empty();
        if resumed && settings.r#do == "open-resumed-trap" {
            panic!("told to trap");
        }
        if resumed && settings.r#do == "open-resumed-spin" {
            harm::spin();
        }
        let memory = (settings.r#do == "remember").then(|| memory::Memory::read(&resume)).transpose()?;
        let readings = match &resume[..] {
            [] => 0,
            [Part { name, bytes }] if name == STATE => u64::from_le_bytes(
                bytes[..]
                    .try_into()
                    .map_err(|_| OpenError::CheckpointUnreadable("not eight bytes".into()))?,
            ),
            _ if memory.is_some() || settings.r#do == "checkpoint-grows" => 0,
            parts => {
                return Err(OpenError::CheckpointUnreadable(format!(
                    "{} parts, of which it knows one",
                    parts.len()
                )));
            }
        };
        log(Level::Info, &format!("opened with {readings} readings behind it"));
        for file in files.iter().filter(|file| file.bytes.starts_with(b"compact")) {
            log(
                Level::Info,
                &format!("{} is opened as `{}`", file.path, String::from_utf8_lossy(&file.bytes)),
            );
        }
        let (passed_over, files): (Vec<_>, Vec<_>) =
            files.into_iter().partition(|file| file.bytes == b"passed over");
        let (broken, good): (Vec<_>, Vec<_>) = files
            .into_iter()
            .filter(|file| file.path != HARM)
            .partition(|file| file.bytes == b"broken" || file.unreadable.is_some());
        let paths = |files: Vec<ModelFile>| files.into_iter().map(|file| file.path).collect();
        Ok(exports::anomaly_worker::detector::judging::Detector::new(Self {
            settings,
            variables: paths(good),
            broken: paths(broken),
            passed_over: paths(passed_over),
            readings: Cell::new(readings),
            memory: memory.map(RefCell::new),
            resumed,
        }))
    }

    fn summary(&self) -> Summary {
        let model = |path: &String| Model {
            path: path.clone(),
            variable: path.clone(),
            refused: self.broken.contains(path).then(|| "it is broken".to_owned()),
        };
        if self.settings.r#do == "summary-many" {
            return many_models();
        }
        let scope = if self.settings.r#do == "whole-instants" {
            InstantScope::WholeInstants
        } else {
            InstantScope::SingleReadings
        };
        Summary {
            models: self.variables.iter().chain(&self.broken).map(model).collect(),
            scope,
            passed_over: self.passed_over.clone(),
            lookback: described().1,
        }
    }

    fn detect(&self, batch: Batch) -> Result<Vec<Outcome>, DetectError> {
        if self.resumed && self.settings.r#do == "resumed-trap" {
            panic!("told to trap");
        }
        let readings = batch.columns.iter().flat_map(|column| &column.values).filter(|value| !value.is_nan());
        self.readings.set(self.readings.get() + readings.count() as u64);
        let told = self.settings.to.as_ref().is_none_or(|to| batch.columns.iter().any(|c| c.variable == *to));
        let outcomes = match &self.memory {
            Some(memory) => memory.borrow_mut().judge(&batch),
            None => {
                batch.columns.iter().map(|column| self.honest(&column.variable, &column.values)).collect()
            }
        };
        if told {
            harm::at_detect(&self.settings.r#do, &self.settings.to, &batch, outcomes)
        } else {
            Ok(outcomes)
        }
    }

    fn checkpoint(&self) -> Vec<PartChange> {
        if let Some(memory) = &self.memory {
            return memory.borrow_mut().changes();
        }
        let part = |name: &str, bytes: Vec<u8>| PartChange { name: name.into(), bytes: Some(bytes) };
        let honest = part(STATE, self.readings.get().to_le_bytes().to_vec());
        match &*self.settings.r#do {
            "checkpoint-none" => vec![PartChange { bytes: None, ..honest }],
            "checkpoint-unchanged" => Vec::new(),
            "checkpoint-empty" => vec![part(STATE, Vec::new())],
            "checkpoint-large" => vec![part(STATE, vec![1; (8 << 20) + 1])],
            "checkpoint-huge" => vec![part(STATE, vec![1; 20 << 20])],
            "checkpoint-three" => ["a", "b", "c"].map(|name| part(name, vec![1; 7 << 20])).into(),
            "checkpoint-grows" => {
                let readings = self.readings.get();
                ["a", "b"].map(|name| part(&format!("{name}{readings}"), vec![1; 8 << 20])).into()
            }
            "checkpoint-twice" => vec![honest.clone(), honest],
            "checkpoint-named" => vec![part("State", Vec::new())],
            "checkpoint-trap" => panic!("told to trap"),
            _ => vec![honest],
        }
    }
}

/// A summary that needs little memory, of which the guest has not much left.
fn many_models() -> Summary {
    std::mem::forget(std::hint::black_box(vec![1_u8; 32 << 20]));
    let model = Model { path: String::new(), variable: String::new(), refused: None };
    Summary {
        models: vec![model; 150_000],
        scope: InstantScope::SingleReadings,
        passed_over: Vec::new(),
        lookback: 0,
    }
}

impl Detector {
    fn honest(&self, variable: &str, values: &[f64]) -> Outcome {
        if !self.variables.iter().any(|known| known == variable || known == "*") {
            return Outcome::NoModel;
        }
        Outcome::Judged(Verdicts {
            expected: values.to_vec(),
            lower: values.iter().map(|value| value - 1.0).collect(),
            upper: values.iter().map(|value| value + 1.0).collect(),
            score: vec![0.0; values.len()],
            flags: vec![0; values.len()],
            withheld: vec![],
        })
    }
}

export!(Module);
