//! How fast `host import` loads a file: into an empty table, into one that has millions of
//! readings, and once more into that, where all of it is there already. A large table must not make
//! it slower.
//!
//! Each file holds readings of its own days, a datetime a minute and 25 variables; the real program
//! loads it, alternately into either table.

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};

use host::datetime::Datetime;
use host::store::{TableNames, schema};
use rusqlite::Connection;

use crate::times::{Times, seconds};

/// Readings that the large table begins with.
const THERE: u32 = 4_000_000;

/// Variables, and datetimes of a file.
const VARIABLES: u32 = 25;
const ROWS: u32 = 8_000;

const RUNS: u32 = 5;

pub(crate) fn importing() {
    let place = tempfile::tempdir().unwrap();
    let place = place.path();
    let large = table(place, "large.sqlite", THERE);
    let (mut empty, mut full, mut again, mut ratio) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
    for run in 0..RUNS {
        let file = place.join(format!("{run}.csv"));
        fs::write(&file, text(run * ROWS)).unwrap();
        let into = |database: &Path| thousands(seconds(|| load(&file, database)));
        empty.push(into(&table(place, &format!("{run}.sqlite"), 0)));
        full.push(into(&large));
        again.push(into(&large));
        ratio.push(empty[run as usize] / full[run as usize]);
    }
    let readings = ROWS * VARIABLES;
    Times(empty).row(&format!("import of {readings} readings into an empty table"), "thousand a second", 0);
    Times(full).row(&format!("the same into a table of {THERE}"), "thousand a second", 0);
    Times(again).row("the same where all of it is there already", "thousand a second", 0);
    Times(ratio).row("time of the large table / of the empty one", "×", 2);
}

fn thousands(seconds: f64) -> f64 {
    f64::from(ROWS * VARIABLES) / seconds / 1000.0
}

fn load(file: &Path, database: &Path) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_host"));
    command.arg("import").arg(file).arg("--database").arg(database);
    command.stdout(Stdio::null()).stderr(Stdio::null()).current_dir(file.parent().unwrap());
    assert!(command.status().unwrap().success());
}

/// An input table with so many readings, all before those of the files.
fn table(place: &Path, name: &str, readings: u32) -> std::path::PathBuf {
    let path = place.join(name);
    let database = Connection::open(&path).unwrap();
    database.execute_batch("PRAGMA journal_mode = WAL").unwrap();
    database.execute_batch(&schema::sqlite::input(&TableNames::default().input)).unwrap();
    database
        .execute_batch(&format!(
            "WITH RECURSIVE n(i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM n WHERE i + 1 < {readings}) \
             INSERT INTO datos_proceso (datetime, variable_name, value) \
             SELECT datetime('2000-01-01', (i / {VARIABLES}) || ' minutes'), 'T' || (i % {VARIABLES}), 100 FROM n \
             WHERE {readings} > 0"
        ))
        .unwrap();
    path
}

fn text(first: u32) -> String {
    let begin = Datetime::parse("2025-01-01").unwrap();
    let mut text = String::from("DATETIME");
    (0..VARIABLES).for_each(|variable| text.push_str(&format!(",T{variable}")));
    for minute in first..first + ROWS {
        let at = begin.later(std::time::Duration::from_secs(60) * minute);
        text.push_str(&format!("\n{at}"));
        (0..VARIABLES).for_each(|variable| text.push_str(&format!(",{}.{variable}", minute % 1000)));
    }
    text.push('\n');
    text
}
