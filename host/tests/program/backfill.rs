//! `host backfill`, the real program on real files: what it writes and prints, that it continues
//! after a kill, and that a worker beside it is not disturbed.

use std::collections::BTreeSet;
use std::process::{Child, Stdio};

use crate::common::{Place, Ran, VARIABLES, masked, wait};

const RANGE: [&str; 4] = ["--from", "2025-01-15", "--to", "2025-01-16"];

/// Readings of all variables in so many minutes of 2025-01-15, and in the hours before and after
/// that day.
fn plant(minutes: u32) -> Place {
    let place = Place::by_interval();
    let names: Vec<_> = VARIABLES.iter().map(|variable| format!("('{variable}')")).collect();
    place.sql(&format!(
        "WITH RECURSIVE n(i) AS (SELECT -60 UNION ALL SELECT i + 1 FROM n WHERE i < 1499), \
         v(name) AS (VALUES {}) INSERT INTO datos_proceso (datetime, variable_name, value) \
         SELECT datetime('2025-01-15', i || ' minutes'), name, 100 + i % 7 FROM n, v \
         WHERE i < {minutes} OR i >= 1440",
        names.join(", ")
    ));
    place
}

fn backfill<'a>(more: &[&'a str]) -> Vec<&'a str> {
    let mut arguments = vec!["backfill"];
    arguments.extend(RANGE);
    arguments.extend(more);
    arguments
}

const VERDICTS: &str = "SELECT count(*) FROM anomalies_detector";
const WITHOUT: &str = "SELECT count(*) FROM datos_proceso WHERE datetime >= '2025-01-15' AND datetime < '2025-01-16' \
                       AND NOT EXISTS (SELECT 1 FROM anomalies_detector WHERE ds = datetime AND variable = variable_name)";
const TWICE: &str =
    "SELECT count(*) FROM (SELECT 1 FROM anomalies_detector GROUP BY ds, variable HAVING count(*) > 1)";
const ROWS: &str = "SELECT count(*) FROM anomaly_worker_state";

/// Every reading of the range has one verdict, no other reading has one, and no state row is left.
fn expect_done(place: &Place, verdicts: i64) {
    let found = [VERDICTS, WITHOUT, TWICE, ROWS].map(|sql| place.number(sql).unwrap());
    assert_eq!(found, [verdicts, 0, 0, 0], "verdicts, without, twice, state rows");
}

#[test]
fn a_range_is_judged_once_and_leaves_no_row_behind() {
    let place = plant(200);
    place.sql(
        "UPDATE datos_proceso SET value = NULL WHERE datetime = '2025-01-15 01:00:00';
         INSERT INTO datos_proceso (datetime, variable_name, value) VALUES ('2025-01-15 02:00:00', 'TEMP-03', 1), \
         ('2025-01-15 02:00:00', 'CALDERA', 1), ('2025-01-15 02:00:00', 'VIBRACION', 'x')",
    );
    let ran = place.run(&backfill(&[]));
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    assert_eq!(
        masked(&ran.stdout),
        "#-#-# #:#:# to #-#-# #:#:#: # readings judged, # anomalies, in # s (# s of it judging)\n\
         not judged: # NULL, # duplicate, # without a model, # malformed\n"
    );
    assert!(ran.stdout.contains(": 1194 readings judged, "), "{}", ran.stdout);
    assert!(
        ran.stdout.contains("not judged: 6 NULL, 1 duplicate, 1 without a model, 1 malformed"),
        "{}",
        ran.stdout
    );
    for line in [
        "INFO - # models loaded from",
        "WARNING - no model for `CALDERA`: readings pass unjudged until there is one",
        "WARNING - row with id # is no reading: value of `VIBRACION` is the text `x`; right would be a number",
    ] {
        assert!(masked(&ran.stderr).contains(line), "{line}\n{}", ran.stderr);
    }
    assert!(!place.path("worker.log").exists(), "the worker's log is the worker's");
    assert_eq!([VERDICTS, TWICE, ROWS].map(|sql| place.number(sql).unwrap()), [1194, 0, 0]);

    // The same again: there is nothing to do, and nothing is changed.
    let before = place.number("SELECT sum(rowid) FROM anomalies_detector");
    let ran = place.run(&backfill(&[]));
    assert!(ran.stdout.contains(": 0 readings judged, 0 anomalies, "), "{}", ran.stdout);
    assert!(ran.stdout.contains("1195 judged before"), "{}", ran.stdout);
    assert_eq!(place.number("SELECT sum(rowid) FROM anomalies_detector"), before);
}

