//! `host train`, the real program on a database: models are trained, used by a running worker, and
//! judge. A worse model is refused, and after an error everything is as before.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::Stdio;

use crate::common::{Place, Ran, wait};
use serde_json::Value;

/// Twelve days, a reading every ten minutes.
const ROWS: i32 = 12 * 144;

/// Readings up to a minute ago: a daily wave with a little noise that is the same in each run.
fn history(place: &Place, variables: &[&str]) {
    let mut connection = place.database();
    let transaction = connection.transaction().unwrap();
    let now: String =
        transaction.query_row("SELECT datetime('now', 'localtime')", [], |row| row.get(0)).unwrap();
    for row in (0..ROWS).rev() {
        let minutes = 1 + 10 * row;
        let wave = (f64::from(minutes) * std::f64::consts::TAU / 1440.0).sin();
        let noise = f64::from((row * 7919) % 101) / 101.0 - 0.5;
        for (number, variable) in (0_i32..).zip(variables) {
            let value = 50.0 + 10.0 * f64::from(number) + 10.0 * wave + noise;
            transaction
                .execute(
                    "INSERT INTO datos_proceso (datetime, variable_name, value) VALUES (datetime(?1, ?2), ?3, ?4)",
                    rusqlite::params![now, format!("-{minutes} minutes"), variable, value],
                )
                .unwrap();
        }
    }
    transaction.commit().unwrap();
}

/// All files but the record, which has times.
fn contents(directory: &Path) -> BTreeMap<String, Vec<u8>> {
    let entries = std::fs::read_dir(directory).unwrap().map(Result::unwrap);
    entries
        .filter(|entry| entry.file_name() != ".training.json")
        .map(|entry| (entry.file_name().into_string().unwrap(), std::fs::read(entry.path()).unwrap()))
        .collect()
}

/// The table: for each variable its rows and what was decided.
fn decided(stdout: &str) -> Vec<(String, String, String)> {
    let rows = stdout.lines().skip(2).take_while(|line| !line.starts_with('`') && !line.contains(": "));
    let cells = |line: &str| {
        let cells: Vec<_> = line.split("  ").map(str::trim).filter(|cell| !cell.is_empty()).collect();
        (cells[0].to_owned(), cells[1].to_owned(), (*cells.last().unwrap()).to_owned())
    };
    rows.filter(|line| line.contains("  ")).map(cells).collect()
}

fn rows(expected: &[(&str, i32, &str)]) -> Vec<(String, String, String)> {
    let text = |(name, rows, decided): &(&str, i32, &str)| {
        ((*name).to_owned(), rows.to_string(), (*decided).to_owned())
    };
    expected.iter().map(text).collect()
}

#[cfg(unix)]
#[test]
fn a_worker_that_runs_takes_up_what_was_trained_once() {
    let place = Place::new();
    place.copy_models(&["prophet_model_TEMP_03.json", "detector_config.json"]);
    let before = contents(&place.path("models"));
    history(&place, &["TEMP-03", "VIBRACION", "A/B"]);
    place.readings(&["lonely"], 1);
    let mut command =
        place.command(&["run", "--interval", "1s", "--log-file", "run.log", "--models", "models"]);
    let child = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    let log = || std::fs::read_to_string(place.path("run.log")).unwrap_or_default();
    wait("verdicts", || {
        place.number("SELECT count(*) > 0 FROM anomalies_detector WHERE variable = 'TEMP-03'") == Some(1)
    });

    let ran = place.run(&["train", "--history", "13d", "--models", "models"]);
    assert_eq!(ran.code, Some(0), "{}\n{}", ran.stdout, ran.stderr);
    let expected = rows(&[
        ("A/B", ROWS, "new"),
        ("TEMP-03", ROWS, "replaced"),
        ("VIBRACION", ROWS, "new"),
        ("lonely", 1, "not trained"),
    ]);
    assert_eq!(decided(&ran.stdout), expected, "{}", ran.stdout);
    for line in [
        "`lonely` has 1 rows with a value in `y`; a model needs at least 2; the model in use, if there is one, stays",
        "3 models, trained on ",
    ] {
        assert!(ran.stdout.lines().any(|said| said.starts_with(line)), "{line}\n{}", ran.stdout);
    }
    let after = contents(&place.path("models"));
    let names: Vec<_> = after.keys().map(String::as_str).collect();
    assert_eq!(
        names,
        [
            "detector_config.json",
            "prophet_model_A_B.json",
            "prophet_model_TEMP_03.json",
            "prophet_model_VIBRACION.json"
        ]
    );
    let config: Value = serde_json::from_slice(&after["detector_config.json"]).unwrap();
    assert_eq!(config["variables"], Value::from(vec!["A/B", "TEMP-03", "VIBRACION"]));
    if cfg!(any(target_os = "linux", target_os = "macos")) {
        assert!(ran.stdout.ends_with("swapped in in one move\n"), "{}", ran.stdout);
        assert_eq!(contents(&place.path(".models.generations/1")), before);
    }

    wait("the new set", || log().contains("3 models loaded from "));
    place.sql(
        "INSERT INTO datos_proceso (datetime, variable_name, value) VALUES (datetime('now', 'localtime'), 'A/B', 900)",
    );
    wait("its verdict", || {
        place.number("SELECT is_anomaly FROM anomalies_detector WHERE variable = 'A/B' AND y = 900")
            == Some(1)
    });
    crate::common::signal(child.id(), rustix::process::Signal::TERM);
    let ended = Ran::of(&child.wait_with_output().unwrap());
    assert_eq!(ended.code, Some(0), "{}", log());
    assert_eq!(log().matches("models loaded from ").count(), 1, "{}", log());
}

