//! Databases with wrong contents, judged by the real program: a verdict and readings that are dated
//! ahead, ids that start again, values that come later. The rows are those of the cases in which
//! this was found, with the machine's time.

use std::process::Stdio;

use crate::common::{Place, Ran, models, wait};

/// Tables with a key and without.
const KEYS: [bool; 2] = [true, false];

/// A plant's table with only the columns that are needed.
fn plant(key: bool) -> Place {
    let place = Place::by_interval();
    let id = if key { "id INTEGER PRIMARY KEY AUTOINCREMENT, " } else { "" };
    place.sql(&format!(
        "DROP TABLE datos_proceso; \
         CREATE TABLE datos_proceso ({id}datetime TEXT NOT NULL, variable_name TEXT NOT NULL, value REAL); \
         CREATE INDEX by_datetime ON datos_proceso (datetime)"
    ));
    place
}

/// Inserts a reading of `TEMP-03`, dated this many seconds ago.
fn put(place: &Place, seconds: u32, value: &str) {
    place.sql(&format!(
        "INSERT INTO datos_proceso (datetime, variable_name, value) \
         VALUES (datetime('now', 'localtime', '-{seconds} seconds'), 'TEMP-03', {value})"
    ));
}

fn done(place: &Place, arguments: &[&str]) -> Ran {
    let ran = place.run(arguments);
    assert_eq!(ran.code, Some(0), "{arguments:?}: {}{}", ran.stdout, ran.stderr);
    ran
}

fn once(place: &Place) -> String {
    done(place, &["run", "--once"]).stderr
}

fn verdicts(place: &Place) -> Option<i64> {
    place.number("SELECT count(*) FROM anomalies_detector WHERE yhat IS NOT NULL")
}

fn status(place: &Place) -> serde_json::Value {
    serde_json::from_str(&done(place, &["status", "--json"]).stdout).unwrap()
}

/// Case 01: one verdict of 2099 does not make everything until then too late.
#[test]
fn a_first_start_after_a_verdict_that_is_dated_ahead() {
    for key in KEYS {
        let place = plant(key);
        place.sql(
            "CREATE TABLE anomalies_detector (id INTEGER PRIMARY KEY, ds TEXT NOT NULL, y REAL, yhat REAL, yhat_lower REAL, \
             yhat_upper REAL, residual REAL, outside_interval INT, high_residual INT, is_anomaly INT, anomaly_score REAL, \
             variable TEXT NOT NULL, prediction_error_pct REAL, source_file TEXT, processed_at TEXT); \
             INSERT INTO anomalies_detector (ds, variable, y) VALUES \
             (datetime('now', 'localtime', '-20 hours'), 'TEMP-03', 20.0), ('2099-01-01 00:00:00', 'TEMP-03', 20.0)",
        );
        (0..5).for_each(|n| put(&place, 900 - 60 * n, "20.0"));
        once(&place);
        (0..5).for_each(|n| put(&place, 300 - 60 * n, "20.0"));
        once(&place);
        assert_eq!(verdicts(&place), Some(10), "with a key: {key}");
        let checked = done(&place, &["check"]).stdout;
        assert!(checked.contains("would work") && checked.contains("2099-01-01"), "{checked}");
        let status = status(&place);
        assert_eq!((&status["counts"]["judged"], &status["counts"]["too_late"]), (&10.into(), &0.into()));
        assert!(status["dated_ahead"][0].as_str().unwrap().contains("2099-01-01"), "{status}");
    }
}

/// Case 02: the table is emptied, and its identity starts again at 1.
#[test]
fn an_identity_that_starts_again() {
    let place = plant(true);
    (0..50).for_each(|n| put(&place, 3600 - n, "20.5"));
    once(&place);
    place.sql("DELETE FROM datos_proceso; DELETE FROM sqlite_sequence");
    (0..20).for_each(|n| put(&place, 300 - n, "20.5"));
    let said = once(&place);
    assert!(said.contains("ids of the input table have started again"), "{said}");
    assert_eq!(verdicts(&place), Some(70));
    assert!(!once(&place).contains("started again"), "once");
    let status = status(&place);
    assert_eq!((&status["counts"]["judged"], &status["unjudged"]), (&70.into(), &0.into()));
}

