//! Cells as people, programs and spreadsheets write them.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use proptest::prelude::*;

use super::*;

fn read(cell: &str, format: &str) -> Option<String> {
    datetime(cell, Some(&datetime_format(format).unwrap())).ok().map(|at| at.to_string())
}

#[test]
fn datetimes_are_read_as_they_are() {
    let other = "`15/01/2025 10:00` is not a datetime such as `2025-01-15 10:00:00`; --datetime-format says how others \
                 are written, such as \"%d/%m/%Y %H:%M\"";
    for (cell, expected) in [
        ("2025-01-15 10:00:00", Ok("2025-01-15 10:00:00")),
        ("2025-01-15", Ok("2025-01-15 00:00:00")),
        ("2025-01-15T10:00:00.503", Ok("2025-01-15 10:00:00.503000")),
        ("2025-01-15 10:00:00,503", Ok("2025-01-15 10:00:00.503000")),
        ("2025-01-15\u{a0}10:00:00", Ok("2025-01-15 10:00:00")),
        ("15/01/2025 10:00", Err(other)),
        ("0025-01-15 10:00:00", Err("`0025-01-15 10:00:00` is not between the years 1753 and 9999")),
        ("", Err("it is empty")),
    ] {
        let found = datetime(cell, None).map(|at| at.to_string());
        assert_eq!(found, expected.map(str::to_owned).map_err(str::to_owned), "{cell}");
    }
}

#[test]
fn datetimes_are_read_as_told() {
    let (minutes, seconds) = ("%d/%m/%Y %H:%M", "%d/%m/%Y %H:%M:%S");
    for (cell, format, expected) in [
        ("15/01/2025 10:00", minutes, Some("2025-01-15 10:00:00")),
        ("5/1/2025 9:05", minutes, Some("2025-01-05 09:05:00")),
        ("01/15/2025 10:00", minutes, None),
        ("15/01/2025 10:00 x", minutes, None),
        ("15/01/2025", "%d/%m/%Y", Some("2025-01-15 00:00:00")),
        // A date alone is midnight.
        ("15/01/2025", seconds, Some("2025-01-15 00:00:00")),
        ("2025-01-15", "%Y-%m-%dT%H:%M:%S", Some("2025-01-15 00:00:00")),
        ("15/01/2025 ", seconds, None),
        ("15/01", seconds, None),
        ("10:00", "%H:%M %d/%m/%Y", None),
        // An hour without minutes is read as that hour, and not as midnight.
        ("15/01/2025 10", "%d/%m/%Y %H", Some("2025-01-15 10:00:00")),
        ("20250115101112", "%Y%m%d%H%M%S", Some("2025-01-15 10:11:12")),
    ] {
        assert_eq!(read(cell, format).as_deref(), expected, "{cell} {format}");
    }
}

#[test]
fn a_fraction_is_as_python_reads_it() {
    let dotted = "%d/%m/%Y %H:%M:%S.%f";
    for (cell, format, expected) in [
        ("15/01/2025 10:00:00.100", dotted, Some("2025-01-15 10:00:00.100000")),
        ("15/01/2025 10:00:00.35", dotted, Some("2025-01-15 10:00:00.350000")),
        ("15/01/2025 10:00:00.000001", dotted, Some("2025-01-15 10:00:00.000001")),
        ("15/01/2025 10:00:00.100000000", dotted, Some("2025-01-15 10:00:00.100000")),
        ("15/01/2025 10:00:00,5", dotted, Some("2025-01-15 10:00:00.500000")),
        ("15/01/2025 10:00:00", dotted, Some("2025-01-15 10:00:00")),
        ("15/01/2025 10:00:00.", dotted, None),
        ("15/01/2025", dotted, Some("2025-01-15 00:00:00")),
        ("15/01/2025 10:00:00,503", "%d/%m/%Y %H:%M:%S,%f", Some("2025-01-15 10:00:00.503000")),
        ("15/01/2025 10:00:00:503", "%d/%m/%Y %H:%M:%S:%f", Some("2025-01-15 10:00:00.503000")),
        ("20250115100000503", "%Y%m%d%H%M%S%f", Some("2025-01-15 10:00:00.503000")),
        ("10:00:00.5 p. m. 15/01/2025", "%I:%M:%S.%f %p %d/%m/%Y", Some("2025-01-15 22:00:00.500000")),
        ("15/01/2025 10:00:00.503", "%d/%m/%Y %H:%M:%S%.f", Some("2025-01-15 10:00:00.503000")),
        ("15/01/2025 10:00:00.503", "%d/%m/%Y %H:%M:%S.%3f", Some("2025-01-15 10:00:00.503000")),
    ] {
        assert_eq!(read(cell, format).as_deref(), expected, "{cell} {format}");
    }
}

