//! The real program on real files, from its command line to its exit code: what a person sees if
//! all is well.

use crate::common::{Place, Ran, VARIABLES, masked, models, untimed, wait};
use host::detector::BUILT_IN;
use serde_json::Value;

/// The messages of log lines, without the time and with numbers masked. Fails at what is not a
/// whole log line.
fn messages(log: &str) -> Vec<String> {
    let message = |line: &str| {
        let (at, rest) = line.split_at_checked(19).unwrap_or(("", line));
        assert_eq!(masked(at), "#-#-# #:#:#", "no log line: {line}");
        let rest = rest.strip_prefix(" - ").unwrap();
        assert!(["INFO", "WARNING", "ERROR"].contains(&rest.split(" - ").next().unwrap()), "{line}");
        masked(rest)
    };
    log.lines().map(message).collect()
}

fn loaded() -> String {
    masked(&format!("INFO - 6 models loaded from {}", models().display()))
}

#[test]
fn one_cycle_is_told_in_whole_lines() {
    let place = Place::by_interval();
    place.readings(&VARIABLES, 2);
    let ran = place.run(&["run", "--once"]);
    assert_eq!((ran.code, ran.stdout.as_str()), (Some(0), ""), "{}", ran.stderr);
    let mut expected = vec![
        "INFO - no configuration file (`anomaly-worker.toml` is not there): defaults, environment and flags"
            .to_owned(),
        loaded(),
    ];
    let lines = [
        "INFO - created table `anomalies_detector`, table `anomaly_worker_state`, table `anomaly_worker_state_checkpoint`, unique index on (variable, ds), index on ds, \
         index on (variable, ds, y), index on (is_anomaly, ds, variable), index on processed_at, table `anomaly_worker_episodes`, table `anomaly_worker_outbox`",
        "INFO - nothing was processed before; readings from #-#-# #:#:# on are judged",
        "INFO - [cycle #] checking for new data",
        "INFO - # rows found: # datetimes, # variables, # of # models apply",
        "INFO - judged # datetimes, # anomalies (total #) in # ms",
        "INFO - stopped: # cycle, # failed, # readings judged, # anomalies (# %), last processed datetime #-#-# #:#:#, up #s",
    ];
    expected.extend(lines.map(ToOwned::to_owned));
    assert_eq!(messages(&ran.stderr), expected);
    assert_eq!(place.number("SELECT count(*) FROM anomalies_detector"), Some(12));
    let file = std::fs::read_to_string(place.path("worker.log")).unwrap();
    let file = file.replace(&place.path("").display().to_string(), "");
    assert_eq!(untimed(&file), untimed(&ran.stderr), "the file has the same lines");

    let json = place.run(&["run", "--once", "--log-format", "json"]);
    assert_eq!(json.code, Some(0));
    let said: Vec<Value> = json.stderr.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert!(said.iter().any(|line| line["message"] == "no new data" && line["level"] == "INFO"), "{said:#?}");
}

/// A mistyped path must not become an empty database.
#[test]
fn looking_creates_nothing() {
    let place = Place::new();
    place.write("c.toml", "[worker]\nallowed_lateness = \"2h\"\n[output]\ndatabase = \"verdicts.sqlite\"\n");
    let ran = place.run(&["status", "--config", "c.toml"]);
    assert_eq!(ran.code, Some(1), "{}", ran.stderr);
    assert!(ran.stdout.starts_with("worker `default` has not run here yet"), "{}", ran.stdout);
    let ran = place.run(&["check", "--config", "c.toml"]);
    assert_eq!(ran.code, Some(0), "{}{}", ran.stdout, ran.stderr);
    assert!(ran.stdout.contains("rows may come up to 2h late"), "{}", ran.stdout);
    let ran = place.run(&["check", "--database", "nowhere.sqlite"]);
    assert!(!ran.stdout.contains("`run` creates it"), "{}", ran.stdout);
    assert!(!place.path("verdicts.sqlite").exists() && !place.path("nowhere.sqlite").exists());
}

#[test]
fn check_says_what_an_index_on_datetime_would_spare() {
    let place = Place::new();
    let columns = "datetime DATETIME, variable_name VARCHAR(100), value DECIMAL(18,6)";
    place.sql(&format!(
        "CREATE TABLE keyed (id INTEGER PRIMARY KEY, {columns}); CREATE TABLE bare ({columns})"
    ));
    let index = "no index on `datetime`";
    for (table, said) in [
        ("datos_proceso", None),
        (
            "keyed",
            Some("cycles go by `id`, but a first start and each batch of a backfill read the whole table"),
        ),
        ("bare", Some("each cycle reads the whole table")),
    ] {
        let ran = Ran::of(&place.command(&["check"]).env("ANOMALY_INPUT_TABLE", table).output().unwrap());
        assert_eq!(ran.code, Some(0), "{table}: {}", ran.stdout);
        let found = ran.stdout.lines().find(|line| line.contains(index));
        let expected =
            said.map(|said| format!("note  input          {index}: {said}; ask for such an index"));
        assert_eq!(found.map(str::to_owned), expected, "{table}");
    }
}

