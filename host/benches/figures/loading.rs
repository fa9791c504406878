//! How long a start waits for its models.
//!
//! Loading is all between a directory of files and a detector that is ready to judge, in a sandbox,
//! with a new engine each time as in a new process; the module was compiled before. It is measured
//! the first time, with nothing kept, and after that; each with what it is compared to, alternately
//! in one run. Nothing here asserts a time.
//!
//! The 25 files of 2.3 MB are the demo's models with what `model_to_json` writes beside them for
//! 14,400 rows of training: `history`, `history_dates` and `params.trend` are made up here, from
//! plain sines. The files of 5 KB are the demo's as they are, as the export tool writes them, 400
//! times each under other names; compact ones are what the detector makes of those.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use host::demo::models::FILES;
use host::detector::{Detector, Engine, Limits, ModelFile, Module, Set};
use host::reload::SetSource;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use crate::times::{Times, seconds};

/// Rows of a training over ten days, one a minute.
const ROWS: usize = 14_400;

const MANY: usize = 10_000;

pub(crate) async fn loading() {
    measure("25 JSON of 2.3 MB", &large(), 15).await;
    let small = many(|file| file.bytes.to_vec());
    measure("10,000 JSON of 5 KB", &small, 7).await;
    drop(small);
    let compact = many(|file| {
        let file = detector_guest::File { path: file.name, bytes: file.bytes };
        detector_guest::compact(&file).unwrap().unwrap()
    });
    measure("10,000 compact models", &compact, 7).await;
}

/// A directory of models, and a cache.
struct Place(tempfile::TempDir);

impl Place {
    fn new(files: impl Iterator<Item = (String, Vec<u8>)>) -> Self {
        let place = Self(tempfile::tempdir().unwrap());
        fs::create_dir(place.models()).unwrap();
        for (name, bytes) in files {
            fs::write(place.models().join(name), bytes).unwrap();
        }
        place
    }

    fn models(&self) -> PathBuf {
        self.0.path().join("models")
    }

    fn kept(&self) -> PathBuf {
        self.0.path().join("cache/models")
    }

    fn engine(&self) -> Engine {
        Engine::new(Limits::default(), Some(&self.0.path().join("cache"))).unwrap()
    }

    /// Seconds until a detector is ready.
    async fn load(&self) -> f64 {
        let engine = self.engine();
        let source =
            SetSource { module: None, models: self.models(), settings: "{}".into(), own: Vec::new() };
        let begun = Instant::now();
        let set = source.read(&engine).await.unwrap();
        let detector = Detector::open(&engine, Arc::new(set), None).await.unwrap();
        let took = begun.elapsed().as_secs_f64();
        assert_eq!(detector.summary().loaded().count(), models(&self.models()).count());
        took
    }

    /// The same without compacting anything: every file is read and opened as it is.
    async fn load_as_it_is(&self) -> f64 {
        let engine = self.engine();
        let begun = Instant::now();
        let files = models(&self.models()).map(|path| ModelFile {
            path: path.file_name().unwrap().to_string_lossy().into_owned(),
            bytes: fs::read(path).unwrap(),
        });
        let set = Set::new(Module::built_in(), files.collect(), "models".into(), "{}".into());
        Detector::open(&engine, Arc::new(set), None).await.unwrap();
        begun.elapsed().as_secs_f64()
    }

    /// Reads and hashes the files, on one core.
    fn hash(&self) -> f64 {
        seconds(|| {
            for path in models(&self.models()) {
                std::hint::black_box(Sha256::digest(fs::read(path).unwrap()));
            }
        })
    }

    /// Reads the files and compacts them natively, on one core.
    fn compact(&self) -> f64 {
        seconds(|| {
            for path in models(&self.models()) {
                let bytes = fs::read(path).unwrap();
                let file = detector_guest::File { path: "prophet_model_x.json", bytes: &bytes };
                std::hint::black_box(detector_guest::compact(&file).unwrap().unwrap());
            }
        })
    }
}

fn models(directory: &Path) -> impl Iterator<Item = PathBuf> + use<> {
    let mut paths: Vec<_> = fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().path()).collect();
    paths.sort();
    paths.into_iter()
}

async fn measure(what: &str, place: &Place, runs: usize) {
    // Compiles the module, and lets the files come to rest: before that they are hashed each time.
    place.load().await;
    tokio::time::sleep(Duration::from_secs(3)).await;
    let mut rows: [Vec<f64>; 5] = Default::default();
    for _ in 0..runs {
        fs::remove_dir_all(place.kept()).unwrap();
        let [first, after, as_it_is, hashed, compacted] = &mut rows;
        first.push(1000.0 * place.load().await);
        after.push(1000.0 * place.load().await);
        as_it_is.push(1000.0 * place.load_as_it_is().await);
        hashed.push(1000.0 * place.hash());
        compacted.push(1000.0 * place.compact());
    }
    let [first, after, as_it_is, hashed, compacted] = rows;
    Times(first).row(&format!("{what}, the first time"), "ms", 0);
    Times(after).row(&format!("{what}, after that"), "ms", 1);
    Times(as_it_is).row(&format!("{what}, if nothing were compacted"), "ms", 0);
    Times(hashed).row(&format!("{what}, read and hashed, one core"), "ms", 0);
    Times(compacted).row(&format!("{what}, read and compacted natively, one core"), "ms", 0);
}

/// The demo's models with a training history.
fn large() -> Place {
    Place::new(demo_models().map(|file| (file.name.to_owned(), with_history(file.bytes))))
}

/// The demo's models many times, in some form.
fn many(form: impl Fn(&host::demo::models::DemoModel) -> Vec<u8>) -> Place {
    let forms: Vec<_> = demo_models().map(form).collect();
    let file = |number: usize| {
        (format!("prophet_model_VARIABLE_{number:05}.json"), forms[number % forms.len()].clone())
    };
    Place::new((0..MANY).map(file))
}

fn demo_models() -> impl Iterator<Item = &'static host::demo::models::DemoModel> {
    FILES.iter().filter(|file| file.name.starts_with("prophet_model_"))
}

/// A file as `model_to_json` writes it after a training of [`ROWS`] rows.
fn with_history(model: &[u8]) -> Vec<u8> {
    let mut model: Value = serde_json::from_slice(model).unwrap();
    let minute = |row: usize| {
        let (day, hour, minute) = (1 + row / 1440, row / 60 % 24, row % 60);
        format!("2025-01-{day:02}T{hour:02}:{minute:02}:00.000")
    };
    // Ten decimals, as pandas writes them.
    let rounded = |number: f64| (number * 1e10).round() / 1e10;
    let row = |row: usize| {
        let y = 350.0 + 3.0 * (row as f64).sin();
        json!({
            "ds": minute(row), "y": rounded(y), "floor": 0.0, "t": rounded(row as f64 / (ROWS - 1) as f64),
            "y_scaled": rounded(y / 355.0),
        })
    };
    let history = json!({
        "schema": {"fields": [{"name": "ds", "type": "datetime"}], "pandas_version": "1.4.0"},
        "data": (0..ROWS).map(row).collect::<Vec<_>>(),
    });
    let dates = json!({
        "name": "ds",
        "index": (0..ROWS).collect::<Vec<_>>(),
        "data": (0..ROWS).map(minute).collect::<Vec<_>>(),
    });
    model["history"] = history.to_string().into();
    model["history_dates"] = dates.to_string().into();
    model["params"]["trend"] = json!([(0..ROWS).map(|row| 0.99 + row as f64 * 1e-7).collect::<Vec<_>>()]);
    model.to_string().into_bytes()
}
