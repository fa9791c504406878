//! `host import` and `host export`, the real program on real files: every way in which people's files are written, what is said of bad
//! ones, and the way round: in, judged, and out.

#![allow(clippy::unwrap_used, reason = "a test stops at the first surprise")]

mod common;

use std::process::Stdio;

use common::{Place, Ran, masked, wait};

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
        ("strictly", comma.into(), &["--strict"]),
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

        // Twice is once.
        let ran = place.run(&arguments);
        assert_eq!(ran.code, Some(0), "{what}: {}", ran.stderr);
        assert_eq!(ran.stdout, "0 readings of 2 variables in 2 rows loaded, 3 were there already\n", "{what}");
        assert_eq!(loaded(&place), plain, "{what}");
    }
}

#[test]
fn what_is_wrong_in_a_file_is_named_and_the_rest_is_loaded() {
    let place = Place::new();
    let mut text = String::from(
        "DATETIME;TEMP-03;NOTE\n2025-01-15 10:00:00;1,5;\n15/01/2025 10:05;2,5;\n2025-01-15 10:10:00;3,5\n",
    );
    text.push_str("2025-01-15 10:15:00;1.234,5;ok\n2025-01-15 10:20:00;1e15;\n;4,5;\n");
    for minute in 21..30 {
        text.push_str(&format!("2025-01-15 10:{minute}:00;{minute};turno {minute}\n"));
    }
    place.write("marzo.csv", &text);
    let strictly = place.run(&["import", "marzo.csv", "--strict"]);
    let counted = "3 rows and 12 cells that are no numbers (10 in `NOTE`, 2 in `TEMP-03`)";
    assert_eq!((strictly.code, strictly.stdout.as_str()), (Some(1), ""));
    let last = strictly.stderr.lines().last().unwrap();
    assert_eq!(last, format!("error: `marzo.csv`: {counted}; nothing was loaded"));
    assert_eq!(loaded(&place), "");

    let ran = place.run(&["import", "marzo.csv"]);
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    let mut said: Vec<&str> = ran.stderr.lines().map(|line| line.get(22..).unwrap_or(line)).collect();
    said.sort_unstable();
    let mut expected = vec![
        "INFO - columns are divided by `;`, decimals by a comma",
        "WARNING - line 3, column `DATETIME`: `15/01/2025 10:05` is not a datetime such as `2025-01-15 10:00:00`; \
         --datetime-format says how others are written, such as \"%d/%m/%Y %H:%M\"; the row is passed over",
        "WARNING - line 4 has 2 fields and the header 3; the row is passed over",
        "WARNING - line 5, column `NOTE`: `ok` is not a number; the cell is passed over",
        "WARNING - line 5, column `TEMP-03`: `1.234,5` is not a number with a decimal comma; if it has a decimal point, say \
         --decimal point; the cell is passed over",
        "WARNING - line 6, column `TEMP-03`: `1e15` has more than twelve digits before the decimals; the cell is passed over",
        "WARNING - line 7, column `DATETIME`: it is empty; the row is passed over",
        "WARNING - line 8, column `NOTE`: `turno 21` is not a number; the cell is passed over",
        "WARNING - line 9, column `NOTE`: `turno 22` is not a number; the cell is passed over",
    ];
    expected.sort_unstable();
    assert_eq!(said, expected);
    assert!(
        ran.stdout
            .starts_with(&format!("10 readings of 1 variable in 15 rows loaded\nnot loaded: {counted}\n")),
        "{}",
        ran.stdout
    );
    assert_eq!(
        place.number("SELECT count(*) FROM datos_proceso WHERE variable_name = 'TEMP-03' AND value <= 29"),
        Some(10)
    );
}

