//! The statements that read and write the table of episodes.
//!
//! Each row is found by an index: a seek, whatever the table holds. Texts that are compared with a
//! column get its collation, because the session's own tables have another.

use crate::episode::{EpisodeKind, Priority, Told};
use crate::store::TableName;
use crate::store::schema::EPISODE_COLUMNS;
use crate::store::schema::sqlserver::BYTES;

/// The session's table for what a commit changes of episodes.
pub const STAGED_EPISODES: &str = "#anomaly_worker_episodes";

/// The columns that a commit writes, each with its type, as they are staged after `old_begin` and
/// `old_version`.
pub const WRITTEN: [(&str, &str); 17] = [
    ("begin_at", "datetime2(6)"),
    ("end_at", "datetime2(6)"),
    ("closed_at", "datetime2(6)"),
    ("is_open", "bit"),
    ("peak_score", "float"),
    ("worst_ds", "datetime2(6)"),
    ("worst_y", "float"),
    ("worst_yhat", "float"),
    ("direction", "nvarchar(20)"),
    ("readings", "bigint"),
    ("flagged", "bigint"),
    ("cause", "nvarchar(20)"),
    ("priority", "nvarchar(20)"),
    ("told", "nvarchar(20)"),
    ("shelved", "bit"),
    ("worker", "nvarchar(100)"),
    ("updated_at", "datetime2(6)"),
];

/// Creates the table for changes. `n` counts them; without `old_begin` a row is new, with `gone` it
/// is deleted.
pub fn stage_episodes() -> String {
    let staged = |kind: &str| match kind {
        "bit" => "BIT",
        "float" | "bigint" => "FLOAT",
        "datetime2(6)" => "DATETIME2",
        _ => "NVARCHAR(MAX)",
    };
    let columns: Vec<String> =
        WRITTEN.iter().map(|(name, kind)| format!("[{name}] {} NULL", staged(kind))).collect();
    format!(
        "CREATE TABLE {STAGED_EPISODES} ([n] FLOAT NULL, [variable] NVARCHAR(MAX) NULL, [kind] NVARCHAR(MAX) NULL, \
         [old_begin] DATETIME2 NULL, [old_version] FLOAT NULL, [gone] BIT NULL, {});",
        columns.join(", ")
    )
}

/// The key of a staged row, converted to the types of the columns.
fn key() -> String {
    format!(
        "CAST(s.[variable] COLLATE {BYTES} AS nvarchar(100)) AS [of_variable], CAST(s.[kind] COLLATE {BYTES} AS nvarchar(20)) \
         AS [of_kind], CAST(s.[old_begin] AS datetime2(6)) AS [of_begin], CAST(s.[old_version] AS int) AS [of_version]"
    )
}

/// The part of a commit that makes the staged changes of episodes: some rows are deleted, some
/// updated, some are new and replace one with the same key. Counts in `@changed` the rows that were
/// changed, which are fewer than the staged ones if another process has changed one meanwhile. The
/// begins are also bounded, so that no plan reads the table from its beginning.
pub fn change(episodes: &TableName) -> String {
    let table = episodes.sql_server();
    let found = "n.[of_begin] = [begin_at] AND n.[of_variable] = [variable] AND n.[of_kind] = [kind] AND n.[of_version] = [version] \
                 AND [begin_at] >= @first_begin AND [begin_at] <= @last_begin AND @held = 1";
    let columns: Vec<String> = WRITTEN.iter().map(|(name, _)| format!("[{name}]")).collect();
    let set: Vec<String> = WRITTEN.iter().map(|(name, _)| format!("[{name}] = n.[new_{name}]")).collect();
    let cast = |prefix: &str| {
        let cast =
            WRITTEN.iter().map(|(name, kind)| format!("CAST(s.[{name}] AS {kind}) AS [{prefix}{name}]"));
        cast.collect::<Vec<_>>().join(", ")
    };
    format!(
        "DECLARE @changed int, @first_begin datetime2(6), @last_begin datetime2(6); \
         SET @first_begin = (SELECT MIN(COALESCE(s.[old_begin], s.[begin_at])) FROM {STAGED_EPISODES} AS s); \
         SET @last_begin = (SELECT MAX(COALESCE(s.[old_begin], s.[begin_at])) FROM {STAGED_EPISODES} AS s); \
         DELETE FROM {table} WHERE EXISTS (SELECT 1 FROM (SELECT {key} FROM {STAGED_EPISODES} AS s WHERE s.[gone] = 1) AS n \
         WHERE {found}); SET @changed = @@ROWCOUNT; \
         UPDATE {table} SET {set}, [version] = [version] + 1 FROM (SELECT {key}, {new} FROM {STAGED_EPISODES} AS s \
         WHERE s.[gone] = 0 AND s.[old_begin] IS NOT NULL) AS n WHERE {found}; SET @changed = @changed + @@ROWCOUNT; \
         DELETE FROM {table} WHERE EXISTS (SELECT 1 FROM (SELECT {key}, CAST(s.[begin_at] AS datetime2(6)) AS [new_begin] \
         FROM {STAGED_EPISODES} AS s WHERE s.[gone] = 0 AND s.[old_begin] IS NULL) AS n WHERE n.[new_begin] = [begin_at] \
         AND n.[of_variable] = [variable] AND n.[of_kind] = [kind] AND [begin_at] >= @first_begin AND [begin_at] <= @last_begin \
         AND @held = 1); \
         INSERT INTO {table} ([variable], [kind], {columns}, [version], [created_at]) \
         SELECT CAST(s.[variable] AS nvarchar(100)), CAST(s.[kind] AS nvarchar(20)), {cast}, 1, \
         CAST(s.[updated_at] AS datetime2(6)) FROM {STAGED_EPISODES} AS s WHERE s.[gone] = 0 AND s.[old_begin] IS NULL \
         AND @held = 1 ORDER BY s.[n]; SET @changed = @changed + @@ROWCOUNT; ",
        key = key(),
        set = set.join(", "),
        new = cast("new_"),
        columns = columns.join(", "),
        cast = cast(""),
    )
}

