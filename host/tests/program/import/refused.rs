//! What is wrong in a file: what leads to a refused cell or row, and what to a refused file.

use super::{loaded, utf16};
use crate::common::Place;

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
    text.push_str("2025-01-15 10:30:00;1,5;;7,5\n2025-01-15 10:31:00;1,5");
    place.write("marzo.csv", &text);
    let strictly = place.run(&["import", "marzo.csv", "--strict"]);
    let counted = "4 rows of 5 cells and 11 cells that are no readings (10 in `NOTE`, 1 in `TEMP-03`)";
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
        "WARNING - 1 row is shorter than the header, the first is line 4: what they lack is taken for empty",
        "WARNING - line 5, column `NOTE`: `ok` is not a number; the cell is passed over",
        "WARNING - line 6, column `TEMP-03`: `1e15` has more than twelve digits before the decimals; the cell is passed over",
        "WARNING - line 7, column `DATETIME`: it is empty; the row is passed over",
        "WARNING - line 8, column `NOTE`: `turno 21` is not a number; the cell is passed over",
        "WARNING - line 9, column `NOTE`: `turno 22` is not a number; the cell is passed over",
        "WARNING - line 17 has 4 fields and the header 3; the row is passed over",
    ];
    expected.sort_unstable();
    assert_eq!(said, expected);
    assert!(
        ran.stdout
            .starts_with(&format!("12 readings of 1 variable in 17 rows loaded\nnot loaded: {counted}\n")),
        "{}",
        ran.stdout
    );
    assert_eq!(
        place.number("SELECT count(*) FROM datos_proceso WHERE variable_name = 'TEMP-03' AND value <= 29"),
        Some(11)
    );
    assert_eq!(place.number("SELECT count(*) FROM datos_proceso WHERE value = 1234.5"), Some(1));
}

#[test]
fn a_file_that_cannot_be_right_is_refused_whole() {
    let place = Place::new();
    place.write("latin1.csv", b"DATETIME;PRESI\xd3N\n2025-01-15;1,5\n");
    place.write("wide.csv", utf16("DATETIME,T1\n2025-01-15,1\n", false));
    place.write("book.csv", b"PK\x03\x04\x14\x00");
    place.write("old.xls", b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1");
    place.write("enero.csv.gz", b"\x1f\x8b\x08\x00");
    place.write("twice.csv", "DATETIME,T1,T1\n2025-01-15,1,2\n");
    place.write("datetimes.csv", "DATETIME,T1,Datetime\n2025-01-15,1,2\n");
    place.write("fecha.csv", "Fecha;T1\n2025-01-15;1\n");
    place.write("alone.csv", "DATETIME\n2025-01-15\n");
    place.write("long.csv", format!("DATETIME,{}\n2025-01-15,1\n", "x".repeat(101)));
    place.write("empty.csv", "");
    place.write("header.csv", "DATETIME,T1\n");
    place.write("bad.csv", "DATETIME,T1\n2025-01-15,x\n");
    place.write("both.csv", "DATETIME;T1;T2\n2025-01-15;1,5;21.5\n");
    place.write("one.csv", "DATETIME;T1;T2\n2025-01-15;1,234;21.5\n2025-01-16;1,5;\n");
    place.write("groups.csv", "DATETIME;T1;T2\n2025-01-15;1,234;21.5\n");
    place.write("either.csv", "DATETIME;T1\n2025-01-15;987\n2025-01-16;1.234\n");
    place.write("swapped.csv", "DATETIME;T1\n05/01/2025;1\n20/01/2025;1\n01/21/2025;1\n");
    place.write("american.csv", "DATETIME;T1\n01/05/2025;1\n01/20/2025;1\n");
    place.write("quote.csv", "DATETIME;\"T1\nT2\n2025-01-15;1\n");
    place.write("open.csv", "DATETIME;T1\n2025-01-15;1\n2025-01-16;\"1\n");
    let long = format!(
        "`long.csv`: the name of column `{}…` has 101 characters; a variable's takes at most 100",
        "x".repeat(40)
    );
    let days = ["--datetime-format", "%d/%m/%Y"];
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
        (&["old.xls"], 1, "`old.xls`: this is a workbook, not text; save it as CSV"),
        (&["enero.csv.gz"], 1, "`enero.csv.gz`: this is compressed; unpack it first"),
        (&["twice.csv"], 1, "`twice.csv`: it has two columns `T1`; keep one"),
        (&["datetimes.csv"], 1, "`datetimes.csv`: it has two columns `DATETIME`; keep one"),
        (&["fecha.csv"], 1, "`fecha.csv`: it has no column DATETIME; its columns are `Fecha`, `T1`"),
        (&["alone.csv"], 1, "`alone.csv`: it has no column besides DATETIME; each variable needs one"),
        (&["long.csv"], 1, long.as_str()),
        (&["empty.csv"], 1, "`empty.csv`: it has no column DATETIME; it is empty"),
        (&["header.csv"], 1, "`header.csv`: there is no reading in it: below its header all cells are empty"),
        (&["bad.csv"], 1, "`bad.csv`: there is no reading in it: 1 cell that is no reading (1 in `T1`)"),
        (
            &["both.csv"],
            1,
            "`both.csv`: `1,5` (line 2, column `T1`) has a decimal comma and `21.5` (line 2, column `T2`) a decimal point; say \
             --decimal comma or --decimal point, and cells with the other one are passed over",
        ),
        (
            &["one.csv"],
            1,
            "`one.csv`: `1,5` (line 3, column `T1`) has a decimal comma and `21.5` (line 2, column `T2`) a decimal point; say \
             --decimal comma or --decimal point, and cells with the other one are passed over",
        ),
        (
            &["groups.csv"],
            1,
            "`groups.csv`: `21.5` (line 2, column `T2`) has a decimal point, and `1,234` (line 2, column `T1`) has a comma that \
             groups digits or is a decimal comma; say --decimal comma or --decimal point",
        ),
        (
            &["either.csv"],
            1,
            "`either.csv`: `1.234` (line 3, column `T1`) may be thousands or a fraction, and no number of the file shows which; say \
             --decimal comma or --decimal point",
        ),
        (
            &["swapped.csv", days[0], days[1]],
            1,
            "`swapped.csv`: `20/01/2025` (line 3) is written as --datetime-format says, and `01/21/2025` (line 4) with day and \
             month in each other's place; mend the file",
        ),
        (
            &["american.csv", days[0], days[1]],
            1,
            "`american.csv`: `01/20/2025` (line 3) is a datetime only with day and month in each other's place; say \
             --datetime-format \"%m/%d/%Y\"",
        ),
        (
            &["quote.csv"],
            1,
            "`quote.csv`: line 1: a quote opens the name of a column and is not closed in its line; remove it, or close it",
        ),
        (
            &["open.csv"],
            1,
            "`open.csv`: line 3: a quote opens a cell and is not closed to the end of the file; remove it, or close it",
        ),
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
             such as `%d/%m/%Y %H:%M`, or `%I:%M %p` where hours go to 12",
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
    // With --decimal it is known which mark groups digits.
    let ran = place.run(&["import", "groups.csv", "--decimal", "point"]);
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    assert_eq!(place.number("SELECT count(*) FROM datos_proceso WHERE value IN (1234, 21.5)"), Some(2));
}
