//! The tables on a SQL Server, in a form that a DBA may run by hand: `host schema` prints exactly
//! what the store runs.
//!
//! Each function gives statements that fail if the table exists already.

use crate::store::TableName;
use crate::store::schema::{EPISODE_INDEXES, EPISODE_KEY, OUTBOX_INDEXES, OUTBOX_KEY};
use crate::store::table_name::quote_sql_server;

/// The most characters of an object's name.
const LONGEST_NAME: usize = 128;

/// Compares texts by their bytes.
pub const BYTES: &str = "Latin1_General_BIN2";

/// The columns by which one verdict is found. The datetime comes first: new verdicts are then added
/// at the index's end.
pub static KEY: [&str; 2] = ["ds", "variable"];

/// Used by the page and by the queries of people. The one on `y` gives the extremes of a chart
/// without the rows, the one on `is_anomaly` the anomalies of one variable.
pub static INDEXED: [&[&str]; 4] =
    [&["ds"], &["variable", "ds", "y"], &["is_anomaly", "ds", "variable"], &["processed_at"]];

/// The default input table, with the recommended index on datetime. For tests and new plants: a
/// store never creates the input.
pub fn input(name: &TableName) -> String {
    format!(
        "CREATE TABLE {table} (
    [id] BIGINT IDENTITY(1,1) NOT NULL PRIMARY KEY,
    [datetime] DATETIME NOT NULL,
    [variable_name] VARCHAR(100) NOT NULL,
    [value] DECIMAL(18,6) NULL,
    [source_file] VARCHAR(255) NULL,
    [created_at] DATETIME NULL DEFAULT GETDATE()
);
{index};",
        table = name.sql_server(),
        index = index(name, &["datetime"], false),
    )
}

/// The output table; its indexes are made by [`indexes`].
pub fn output(name: &TableName) -> String {
    format!(
        "CREATE TABLE {table} (
    [id] BIGINT IDENTITY(1,1) NOT NULL PRIMARY KEY,
    [ds] DATETIME NOT NULL,
    [y] DECIMAL(18,6) NULL,
    [yhat] DECIMAL(18,6) NULL,
    [yhat_lower] DECIMAL(18,6) NULL,
    [yhat_upper] DECIMAL(18,6) NULL,
    [residual] DECIMAL(18,6) NULL,
    [outside_interval] BIT NULL,
    [high_residual] BIT NULL,
    [is_anomaly] BIT NULL,
    [anomaly_score] DECIMAL(5,2) NULL,
    [variable] VARCHAR(100) NOT NULL,
    [prediction_error_pct] DECIMAL(5,2) NULL,
    [source_file] VARCHAR(255) NULL,
    [processed_at] DATETIME NULL DEFAULT GETDATE()
);",
        table = name.sql_server(),
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
    [worker] NVARCHAR(100) NOT NULL PRIMARY KEY,
    [epoch] BIGINT NOT NULL,
    [watermark] DATETIME2(6) NULL,
    [position] NVARCHAR(MAX) NULL,
    [checkpoint] VARBINARY(MAX) NULL,
    [checkpoint_schema] BIGINT NULL,
    [checkpoint_digest] NVARCHAR(100) NULL,
    [set_digest] NVARCHAR(100) NULL,
    [set_aside] NVARCHAR(MAX) NULL,
    [counts] NVARCHAR(MAX) NULL,
    [updated_at] DATETIME2(6) NULL
);",
        table = name.sql_server(),
    )
}

/// The table of the parts of checkpoints. Parts have names that differ in any collation.
pub fn parts(name: &TableName) -> String {
    format!(
        "CREATE TABLE {table} (
    [worker] NVARCHAR(100) NOT NULL,
    [name] NVARCHAR(100) NOT NULL,
    [bytes] VARBINARY(MAX) NOT NULL,
    PRIMARY KEY ([worker], [name])
);",
        table = name.sql_server(),
    )
}

