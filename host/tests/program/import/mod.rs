//! `host import` and `host export`, the real program on real files: all forms of files that are
//! known, the messages for bad ones, and readings that are imported, judged and exported.

mod forms;
mod refused;

use std::io::Write;
use std::process::Stdio;

use crate::common::{Place, Ran, masked, wait};

const LOADED: &str = "SELECT group_concat(datetime || ' ' || variable_name || ' ' || value || ' ' || source_file, char(10)) \
                      FROM (SELECT * FROM datos_proceso ORDER BY id)";

fn loaded(place: &Place) -> String {
    place.database().query_row(LOADED, [], |row| row.get::<_, Option<String>>(0)).unwrap().unwrap_or_default()
}

fn utf16(text: &str, mark: bool) -> Vec<u8> {
    let units = mark.then_some(0xfeff).into_iter().chain(text.encode_utf16());
    units.flat_map(u16::to_le_bytes).collect()
}

#[test]
fn files_are_read_as_people_write_them() {
    let plain = "2025-01-15 10:00:00 TEMP-03 21.5 enero.csv\n2025-01-15 10:00:00 AGUA/FLOW 1 3.0 enero.csv\n\
                 2025-01-15 10:05:00 TEMP-03 -0.25 enero.csv";
    let comma = "DATETIME,TEMP-03,AGUA/FLOW 1\n2025-01-15 10:00:00,21.5,3\n2025-01-15 10:05:00,-0.25,\n";
    let spanish =
        "DATETIME;TEMP-03;AGUA/FLOW 1\r\n15/01/2025 10:00;21,5;3\r\n15/01/2025 10:05;-0,25;\r\n;;\r\n";
    let day_first: &[&str] = &["--datetime-format", "%d/%m/%Y %H:%M"];
    for (what, bytes, more) in [
        ("pandas", comma.as_bytes().to_vec(), &[][..]),
        ("with its index", ",datetime,TEMP-03,AGUA/FLOW 1\n0,2025-01-15 10:00,21.5,3\n1,2025-01-15T10:05:00,-2.5e-1,nan\n".into(), &[]),
        ("with a mark", format!("\u{feff}{comma}").into(), &[]),
        ("no line's end at the end", comma.trim_end().into(), &[]),
        ("tabs", comma.replace(',', "\t").into(), &[]),
        ("quotes", "\"DATETIME\",\"TEMP-03\",\"AGUA/FLOW 1\"\n\"2025-01-15 10:00:00\",\"21.5\",\"3\"\n2025-01-15 10:05, -0.25 , \n".into(), &[]),
        ("Excel in Spain", spanish.into(), day_first),
        ("UTF-16", utf16(spanish, true), day_first),
        ("UTF-16 without a mark", utf16(comma, false), &["--encoding", "utf-16le"]),
        ("decimals as told", "DATETIME,TEMP-03,AGUA/FLOW 1\n2025-01-15 10:00,\"21,5\",3\n2025-01-15 10:05,\"-0,25\",\n".into(), &["--decimal", "comma"]),
        ("decimals as they are", "DATETIME,TEMP-03,AGUA/FLOW 1\n2025-01-15 10:00,\"21,5\",3\n2025-01-15 10:05,\"-0,25\",\n".into(), &[]),
        ("strictly", comma.into(), &["--strict"]),
        ("Excel's first line", format!("sep=;\r\n{}", comma.replace(',', ";")).into(), &[]),
        ("Excel's first line with a mark", utf16(&format!("sep=,\r\n{comma}"), true), &[]),
        ("separators at the end", "DATETIME;TEMP-03;AGUA/FLOW 1\n2025-01-15 10:00;21,5;3;\n2025-01-15 10:05;-0,25;;;\n".into(), &[]),
        ("separators at the end of all", "DATETIME;TEMP-03;AGUA/FLOW 1;\n2025-01-15 10:00;21.5;3;\n2025-01-15 10:05;-0.25;\n".into(), &[]),
        ("bars", comma.replace(',', "|").into(), &[]),
        ("old line ends", comma.replace('\n', "\r").into(), &[]),
        ("blank lines", format!("\n;;\n{}\n \n\n", comma.replace('\n', "\n\n")).into(), &[]),
        ("no reading by another name", comma.replace("-0.25,", "-0.25,N/A").into(), &[]),
        ("no reading as a dash", comma.replace("-0.25,", "-0.25,-").into(), &[]),
        ("halves of a day", spanish.replace(":00;", ":00 a.\u{a0}m.;").replace(":05;", ":05 A. M.;").into(), &["--datetime-format", "%d/%m/%Y %I:%M %p"]),
        ("a minus of typesetters", comma.replace(",-0.25", ",\u{2212}0.25").into(), &[]),
    ] {
        let place = Place::new();
        place.write("enero.csv", bytes);
        let arguments = [&["import", "enero.csv"], more].concat();
        let ran = place.run(&arguments);
        assert_eq!(ran.code, Some(0), "{what}: {}", ran.stderr);
        let expected = "3 readings of 2 variables in 2 rows loaded\n\
                        they are from 2025-01-15 10:00:00 to 2025-01-15 10:05:00; what is too old for `host run` is judged by:\n  \
                        host backfill --from \"2025-01-15 10:00:00\" --to \"2025-01-15 10:05:01\"\n";
        assert_eq!((ran.stdout.as_str(), loaded(&place).as_str()), (expected, plain), "{what}");
        assert!(!ran.stderr.contains("WARNING"), "{what}: {}", ran.stderr);
        assert!(!place.path("worker.log").exists());

        // A second load changes nothing.
        let ran = place.run(&arguments);
        assert_eq!(ran.code, Some(0), "{what}: {}", ran.stderr);
        assert_eq!(ran.stdout, "0 readings of 2 variables in 2 rows loaded, 3 were there already\n", "{what}");
        assert_eq!(loaded(&place), plain, "{what}");
    }
}