#[test]
fn a_model_that_tells_the_end_worse_is_refused() {
    let place = Place::new();
    history(&place, &["T1", "T2"]);
    let ran = place.run(&["train", "--history", "13d", "--models", "models"]);
    assert_eq!(ran.code, Some(0), "{}\n{}", ran.stdout, ran.stderr);
    assert_eq!(decided(&ran.stdout), rows(&[("T1", ROWS, "new"), ("T2", ROWS, "new")]), "{}", ran.stdout);
    let before = contents(&place.path("models"));

    // One without a wave, for one variable.
    place.write(
        "training.json",
        r#"{"variables": {"T1": {"prophet": {"growth": "flat", "daily_seasonality": false}}}}"#,
    );
    let arguments = ["train", "--history", "13d", "--models", "models", "--settings", "training.json"];
    let ran = place.run(&[&arguments[..], &["--variables", "T1,T9"]].concat());
    assert_eq!(ran.code, Some(0), "{}\n{}", ran.stdout, ran.stderr);
    assert_eq!(decided(&ran.stdout), rows(&[("T1", ROWS, "kept")]), "{}", ran.stdout);
    assert!(ran.stdout.ends_with("no model is new, and nothing is written\n"), "{}", ran.stdout);
    assert!(ran.stderr.contains("no reading of `T9` from "), "{}", ran.stderr);
    assert_eq!(contents(&place.path("models")), before);

    // The other is trained again, and the set that is written elsewhere has both.
    let ran = place.run(&[&arguments[..], &["--out", "candidate"]].concat());
    assert_eq!(ran.code, Some(0), "{}\n{}", ran.stdout, ran.stderr);
    assert_eq!(
        decided(&ran.stdout),
        rows(&[("T1", ROWS, "kept"), ("T2", ROWS, "replaced")]),
        "{}",
        ran.stdout
    );
    let candidate = contents(&place.path("candidate"));
    assert_eq!(candidate.keys().collect::<Vec<_>>(), before.keys().collect::<Vec<_>>());
    assert_eq!(candidate["prophet_model_T1.json"], before["prophet_model_T1.json"]);
    assert_ne!(candidate["prophet_model_T2.json"], before["prophet_model_T2.json"]);
    assert_eq!(contents(&place.path("models")), before);
}