/// The table of episodes; its indexes are made by [`episode_indexes`]. With a binary collation all
/// names differ that differ in the output.
pub fn episodes(name: &TableName) -> String {
    format!(
        "CREATE TABLE {table} (
    [id] BIGINT IDENTITY(1,1) NOT NULL PRIMARY KEY,
    [variable] NVARCHAR(100) COLLATE {BYTES} NOT NULL,
    [kind] NVARCHAR(20) COLLATE {BYTES} NOT NULL,
    [begin_at] DATETIME2(6) NOT NULL,
    [end_at] DATETIME2(6) NOT NULL,
    [closed_at] DATETIME2(6) NULL,
    [is_open] BIT NOT NULL,
    [peak_score] FLOAT NULL,
    [worst_ds] DATETIME2(6) NULL,
    [worst_y] FLOAT NULL,
    [worst_yhat] FLOAT NULL,
    [direction] NVARCHAR(20) NULL,
    [readings] BIGINT NOT NULL,
    [flagged] BIGINT NOT NULL,
    [cause] NVARCHAR(20) NULL,
    [priority] NVARCHAR(20) NOT NULL,
    [told] NVARCHAR(20) NOT NULL,
    [shelved] BIT NOT NULL,
    [feedback] NVARCHAR(20) NULL,
    [note] NVARCHAR(1000) NULL,
    [feedback_at] DATETIME2(6) NULL,
    [worker] NVARCHAR(100) NOT NULL,
    [version] INT NOT NULL,
    [created_at] DATETIME2(6) NOT NULL,
    [updated_at] DATETIME2(6) NOT NULL
);",
        table = name.sql_server(),
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
    [seq] BIGINT IDENTITY(1,1) NOT NULL PRIMARY KEY,
    [id] NVARCHAR(64) COLLATE {BYTES} NOT NULL,
    [kind] NVARCHAR(20) NOT NULL,
    [variable] NVARCHAR(100) NULL,
    [episode_id] BIGINT NULL,
    [created_at] DATETIME2(6) NOT NULL,
    [payload] NVARCHAR(MAX) NOT NULL,
    [attempts] INT NOT NULL,
    [next_try_at] DATETIME2(6) NOT NULL,
    [state] NVARCHAR(20) COLLATE {BYTES} NOT NULL,
    [last_error] NVARCHAR(MAX) NULL,
    [progress] NVARCHAR(MAX) NULL
);",
        table = name.sql_server(),
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
    let columns_of_name = columns.join("_");
    let room = LONGEST_NAME.saturating_sub(prefix.len() + columns_of_name.len() + 2);
    let table: String = name.table().chars().take(room).collect();
    format!(
        "CREATE {unique}INDEX {index} ON {on} ({columns})",
        index = quote_sql_server(&format!("{prefix}_{table}_{columns_of_name}")),
        on = name.sql_server(),
        columns = columns.iter().map(|column| quote_sql_server(column)).collect::<Vec<_>>().join(", "),
    )
}

/// A description of an index of the output.
pub fn named(columns: &[&str], unique: bool) -> String {
    format!("{}index on ({})", if unique { "unique " } else { "" }, columns.join(", "))
}

/// The name of the row in the state table that records that an index of the output was tried.
pub fn noted(columns: &[&str], unique: bool, output: &TableName) -> String {
    /// The most characters of the state table's `worker`.
    const LONGEST: usize = 100;
    let name = named(columns, unique);
    let room = LONGEST.saturating_sub(name.chars().count() + 4);
    let table: String = output.to_string().chars().take(room).collect();
    format!("{name} of {table}")
}

/// Makes the worker try an index of the output once more that `note` in the state table records as
/// tried.
pub fn try_index_again(state: &TableName, note: &str) -> String {
    format!("DELETE FROM {} WHERE [worker] = N'{}';", state.sql_server(), note.replace('\'', "''"))
}

/// Shows the verdicts that an output table holds more than once, which prevent its unique index.
pub fn duplicates(name: &TableName) -> String {
    format!(
        "SELECT ds, variable, COUNT(*) AS verdicts FROM {} GROUP BY ds, variable HAVING COUNT(*) > 1;",
        name.sql_server()
    )
}
