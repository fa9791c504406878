//! The statements that read the input table: each a bounded number of rows, by seeking on the key
//! or the datetime.
//!
//! If rows are found by their datetime, the range has two ends and the rows are read in the order
//! of the index, from its first end up to a number of rows. No statement asks for the least key of
//! a range: the optimiser would find it by scanning the key from the table's oldest row, with or
//! without an index on datetime.

use std::fmt::Write;

use super::output::Filled;
use crate::store::{InputLayout, PlantClock, TableName};

/// Spans that one statement reads. A position has at most 64 gaps, and the new ids.
pub const MOST_SPANS: usize = 65;

/// Datetimes that one statement reads, each by a seek of its own.
pub const MOST_DATETIMES: usize = 64;

/// The plant's clock.
pub fn now(clock: &PlantClock) -> String {
    match clock {
        PlantClock::Server => "SELECT GETDATE()".to_owned(),
        PlantClock::Offset { .. } => {
            format!("SELECT CAST(SWITCHOFFSET(SYSDATETIMEOFFSET(), '{clock}') AS datetime)")
        }
        PlantClock::Zone(_) => "SELECT CAST(SYSDATETIMEOFFSET() AT TIME ZONE @P1 AS datetime)".to_owned(),
    }
}

/// Of at most `@P1` rows from `@P2` up to `@P3`, by datetime and key: the least key, the latest
/// datetime, and how many there were.
pub fn stretch(table: &TableName) -> String {
    format!(
        "SELECT MIN(s.[id]), MAX(s.[datetime]), COUNT_BIG(*) FROM (SELECT TOP (@P1) [id], [datetime] FROM {} \
         WHERE [datetime] >= @P2 AND [datetime] <= @P3 ORDER BY [datetime], [id]) AS s",
        table.sql_server()
    )
}

/// Of at most `@P1` rows whose key is `@P2` up to `@P3`, by key: the least key of one at or after
/// `@P4`, and the greatest key of all.
pub fn probe(table: &TableName) -> String {
    format!(
        "SELECT MIN(CASE WHEN s.[datetime] >= @P4 THEN s.[id] END), MAX(s.[id]) FROM (SELECT TOP (@P1) [id], [datetime] FROM {} \
         WHERE [id] BETWEEN @P2 AND @P3 ORDER BY [id]) AS s",
        table.sql_server()
    )
}

pub fn first_key(table: &TableName) -> String {
    format!("SELECT MIN([id]) FROM {}", table.sql_server())
}

pub fn last_key(table: &TableName) -> String {
    format!("SELECT MAX([id]) FROM {}", table.sql_server())
}

/// How many rows the table `@P2` has, counted up to `@P1`. None for a view, whose indexes are those
/// of its tables.
pub fn size(table: &TableName) -> String {
    format!(
        "SELECT COUNT_BIG(*) FROM (SELECT TOP (@P1) 1 AS [one] FROM {}) AS s \
         WHERE EXISTS (SELECT 1 FROM sys.objects AS o WHERE o.object_id = OBJECT_ID(@P2) AND o.type = 'U')",
        table.sql_server()
    )
}

/// The columns of a reading, in the order in which rows are decoded; NULL for those that the table
/// lacks.
///
/// Texts come as NVARCHAR: the driver takes a VARCHAR for its collation's Windows code page, and
/// where the collation is one of UTF-8 it would read another text.
fn columns(layout: InputLayout) -> String {
    format!(
        "{}, [datetime], CAST([variable_name] AS nvarchar(4000)) AS [variable_name], [value], {} AS [source_file]",
        if layout.has_key { "[id]" } else { "CAST(NULL AS bigint) AS [id]" },
        if layout.has_source_file {
            "CAST([source_file] AS nvarchar(4000))"
        } else {
            "CAST(NULL AS nvarchar(1))"
        },
    )
}

/// The number of spans in the statement for this many: there are a few shapes, and the unused
/// parameters are empty spans.
pub fn spans_for(count: usize) -> usize {
    [1, 4, 16].into_iter().find(|&shape| count <= shape).unwrap_or(MOST_SPANS)
}

/// At most `@P1` rows by key, of `spans` spans, whose ends are the parameters from `@P2` on. Each
/// span is a seek of its own that stops at as many rows.
pub fn keys(table: &TableName, layout: InputLayout, spans: usize) -> String {
    let columns = columns(layout);
    let span = |at: usize| {
        format!(
            "SELECT TOP (@P1) {columns} FROM {} WHERE [id] BETWEEN @P{} AND @P{} ORDER BY [id]",
            table.sql_server(),
            2 * at + 2,
            2 * at + 3
        )
    };
    if spans == 1 {
        return span(0);
    }
    let mut sql = "SELECT TOP (@P1) * FROM (".to_owned();
    for at in 0..spans {
        // Writing to a String cannot fail.
        let _ =
            write!(sql, "{}SELECT * FROM ({}) AS s{at}", if at == 0 { "" } else { " UNION ALL " }, span(at));
    }
    sql.push_str(") AS found ORDER BY [id]");
    sql
}