/// A pipe can be read only once, and that is enough.
#[test]
fn a_file_may_come_through_a_pipe() {
    let place = Place::new();
    let text = month(3000);
    let mut command = place.command(&["import", "-"]);
    let mut child =
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    child.stdin.take().unwrap().write_all(text.as_bytes()).unwrap();
    let ran = Ran::of(&child.wait_with_output().unwrap());
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    assert!(ran.stdout.starts_with("18000 readings of 6 variables in 3000 rows loaded\n"), "{}", ran.stdout);
    let files = "SELECT count(*) FROM datos_proceso WHERE source_file = 'stdin'";
    assert_eq!(place.number(files), Some(18_000));
}

/// A file of six variables, a datetime a minute.
fn month(minutes: u32) -> String {
    let mut text = String::from("DATETIME,AGUA/FLOW 1,GAS_P-2,NIVEL 4,POTENCIA/MW,TEMP-03,VIBRACION\n");
    for minute in 0..minutes {
        let (hour, day) = (minute / 60, 1 + minute / 1440);
        text.push_str(&format!(
            "2025-01-{day:02} {:02}:{:02}:00,1.5,2,3,4.25,5,{minute}\n",
            hour % 24,
            minute % 60
        ));
    }
    text
}

#[test]
fn in_judged_and_out_again() {
    let place = Place::by_interval();
    place.write("enero.csv", month(2000));
    let database = ["--database", "new.sqlite"];
    let run = |arguments: &[&str]| {
        let ran = place.run(&[arguments, &database].concat());
        assert_eq!(ran.code, Some(0), "{arguments:?}: {}", ran.stderr);
        ran.stdout
    };
    assert!(
        run(&["import", "enero.csv", "--create-table"])
            .starts_with("12000 readings of 6 variables in 2000 rows loaded\n")
    );
    assert!(
        run(&["backfill", "--from", "2025-01-01", "--to", "2025-02-01"])
            .contains(": 12000 readings judged, ")
    );
    let all = run(&["export", "--from", "2025-01-01", "--to", "2025-02-01"]);
    let mut lines = all.lines();
    assert_eq!(
        lines.next().unwrap(),
        "ds,y,yhat,yhat_lower,yhat_upper,residual,outside_interval,high_residual,is_anomaly,anomaly_score,variable,\
         prediction_error_pct,source_file,processed_at,cause"
    );
    let database = rusqlite::Connection::open(place.path("new.sqlite")).unwrap();
    let mut statement = database.prepare("SELECT * FROM anomalies_detector ORDER BY ds, variable").unwrap();
    let names: Vec<String> = statement.column_names().map(str::to_owned).collect();
    let mut rows = statement.query([]).unwrap();
    let mut count = 0;
    while let Some(row) = rows.next().unwrap() {
        let cells: Vec<String> = (1..names.len())
            .map(|at| match row.get_ref(at).unwrap() {
                rusqlite::types::ValueRef::Null => String::new(),
                rusqlite::types::ValueRef::Integer(number) => number.to_string(),
                rusqlite::types::ValueRef::Real(number) => number.to_string(),
                other => other.as_str().unwrap().to_owned(),
            })
            .collect();
        // The interval gives no reason for an anomaly.
        assert_eq!(lines.next().unwrap(), cells.join(",") + ",");
        count += 1;
    }
    assert_eq!((count, lines.next()), (12_000, None));

    // A part of it, and into a file.
    let part = ["export", "--from", "2025-01-01 01:00", "--to", "2025-01-01 02:00", "--variables", "GAS_P-2"];
    assert_eq!(run(&part).lines().count(), 1 + 60);
    let share = |share: &str| {
        let rows = run(&["export", "--from", "2025-01-01", "--to", "2025-02-01", "--shard", share]);
        rows.lines().skip(1).map(str::to_owned).collect::<Vec<_>>()
    };
    let mut shares = [share("1/2"), share("2/2")];
    assert!(shares.iter().all(|share| !share.is_empty()));
    let mut whole: Vec<_> = all.lines().skip(1).map(str::to_owned).collect();
    let mut both = shares.iter_mut().flat_map(std::mem::take).collect::<Vec<_>>();
    whole.sort_unstable();
    both.sort_unstable();
    assert!(both == whole, "{} of {} verdicts in two shares", both.len(), whole.len());
    let anomalies: i64 = database
        .query_row("SELECT count(*) FROM anomalies_detector WHERE is_anomaly", [], |row| row.get(0))
        .unwrap();
    assert!(anomalies > 0, "the file is to hold some");
    let said = run(&["export", "--from", "2025-01-01", "--to", "2025-02-01", "--anomalies", "-o", "out.csv"]);
    assert_eq!(said, format!("{anomalies} verdicts written to `out.csv`\n"));
    let file = std::fs::read_to_string(place.path("out.csv")).unwrap();
    assert_eq!(file.lines().count() as i64, 1 + anomalies);
    assert!(file.lines().skip(1).all(|line| line.split(',').nth(8) == Some("1")));
    assert!(!place.path("out.csv.part").exists());
}

