//! Files that an earlier version loaded wrongly, or in part, without an error.

use std::path::Path;

use crate::common::Place;

/// Loads one of `files/` into a new table: the exit code, what was said, and what is in the table.
fn import(file: &str, more: &[&str]) -> (Option<i32>, String, String) {
    let place = Place::new();
    let from = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/program/import/files").join(file);
    std::fs::copy(from, place.path(file)).unwrap();
    let ran = place.run(&[&["import", file], more].concat());
    let said = match ran.code {
        Some(0) => ran
            .stdout
            .lines()
            .take_while(|line| !line.starts_with("they are from"))
            .collect::<Vec<_>>()
            .join("\n"),
        _ => ran.stderr.lines().last().unwrap_or_default().to_owned(),
    };
    let rows =
        "SELECT group_concat(datetime || ' ' || value, ', ') FROM (SELECT * FROM datos_proceso ORDER BY id)";
    let rows = place.database().query_row(rows, [], |row| row.get::<_, Option<String>>(0)).unwrap();
    (ran.code, said, rows.unwrap_or_default())
}

fn quote(file: &str, opens: u32) -> String {
    format!(
        "error: `{file}`: line {opens}: a quote opens a cell that would swallow line {}, which is a row of its own; remove the \
         quote, or close it",
        opens + 1
    )
}

#[test]
fn nothing_is_lost_or_read_as_something_else() {
    let (twelve, seconds) = ("%d/%m/%Y %I:%M:%S %p", "%d/%m/%Y %H:%M:%S");
    for (file, more, code, said, rows) in [
        (
            "milliseconds.csv",
            &["--datetime-format", "%d/%m/%Y %H:%M:%S.%f"][..],
            0,
            "4 readings of 1 variable in 4 rows loaded",
            "2025-01-15 10:00:00.100000 21.1, 2025-01-15 10:00:00.350000 21.2, 2025-01-15 10:00:00.600000 99.9, \
             2025-01-15 10:00:01.100000 21.3",
        ),
        ("one.csv", &[], 1, &quote("one.csv", 5), ""),
        ("two.csv", &[], 1, &quote("two.csv", 5), ""),
        ("units.csv", &[], 1, &quote("units.csv", 2), ""),
        (
            "autumn.csv",
            &[],
            0,
            "3 readings of 1 variable in 5 rows loaded\n2 readings have the variable and datetime of one before in the file \
             (2024-10-27 02:00:00 to 2024-10-27 02:30:00, lines 4 to 5): the first counts",
            "2024-10-27 02:00:00 21.1, 2024-10-27 02:30:00 21.2, 2024-10-27 03:00:00 21.5",
        ),
        (
            "autumn.csv",
            &["--strict"],
            1,
            "error: `autumn.csv`: 2 readings have the variable and datetime of one before in the file (2024-10-27 02:00:00 to \
             2024-10-27 02:30:00, lines 4 to 5): the first counts; nothing was loaded",
            "",
        ),
        ("sep_line.csv", &[], 0, "1 reading of 1 variable in 1 row loaded", "2025-01-15 10:00:00 1.5"),
        (
            "spanish_am_pm.csv",
            &["--datetime-format", twelve],
            0,
            "2 readings of 1 variable in 2 rows loaded",
            "2025-01-15 09:00:00 21.5, 2025-01-15 13:10:00 21.6",
        ),
        (
            "midnight.csv",
            &["--datetime-format", seconds],
            0,
            "3 readings of 1 variable in 3 rows loaded",
            "2025-01-14 23:50:00 21.5, 2025-01-15 00:00:00 21.6, 2025-01-15 00:10:00 21.7",
        ),
    ] {
        let found = import(file, more);
        assert_eq!(found, (Some(code), said.to_owned(), rows.to_owned()), "{file} {more:?}");
    }
}

/// A reading that repeats one of an earlier batch is distinguished from one that the table had
/// before.
#[test]
fn what_repeats_is_told_from_what_was_there() {
    let place = Place::new();
    let mut text = String::from("DATETIME,T1,T2\n");
    for round in 0..2 {
        for minute in 0..50 {
            text.push_str(&format!(
                "2025-01-15 10:{minute:02}:00,{minute},{}\n",
                if round == 0 { "" } else { "7" }
            ));
        }
    }
    place.write("twice.csv", text);
    place.sql(
        "INSERT INTO datos_proceso (datetime, variable_name, value) VALUES ('2025-01-15 10:00:00', 'T1', 1)",
    );
    for expected in [
        "99 readings of 2 variables in 100 rows loaded, 1 were there already",
        "0 readings of 2 variables in 100 rows loaded, 100 were there already",
    ] {
        let mut command = place.command(&["import", "twice.csv"]);
        let ran = crate::common::Ran::of(&command.env("ANOMALY_WORKER_BATCH_ROWS", "7").output().unwrap());
        assert_eq!(ran.code, Some(0), "{}", ran.stderr);
        let repeats = "50 readings have the variable and datetime of one before in the file (2025-01-15 10:00:00 to \
                       2025-01-15 10:49:00, lines 52 to 101): the first counts";
        let said: Vec<_> = ran.stdout.lines().take(2).collect();
        assert_eq!(said, [expected, repeats]);
    }
    assert_eq!(place.number("SELECT count(*) FROM datos_proceso"), Some(100));
}