/// Which part of a range is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RangePart {
    /// Everything: the variable is never NULL.
    Whole,
    Named,
    Nameless,
}

/// At most `@P1` rows from `@P2` on, before `@P3` where there is an end and else up to it, by
/// datetime and key.
pub fn range(table: &TableName, layout: InputLayout, ends: bool, part: RangePart) -> String {
    format!(
        "SELECT TOP (@P1) {} FROM {} WHERE [datetime] >= @P2 AND [datetime] {} @P3{} ORDER BY [datetime]{}",
        columns(layout),
        table.sql_server(),
        if ends { "<" } else { "<=" },
        match part {
            RangePart::Whole => "",
            RangePart::Named => " AND [variable_name] IS NOT NULL",
            RangePart::Nameless => " AND [variable_name] IS NULL",
        },
        by_key(layout),
    )
}

/// The same without a limit: between the first and the last of some datetimes, if no index finds
/// each.
pub fn between(table: &TableName, layout: InputLayout) -> String {
    format!(
        "SELECT {} FROM {} WHERE [datetime] >= @P1 AND [datetime] < @P2 ORDER BY [datetime]{}",
        columns(layout),
        table.sql_server(),
        by_key(layout),
    )
}

/// The number of datetimes in the statement for this many.
pub fn datetimes_for(count: usize) -> usize {
    [1, 4, 16].into_iter().find(|&shape| count <= shape).unwrap_or(MOST_DATETIMES)
}

/// Every row at `count` datetimes, each given by its first value and the first after it, by
/// datetime and key.
pub fn at(table: &TableName, layout: InputLayout, count: usize) -> String {
    let columns = columns(layout);
    let single = |at: usize| {
        format!(
            "SELECT {columns} FROM {} WHERE [datetime] >= @P{} AND [datetime] < @P{}",
            table.sql_server(),
            2 * at + 1,
            2 * at + 2
        )
    };
    let all: Vec<String> = (0..count).map(single).collect();
    format!("{} ORDER BY [datetime]{}", all.join(" UNION ALL "), by_key(layout))
}

/// Rows from `@P1` on and before `@P2`.
pub fn count(table: &TableName) -> String {
    format!("SELECT COUNT_BIG(*) FROM {} WHERE [datetime] >= @P1 AND [datetime] < @P2", table.sql_server())
}

fn by_key(layout: InputLayout) -> &'static str {
    if layout.has_key { ", [id]" } else { "" }
}

/// The session's table for readings of a file.
pub const STAGED_READINGS: &str = "#anomaly_worker_readings";

/// Creates it. `n` counts the readings in their order.
pub fn stage_readings() -> String {
    format!(
        "CREATE TABLE {STAGED_READINGS} ([n] FLOAT NULL, [datetime] DATETIME2 NULL, [variable_name] NVARCHAR(MAX) NULL, \
         [value] FLOAT NULL, [source_file] NVARCHAR(MAX) NULL);"
    )
}

