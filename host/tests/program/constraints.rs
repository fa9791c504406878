//! Output tables that refuse some verdicts or fill some columns themselves: what is refused costs
//! the variable that it is about, and `host check` finds it without leaving a trace.

use crate::common::{Place, VARIABLES};
use host::store::{TableNames, schema};

fn place_with(output: &str, more: &str) -> Place {
    let place = Place::new();
    let tables = TableNames::default();
    place.sql(&schema::sqlite::state(&tables.state));
    place.sql(output);
    place.sql(more);
    place.readings(&VARIABLES, 3);
    place
}

fn output() -> String {
    schema::sqlite::output(&TableNames::default().output)
}

#[test]
fn a_variable_that_the_output_refuses_is_left_out_and_named() {
    let trigger = "CREATE TRIGGER known BEFORE INSERT ON anomalies_detector WHEN NEW.variable = 'NIVEL 4' \
                   BEGIN SELECT RAISE(ABORT, 'no such line'); END;";
    let foreign = "CREATE TABLE lines (name TEXT PRIMARY KEY); INSERT INTO lines VALUES ('AGUA/FLOW 1'), ('GAS_P-2'), \
                   ('POTENCIA/MW'), ('TEMP-03'), ('VIBRACION');";
    let key = output().replace("variable TEXT NOT NULL", "variable TEXT NOT NULL REFERENCES lines (name)");
    for (output, more) in [(output(), trigger), (key, foreign)] {
        let place = place_with(&output, more);
        let checked = place.run(&["check"]);
        assert_eq!(checked.code, Some(0), "{}{}", checked.stdout, checked.stderr);
        assert!(checked.stdout.contains("it refuses verdicts on `NIVEL 4`"), "{}", checked.stdout);
        assert_eq!(
            place.number("SELECT count(*) FROM anomalies_detector"),
            Some(0),
            "a check leaves nothing"
        );
        let ran = place.run(&["run", "--once"]);
        assert_eq!(ran.code, Some(0), "{}", ran.stderr);
        assert!(ran.stderr.contains("the output refuses `NIVEL 4`"), "{}", ran.stderr);
        assert_eq!(place.number("SELECT count(*) FROM anomalies_detector"), Some(15));
        let status = place.run(&["status", "--json"]);
        let found: serde_json::Value = serde_json::from_str(&status.stdout).unwrap();
        assert_eq!(
            (&found["counts"]["judged"], &found["counts"]["unfit"]),
            (&15.into(), &3.into()),
            "{}",
            status.stdout
        );
        // Once the table takes it, what was left out is judged.
        place.sql("DROP TRIGGER IF EXISTS known; CREATE TABLE IF NOT EXISTS lines (name TEXT PRIMARY KEY); INSERT OR IGNORE INTO lines VALUES ('NIVEL 4');");
        let filled = place.run(&["backfill", "--from", "2000-01-01", "--to", "2100-01-01"]);
        assert_eq!(filled.code, Some(0), "{}", filled.stderr);
        assert_eq!(place.number("SELECT count(*) FROM anomalies_detector"), Some(18));
    }
}

#[test]
fn what_refuses_every_variable_fails_the_cycle_and_loses_nothing() {
    let place = place_with(
        &output(),
        "CREATE TRIGGER closed BEFORE INSERT ON anomalies_detector BEGIN SELECT RAISE(ABORT, 'closed'); END;",
    );
    let checked = place.run(&["check"]);
    assert_eq!(checked.code, Some(1), "{}", checked.stdout);
    let ran = place.run(&["run", "--once"]);
    assert_eq!(ran.code, Some(1), "{}", ran.stderr);
    place.sql("DROP TRIGGER closed");
    let ran = place.run(&["run", "--once"]);
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    assert_eq!(place.number("SELECT count(*) FROM anomalies_detector"), Some(18));
}

#[test]
fn a_computed_column_fills_itself() {
    let made = output();
    let residual =
        made.lines().find(|line| line.trim_start().trim_start_matches('"').starts_with("residual")).unwrap();
    let computed = made.replace(residual, "    residual GENERATED ALWAYS AS (y - yhat) STORED NOT NULL,");
    let place = place_with(&computed, "");
    let ran = place.run(&["run", "--once"]);
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    assert_eq!(place.number("SELECT count(*) FROM anomalies_detector WHERE residual = y - yhat"), Some(18));
}

/// A key that nobody counts up tells nothing of what came when.
#[test]
fn an_id_that_is_only_unique_is_no_order_of_arrival() {
    let place = Place::new();
    place.sql(
        "DROP TABLE datos_proceso; CREATE TABLE datos_proceso (id BIGINT NOT NULL UNIQUE, datetime DATETIME NOT NULL, \
         variable_name TEXT NOT NULL, value REAL); CREATE INDEX t ON datos_proceso (datetime);",
    );
    let insert = |id: i64, minutes: i64| {
        place.sql(&format!(
            "INSERT INTO datos_proceso VALUES ({id}, datetime('now', 'localtime', '-{minutes} minutes'), 'TEMP-03', 100)"
        ));
    };
    insert(1000, 9);
    assert_eq!(place.run(&["run", "--once"]).code, Some(0));
    insert(5, 3);
    assert_eq!(place.run(&["run", "--once"]).code, Some(0));
    assert_eq!(place.number("SELECT count(*) FROM anomalies_detector"), Some(2));
}
