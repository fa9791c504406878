//! Models made in the sandbox: the same bytes as natively for every case of the library's tests, so
//! that these tests are valid for the component. And detectors that do harm while they train.

use std::io::Read;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use detector_guest::{Column, File};
use host::batch::{self, Batch, Outcome};
use host::datetime::Datetime;
use host::demo::models::FILES;
use host::demo::variables::VARIABLES;
use host::detector::{Detector, Engine, Limits, ModelFile, Module, Series, Set, TrainError, Trainer};
use serde_json::{Value, json};
use tests::{EXAMPLE, HOSTILE};

fn engine() -> Engine {
    let cache = Path::new(env!("CARGO_TARGET_TMPDIR")).join("compiled");
    std::fs::create_dir_all(&cache).unwrap();
    Engine::new(Limits::default(), Some(&cache)).unwrap()
}

/// Directories of training cases; `TRAINING_ORACLE_DIR` names one of more.
fn cases() -> Vec<PathBuf> {
    let own = Path::new(env!("CARGO_MANIFEST_DIR")).join("../detector-guest/prophet/tests/training");
    let more = std::env::var_os("TRAINING_ORACLE_DIR").map(PathBuf::from);
    let mut cases: Vec<PathBuf> = std::iter::once(own)
        .chain(more)
        .flat_map(|root| std::fs::read_dir(root).unwrap().map(|entry| entry.unwrap().path()))
        .filter(|path| path.is_dir())
        .collect();
    cases.sort();
    cases
}

/// A file, or its compressed form.
fn contents(path: &Path) -> Vec<u8> {
    if let Ok(bytes) = std::fs::read(path) {
        return bytes;
    }
    let packed = std::fs::File::open(format!("{}.gz", path.display())).unwrap();
    let mut bytes = Vec::new();
    flate2::read::GzDecoder::new(packed).read_to_end(&mut bytes).unwrap();
    bytes
}

/// The rows of a case under the name of a variable.
fn rows(case: &Path, variable: &str) -> Series {
    let bytes = contents(&case.join("train.csv"));
    let mut reader = csv::Reader::from_reader(&*bytes);
    let header: Vec<String> = reader.headers().unwrap().iter().map(str::to_owned).collect();
    let rows: Vec<csv::StringRecord> = reader.records().map(Result::unwrap).collect();
    let number = |text: &str| match text {
        "" => f64::NAN,
        "True" => 1.0,
        "False" => 0.0,
        text => text.parse().unwrap(),
    };
    let mut series = Series { variable: variable.to_owned(), ..Series::default() };
    for (at, name) in header.into_iter().enumerate() {
        let cells = rows.iter().map(|row| &row[at]);
        match &*name {
            "ds" => series.datetimes = cells.map(|cell| Datetime::parse(cell).unwrap()).collect(),
            "y" => series.values = cells.map(number).collect(),
            _ => series.columns.push((name, cells.map(number).collect())),
        }
    }
    series
}

#[tokio::test]
async fn the_component_makes_what_the_library_makes_to_the_last_byte() {
    let trainer = Trainer::new(&engine(), &Module::built_in()).await.unwrap();
    let cases = cases();
    assert!(cases.len() >= 20, "{}", cases.len());
    for case in cases {
        let name = case.file_name().unwrap().to_string_lossy().into_owned();
        let series = rows(&case, "A/B-1");
        let instants: Vec<i64> = series.datetimes.iter().map(|at| at.micros()).collect();
        let columns: Vec<_> =
            series.columns.iter().map(|(variable, values)| Column { variable, values }).collect();
        let table = std::fs::read(case.join("country_holidays.csv")).ok();
        let files: Vec<_> = table.map(|bytes| ("country_holidays.csv", bytes)).into_iter().collect();
        let native: Vec<_> = files.iter().map(|(path, bytes)| File { path, bytes }).collect();
        let lent: Vec<_> = files
            .iter()
            .map(|(path, bytes)| ModelFile { path: (*path).to_owned(), bytes: bytes.clone() })
            .collect();
        let mut settings: Value = serde_json::from_slice(&contents(&case.join("settings.json"))).unwrap();
        for method in ["optimum", "as-prophet"] {
            settings["method"] = method.into();
            let settings = settings.to_string();
            let expected = detector_guest::train(
                "A/B-1",
                (&instants, &series.values),
                &columns,
                &settings,
                &native,
                &[],
            )
            .unwrap();
            let made = trainer.train(&series, &settings, &lent, &[]).await.unwrap();
            assert_eq!(made.file.path, "prophet_model_A_B_1.json");
            assert!(made.file.bytes == expected.file.bytes, "{name}, {method}: not the same file");
            let report = expected.report;
            assert_eq!(
                (made.report.rows, made.report.first.micros(), made.report.log_density, made.report.steps),
                (report.rows as u64, report.first, report.log_density, report.steps),
                "{name}"
            );
            assert_eq!(made.report.noise.to_bits(), report.noise.to_bits(), "{name}");
            assert_eq!(made.report.details["method"], method, "{name}");
            let warnings: Vec<_> = report.warnings.iter().map(ToString::to_string).collect();
            assert_eq!(made.report.warnings, warnings, "{name}");
        }
    }
}