/// Killed after it has written none, one or more of its files, and by chance also during the swap.
#[test]
fn whoever_is_killed_leaves_one_set_or_the_other() {
    let place = Place::new();
    history(&place, &["T1", "T2", "T3", "T4"]);
    let train = ["train", "--from", "2000-01-01", "--to", "2100-01-01"];
    let into = |more: &[&str]| {
        let ran = place.run(&[&train[..], more].concat());
        assert_eq!(ran.code, Some(0), "{}\n{}", ran.stdout, ran.stderr);
    };
    into(&["--models", "models", "--mode", "as-prophet"]);
    let before = contents(&place.path("models"));
    into(&["--models", "models", "--out", "candidate"]);
    let after = contents(&place.path("candidate"));
    assert_ne!(after, before);
    let staging = place.path(".models.training");
    for files in [0, 1, 2, 4, 5] {
        let mut command = place.command(&[&train[..], &["--models", "models"]].concat());
        let mut child = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        wait("files", || {
            let written = std::fs::read_dir(&staging).map(Iterator::count);
            written.is_ok_and(|written| written >= files) || child.try_wait().unwrap().is_some()
        });
        child.kill().unwrap();
        child.wait().unwrap();
        let found = contents(&place.path("models"));
        assert!(found == before || found == after, "{files}: {:?}", found.keys());
    }
    into(&["--models", "models"]);
    assert_eq!(contents(&place.path("models")), after);
    assert!(!staging.exists());
}