#[test]
fn status_tells_how_far_the_worker_has_come() {
    let place = Place::by_interval();
    place.readings(&VARIABLES, 3);
    assert_eq!(place.run(&["status"]).code, Some(1), "nothing was processed yet");
    assert_eq!(place.run(&["run", "--once"]).code, Some(0));
    place.readings(&["X"], 1);
    assert_eq!(place.run(&["run", "--once"]).code, Some(0));

    let ran = place.run(&["status"]);
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    let anomalies = place.number("SELECT count(*) FROM anomalies_detector WHERE is_anomaly").unwrap();
    let lines: Vec<_> = ran.stdout.lines().collect();
    assert_eq!(lines[0], "worker        default");
    assert!(lines[1].starts_with("watermark     20") && lines[2].starts_with("lag           "), "{lines:#?}");
    assert!(lines[3].starts_with("last commit   20"), "{lines:#?}");
    let state = "SELECT set_digest || json_extract(position, '$.models.directory') FROM anomaly_worker_state";
    let in_use: String = place.database().query_row(state, [], |row| row.get(0)).unwrap();
    let (digest, models) = in_use.split_at(64);
    let loaded = format!("6 models in `{models}`, set {}", &digest[..12]);
    assert_eq!(lines[4], format!("set           {loaded}"));
    let checked = place.run(&["check"]).stdout;
    assert!(checked.lines().any(|line| line == format!("ok    models         {loaded}")), "{checked}");
    assert_eq!(lines[5], format!("judged        18 readings, {anomalies} anomalies"));
    assert_eq!(lines[6], "not judged    1 without a model");

    let json: Value = serde_json::from_str(&place.run(&["status", "--json"]).stdout).unwrap();
    let (watermark, digest): (String, String) = place
        .database()
        .query_row("SELECT watermark, set_digest FROM anomaly_worker_state", [], |row| {
            Ok((row.get(0)?, row.get(1)?))
        })
        .unwrap();
    assert_eq!((&json["watermark"], &json["set"]), (&watermark.into(), &digest.into()));
    assert_eq!((&json["counts"]["judged"], &json["counts"]["no_model"]), (&18.into(), &1.into()));
    assert_eq!(json["worker"], "default");
    assert!(json["lag_seconds"].as_u64().unwrap() < 3600, "{json}");
}

#[test]
fn inspect_tells_what_a_module_is_and_whether_it_would_be_loaded() {
    let place = Place::new();
    place.write("detector.wasm", BUILT_IN);
    let ran = place.run(&["detector", "inspect", "detector.wasm"]);
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    let said: Vec<_> = ran.stdout.lines().collect();
    assert!(said[0].starts_with("file       detector.wasm ("), "{said:#?}");
    for line in [
        "trains     yes: it makes models",
        "state      checkpoints of schema 2",
        "loadable   yes: it is built for anomaly-worker:detector@0.1.0, which this host serves",
    ] {
        assert!(said.contains(&line), "{line}\n{said:#?}");
    }
    // In the order of the component, which is its linker's.
    for interface in ["judging", "training", "logging"] {
        let name = format!(" anomaly-worker:detector/{interface}@0.1.0");
        assert!(said.iter().any(|line| line.ends_with(&name)), "{name}\n{said:#?}");
    }
    assert!(ran.stdout.contains("detector   prophet "), "{said:#?}");

    place.write("text.wasm", "no component");
    let ran = place.run(&["detector", "inspect", "text.wasm"]);
    assert_eq!(ran.code, Some(1));
    assert!(
        ran.stdout
            .ends_with("loadable   no: `text.wasm` cannot be used: it is not a WebAssembly component\n")
    );
    let ran = place.run(&["detector", "inspect", "nowhere.wasm"]);
    assert_eq!((ran.code, ran.stdout.as_str()), (Some(1), ""));
    assert!(ran.stderr.starts_with("error: `nowhere.wasm` cannot be read: "), "{}", ran.stderr);
}

#[cfg(unix)]
mod unix {
    use std::process::Stdio;

    use super::*;
    use crate::common::signal;
    use rustix::process::Signal;