/// The part of a commit after [`change`] and everything else: rolls everything back unless this
/// many rows were changed.
pub fn expect_for(changes: usize) -> String {
    format!(
        "IF @held = 1 AND @changed <> {changes} BEGIN ROLLBACK TRANSACTION; SET @held = -2; END; IF @@TRANCOUNT > 0 "
    )
}

/// The columns of a row, as [`EPISODE_COLUMNS`] has them.
fn columns() -> String {
    format!("[{}]", EPISODE_COLUMNS.join("], ["))
}

/// The episodes that are open.
pub fn open(episodes: &TableName) -> String {
    format!("SELECT {} FROM {} WHERE [is_open] = 1", columns(), episodes.sql_server())
}

/// Those of kind `@P1` that are open.
pub fn open_of_kind(episodes: &TableName) -> String {
    format!(
        "SELECT {} FROM {} WHERE [is_open] = 1 AND [kind] = @P1 ORDER BY [begin_at]",
        columns(),
        episodes.sql_server()
    )
}

/// The episode with id `@P1`.
pub fn by_id(episodes: &TableName) -> String {
    format!("SELECT {} FROM {} WHERE [id] = @P1", columns(), episodes.sql_server())
}

/// At most `@P1` that begin from `@P2` up to `@P3`, the newest first.
pub fn begun(episodes: &TableName) -> String {
    format!(
        "SELECT TOP (@P1) {} FROM {} WHERE [begin_at] >= @P2 AND [begin_at] < @P3 ORDER BY [begin_at] DESC",
        columns(),
        episodes.sql_server()
    )
}

/// At most `@P1` that end from `@P2` up to `@P3`, the newest first.
pub fn ended(episodes: &TableName) -> String {
    format!(
        "SELECT TOP (@P1) {} FROM {} WHERE [end_at] >= @P2 AND [end_at] < @P3 ORDER BY [end_at] DESC",
        columns(),
        episodes.sql_server()
    )
}

/// At most `@P1` of variable `@P4` that begin from `@P2` up to `@P3`, the newest first.
pub fn of_variable(episodes: &TableName) -> String {
    format!(
        "SELECT TOP (@P1) {} FROM {} WHERE [variable] = @P4 AND [begin_at] >= @P2 AND [begin_at] < @P3 ORDER BY [begin_at] DESC",
        columns(),
        episodes.sql_server()
    )
}

/// Shelves variable `@P1` from `@P2` until `@P3`, with the reason `@P4`, requested by `@P5`: in the
/// open row, else in a new one.
pub fn shelve(episodes: &TableName) -> String {
    let kind = EpisodeKind::Shelved;
    let again = "[end_at] = @P3, [note] = @P4, [worker] = @P5, [updated_at] = @P2, [version] = [version] + 1";
    format!(
        "SET NOCOUNT ON; DECLARE @there int; BEGIN TRANSACTION; \
         UPDATE {table} SET {again} WHERE [is_open] = 1 AND [kind] = N'{kind}' AND [variable] = @P1; \
         SET @there = @@ROWCOUNT; \
         UPDATE {table} SET {again}, [is_open] = 1, [closed_at] = NULL \
         WHERE [begin_at] = @P2 AND [variable] = @P1 AND [kind] = N'{kind}' AND @there = 0; SET @there = @there + @@ROWCOUNT; \
         INSERT INTO {table} ([variable], [kind], [begin_at], [end_at], [is_open], [readings], [flagged], [priority], [told], \
         [shelved], [note], [worker], [version], [created_at], [updated_at]) SELECT @P1, N'{kind}', @P2, @P3, 1, 0, 0, \
         N'{priority}', N'{told}', 1, @P4, @P5, 1, @P2, @P2 WHERE @there = 0; COMMIT TRANSACTION; SELECT 1;",
        table = episodes.sql_server(),
        priority = Priority::Low,
        told = Told::Never,
    )
}

/// Ends at `@P2` the shelving of variable `@P1`; returns whether there was one.
pub fn unshelve(episodes: &TableName) -> String {
    format!(
        "SET NOCOUNT ON; UPDATE {} SET [closed_at] = @P2, [end_at] = @P2, [is_open] = 0, [updated_at] = @P2, \
         [version] = [version] + 1 WHERE [is_open] = 1 AND [kind] = N'{}' AND [variable] = @P1; SELECT CAST(@@ROWCOUNT AS int);",
        episodes.sql_server(),
        EpisodeKind::Shelved,
    )
}

/// Stores the feedback `@P2` and the note `@P3` for the episode with id `@P1`, at `@P4`; returns
/// the number of rows.
pub fn say(episodes: &TableName) -> String {
    format!(
        "SET NOCOUNT ON; UPDATE {} SET [feedback] = @P2, [note] = NULLIF(@P3, N''), [feedback_at] = @P4, [updated_at] = @P4 \
         WHERE [id] = @P1; SELECT CAST(@@ROWCOUNT AS int);",
        episodes.sql_server()
    )
}