#[test]
fn what_is_wrong_leaves_everything_as_it_was() {
    let place = Place::new();
    place.copy_models(&["prophet_model_TEMP_03.json", "detector_config.json"]);
    let before = contents(&place.path("models"));
    let train = |arguments: &[&str]| {
        let ran = place.run(&[&["train", "--models", "models"], arguments].concat());
        assert_eq!(contents(&place.path("models")), before, "{arguments:?}");
        assert!(!place.path(".models.training").exists(), "{arguments:?}");
        (ran.code, ran.stderr.lines().last().unwrap_or_default().to_owned())
    };
    let (code, said) = train(&[]);
    assert!(code == Some(1) && said.starts_with("error: there is no reading from "), "{said}");
    place.readings(&["TEMP-03"], 1);
    assert_eq!(train(&[]), (Some(1), "error: no variable could be trained".into()));
    place.readings(&["VIBRACION"], 200);
    place.write("typo.json", r#"{"prophet": {"growht": "flat"}}"#);
    let (code, said) = train(&["--settings", "typo.json"]);
    assert!(
        code == Some(1)
            && said.starts_with(
                "error: the settings of the training cannot be used: `TEMP-03` has settings that cannot be read: unknown field `growht`"
            ),
        "{said}"
    );
    assert_eq!(
        train(&["--out", "models"]),
        (Some(1), "error: `models` is not empty; name a new or empty directory with --out".into())
    );
    let (code, said) = train(&["--from", "2025-01-02", "--to", "2025-01-01"]);
    assert!(code == Some(2) && said.contains("must be later than"), "{said}");
}

/// A line of `host models list`, by its columns.
fn listed(place: &Place, variable: &str) -> Vec<String> {
    let ran = place.run(&["models", "list", "--models", "models"]);
    assert_eq!(ran.code, Some(0), "{}\n{}", ran.stdout, ran.stderr);
    let line = ran.stdout.lines().find(|line| line.starts_with(variable)).unwrap().to_owned();
    line.split("  ").map(str::trim).filter(|cell| !cell.is_empty()).map(str::to_owned).collect()
}

#[test]
fn models_are_listed_shown_compared_and_put_back() {
    let place = Place::new();
    place.copy_models(&["prophet_model_TEMP_03.json", "detector_config.json"]);
    let by_others = contents(&place.path("models"));
    history(&place, &["TEMP-03", "T1"]);
    assert_eq!(listed(&place, "TEMP-03")[1..], ["-"; 7]);
    let ended = |arguments: &[&str]| {
        let ran = place.run(&[&["models"], arguments, &["--models", "models"]].concat());
        (ran.code, ran.stdout, ran.stderr.lines().last().unwrap_or_default().to_owned())
    };
    let (code, _, said) = ended(&["rollback", "TEMP-03"]);
    assert_eq!(
        (code, said.as_str()),
        (Some(1), "error: no earlier set has a different model of `TEMP-03`; `host models show` lists them")
    );
    let (code, _, said) = ended(&["show", "T9"]);
    assert!(code == Some(1) && said.starts_with("error: there is no model of `T9` in "), "{said}");

    let ran = place.run(&["train", "--history", "13d", "--models", "models"]);
    assert_eq!(ran.code, Some(0), "{}\n{}", ran.stdout, ran.stderr);
    let trained = contents(&place.path("models"));
    let row = listed(&place, "TEMP-03");
    assert_eq!((row.len(), &*row[2], &*row[7]), (8, "1728", &*row[1]), "{row:?}");

    // What was there before was trained by others, and can be measured all the same.
    let (code, shown, said) = ended(&["show", "TEMP-03"]);
    assert_eq!(code, Some(0), "{said}");
    let sets: Vec<_> = shown.lines().filter(|line| line.starts_with("generation ")).collect();
    assert_eq!(sets, ["generation 2 (in use)", "generation 1"], "{shown}");
    assert!(shown.contains("  trained   elsewhere, or changed since\n"), "{shown}");
    let (code, compared, said) = ended(&["compare", "TEMP-03"]);
    assert_eq!(code, Some(0), "{said}");
    let errors: Vec<f64> = compared
        .lines()
        .filter(|line| line.starts_with(['1', '2']))
        .map(|line| line.split("  ").filter(|cell| !cell.is_empty()).nth(4).unwrap().trim().parse().unwrap())
        .collect();
    assert!(errors.len() == 2 && errors[0] < 0.5 && errors[1] > 1.0, "{compared}");

    let (code, said, error) = ended(&["rollback", "TEMP-03"]);
    assert_eq!(
        (code, said.as_str()),
        (Some(0), "`TEMP-03` has the model of generation 1 again; the set is generation 3\n"),
        "{error}"
    );
    let now = contents(&place.path("models"));
    assert_eq!(now["prophet_model_TEMP_03.json"], by_others["prophet_model_TEMP_03.json"]);
    assert_eq!(now["prophet_model_T1.json"], trained["prophet_model_T1.json"]);
    assert_eq!(now.len(), trained.len());
    assert_eq!(listed(&place, "TEMP-03")[1..], ["-"; 7]);
    assert_eq!(listed(&place, "T1")[2], "1728");
    // And to the newer one again, with the same bytes.
    let (code, _, said) = ended(&["rollback", "TEMP-03", "--to", "2"]);
    assert_eq!(code, Some(0), "{said}");
    assert_eq!(contents(&place.path("models")), trained);
    let (code, _, said) = ended(&["rollback", "TEMP-03", "--to", "2"]);
    assert_eq!(
        (code, said.as_str()),
        (Some(1), "error: the model of `TEMP-03` of generation 2 is the one in use")
    );
}

/// The bytes of the database, and the files beside it.
fn database_files(place: &Place) -> BTreeMap<String, Vec<u8>> {
    let names = files_of(&place.path("")).into_iter().filter(|name| name.starts_with("plant.sqlite"));
    names.map(|name| (name.clone(), std::fs::read(place.path(&name)).unwrap())).collect()
}

/// The names of a directory's entries, sorted.
fn files_of(directory: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(directory).unwrap().map(Result::unwrap);
    let mut names: Vec<_> = entries.map(|entry| entry.file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

#[test]
fn a_backtest_says_what_would_have_been_found_and_writes_nothing() {
    let place = Place::by_interval();
    history(&place, &["T1", "T2"]);
    // On the third last day T1 has a fault for hours.
    place.sql(
        "UPDATE datos_proceso SET value = value + 40 WHERE variable_name = 'T1' \
         AND datetime BETWEEN datetime('now', 'localtime', '-60 hours') AND datetime('now', 'localtime', '-57 hours')",
    );
    let time = |ago: &str| -> String {
        let sql = format!("SELECT datetime('now', 'localtime', '{ago}')");
        place.database().query_row(&sql, [], |row| row.get(0)).unwrap()
    };
    let (from, to) = (time("-4 days"), time("-2 days"));
    let ran = place.run(&["train", "--from", "2000-01-01", "--to", &from, "--models", "models"]);
    assert_eq!(ran.code, Some(0), "{}\n{}", ran.stdout, ran.stderr);
    // T2 has no stored verdicts.
    let range = ["--from", &from, "--to", &to, "--models", "models"];
    let ran = place.run(&[&["backfill", "--variables", "T1"], &range[..]].concat());
    assert_eq!(ran.code, Some(0), "{}\n{}", ran.stdout, ran.stderr);
    place.write(
        "events.csv",
        format!("variable,from,to\nT1,{},{}\nT9,{from},{to}\n", time("-60 hours"), time("-57 hours")),
    );
    // Settings with which nearly all readings are flagged, and models that are trained with them.
    place.write("tight.json", r#"{"rule": "interval", "threshold": 0.1}"#);
    place.write(
        "flat.json",
        r#"{"prophet": {"growth": "flat", "daily_seasonality": false, "interval_width": 0.5}}"#,
    );
    let (before, listed) = (database_files(&place), files_of(&place.path("")));
    let ask = |more: &[&str]| {
        let ran = place
            .run(&[&["backtest", "--from", &from, "--to", &to, "--events", "events.csv"], more].concat());
        assert_eq!(ran.code, Some(0), "{more:?}: {}\n{}", ran.stdout, ran.stderr);
        assert_eq!(database_files(&place), before, "{more:?}");
        assert_eq!(files_of(&place.path("")), listed, "{more:?}");
        ran.stdout
    };
    let cells = |said: &str, line: &str| -> Vec<String> {
        let line =
            said.lines().find(|found| found.starts_with(line)).unwrap_or_else(|| panic!("{line}: {said}"));
        line.split("  ").map(str::trim).filter(|cell| !cell.is_empty()).map(str::to_owned).collect()
    };
    // The same set that has judged: no difference.
    let said = ask(&["--models", "models"]);
    let row = cells(&said, "T1 ");
    assert_eq!((row.len(), &*row[1], &*row[6], &*row[7]), (8, "288", "0", "0"), "{said}");
    assert_eq!((&row[2], &row[4]), (&row[3], &row[5]), "{said}");
    assert_ne!(row[2], "0.00 %", "{said}");
    let row = cells(&said, "T2 ");
    assert_eq!((&*row[1], &*row[3], &*row[5]), ("288", "-", "-"), "{said}");
    let events: Vec<_> = said.lines().filter(|line| line.contains("missed")).collect();
    assert!(events.len() == 1 && events[0].starts_with("T9 "), "{said}");
    assert!(said.contains("\n1 of 2 events found; 1 by the verdicts that are stored\n"), "{said}");
    let tight = ask(&["--models", "models", "--settings", "tight.json"]);
    assert_ne!(cells(&tight, "T1 ")[6], "0", "{tight}");
    let flat = ask(&["--train-settings", "flat.json"]);
    assert_ne!(cells(&flat, "T2 ")[2], "0.00 %", "{flat}");
    let ran = place.run(&["backtest", "--from", &to, "--to", &from]);
    assert_eq!(ran.code, Some(2), "{}", ran.stderr);
    place.write("events.csv", "variable,from\n");
    let ran = place.run(&["backtest", "--from", &from, "--to", &to, "--events", "events.csv"]);
    assert!(ran.code == Some(1) && ran.stderr.contains("it has no column `to`"), "{}", ran.stderr);
}

/// A past fault that is excluded has no influence on a model. A regressor is another variable.
#[test]
fn anomalies_are_left_out_and_other_variables_are_columns() {
    let place = Place::by_interval();
    history(&place, &["T1", "LOAD"]);
    let train = |more: &[&str]| {
        let ran = place.run(&[&["train", "--history", "13d", "--variables", "T1", "--out"], more].concat());
        assert_eq!(ran.code, Some(0), "{more:?}: {}\n{}", ran.stdout, ran.stderr);
        ran.stdout
    };
    assert_eq!(decided(&train(&["all"])), rows(&[("T1", ROWS, "new")]));
    let ran = place.run(&["backfill", "--from", "2000-01-01", "--to", "2100-01-01", "--models", "all"]);
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    place.sql("UPDATE anomalies_detector SET is_anomaly = 0");
    place.sql(
        "UPDATE anomalies_detector SET is_anomaly = 1 WHERE variable = 'T1' AND ds IN \
         (SELECT ds FROM anomalies_detector WHERE variable = 'T1' ORDER BY ds LIMIT 100)",
    );
    let said = train(&["without", "--leave-out-anomalies"]);
    assert_eq!(decided(&said), rows(&[("T1", ROWS - 100, "new")]), "{said}");
    // Only episodes that a person confirmed are left out, and not all flagged readings.
    place.sql("DELETE FROM anomaly_worker_episodes");
    for (offset, feedback) in [(200, "'real'"), (400, "'sensor'"), (600, "'expected'"), (800, "NULL")] {
        place.sql(&format!(
            "INSERT INTO anomaly_worker_episodes (variable, kind, begin_at, end_at, closed_at, is_open, readings, flagged, priority, told, \
             shelved, worker, feedback, version, created_at, updated_at) SELECT 'T1', 'anomaly', min(ds), max(ds), max(ds), 0, 50, 50, \
             'low', 'never', 0, 'w', {feedback}, 1, min(ds), min(ds) FROM \
             (SELECT ds FROM anomalies_detector WHERE variable = 'T1' ORDER BY ds LIMIT 50 OFFSET {offset})"
        ));
    }
    let said = train(&["called", "--leave-out-anomalies=real"]);
    assert_eq!(decided(&said), rows(&[("T1", ROWS - 100, "new")]), "{said}");
    place.sql("UPDATE anomaly_worker_episodes SET feedback = 'expected'");
    let said = train(&["not-called", "--leave-out-anomalies=real"]);
    assert_eq!(decided(&said), rows(&[("T1", ROWS, "new")]), "{said}");

    place.sql("DELETE FROM datos_proceso WHERE variable_name = 'LOAD' AND id % 4 = 0");
    place.write("load.json", r#"{"regressors": [{"name": "load"}], "columns": {"load": "LOAD"}}"#);
    let model = |set: &str| -> Value {
        serde_json::from_slice(&contents(&place.path(set))["prophet_model_T1.json"]).unwrap()
    };
    train(&["with-load", "--settings", "load.json"]);
    assert!(model("with-load")["extra_regressors"].to_string().contains("load"));
    place.write("gone.json", r#"{"regressors": [{"name": "load"}], "columns": {"load": "GONE"}}"#);
    let ran = place.run(&["train", "--history", "13d", "--settings", "gone.json", "--out", "none"]);
    let lacks = "needs readings of `GONE` for its column `load`, and the range has none; the model in use, if there is one, stays";
    assert!(ran.code == Some(1) && ran.stdout.contains(lacks), "{}\n{}", ran.stdout, ran.stderr);
    // Without `columns` it also says what is missing.
    place.write("bare.json", r#"{"regressors": [{"name": "load"}]}"#);
    let ran = place.run(&["train", "--history", "13d", "--settings", "bare.json", "--out", "none"]);
    let said = format!("{}\n{}", ran.stdout, ran.stderr);
    assert!(ran.code == Some(1) && said.contains("`load`"), "{said}");
}

/// What `check` says about a schedule that is possible, and about one with a module that only
/// judges.
#[test]
fn check_says_whether_the_schedule_trains_anything() {
    let place = Place::new();
    place.copy_models(&[]);
    let built_in = host::detector::Module::built_in().bytes;
    // This host does not know the same interface under another name.
    let (ours, other) = (b"detector/training@", b"detector/drainage@");
    let mut judges_only = built_in.to_vec();
    let places: Vec<_> = memchr::memmem::find_iter(&built_in, ours).collect();
    assert!(!places.is_empty());
    for at in places {
        judges_only[at..at + other.len()].copy_from_slice(other);
    }
    place.write("judges.wasm", judges_only);
    place.write("settings.json", "[]");
    for (training, detector, code, said) in [
        ("", "", 0, None),
        ("every = \"7days\"", "", 0, Some("ok    training       every 7days")),
        (
            "every = \"7days\"",
            "module = \"judges.wasm\"",
            0,
            Some(
                "note  training       `judges.wasm` cannot be used: it judges and does not train: it has no export \
                 `anomaly-worker:detector/training@0.1.0`; so `every` of `[training]` trains nothing",
            ),
        ),
        (
            "every = \"7days\"\nsettings = \"settings.json\"",
            "",
            1,
            Some("FAIL  training       `settings.json`: it is not"),
        ),
    ] {
        let detector = format!("[detector]\nmodels = \"models\"\n{detector}");
        let database = "[input]\ndatabase = \"plant.sqlite\"";
        place.write("anomaly-worker.toml", format!("{database}\n{detector}\n[training]\n{training}\n"));
        let ran = place.run(&["check"]);
        let stdout = ran.stdout.replace(&place.path("").display().to_string(), "");
        let lines: Vec<_> = stdout
            .lines()
            .filter(|line| line.get(6..).is_some_and(|line| line.starts_with("training ")))
            .collect();
        assert_eq!(ran.code, Some(code), "{}\n{}", ran.stdout, ran.stderr);
        assert!(lines.len() == usize::from(said.is_some()), "{lines:?}");
        assert!(lines.iter().zip(said).all(|(line, said)| line.starts_with(said)), "{lines:?}");
    }
}
