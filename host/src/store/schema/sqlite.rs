//! The tables in SQLite's own types: datetimes are text, `2025-01-15 10:00:00` with six decimals
//! only where there is a fraction, which sorts as it should; decimals are REAL; BIT is 0 or 1.
//!
//! Each function gives statements that fail if the table exists already.

use crate::store::TableName;
use crate::store::schema::{EPISODE_INDEXES, EPISODE_KEY, OUTBOX_INDEXES, OUTBOX_KEY};
use crate::store::table_name::quote_sqlite;

/// The columns by which one verdict is found. The variable comes first: the datetimes of one second
/// are then adjacent, whatever form their text has.
pub const KEY: [&str; 2] = ["variable", "ds"];

/// Used by the page and by the queries of people. The one on `y` gives the extremes of a chart
/// without the rows, the one on `is_anomaly` the anomalies of one variable.
pub const INDEXED: [&[&str]; 4] =
    [&["ds"], &["variable", "ds", "y"], &["is_anomaly", "ds", "variable"], &["processed_at"]];

/// The default input table, with the recommended index on datetime. For the demo and for tests: a
/// store never creates the input.
pub fn input(name: &TableName) -> String {
    format!(
        "CREATE TABLE {table} (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    datetime TEXT NOT NULL,
    variable_name TEXT NOT NULL,
    value REAL,
    source_file TEXT,
    created_at TEXT DEFAULT (datetime('now', 'localtime'))
);
{index};",
        table = name.sqlite(),
        index = index(name, &["datetime"], false),
    )
}

/// The output table; its indexes are made by [`indexes`].
pub fn output(name: &TableName) -> String {
    format!(
        "CREATE TABLE {table} (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    ds TEXT NOT NULL,
    y REAL,
    yhat REAL,
    yhat_lower REAL,
    yhat_upper REAL,
    residual REAL,
    outside_interval INTEGER,
    high_residual INTEGER,
    is_anomaly INTEGER,
    anomaly_score REAL,
    variable TEXT NOT NULL,
    prediction_error_pct REAL,
    source_file TEXT,
    processed_at TEXT DEFAULT (datetime('now', 'localtime'))
);",
        table = name.sqlite(),
    )
}

/// The indexes of an output table that this program has made.
pub fn indexes(output: &TableName) -> Vec<String> {
    let unique = index(output, &KEY, true);
    std::iter::once(unique).chain(INDEXED.map(|columns| index(output, columns, false))).collect()
}

/// The state table: a row per worker. `position`, `set_aside` and `counts` are JSON. `checkpoint`
/// is of earlier versions, which had no parts.
pub fn state(name: &TableName) -> String {
    format!(
        "CREATE TABLE {table} (
    worker TEXT NOT NULL PRIMARY KEY,
    epoch INTEGER NOT NULL,
    watermark TEXT,
    position TEXT,
    checkpoint BLOB,
    checkpoint_schema INTEGER,
    checkpoint_digest TEXT,
    set_digest TEXT,
    set_aside TEXT,
    counts TEXT,
    updated_at TEXT
);",
        table = name.sqlite(),
    )
}

/// The table of the parts of checkpoints.
pub fn parts(name: &TableName) -> String {
    format!(
        "CREATE TABLE {table} (
    worker TEXT NOT NULL,
    name TEXT NOT NULL,
    bytes BLOB NOT NULL,
    PRIMARY KEY (worker, name)
);",
        table = name.sqlite(),
    )
}

/// The table of episodes; its indexes are made by [`episode_indexes`].
pub fn episodes(name: &TableName) -> String {
    format!(
        "CREATE TABLE {table} (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    variable TEXT NOT NULL,
    kind TEXT NOT NULL,
    begin_at TEXT NOT NULL,
    end_at TEXT NOT NULL,
    closed_at TEXT,
    is_open INTEGER NOT NULL,
    peak_score REAL,
    worst_ds TEXT,
    worst_y REAL,
    worst_yhat REAL,
    direction TEXT,
    readings INTEGER NOT NULL,
    flagged INTEGER NOT NULL,
    cause TEXT,
    priority TEXT NOT NULL,
    told TEXT NOT NULL,
    shelved INTEGER NOT NULL,
    feedback TEXT,
    note TEXT,
    feedback_at TEXT,
    worker TEXT NOT NULL,
    version INTEGER NOT NULL,
    created_at TEXT NOT NULL,
    updated_at TEXT NOT NULL
);",
        table = name.sqlite(),
    )
}

/// The indexes of the table of episodes.
pub fn episode_indexes(name: &TableName) -> Vec<String> {
    let others = EPISODE_INDEXES.iter().map(|columns| index(name, columns, false));
    std::iter::once(index(name, &EPISODE_KEY, true)).chain(others).collect()
}

/// The outbox; its indexes are made by [`outbox_indexes`].
pub fn outbox(name: &TableName) -> String {
    format!(
        "CREATE TABLE {table} (
    seq INTEGER PRIMARY KEY AUTOINCREMENT,
    id TEXT NOT NULL,
    kind TEXT NOT NULL,
    variable TEXT,
    episode_id INTEGER,
    created_at TEXT NOT NULL,
    payload TEXT NOT NULL,
    attempts INTEGER NOT NULL,
    next_try_at TEXT NOT NULL,
    state TEXT NOT NULL,
    last_error TEXT,
    progress TEXT
);",
        table = name.sqlite(),
    )
}

/// The indexes of the outbox.
pub fn outbox_indexes(name: &TableName) -> Vec<String> {
    let others = OUTBOX_INDEXES.iter().map(|columns| index(name, columns, false));
    std::iter::once(index(name, &OUTBOX_KEY, true)).chain(others).collect()
}

/// An index on these columns, named after them.
pub fn index(name: &TableName, columns: &[&str], unique: bool) -> String {
    let (prefix, unique) = if unique { ("ux", "UNIQUE ") } else { ("ix", "") };
    format!(
        "CREATE {unique}INDEX {index} ON {table} ({columns})",
        index = quote_sqlite(&format!("{prefix}_{}_{}", name.table(), columns.join("_"))),
        table = name.sqlite(),
        columns = columns.join(", "),
    )
}

/// Shows the verdicts that an output table holds more than once, which prevent its unique index.
pub fn duplicates(name: &TableName) -> String {
    format!(
        "SELECT ds, variable, COUNT(*) AS verdicts FROM {} GROUP BY ds, variable HAVING COUNT(*) > 1;",
        name.sqlite()
    )
}
