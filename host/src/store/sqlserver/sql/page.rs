//! The queries of the page on the output: each statement reads a bounded number of rows, by seeking
//! on the indexes on (variable, ds, y) and (is_anomaly, ds, variable).
//!
//! `of` is an expression that converts a parameter to the type of the column `variable`: compared
//! with another type, the column would be converted, row by row.

use std::fmt::Write;

use super::output::columns;
use crate::store::TableName;

/// Stretches that one statement reads: three parameters each, of which a statement has at most
/// 2,100.
pub const MOST_STRETCHES: usize = 256;

/// The same for stretches whose extremes are searched for: a plan for many would take long to make.
pub const MOST_EXTENTS: usize = 32;

/// The number of stretches in the statement for this many: there are a few shapes, and the unused
/// parameters are empty stretches.
pub fn stretches_for(count: usize) -> usize {
    [1, 8, 32].into_iter().find(|&shape| count <= shape).unwrap_or(MOST_STRETCHES)
}

/// The parameters of stretch `at`: variable, from and to.
fn within(at: usize, of: &impl Fn(&str) -> String) -> String {
    let parameter = |nth: usize| format!("@P{}", 3 * at + 2 + nth);
    format!("[variable] = {} AND [ds] >= {} AND [ds] < {}", of(&parameter(0)), parameter(1), parameter(2))
}

/// At most `@P1` verdicts of each of this many stretches, whose variables and ends are the
/// parameters from `@P2` on. Each is a seek of its own that stops at this number of rows; the first
/// column is the stretch's index. With `backwards` they are the last verdicts of it.
pub fn stretches(
    output: &TableName,
    has_source_file: bool,
    count: usize,
    backwards: bool,
    of: impl Fn(&str) -> String,
) -> String {
    let (columns, table) = (columns(has_source_file), output.sql_server());
    let order = if backwards { "[ds] DESC" } else { "[ds]" };
    let mut sql = String::new();
    for at in 0..count {
        // Writing to a String cannot fail.
        let _ = write!(
            sql,
            "{}SELECT {at} AS [stretch], s{at}.* FROM (SELECT TOP (@P1) {columns} FROM {table} WHERE {} ORDER BY {order}) AS s{at}",
            if at == 0 { "" } else { " UNION ALL " },
            within(at, &of)
        );
    }
    sql
}

/// How many verdicts each of so many stretches has, counted up to `@P1`; parameters and first
/// column as those of [`stretches`].
pub fn count(output: &TableName, count: usize, of: impl Fn(&str) -> String) -> String {
    let table = output.sql_server();
    let mut sql = String::new();
    for at in 0..count {
        let _ = write!(
            sql,
            "{}SELECT {at} AS [stretch], COUNT_BIG(*) AS [verdicts] FROM (SELECT TOP (@P1) [ds] FROM {table} WHERE {}) AS s{at}",
            if at == 0 { "" } else { " UNION ALL " },
            within(at, &of)
        );
    }
    sql
}

/// For the first `@P1` verdicts of each of this many stretches their number, and the times of the
/// least and the greatest reading; parameters and first column as those of [`stretches`]. All of it
/// is in the index, of which each stretch is read once for the extremes and once more up to each of
/// them.
pub fn extents(output: &TableName, count: usize, of: impl Fn(&str) -> String) -> String {
    let table = output.sql_server();
    let mut sql = String::new();
    for at in 0..count {
        let within = within(at, &of);
        let first = |extreme: &str| {
            format!(
                "(SELECT TOP (1) w.[ds] FROM {table} AS w WHERE {within} AND w.[y] = e{at}.[{extreme}] ORDER BY w.[ds])"
            )
        };
        let _ = write!(
            sql,
            "{}SELECT {at} AS [stretch], e{at}.[verdicts], {} AS [least_at], {} AS [greatest_at] FROM (\
             SELECT COUNT_BIG(*) AS [verdicts], MIN(s{at}.[y]) AS [least], MAX(s{at}.[y]) AS [greatest] FROM (\
             SELECT TOP (@P1) [ds], [y] FROM {table} WHERE {within} ORDER BY [ds]) AS s{at}) AS e{at}",
            if at == 0 { "" } else { " UNION ALL " },
            first("least"),
            first("greatest"),
        );
    }
    sql
}

/// The first variable of all.
pub fn first_variable(output: &TableName) -> String {
    format!(
        "SELECT TOP (1) CAST([variable] AS nvarchar(4000)) AS [variable] FROM {} AS v ORDER BY v.[variable]",
        output.sql_server()
    )
}

/// The first variable after `@P1`.
pub fn next_variable(output: &TableName, of: impl Fn(&str) -> String) -> String {
    format!(
        "SELECT TOP (1) CAST([variable] AS nvarchar(4000)) AS [variable] FROM {} AS v WHERE v.[variable] > {} ORDER BY v.[variable]",
        output.sql_server(),
        of("@P1")
    )
}

/// At most `@P1` anomalies with `@P2 <= ds < @P3` and a score of `@P4` or more, newest first; with
/// `named` only those of variable `@P5`.
pub fn anomalies(
    output: &TableName,
    has_source_file: bool,
    named: bool,
    of: impl Fn(&str) -> String,
) -> String {
    format!(
        "SELECT TOP (@P1) {} FROM {} AS v WHERE [is_anomaly] = CAST(1 AS bit) AND [ds] >= @P2 AND [ds] < @P3 \
         AND COALESCE([anomaly_score], 0) >= @P4{} ORDER BY v.[ds] DESC",
        columns(has_source_file),
        output.sql_server(),
        if named { format!(" AND [variable] = {}", of("@P5")) } else { String::new() },
    )
}

/// How many of the newest `@P1` anomalies with `@P2 <= ds < @P3` each variable has, its greatest
/// score, and its last.
pub fn tally(output: &TableName) -> String {
    format!(
        "SELECT CAST(a.[variable] AS nvarchar(4000)) AS [variable], COUNT_BIG(*) AS [anomalies], MAX(a.[anomaly_score]) AS [score], \
         MAX(a.[ds]) AS [last] FROM (SELECT TOP (@P1) [variable], [anomaly_score], [ds] FROM {} AS v \
         WHERE [is_anomaly] = CAST(1 AS bit) AND [ds] >= @P2 AND [ds] < @P3 ORDER BY v.[ds] DESC) AS a GROUP BY a.[variable]",
        output.sql_server()
    )
}