/// One transaction that inserts the staged readings: of each variable and datetime the first, and
/// none that has a value there already. Returns how many were inserted, and how many there are by
/// variable and datetime.
///
/// `@P1` and `@P2` are the ends of their datetimes: no row before or after is read, whatever the
/// plan. FORCESEEK leaves no plan that reads the whole table, if an index leads with the datetime
/// (without one the server refuses the hint: error 8622). With RECOMPILE the plan is made for these
/// ends, and not for those of the first batch, when the table was empty.
pub fn import(table: &TableName, filled: &[Filled], has_datetime_index: bool) -> String {
    let of = |name: &str| {
        filled.iter().find(|filled| filled.column == name).map_or("NULL", |filled| filled.by.as_str())
    };
    let columns: Vec<String> = filled.iter().map(|filled| format!("[{}]", filled.column)).collect();
    let values: Vec<String> =
        filled.iter().map(|filled| format!("{} AS [{}]", filled.by, filled.column)).collect();
    format!(
        "SET NOCOUNT ON; DECLARE @inserted int, @different int; BEGIN TRANSACTION; \
         INSERT INTO {table} ({columns}) SELECT {columns} FROM (\
         SELECT s.[n], {values}, ROW_NUMBER() OVER (PARTITION BY {variable}, {datetime} ORDER BY s.[n]) AS [nth] \
         FROM {STAGED_READINGS} AS s) AS v WHERE v.[nth] = 1 AND NOT EXISTS (SELECT 1 FROM {table} AS o{seek} \
         WHERE o.[datetime] >= @P1 AND o.[datetime] <= @P2 AND o.[datetime] = v.[datetime] \
         AND o.[variable_name] = v.[variable_name] AND o.[value] IS NOT NULL) \
         ORDER BY v.[n] OPTION (RECOMPILE); SET @inserted = @@ROWCOUNT; COMMIT TRANSACTION; \
         SET @different = (SELECT COUNT(*) FROM (SELECT DISTINCT {variable} AS [variable_name], {datetime} AS [datetime] \
         FROM {STAGED_READINGS} AS s) AS k); SELECT @inserted, @different;",
        table = table.sql_server(),
        columns = columns.join(", "),
        values = values.join(", "),
        variable = of("variable_name"),
        datetime = of("datetime"),
        seek = if has_datetime_index { " WITH (FORCESEEK)" } else { "" },
    )
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

    use super::*;

    const ALL: InputLayout =
        InputLayout { has_key: true, has_id: true, has_source_file: true, has_datetime_index: true };
    const BARE: InputLayout =
        InputLayout { has_key: false, has_id: false, has_source_file: false, has_datetime_index: true };

    #[test]
    fn the_statements_read_a_bounded_number_of_rows() {
        let table: TableName = "dbo.[datos ]] de planta]".parse().unwrap();
        for (sql, expected) in [
            (
                keys(&table, ALL, 1),
                "SELECT TOP (@P1) [id], [datetime], CAST([variable_name] AS nvarchar(4000)) AS [variable_name], [value], \
                 CAST([source_file] AS nvarchar(4000)) AS [source_file] FROM [dbo].[datos ]] de planta] \
                 WHERE [id] BETWEEN @P2 AND @P3 ORDER BY [id]",
            ),
            (
                range(&table, ALL, true, RangePart::Whole),
                "SELECT TOP (@P1) [id], [datetime], CAST([variable_name] AS nvarchar(4000)) AS [variable_name], [value], \
                 CAST([source_file] AS nvarchar(4000)) AS [source_file] FROM [dbo].[datos ]] de planta] \
                 WHERE [datetime] >= @P2 AND [datetime] < @P3 ORDER BY [datetime], [id]",
            ),
            (
                range(&table, BARE, false, RangePart::Named),
                "SELECT TOP (@P1) CAST(NULL AS bigint) AS [id], [datetime], CAST([variable_name] AS nvarchar(4000)) AS [variable_name], [value], \
                 CAST(NULL AS nvarchar(1)) AS [source_file] FROM [dbo].[datos ]] de planta] \
                 WHERE [datetime] >= @P2 AND [datetime] <= @P3 AND [variable_name] IS NOT NULL ORDER BY [datetime]",
            ),
            (
                at(&table, BARE, 2),
                "SELECT CAST(NULL AS bigint) AS [id], [datetime], CAST([variable_name] AS nvarchar(4000)) AS [variable_name], [value], \
                 CAST(NULL AS nvarchar(1)) AS [source_file] FROM [dbo].[datos ]] de planta] \
                 WHERE [datetime] >= @P1 AND [datetime] < @P2 UNION ALL \
                 SELECT CAST(NULL AS bigint) AS [id], [datetime], CAST([variable_name] AS nvarchar(4000)) AS [variable_name], [value], \
                 CAST(NULL AS nvarchar(1)) AS [source_file] FROM [dbo].[datos ]] de planta] \
                 WHERE [datetime] >= @P3 AND [datetime] < @P4 ORDER BY [datetime]",
            ),
        ] {
            assert_eq!(sql, expected);
        }
        let many = keys(&table, ALL, 4);
        assert!(
            many.starts_with("SELECT TOP (@P1) * FROM (SELECT * FROM (SELECT TOP (@P1) [id], "),
            "{many}"
        );
        assert!(many.contains("BETWEEN @P8 AND @P9 ORDER BY [id]) AS s3) AS found ORDER BY [id]"), "{many}");
    }

    #[test]
    fn an_import_looks_within_its_own_datetimes() {
        let table: TableName = "dbo.datos".parse().unwrap();
        let filled = ["datetime", "variable_name", "value"]
            .map(|column| Filled { column, by: format!("CAST(s.[{column}] AS x)") });
        let sql = import(&table, &filled, true);
        for part in [
            "FROM [dbo].[datos] AS o WITH (FORCESEEK) WHERE o.[datetime] >= @P1 AND o.[datetime] <= @P2 AND ",
            "ORDER BY v.[n] OPTION (RECOMPILE); SET @inserted = @@ROWCOUNT; COMMIT TRANSACTION; ",
        ] {
            assert!(sql.contains(part), "{sql}");
        }
        assert_eq!(sql.matches("[dbo].[datos]").count(), 2, "{sql}");
        assert_eq!(import(&table, &filled, false), sql.replace(" WITH (FORCESEEK)", ""));
    }

    #[test]
    fn a_shape_has_room_for_what_is_asked_and_for_no_more_parameters_than_a_statement_may_have() {
        for count in 1..=MOST_SPANS {
            assert!(spans_for(count) >= count && spans_for(count) <= MOST_SPANS);
        }
        for count in 1..=MOST_DATETIMES {
            assert!(datetimes_for(count) >= count && 2 * datetimes_for(count) <= 2100);
        }
    }
}
