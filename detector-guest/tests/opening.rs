//! What becomes of model files and settings, through the detector as the host opens it.
#![allow(clippy::unwrap_used, reason = "a test")]

mod common;

use common::{files, fixtures, judge, open};
use detector_guest::{Column, ColumnOutcome, OpenError};

fn models() -> Vec<(String, Vec<u8>)> {
    files(&fixtures().join("models"))
}

#[test]
fn every_model_is_named_with_its_variable() {
    let detector = open(&models(), "{}").unwrap();
    let found: Vec<_> =
        detector.models().iter().map(|model| (model.variable.as_str(), model.path.as_str())).collect();
    assert_eq!(
        found,
        [
            ("AGUA/FLOW 1", "prophet_model_AGUA_FLOW_1.json"),
            ("GAS_P-2", "prophet_model_GAS_P_2.json"),
            ("NIVEL 4", "prophet_model_NIVEL_4.json"),
            ("POTENCIA/MW", "prophet_model_POTENCIA_MW.json"),
            ("TEMP-03", "prophet_model_TEMP_03.json"),
            ("VIBRACION", "prophet_model_VIBRACION.json"),
        ]
    );
    assert!(detector.models().iter().all(|model| model.refused.is_none()));
    assert!(detector.ignored().is_empty());
}

#[test]
fn a_bad_model_is_refused_by_name_and_the_others_work() {
    for (bytes, expected) in [
        (
            &b"{"[..],
            "model `NIVEL 4` is cut short: copy the file again, whole (EOF while parsing an object at line 1 column 1)",
        ),
        (
            &with("NIVEL_4", "\"growth\": \"linear\"", "\"growth\": \"cubic\""),
            "model `NIVEL 4` has `cubic` in `growth`; expected `linear`, `logistic` or `flat`",
        ),
        (
            &with("NIVEL_4", "\"country_holidays\": null", "\"country_holidays\": \"AR\""),
            "model `NIVEL 4` has the country holidays of `AR` but not their dates; the export tool adds them",
        ),
    ] {
        let mut files = models();
        *bytes_of(&mut files, "prophet_model_NIVEL_4.json") = bytes.to_vec();
        let mut detector = open(&files, "{}").unwrap();
        let refused: Vec<_> = detector.models().iter().filter_map(|model| model.refused.as_deref()).collect();
        assert_eq!(refused, [expected]);
        let columns = [
            Column { variable: "NIVEL 4", values: &[1.0] },
            Column { variable: "VIBRACION", values: &[1.0] },
        ];
        let outcomes = detector.detect(&[0], &columns).unwrap();
        assert!(matches!(outcomes[..], [ColumnOutcome::NoModel, ColumnOutcome::Judged(_)]), "{outcomes:?}");
    }
}

fn bytes_of<'a>(files: &'a mut [(String, Vec<u8>)], path: &str) -> &'a mut Vec<u8> {
    &mut files.iter_mut().find(|file| file.0 == path).unwrap().1
}

fn with(name: &str, from: &str, to: &str) -> Vec<u8> {
    let json =
        String::from_utf8(bytes_of(&mut models(), &format!("prophet_model_{name}.json")).clone()).unwrap();
    assert!(json.contains(from));
    json.replacen(from, to, 1).into_bytes()
}

#[test]
fn files_that_cannot_be_used_at_all_say_why() {
    let bad = |path: &str| (path.to_owned(), b"{}".to_vec());
    let mut collision = models();
    *bytes_of(&mut collision, "detector_config.json") = br#"{"variables": ["TEMP-03", "TEMP 03"]}"#.to_vec();
    for (files, expected) in [
        (
            vec![],
            "no models: expected files named `prophet_model_<variable>.json`, as Prophet's `model_to_json` writes them; \
             found none",
        ),
        (
            vec![bad("prophet_model_T1.json"), bad("prophet_model_T2.json")],
            "none of the 2 model files can be used; `prophet_model_T1.json`: model `T1` is not what Prophet's \
             `model_to_json` writes: missing field `growth` at line 1 column 2",
        ),
        (
            collision,
            "the variables `TEMP 03` and `TEMP-03` have the same model file `prophet_model_TEMP_03.json`; rename one model \
             and name its file in the setting `variables`",
        ),
    ] {
        assert_eq!(open(&files, "{}").unwrap_err(), OpenError::Models(expected.to_owned()));
    }
}