#[test]
fn an_anomaly_is_exported_with_its_cause() {
    let place = Place::new();
    let mut text = String::from("DATETIME,T\n");
    for minute in 0..600 {
        let value = 20.0 + f64::from(minute * 7919 % 101) / 100.0 + if minute >= 550 { 9.0 } else { 0.0 };
        text.push_str(&format!("2025-01-01 {:02}:{:02}:00,{value}\n", minute / 60, minute % 60));
    }
    place.write("enero.csv", text);
    let run = |arguments: &[&str]| {
        let ran = place.run(&[arguments, &["--database", "new.sqlite"]].concat());
        assert_eq!(ran.code, Some(0), "{arguments:?}: {}", ran.stderr);
        ran.stdout
    };
    run(&["import", "enero.csv", "--create-table"]);
    run(&["backfill", "--from", "2025-01-01", "--to", "2025-02-01"]);
    let range = ["export", "--from", "2025-01-01 09:10", "--to", "2025-01-01 09:20"];
    let found = run(&range);
    let causes: Vec<&str> = found.lines().skip(1).filter_map(|line| line.rsplit(',').next()).collect();
    assert_eq!(causes, ["spike"; 10], "{found}");
    let before = run(&["export", "--from", "2025-01-01", "--to", "2025-01-01 00:10"]);
    assert!(before.lines().skip(1).all(|line| line.ends_with(',')), "{before}");
}