#[test]
fn a_file_that_cannot_be_right_is_refused_whole() {
    let place = Place::new();
    place.write("latin1.csv", b"DATETIME;PRESI\xd3N\n2025-01-15;1,5\n");
    place.write("wide.csv", utf16("DATETIME,T1\n2025-01-15,1\n", false));
    place.write("book.csv", b"PK\x03\x04\x14\x00");
    place.write("twice.csv", "DATETIME,T1,T1\n2025-01-15,1,2\n");
    place.write("fecha.csv", "Fecha;T1\n2025-01-15;1\n");
    place.write("alone.csv", "DATETIME\n2025-01-15\n");
    place.write("long.csv", format!("DATETIME,{}\n2025-01-15,1\n", "x".repeat(101)));
    place.write("empty.csv", "");
    place.write("header.csv", "DATETIME,T1\n");
    place.write("bad.csv", "DATETIME,T1\n2025-01-15,x\n");
    let long = format!(
        "`long.csv`: the name of column `{}…` has 101 characters; a variable's takes at most 100",
        "x".repeat(40)
    );
    for (arguments, code, said) in [
        (&["nowhere.csv"][..], 1, "`nowhere.csv`: it cannot be read: No such file or directory (os error 2)"),
        (
            &["latin1.csv"],
            1,
            "`latin1.csv`: column `PRESI\u{fffd}N` is not UTF-8 text; save the file as \"CSV UTF-8\", or say --encoding \
             windows-1252",
        ),
        (
            &["wide.csv"],
            1,
            "`wide.csv`: this is no text; a file of UTF-16 without a mark needs --encoding utf-16le",
        ),
        (&["book.csv"], 1, "`book.csv`: this is a workbook or an archive, not text; save it as CSV"),
        (&["twice.csv"], 1, "`twice.csv`: it has two columns `T1`; keep one"),
        (&["fecha.csv"], 1, "`fecha.csv`: it has no column DATETIME; its columns are `Fecha`, `T1`"),
        (&["alone.csv"], 1, "`alone.csv`: it has no column besides DATETIME; each variable needs one"),
        (&["long.csv"], 1, long.as_str()),
        (&["empty.csv"], 1, "`empty.csv`: it has no column DATETIME; it is empty"),
        (&["header.csv"], 1, "`header.csv`: there is no reading in it: below its header all cells are empty"),
        (&["bad.csv"], 1, "`bad.csv`: there is no reading in it: 1 cell that is no number (1 in `T1`)"),
        (
            &["header.csv", "--database", "nowhere.sqlite"],
            1,
            "`header.csv`: database `nowhere.sqlite`: there is no such file; check the path in the configuration, or have it \
             made with --create-table",
        ),
        (
            &["header.csv", "--datetime-format", "dd/mm/yyyy"],
            2,
            "invalid value 'dd/mm/yyyy' for '--datetime-format <FORMAT>': it must be a format of day and time without a zone, \
             such as `%d/%m/%Y %H:%M`",
        ),
        (
            &["header.csv", "--encoding", "ansi2"],
            2,
            "invalid value 'ansi2' for '--encoding <NAME>': it must be an encoding's name, such as `windows-1252` or `utf-16le`",
        ),
    ] {
        let ran = place.run(&[&["import"], arguments].concat());
        assert_eq!((ran.code, ran.stdout.as_str()), (Some(code), ""), "{arguments:?}: {}", ran.stderr);
        let found = ran.stderr.lines().find(|line| line.starts_with("error: ")).unwrap_or_default();
        assert_eq!(found, format!("error: {said}"), "{arguments:?}: {}", ran.stderr);
    }
    assert_eq!(loaded(&place), "");
    let ran = place.run(&["import", "latin1.csv", "--encoding", "windows-1252"]);
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    assert_eq!(loaded(&place), "2025-01-15 00:00:00 PRESIÓN 1.5 latin1.csv");
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
    let place = Place::new();
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
         prediction_error_pct,source_file,processed_at"
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
        assert_eq!(lines.next().unwrap(), cells.join(","));
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
    for goal in [500, 10_000] {
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