/// Case 07: a row of 2099 does not hide the lag, and is named once.
#[test]
fn the_lag_behind_a_row_that_is_dated_ahead() {
    for key in KEYS {
        let place = plant(key);
        (0..5).for_each(|n| put(&place, 3600 - 60 * n, "20.0"));
        place.sql("INSERT INTO datos_proceso (datetime, variable_name, value) VALUES ('2099-01-01 00:00:00', 'TEMP-03', 20.0)");
        let mut said = once(&place);
        for minutes in [30, 10] {
            (0..5).for_each(|n| put(&place, 60 * (minutes - n), "20.0"));
            put(&place, 60 * (minutes - 5) + 30, "NULL");
            said.push_str(&once(&place));
        }
        assert_eq!(verdicts(&place), Some(16), "with a key: {key}");
        assert_eq!(said.matches("is dated ahead").count(), 1, "{said}");
        let status = status(&place);
        let lag = status["lag_seconds"].as_i64().unwrap();
        // The newest was 330 s old when it came, and the one before these 1530 s.
        assert!((300..1500).contains(&lag), "with a key: {key}: a lag of {lag} s");
        let words = done(&place, &["status"]).stdout;
        assert!(words.contains("dated ahead") && words.contains("2099-01-01"), "{words}");
    }
}

/// Case 08: the laboratory's result comes in by an UPDATE. Without a key the next cycle reads it,
/// with one a look finds it.
#[test]
fn a_value_that_is_filled_in_later() {
    for key in KEYS {
        let place = plant(key);
        put(&place, 1800, "20.0");
        put(&place, 1740, "NULL");
        put(&place, 1680, "20.0");
        once(&place);
        place.sql("UPDATE datos_proceso SET value = 99.9 WHERE value IS NULL");
        if key {
            let said = done(&place, &["reconcile"]).stdout;
            assert!(
                said.contains("1 of them judged now: 1 filled in or changed after they were read"),
                "{said}"
            );
            assert!(said.ends_with("unjudged readings: 0\n"), "{said}");
        } else {
            once(&place);
        }
        assert_eq!(verdicts(&place), Some(3), "with a key: {key}");
        let words = done(&place, &["status"]).stdout;
        let line = words.lines().find(|line| line.starts_with("unjudged readings")).unwrap();
        let span = if key { "24 h" } else { "1 h" };
        assert!(
            line.starts_with(&format!("unjudged readings in the last {span}: 0, looked at 20")),
            "{line}"
        );
        assert_eq!(line.contains("(1 were found and judged then: 1 filled in"), key, "{line}");
    }
}

/// `reconcile` does what a worker does by itself, and always says what a person wants to know.
#[test]
fn a_look_by_hand() {
    let place = plant(true);
    let nothing = done(&place, &["reconcile"]).stdout;
    assert!(
        nothing.contains("0 readings with a verdict\n") && nothing.ends_with("unjudged readings: 0\n"),
        "{nothing}"
    );
    (0..4).for_each(|n| put(&place, 600 - 60 * n, "20.0"));
    put(&place, 200, "NULL");
    place.sql("INSERT INTO datos_proceso (datetime, variable_name, value) VALUES (datetime('now', 'localtime', '-5 minutes'), 'OTRA', 1)");
    let before = done(&place, &["reconcile"]).stdout;
    assert!(before.contains("read by the next cycle: 6"), "{before}");
    once(&place);
    let after = done(&place, &["reconcile"]).stdout;
    let expected =
        "4 readings with a verdict\nwithout a verdict: 1 NULL, 1 without a model\nunjudged readings: 0\n";
    assert!(after.ends_with(expected), "{after}");
    assert_eq!(status(&place)["counts"]["judged"], 4);

    // Verdicts are deleted and made again.
    place.sql("DELETE FROM anomalies_detector");
    let again = done(&place, &["reconcile"]).stdout;
    assert!(
        again.contains("4 readings with a verdict, 4 of them judged now: 4 filled in or changed"),
        "{again}"
    );
    assert_eq!(verdicts(&place), Some(4));
}