#[test]
fn only_the_variables_asked_for_are_judged() {
    let place = plant(100);
    let ran = place.run(&backfill(&["--variables", "TEMP-03,AGUA/FLOW 1", "NO SUCH"]));
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    assert!(ran.stdout.contains(": 200 readings judged, "), "{}", ran.stdout);
    let by_variable =
        place.number("SELECT count(*) FROM anomalies_detector WHERE variable IN ('TEMP-03', 'AGUA/FLOW 1')");
    assert_eq!((place.number(VERDICTS), by_variable), (Some(200), Some(200)));
    assert!(ran.stderr.contains("WARNING - no reading of `NO SUCH` in this range"), "{}", ran.stderr);
}

/// New verdicts replace old ones where there are any, and nothing else is replaced. A reader of the
/// table never finds one missing.
#[test]
fn replacing_renews_the_verdicts_of_the_range_alone() {
    let place = plant(300);
    let whole = ["backfill", "--from", "2025-01-14", "--to", "2025-01-17"];
    assert_eq!(place.run(&whole).code, Some(0));
    place.sql("UPDATE anomalies_detector SET processed_at = '2025-01-20 00:00:00', yhat = -1");
    // A variable that has no model any more keeps its verdicts.
    place.copy_models(&[]);
    std::fs::remove_file(place.path("models/prophet_model_VIBRACION.json")).unwrap();

    let mut command = place.command(&backfill(&["--replace", "--models", "models"]));
    command.env("ANOMALY_WORKER_BATCH_ROWS", "60").stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    let (mut looks, mut seen) = (0, BTreeSet::from_iter(place.number(VERDICTS)));
    while child.try_wait().unwrap().is_none() {
        seen.extend(place.number(VERDICTS));
        looks += 1;
    }
    let ran = Ran::of(&child.wait_with_output().unwrap());
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    assert!(ran.stdout.contains(": 1500 readings judged, "), "{}", ran.stdout);
    assert!(ran.stdout.contains(", 1500 verdicts replaced, in "), "{}", ran.stdout);
    assert!(ran.stdout.contains("not judged: 300 without a model"), "{}", ran.stdout);
    assert_eq!(
        seen,
        BTreeSet::from([6 * (300 + 120)]),
        "a verdict was missing or double at one of {looks} looks"
    );
    let renewed = "SELECT count(*) FROM anomalies_detector WHERE yhat <> -1 AND processed_at > '2025-01-20'";
    assert_eq!((place.number(renewed), place.number(TWICE)), (Some(1500), Some(0)));
    let outside =
        format!("{renewed} AND (ds < '2025-01-15' OR ds >= '2025-01-16' OR variable = 'VIBRACION')");
    assert_eq!((place.number(&outside), place.number(ROWS)), (Some(0), Some(0)));
}

/// A backfill in small batches, so that there is something to stop.
fn slow(place: &Place, more: &[&str]) -> Child {
    let mut command = place.command(&backfill(more));
    command.env("ANOMALY_WORKER_BATCH_ROWS", "12").stdout(Stdio::piped()).stderr(Stdio::piped());
    command.spawn().unwrap()
}