/// A set of trained models opens: names that are not possible for files are restored, and the other
/// settings of the directory's `detector_config.json` are kept.
#[tokio::test]
async fn trained_models_and_their_companions_open_together() {
    let engine = engine();
    let trainer = Trainer::new(&engine, &Module::built_in()).await.unwrap();
    let case = Path::new(env!("CARGO_MANIFEST_DIR")).join("../detector-guest/prophet/tests/training/flat");
    let mut files = Vec::new();
    for variable in ["A/B", "T1"] {
        files.push(trainer.train(&rows(&case, variable), "{}", &[], &[]).await.unwrap().file);
    }
    let models: Vec<_> = files
        .iter()
        .zip(["A/B", "T1"])
        .map(|(file, variable)| (file.path.clone(), variable.into()))
        .collect();
    let config = |json: &str| ModelFile { path: "detector_config.json".into(), bytes: json.into() };
    let before = [config(r#"{"anomaly_threshold": 2.5, "metrics": {"mape": NaN}, "variables": ["gone"]}"#)];
    let companions = trainer.companions(&models, &before, &[]).await.unwrap();
    let [companion] = &companions[..] else { panic!("{}", companions.len()) };
    assert_eq!(companion.path, "detector_config.json");
    assert_eq!(
        serde_json::from_slice::<Value>(&companion.bytes).unwrap(),
        json!({ "anomaly_threshold": 2.5, "metrics": { "mape": "NaN" }, "variables": ["A/B", "T1"] })
    );
    let refused = trainer.companions(&models, &[config(r#"{"variables": 7}"#)], &[]).await.unwrap_err();
    assert!(
        matches!(&refused, TrainError::Settings(why) if why.contains("detector_config.json")),
        "{refused}"
    );
    files.extend(companions);
    let set = Set::new(Module::built_in(), files, "models".into(), "{}".into());
    let opened = Detector::open(&engine, set.into(), None).await.unwrap();
    let loaded: Vec<_> = opened.summary().loaded().map(|model| (&*model.path, &*model.variable)).collect();
    assert_eq!(loaded, [("prophet_model_A_B.json", "A/B"), ("prophet_model_T1.json", "T1")]);
}

fn module(name: &str, bytes: &[u8]) -> Module {
    Module { name: name.into(), bytes: bytes.into() }
}

fn three(variable: &str) -> Series {
    Series {
        variable: variable.to_owned(),
        datetimes: (0..3).map(Datetime::from_micros).collect(),
        values: vec![1.0, 2.0, 3.0],
        columns: Vec::new(),
    }
}

#[tokio::test]
async fn harm_in_training_is_a_sentence() {
    let limits = Limits { model_file: 64 << 20, ..Limits::default() };
    let cache = Path::new(env!("CARGO_TARGET_TMPDIR")).join("compiled");
    std::fs::create_dir_all(&cache).unwrap();
    let engine = Engine::new(limits, Some(&cache)).unwrap();
    let limited = async |deadline: Duration| {
        let trainer = Trainer::new(&engine, &module("hostile.wasm", HOSTILE)).await.unwrap();
        trainer.limited(64 << 20, deadline)
    };
    // Only what never ends is to meet its deadline, however busy the machine is.
    let (short, long) = (limited(Duration::from_secs(1)).await, limited(Duration::from_secs(60)).await);
    for (told, said) in [
        ("trap", "cannot be trained: the detector trapped: "),
        ("spin", "cannot be trained: the detector did not answer within 1s"),
        ("memory", "cannot be trained: the detector trapped: "),
        ("settings", r"has settings\nthat are wrong"),
        ("other", "is not liked"),
        ("huge", "cannot be trained: the detector trapped: "),
        (
            "details",
            "cannot be trained: the detector's answer breaks the contract: `details` is not one JSON object",
        ),
        (
            "path ../up",
            "cannot be trained: the detector's answer breaks the contract: it names a file `../up`",
        ),
        (
            "path .hidden",
            "cannot be trained: the detector's answer breaks the contract: it names a file `.hidden`",
        ),
    ] {
        let settings = json!({ "do": told }).to_string();
        let trainer = if told == "spin" { &short } else { &long };
        let refused = trainer.train(&three("T1"), &settings, &[], &[]).await.unwrap_err().to_string();
        assert!(refused.starts_with(said), "{told}: {refused}");
    }
    let refused = long.companions(&[], &[], &[]).await.unwrap_err().to_string();
    assert!(refused.contains("it names a file `../companion`"), "{refused}");
    // Nothing is left of that: the next series is trained.
    let mut warnings = vec![r"beware\u{1b}".to_owned(); 20];
    warnings.push("and 10 warnings more".into());
    for trainer in [&short, &long] {
        let made = trainer.train(&three("T1"), r#"{"do": "warnings"}"#, &[], &[]).await.unwrap();
        assert_eq!((&*made.file.path, &*made.file.bytes), ("T1", &b"honest"[..]));
        assert_eq!(made.report.warnings, warnings);
    }
}

/// The name of its export is another of the same length; it judges as before.
#[tokio::test]
async fn a_module_that_does_not_train_judges_and_says_so() {
    let mut bytes = EXAMPLE.to_vec();
    let (ours, other) = (b"anomaly-worker:detector/training@", b"anomaly-worker:detector/tranning@");
    while let Some(at) = bytes.windows(ours.len()).position(|window| window == ours) {
        bytes[at..at + ours.len()].copy_from_slice(other);
    }
    let (engine, module) = (engine(), module("quiet.wasm", &bytes));
    let found = host::detector::inspect(&engine, &module).await;
    assert!(found.description.is_ok() && !found.trains, "{:?}", found.exports);
    let refused = Trainer::new(&engine, &module).await.map(|_| ()).unwrap_err().to_string();
    assert_eq!(
        refused,
        "`quiet.wasm` cannot be used: it judges and does not train: it has no export `anomaly-worker:detector/training@0.1.0`"
    );
    let set = Set::new(module, Vec::new(), "models".into(), "{}".into());
    assert!(Detector::open(&engine, set.into(), None).await.is_ok());
}

/// The demo's models, which `host train` makes, are compared with Prophet's models of the same
/// rows: at 24 instants of the training, and at 8 of the two days after it.
#[tokio::test]
async fn the_demos_models_forecast_what_prophets_did() {
    let prophet: Value = serde_json::from_str(include_str!("../../fixtures/demo_by_prophet.json")).unwrap();
    let numbers = |value: &Value| -> Vec<f64> {
        value.as_array().unwrap().iter().map(|number| number.as_f64().unwrap()).collect()
    };
    let datetimes: Vec<Datetime> = prophet["instants"]
        .as_array()
        .unwrap()
        .iter()
        .map(|at| Datetime::parse(at.as_str().unwrap()).unwrap())
        .collect();
    let columns = VARIABLES.iter().map(|variable| batch::Column {
        variable: variable.name.into(),
        values: numbers(&prophet["yhat"][variable.name]),
    });
    let batch = Batch { datetimes, columns: columns.collect() };
    let files = FILES
        .iter()
        .map(|file| ModelFile { path: file.name.to_owned(), bytes: file.bytes.to_vec() })
        .collect();
    let rule = json!({ "rule": "interval" }).to_string();
    let set = Set::new(Module::built_in(), files, "the demo's models".into(), rule);
    let mut detector = Detector::open(&engine(), Arc::new(set), None).await.unwrap();
    let judged = detector.judge(Arc::new(batch.clone())).await.unwrap();
    for (column, outcome) in batch.columns.iter().zip(&judged.outcomes) {
        let name = &column.variable;
        let Outcome::Judged(verdicts) = outcome else { panic!("`{name}`: {outcome:?}") };
        let noise = prophet["noise"][&**name].as_f64().unwrap();
        for (row, (found, expected)) in verdicts.expected.iter().zip(&column.values).enumerate() {
            let (off, most) = ((found - expected).abs() / noise, if row < 24 { 0.05 } else { 0.15 });
            assert!(off <= most, "`{name}`, row {row}: {off} σ from Prophet's");
            // The quantile of `interval_width`, 0.9999.
            let width = (verdicts.upper[row] - verdicts.lower[row]) / (2.0 * 3.890_592 * noise);
            assert!((width - 1.0).abs() <= 0.005, "`{name}`, row {row}: {width} times as wide as Prophet's");
        }
    }
}