/// A reading that had no model leaves that count with its verdict, also over two processes.
#[test]
fn a_model_that_comes_later() {
    let place = plant(true);
    place.copy_models(&["detector_config.json", "prophet_model_NIVEL_4.json"]);
    put(&place, 600, "20.0");
    let with = |arguments: &[&str]| {
        let ran =
            Ran::of(&place.command(arguments).env("ANOMALY_DETECTOR_MODELS", "models").output().unwrap());
        assert_eq!(ran.code, Some(0), "{arguments:?}: {}{}", ran.stdout, ran.stderr);
        ran.stdout
    };
    with(&["run", "--once"]);
    let counts = status(&place)["counts"].clone();
    assert_eq!((&counts["judged"], &counts["no_model"]), (&0.into(), &1.into()));
    for entry in std::fs::read_dir(models()).unwrap() {
        let entry = entry.unwrap();
        std::fs::copy(entry.path(), place.path("models").join(entry.file_name())).unwrap();
    }
    let said = with(&["reconcile"]);
    assert!(said.contains("1 reading with a verdict, 1 of them judged now"), "{said}");
    let counts = status(&place)["counts"].clone();
    assert_eq!((&counts["judged"], &counts["no_model"]), (&1.into(), &0.into()));
}

#[test]
fn what_cannot_be_looked_at_is_said() {
    let place = plant(true);
    place.sql("DROP INDEX by_datetime");
    put(&place, 600, "20.0");
    once(&place);
    let refused = place.run(&["reconcile"]);
    assert_eq!(refused.code, Some(1), "{}", refused.stdout);
    assert!(refused.stderr.contains("the input table has no index on `datetime`"), "{}", refused.stderr);
    let words = done(&place, &["status"]).stdout;
    let said = "unjudged readings: not looked at, as the input table has no index on `datetime`";
    assert!(words.lines().any(|line| line == said), "{words}");
    assert_eq!(status(&place)["unjudged"], serde_json::Value::Null);
}

/// A verdict is missing from the worker's output. `reconcile`, its exit code and `status` say that
/// the reading is not judged.
#[test]
fn what_stays_unjudged_is_an_exit_code() {
    let place = plant(true);
    put(&place, 600, "20.0");
    once(&place);
    place.sql(
        "DELETE FROM anomalies_detector; \
         CREATE TRIGGER takes BEFORE INSERT ON anomalies_detector BEGIN SELECT RAISE(IGNORE); END",
    );
    let ran = place.run(&["reconcile"]);
    assert_eq!(ran.code, Some(1), "{}", ran.stderr);
    assert!(ran.stdout.ends_with("unjudged readings: 1\n"), "{}", ran.stdout);
    assert_eq!(status(&place)["unjudged"], 1);
    let words = done(&place, &["status"]).stdout;
    assert!(words.contains("unjudged readings in the last 24 h: 1, looked at 20"), "{words}");
}

/// While a worker runs, the same readings are judged beside it.
#[test]
fn a_look_beside_a_worker_at_work() {
    let place = plant(true);
    put(&place, 600, "20.0");
    put(&place, 540, "NULL");
    let mut worker = place.command(&["run", "--interval", "60", "--log-file", ""]);
    // So that the command looks, and not the worker by itself.
    worker.env("ANOMALY_WORKER_RECONCILE", "off").stdout(Stdio::null()).stderr(Stdio::null());
    let mut worker = worker.spawn().unwrap();
    wait("a verdict of the worker's", || verdicts(&place) == Some(1));
    place.sql("UPDATE datos_proceso SET value = 99.9 WHERE value IS NULL");
    let ran = place.run(&["reconcile"]);
    worker.kill().unwrap();
    worker.wait().unwrap();
    assert_eq!(ran.code, Some(0), "{}{}", ran.stdout, ran.stderr);
    assert!(ran.stderr.contains("is active; this looks beside it"), "{}", ran.stderr);
    assert!(ran.stdout.contains(": 1 had no verdict and have one now, 1 had one\n"), "{}", ran.stdout);
    assert_eq!(verdicts(&place), Some(2));
}