/// Killed in the middle, again and again, with and without --replace: it continues where it was,
/// and everything is done once.
#[test]
fn a_backfill_that_is_killed_goes_on_where_it_was() {
    for replace in [false, true] {
        let place = plant(1400);
        let more: &[&str] = if replace { &["--replace"] } else { &[] };
        if replace {
            assert_eq!(place.run(&backfill(&[])).code, Some(0));
            place.sql("UPDATE anomalies_detector SET yhat = -1, processed_at = '2025-01-20 00:00:00'");
        }
        let done = || place.number("SELECT count(*) FROM anomalies_detector WHERE yhat <> -1").unwrap_or(0);
        // What is left then takes seconds, so that each kill comes while it works, on a busy
        // machine too.
        for goal in [300, 1200, 2400] {
            let mut child = slow(&place, more);
            wait("a part of it", || done() >= goal || child.try_wait().unwrap().is_some());
            child.kill().unwrap();
            child.wait().unwrap();
            let progress = "SELECT count(*) FROM anomaly_worker_state WHERE worker LIKE 'backfill 2025-01-15 00:00:00 to %'";
            assert_eq!(place.number(progress), Some(1), "it was killed at work");
            assert_eq!(place.number(TWICE), Some(0));
        }
        // What was done is not done again: it keeps its rows.
        place.sql(
            "CREATE TABLE kept AS SELECT rowid AS r, ds, variable FROM anomalies_detector WHERE yhat <> -1",
        );
        let ran = place.run(&backfill(more));
        assert_eq!(ran.code, Some(0), "{}", ran.stderr);
        assert!(ran.stderr.contains(" are done; it goes on from there"), "{}", ran.stderr);
        assert!(ran.stdout.contains(": 8400 readings judged, "), "{}", ran.stdout);
        assert!(!ran.stdout.contains("judged before"), "{}", ran.stdout);
        expect_done(&place, 8400);
        assert_eq!(done(), 8400);
        let moved = "SELECT count(*) FROM kept LEFT JOIN anomalies_detector AS a \
                     ON a.rowid = r AND a.ds = kept.ds AND a.variable = kept.variable WHERE a.rowid IS NULL";
        assert_eq!(place.number(moved), Some(0));
    }
}

/// Another set judges differently, so that half from each would be wrong.
#[test]
fn other_models_begin_anew() {
    let place = plant(1000);
    let mut child = slow(&place, &["--replace"]);
    wait("a part of it", || place.number(VERDICTS).unwrap_or(0) >= 300);
    child.kill().unwrap();
    child.wait().unwrap();
    place.sql("UPDATE anomalies_detector SET yhat = -1");
    let mut command = place.command(&backfill(&["--replace"]));
    let ran = Ran::of(&command.env("ANOMALY_DETECTOR_SETTINGS_THRESHOLD", "3.5").output().unwrap());
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    assert!(ran.stderr.contains("are not those of the last try: it begins anew"), "{}", ran.stderr);
    assert_eq!(place.number("SELECT count(*) FROM anomalies_detector WHERE yhat = -1"), Some(0));
    expect_done(&place, 6000);
}

#[test]
fn what_is_wrong_is_said_before_anything_is_written() {
    let place = plant(10);
    for (arguments, code, said) in [
        (
            &["backfill", "--from", "2025-01-16", "--to", "2025-01-15"][..],
            2,
            "error: --to (2025-01-15 00:00:00) must be later than --from (2025-01-16 00:00:00)\n",
        ),
        (
            &["backfill", "--from", "yesterday", "--to", "2025-01-15"],
            2,
            "error: invalid value 'yesterday' for '--from <DATETIME>': `yesterday` is not a datetime; write it as \
             `2025-01-15 10:00:00` or `2025-01-15 10:00:00.503`\n",
        ),
        (
            &["backfill", "--from", "2025-01-15", "--to", "2025-01-16", "--database", "nowhere.sqlite"],
            1,
            "error: database `nowhere.sqlite`: there is no such file; check the path in the configuration, or make one with \
             `host demo`\n",
        ),
    ] {
        let ran = place.run(arguments);
        assert_eq!((ran.code, ran.stdout.as_str()), (Some(code), ""), "{}", ran.stderr);
        assert!(ran.stderr.contains(said), "{}", ran.stderr);
    }
    assert_eq!(place.number("SELECT count(*) FROM sqlite_schema WHERE name LIKE 'anomal%'"), Some(0));
}

