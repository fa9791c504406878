//! `host fit`, the real program: its files against those of the library, and what it says of series
//! that no model can be made of.

use std::io::{Read, Write};
use std::path::{Path, PathBuf};

use crate::common::{Place, Ran};
use serde_json::Value;

fn case(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../detector-guest/prophet/tests/training").join(name)
}

fn unpacked(path: &Path) -> Vec<u8> {
    let mut bytes = Vec::new();
    flate2::read::GzDecoder::new(std::fs::File::open(path).unwrap()).read_to_end(&mut bytes).unwrap();
    bytes
}

fn run(place: &Place, arguments: &[&str]) -> Ran {
    let mut command = place.command(arguments);
    // Compiled once for all tests.
    command.env("CACHE_DIRECTORY", Path::new(env!("CARGO_TARGET_TMPDIR")).join("compiled"));
    Ran::of(&command.output().unwrap())
}

/// A report, a file and a model that predicts what it was trained on.
#[test]
fn a_model_and_its_report_come_of_a_table() {
    let place = Place::new();
    let mut table = String::from("ds,y,note\n");
    // Ten days of hours, with a daily wave and some noise; two readings are missing.
    for hour in 0..240 {
        let y = match hour {
            5 | 50 => String::new(),
            _ => {
                let noise = f64::from((hour * 7919) % 101) / 101.0 - 0.5;
                let wave = (f64::from(hour) * std::f64::consts::TAU / 24.0).sin();
                format!("{}", 20.0 + 3.0 * wave + noise / 5.0)
            }
        };
        table += &format!("2025-03-{:02} {:02}:00,{y},x\n", 1 + hour / 24, hour % 24);
    }
    place.write("train.csv", &table);
    place.write("settings.json", r#"{"prophet": {"weekly_seasonality": true}}"#);
    let ran = run(&place, &["fit", "settings.json", "train.csv", "--report", "--output", "model.json"]);
    assert_eq!(
        (ran.code, ran.stderr.as_str()),
        (
            Some(0),
            "note: `train.csv`: column `note` holds no numbers and is passed over\n\
             warning: `train.csv`: the season `weekly` of 7 days was fitted to 10.0 days; with less than two periods it cannot \
             be told from the trend, and the forecast soon goes astray\n"
        )
    );
    let mut report: Value = serde_json::from_str(&ran.stdout).unwrap();
    for key in ["rows", "rows_without_reading", "first", "last", "warnings"] {
        let expected = match key {
            "rows" => 238.into(),
            "rows_without_reading" => 2.into(),
            "first" => "2025-03-01 00:00:00".into(),
            "last" => "2025-03-10 23:00:00".into(),
            _ => Value::from(vec![
                ran.stderr.lines().nth(1).unwrap().trim_start_matches("warning: `train.csv`: "),
            ]),
        };
        assert_eq!(report[key].take(), expected, "{key}");
    }
    assert_eq!(report["details"]["method"], "optimum");
    assert!(report["noise"].as_f64().unwrap() < 0.1 && report["log_density"].is_number(), "{report}");

    // The same model on stdout.
    let printed = run(&place, &["fit", "settings.json", "train.csv"]);
    let file = std::fs::read_to_string(place.path("model.json")).unwrap();
    assert_eq!(printed.stdout, file + "\n");
    let other = run(&place, &["fit", "settings.json", "train.csv", "--mode", "as-prophet", "--report"]);
    let other: Value = serde_json::from_str(&other.stdout).unwrap();
    assert_eq!(other["details"]["method"], "as-prophet");

    place.write("ahead.csv", "ds\n2025-03-11 06:00\n");
    let ran = run(&place, &["predict", "model.json", "ahead.csv"]);
    let yhat: f64 = ran.stdout.lines().nth(1).unwrap().split(',').nth(1).unwrap().parse().unwrap();
    assert!((yhat - 23.0).abs() < 0.2, "{}", ran.stdout);
}

/// Rows out of order, regressors, a country's holidays from a table beside.
#[test]
fn a_table_is_taken_as_prophet_takes_it() {
    let place = Place::new();
    for name in
        ["edge_unsorted", "regressor_additive_standardised", "new_country_us", "new_logistic_cap_floor"]
    {
        let case = case(name);
        place.write("train.csv", unpacked(&case.join("train.csv.gz")));
        let (settings, dates) = (case.join("settings.json"), case.join("country_holidays.csv"));
        let mut arguments = vec!["fit", settings.to_str().unwrap(), "train.csv", "--report"];
        if dates.exists() {
            arguments.extend(["--country-holidays", dates.to_str().unwrap()]);
        }
        let ran = run(&place, &arguments);
        assert_eq!(ran.code, Some(0), "{name}: {}", ran.stderr);
        let report: Value = serde_json::from_str(&ran.stdout).unwrap();
        let expected: Value = serde_json::from_slice(&unpacked(&case.join("expected.json.gz"))).unwrap();
        assert_eq!(report["rows"], expected["prepared"]["rows"], "{name}");
        let [found, known] =
            [&report["log_density"], &expected["optimum"]["lp"]].map(|lp| lp.as_f64().unwrap());
        assert!(found >= known - 1e-9 * known.abs(), "{name}: {found} below {known}");
    }
}

#[test]
fn what_cannot_be_trained_is_a_sentence() {
    let place = Place::new();
    place.write("none.json", "{}");
    place.write("odd.json", r#"{"prophet": {"growht": "linear"}}"#);
    place.write("negative.json", r#"{"prophet": {"changepoint_prior_scale": -1}}"#);
    place.write("regressor.json", r#"{"regressors": [{"name": "load"}]}"#);
    place.write("country.json", r#"{"country_holidays": "US"}"#);
    place.write("list.json", "[]");
    place.write("good.csv", "ds,y\n2025-01-01,1\n2025-01-02,2\n2025-01-03,4\n");
    place.write("infinite.csv", "ds,y\n2025-01-01,1\n2025-01-02,inf\n");
    place.write("one.csv", "ds,y\n2025-01-01,1\n2025-01-02,\n2025-01-03,nan\n");
    place.write("instant.csv", "ds,y\n2025-01-01,1\n2025-01-01,2\n2025-01-01,3\n");
    place.write("empty.csv", "ds,y\n");
    place.write("zoned.csv", "ds,y\n2025-01-01T00:00:00Z,1\n");
    place.write("no_y.csv", "ds,T1\n2025-01-01,1\n");
    for (settings, table, said) in [
        (
            "none.json",
            "infinite.csv",
            "`infinite.csv`: line 3, column `y`: `inf` is not a finite number; write one, or leave the cell empty",
        ),
        ("none.json", "one.csv", "`one.csv` has 1 rows with a value in `y`; a model needs at least 2"),
        (
            "none.json",
            "instant.csv",
            "`instant.csv` has all its rows at one instant, 2025-01-01T00:00:00; a trend needs two",
        ),
        ("none.json", "empty.csv", "`empty.csv`: it has no rows"),
        (
            "none.json",
            "zoned.csv",
            "`zoned.csv`: line 2, column `ds`: `2025-01-01T00:00:00Z` is not a datetime; write it as `2025-01-15 10:00:00` or \
             `2025-01-15 10:00:00.503`",
        ),
        ("none.json", "no_y.csv", "`no_y.csv`: it has no column `y`; its columns are `ds`, `T1`"),
        (
            "negative.json",
            "good.csv",
            "`good.csv` has -1 in the setting `changepoint_prior_scale`; expected a number above 0",
        ),
        (
            "regressor.json",
            "good.csv",
            "`good.csv` lacks the column `load`, which the settings use as a regressor",
        ),
        (
            "country.json",
            "good.csv",
            "`good.csv` has the country holidays of `US` in its settings, but their dates were not given",
        ),
    ] {
        let ran = run(&place, &["fit", settings, table]);
        assert_eq!((ran.code, ran.stdout.as_str(), ran.stderr), (Some(1), "", format!("error: {said}\n")));
    }
    for (settings, said) in [
        ("odd.json", "error: `good.csv` has settings that cannot be read: unknown field `growht`"),
        ("list.json", "error: `list.json` is not one JSON object: "),
        ("nowhere.json", "error: `nowhere.json` cannot be read: "),
    ] {
        let ran = run(&place, &["fit", settings, "good.csv"]);
        assert!(ran.code == Some(1) && ran.stderr.starts_with(said), "{settings}: {}", ran.stderr);
    }
}

/// A file of more rows than are read is left after these; one of as many distinct values is
/// trained.
#[test]
fn a_long_table_ends_in_a_sentence_or_a_model() {
    let place = Place::new();
    let rows = |count: u32, name: &str| {
        let mut file = std::io::BufWriter::new(std::fs::File::create(place.path(name)).unwrap());
        writeln!(file, "ds,y").unwrap();
        for row in 0..count {
            let (day, second) = (row / 86_400, row % 86_400);
            let (hour, minute, second) = (second / 3600, second / 60 % 60, second % 60);
            // Steps of a generator that meets each number once.
            let value = row.wrapping_mul(2_654_435_761);
            writeln!(file, "2025-01-{:02} {hour:02}:{minute:02}:{second:02},{value}", day + 1).unwrap();
        }
        file.flush().unwrap();
    };
    place.write("settings.json", r#"{"prophet": {"n_changepoints": 2, "daily_seasonality": 1}}"#);
    rows(1_000_001, "long.csv");
    let ran = run(&place, &["fit", "settings.json", "long.csv"]);
    assert_eq!(
        (ran.code, ran.stderr.as_str()),
        (
            Some(1),
            "error: `long.csv`: it has more than 1000000 rows; train on a shorter time, or on fewer rows of it\n"
        )
    );
    rows(200_000, "distinct.csv");
    let ran = run(&place, &["fit", "settings.json", "distinct.csv", "--report"]);
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    assert_eq!(serde_json::from_str::<Value>(&ran.stdout).unwrap()["rows"], 200_000);
}