#[test]
fn an_export_that_fails_leaves_no_file() {
    let place = Place::new();
    let range = ["--from", "2025-01-01", "--to", "2025-02-01"];
    for (more, code, said) in [
        (
            &[][..],
            1,
            "error: database `plant.sqlite`: there is no table `anomaly_worker_state` (its tables are `datos_proceso`); it is created when the worker starts\n",
        ),
        (
            &["-o", "out.csv"],
            1,
            "error: database `plant.sqlite`: there is no table `anomaly_worker_state` (its tables are `datos_proceso`); it is created when the worker starts\n",
        ),
        (
            &["-o", "nowhere/out.csv"],
            1,
            "error: `nowhere/out.csv` cannot be written: No such file or directory (os error 2)\n",
        ),
        (
            &["--database", "nowhere.sqlite"],
            1,
            "error: there is no `nowhere.sqlite`, where verdicts would be; check the path in the configuration\n",
        ),
    ] {
        let ran = place.run(&[&["export"], &range[..], more].concat());
        assert_eq!((ran.code, ran.stderr.as_str()), (Some(code), said), "{more:?}");
        assert!(!place.path("out.csv").exists() && !place.path("out.csv.part").exists());
        assert!(!place.path("nowhere.sqlite").exists());
    }
}

/// Killed in the middle: whole batches are there, and the same command loads the rest.
#[test]
fn a_load_that_is_killed_is_gone_on_with() {
    let place = Place::new();
    place.write("enero.csv", month(5000));
    let readings = || place.number("SELECT count(*) FROM datos_proceso").unwrap_or(0);
    for goal in [500, 5_000] {
        let mut command = place.command(&["import", "enero.csv"]);
        command.env("ANOMALY_WORKER_BATCH_ROWS", "30").stdout(Stdio::null()).stderr(Stdio::null());
        let mut child = command.spawn().unwrap();
        wait("a part of it", || readings() >= goal || child.try_wait().unwrap().is_some());
        child.kill().unwrap();
        child.wait().unwrap();
        assert!(readings() < 30_000, "it was killed at work");
        assert_eq!(readings() % 30, 0, "in whole batches");
    }
    let there = readings();
    let ran = place.run(&["import", "enero.csv"]);
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    assert!(
        ran.stdout.starts_with(&format!(
            "{} readings of 6 variables in 5000 rows loaded, {there} were there already\n",
            30_000 - there
        )),
        "{}",
        ran.stdout
    );
    assert_eq!(readings(), 30_000);
}

#[test]
fn whoever_reads_no_further_is_no_error() {
    let place = Place::new();
    place.write("enero.csv", month(3000));
    assert_eq!(place.run(&["import", "enero.csv"]).code, Some(0));
    assert_eq!(place.run(&["backfill", "--from", "2025-01-01", "--to", "2025-02-01"]).code, Some(0));
    let mut command = place.command(&["export", "--from", "2025-01-01", "--to", "2025-02-01"]);
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    drop(child.stdout.take());
    let ran = Ran::of(&child.wait_with_output().unwrap());
    assert_eq!((ran.code, ran.stderr.as_str()), (Some(0), ""), "{}", masked(&ran.stderr));
}