#[cfg(unix)]
mod unix {
    use super::*;
    use crate::common::signal;
    use rustix::process::Signal;

    #[test]
    fn ctrl_c_ends_after_the_batch_in_hand_and_says_how_to_go_on() {
        let place = plant(1000);
        let child = slow(&place, &[]);
        wait("a part of it", || place.number(VERDICTS).unwrap_or(0) >= 300);
        signal(child.id(), Signal::INT);
        let ran = Ran::of(&child.wait_with_output().unwrap());
        assert_eq!((ran.code, ran.stdout.as_str()), (Some(1), ""), "{}", ran.stderr);
        assert!(
            ran.stderr.contains("INFO - SIGINT: stopping after the batch in hand; once more stops at once"),
            "{}",
            ran.stderr
        );
        let last = ran.stderr.lines().last().unwrap();
        let newest: String = place
            .database()
            .query_row("SELECT max(ds) FROM anomalies_detector", [], |row| row.get(0))
            .unwrap();
        let expected = format!(
            "error: stopped; all readings up to {newest} are done, and the same command goes on from there"
        );
        assert_eq!(last, expected);
        assert_eq!(place.run(&backfill(&[])).code, Some(0));
        expect_done(&place, 6000);
    }

    /// Both judge the same readings at the same time. Each reading has one verdict, and only the
    /// worker changes its state row.
    #[test]
    fn a_worker_beside_it_does_not_notice() {
        let place = Place::new();
        place.readings(&VARIABLES, 900);
        let mut command = place.command(&["run", "--interval", "100ms", "--log-file", ""]);
        command.env("ANOMALY_WORKER_BATCH_ROWS", "12").stdout(Stdio::null()).stderr(Stdio::piped());
        let worker = command.spawn().unwrap();
        wait("the worker", || place.number(VERDICTS).unwrap_or(0) > 0);
        let mut command = place.command(&["backfill", "--from", "2000-01-01", "--to", "2200-01-01"]);
        command.env("ANOMALY_WORKER_BATCH_ROWS", "12");
        let ran = Ran::of(&command.output().unwrap());
        assert_eq!(ran.code, Some(0), "{}", ran.stderr);
        wait("the worker's end", || {
            place.number("SELECT json_extract(position, '$.scanned') FROM anomaly_worker_state") == Some(5400)
        });
        signal(worker.id(), Signal::TERM);
        let told = Ran::of(&worker.wait_with_output().unwrap());
        assert_eq!(told.code, Some(0), "{}", told.stderr);
        assert!(!told.stderr.contains("ERROR"), "{}", told.stderr);
        let found = [VERDICTS, TWICE, ROWS].map(|sql| place.number(sql).unwrap());
        assert_eq!(found, [5400, 0, 1], "verdicts, twice, state rows");
        let (counts, watermark): (String, String) = place
            .database()
            .query_row("SELECT counts, watermark FROM anomaly_worker_state", [], |row| {
                Ok((row.get(0)?, row.get(1)?))
            })
            .unwrap();
        let newest: String = place
            .database()
            .query_row("SELECT max(datetime) FROM datos_proceso", [], |row| row.get(0))
            .unwrap();
        assert_eq!(watermark, newest);
        let counts: serde_json::Value = serde_json::from_str(&counts).unwrap();
        let sum = counts["judged"].as_i64().unwrap() + counts["already_judged"].as_i64().unwrap();
        assert_eq!(sum, 5400, "{counts}");
    }
}