    #[test]
    fn a_service_runs_until_it_is_told_to_stop_and_ends_with_a_summary() {
        for (sent, name) in [(Signal::TERM, "SIGTERM"), (Signal::INT, "SIGINT")] {
            let place = Place::new();
            place.readings(&VARIABLES, 2);
            let mut command = place.command(&["run", "--interval", "1s"]);
            let child = command.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
            wait("verdicts", || place.number("SELECT count(*) FROM anomalies_detector") == Some(12));
            place.readings(&["VIBRACION"], 1);
            // The same variable and minute, unless a minute has just passed.
            wait("a second cycle", || {
                place.number("SELECT json_extract(position, '$.scanned') FROM anomaly_worker_state")
                    == Some(13)
            });
            signal(child.id(), sent);
            let ran = Ran::of(&child.wait_with_output().unwrap());
            assert_eq!(ran.code, Some(0), "{name}: {}", ran.stderr);
            let said = messages(&ran.stderr);
            let last = &said[said.len() - 1];
            assert!(
                last.starts_with("INFO - stopped: # cycles, # failed, # readings judged, "),
                "{name}: {last}"
            );
            let expected = format!("INFO - {name}: stopping");
            assert!(said.contains(&expected), "{name}: {said:#?}");
            assert!(said.contains(&"INFO - next check in # second".to_owned()), "{name}: {said:#?}");
            let file = std::fs::read_to_string(place.path("worker.log")).unwrap();
            assert_eq!(untimed(&file), untimed(&ran.stderr), "{name}");
        }
    }

    /// A new model is used without a restart, and a bad one changes nothing. SIGHUP makes it look
    /// at the models.
    #[test]
    fn a_model_that_is_dropped_in_is_used_at_the_next_cycle() {
        let place = Place::by_interval();
        place.copy_models(&["prophet_model_TEMP_03.json", "detector_config.json"]);
        place.readings(&["TEMP-03", "VIBRACION"], 1);
        let mut command =
            place.command(&["run", "--interval", "1s", "--log-file", "run.log", "--models", "models"]);
        let child = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        let log = || std::fs::read_to_string(place.path("run.log")).unwrap_or_default();
        wait("a verdict", || place.number("SELECT count(*) FROM anomalies_detector") == Some(1));
        place.write("models/prophet_model_VIBRACION.json", "{");
        place.copy_models(&["prophet_model_VIBRACION.json"]);
        signal(child.id(), Signal::HUP);
        wait("the new model", || log().contains("2 models loaded from "));
        place.sql(
            "INSERT INTO datos_proceso (datetime, variable_name, value) VALUES (datetime('now', 'localtime'), 'VIBRACION', 3)",
        );
        wait("its verdict", || {
            let its = "SELECT count(*) FROM anomalies_detector WHERE variable = 'VIBRACION' AND y = 3";
            place.number(its) == Some(1)
        });
        signal(child.id(), Signal::TERM);
        let ran = Ran::of(&child.wait_with_output().unwrap());
        assert_eq!(ran.code, Some(0), "{}", log());
    }
}

/// Names come from a database that others write to, and paths from anywhere. They must not begin a
/// line of their own, nor control a terminal.
#[test]
fn what_is_printed_is_escaped() {
    let place = Place::by_interval();
    let forged =
        "T1\n2025-01-15 10:00:00 - ERROR - forged\r\u{1b}[2J\u{9b}31m\u{202e}\u{2066}\u{200f}\u{61c}\u{200b}";
    place.readings(&[forged, VARIABLES[0]], 2);
    let shown = r"T1\n2025-01-15 10:00:00 - ERROR - forged\r\u{1b}[2J\u{9b}31m\u{202e}\u{2066}\u{200f}\u{61c}\u{200b}";
    for (arguments, names) in [
        (vec!["check"], true),
        (vec!["run", "--once"], true),
        (vec!["status"], false),
        (vec!["status", "--json"], false),
        (vec!["backfill", "--from", "2020-01-01", "--to", "2100-01-01", "--variables", forged], true),
        (vec!["check", "--models", forged], true),
        (vec!["run", "--once", "--models", forged], true),
        (vec!["run", "--once", "--detector", forged], true),
        (vec!["check", "--config", forged], true),
        (vec!["detector", "inspect", forged], true),
        (vec!["import", forged], true),
        (vec!["predict", forged, forged], true),
    ] {
        let ran = place.run(&arguments);
        let said = ran.stdout + &ran.stderr;
        assert!(!said.chars().any(|c| c != '\n' && c.is_control()), "{arguments:?}: {said:?}");
        assert!(
            // JSON has escapes of its own, on one line.
            !said
                .lines()
                .any(|line| line.contains("forged") && !line.contains(shown) && !line.starts_with('{')),
            "{arguments:?}: {said}"
        );
        assert!(
            !["\u{202e}", "\u{2066}", "\u{200f}", "\u{61c}", "\u{200b}"].iter().any(|one| said.contains(one))
        );
        assert_eq!(said.contains(shown), names, "{arguments:?}: {said}");
    }
}