#[test]
fn a_setting_comes_before_the_config_and_that_before_the_model() {
    // sigma_obs · y_scale of that model, and twice z.
    let sigma = 0.051909523 * 5.145751550377489;
    let mut bare = models();
    bare.retain(|file| file.0 != "detector_config.json");
    let mut narrow = models();
    *bytes_of(&mut narrow, "detector_config.json") =
        br#"{"interval_width": 0.5, "anomaly_threshold": 1e-9, "variables": []}"#.to_vec();
    for (files, settings, z, high) in [
        (&bare, "{}", 1.959_963_984_540_054, false),
        (&narrow, "{}", 0.674_489_750_196_081_7, true),
        (&narrow, r#"{"interval_width": 0.8, "threshold": 1000}"#, 1.281_551_565_544_600_4, false),
    ] {
        let files: Vec<_> = files
            .iter()
            .filter(|file| file.0.contains("VIBRACION") || file.0.contains("config"))
            .cloned()
            .collect();
        let mut detector = open(&files, settings).unwrap();
        let columns = [("VIBRACION".to_owned(), vec![2.9])];
        let at = common::micros("2025-01-11T00:05:00");
        let rows = judge(&mut detector, &[at], &columns);
        let row = &rows[&("VIBRACION".to_owned(), at)];
        assert!((row.upper - row.lower - 2.0 * z * sigma).abs() < 1e-12, "{settings}: {row:?}");
        assert_eq!(row.high, high, "{settings}: {row:?}");
    }
}

#[test]
fn prepared_models_judge_the_same() {
    let files = models();
    let mut compacted = files.clone();
    for (path, bytes) in &mut compacted {
        let compact = detector_guest::compact(&detector_guest::File { path, bytes }).unwrap();
        assert_eq!(compact.is_some(), path.starts_with("prophet_model_"), "{path}");
        if let Some(compact) = compact {
            assert!(compact.len() < bytes.len());
            *bytes = compact;
        }
    }
    let (instants, columns) = common::input(&fixtures(), "five_datetimes");
    let [plain, compacted] =
        [&files, &compacted].map(|files| judge(&mut open(files, "{}").unwrap(), &instants, &columns));
    // `bound_se` is NaN here.
    assert_eq!(format!("{plain:?}"), format!("{compacted:?}"));
}

#[test]
fn what_cannot_be_prepared_is_said_or_left() {
    let compact = |path: &str, bytes: &[u8]| detector_guest::compact(&detector_guest::File { path, bytes });
    assert_eq!(
        compact("prophet_model_T1.json", b"{}").unwrap_err(),
        "`prophet_model_T1.json` is not what Prophet's `model_to_json` writes: missing field `growth` at line 1 column 2"
    );
    for path in ["detector_config.json", "country_holidays.csv", "prophet_model_T1.pkl"] {
        assert_eq!(compact(path, b"anything"), Ok(None), "{path}");
    }
    let country = with("NIVEL_4", "\"country_holidays\": null", "\"country_holidays\": \"AR\"");
    assert_eq!(compact("prophet_model_NIVEL_4.json", &country), Ok(None));
}

/// A zip made on a Mac has `ó` as two characters in its files' names, the database has it as one,
/// and a third program as two.
#[test]
fn one_name_in_two_unicode_forms_is_one_variable() {
    let (nfc, nfd) = ("NIVEL presi\u{f3}n", "NIVEL presio\u{301}n");
    for file in [nfc, nfd] {
        let mut files = models();
        let found = files.iter_mut().find(|(path, _)| path == "prophet_model_NIVEL_4.json").unwrap();
        found.0 = format!("prophet_model_{file}.json");
        for settings in
            ["{}".to_owned(), format!(r#"{{"variables": {{"{nfd}": "prophet_model_{nfc}.json"}}}}"#)]
        {
            let mut detector = open(&files, &settings).unwrap();
            assert!(detector.models().iter().any(|model| model.variable == nfc), "{file} {settings}");
            for variable in [nfc, nfd] {
                let outcomes = detector.detect(&[0], &[Column { variable, values: &[1.0] }]).unwrap();
                assert!(
                    matches!(outcomes[..], [ColumnOutcome::Judged(_)]),
                    "{file} {settings} {variable}: {outcomes:?}"
                );
            }
        }
    }
}