#[test]
fn noon_is_written_in_many_ways() {
    for half in ["PM", "pm", "P.M.", "p. m.", "p.m.", "p.\u{a0}m.", "p.\u{202f}m.", "p m", "p.m"] {
        let cell = format!("15/01/2025 01:10:00\u{a0}{half}");
        assert_eq!(read(&cell, "%d/%m/%Y %I:%M:%S %p").as_deref(), Some("2025-01-15 13:10:00"), "{cell}");
        let cell = format!("01:10:00 {half} 15 Mar 2025");
        assert_eq!(read(&cell, "%I:%M:%S %p %d %b %Y").as_deref(), Some("2025-03-15 13:10:00"), "{cell}");
    }
    for (cell, expected) in [
        ("15/01/2025 12:00 a. m.", Some("2025-01-15 00:00:00")),
        ("15/01/2025 12:00 p. m.", Some("2025-01-15 12:00:00")),
        ("15/01/2025 01:00", None),
        ("15/01/2025 13:00 p. m.", None),
        ("15/01/2025 01:00 h.", None),
    ] {
        assert_eq!(read(cell, "%d/%m/%Y %I:%M %p").as_deref(), expected, "{cell}");
    }
}

#[test]
fn a_format_must_be_able_to_tell_an_instant() {
    for (format, good) in [
        ("%d/%m/%Y %H:%M", true),
        ("%d/%m/%Y", true),
        ("%Y%m%d%H%M%S", true),
        ("%Y%m%d%H%M%S%f", true),
        ("%d.%m.%y %I:%M %p", true),
        ("%d %b %Y %H:%M", true),
        ("%s", true),
        ("%d.%m.%y %I:%M", false),
        ("%d/%m/%Y %M", false),
        ("%d/%m/%Y %p", false),
        ("%H:%M", false),
        ("%H:%M:%S.%f", false),
        ("%d/%m/%Y %H:%M %z", false),
        ("%d/%m/%Y %H:%M %Z", false),
        ("%d/%m/%Y %H:%M%:z", false),
        ("%+", false),
        ("%d/%m/%Y %Q", false),
        ("%d/%m/%Y %", false),
        ("%f", false),
        ("dd/mm/yyyy", false),
        ("", false),
    ] {
        assert_eq!(datetime_format(format).is_ok(), good, "{format}");
    }
}

#[test]
fn day_and_month_can_change_places() {
    for (format, swapped) in [
        ("%d/%m/%Y %H:%M", Some("%m/%d/%Y %H:%M")),
        ("%-m-%-d-%y", Some("%-d-%-m-%y")),
        ("%d %b %Y", None),
        ("%j %Y", None),
    ] {
        let found = datetime_format(format).unwrap().swapped().map(|format| format.to_string());
        assert_eq!(found.as_deref(), swapped, "{format}");
    }
}

proptest! {
    /// Whatever a cell contains, the result is a datetime or an error, never a panic.
    #[test]
    fn any_cell_is_answered(cell in "\\PC{0,12}|[0-9:. apm]{0,12}", format in "(%[a-zA-Z0-9:.+-]|[a-z/ ,.]){0,6}") {
        let _ = datetime(&cell, None);
        if let Ok(format) = datetime_format(&format) {
            let _ = (datetime(&cell, Some(&format)), format.swapped());
        }
    }
}
