//! The statements that read and write the outbox.

use crate::store::schema::OUTBOX_COLUMNS;
use crate::store::schema::sqlserver::BYTES;
use crate::store::{EntryState, TableName};

/// The session's table for the messages of a commit.
pub const STAGED_MESSAGES: &str = "#anomaly_worker_messages";

/// Creates the table for messages. `n` counts them in their order.
pub fn stage_messages() -> String {
    format!(
        "CREATE TABLE {STAGED_MESSAGES} ([n] FLOAT NULL, [id] NVARCHAR(MAX) NULL, [kind] NVARCHAR(MAX) NULL, \
         [variable] NVARCHAR(MAX) NULL, [about_variable] NVARCHAR(MAX) NULL, [about_kind] NVARCHAR(MAX) NULL, \
         [about_begin] DATETIME2 NULL, [created_at] DATETIME2 NULL, [payload] NVARCHAR(MAX) NULL);"
    )
}

/// The part of a commit that inserts the staged messages, each once. The episode's number is the
/// one that it has after the changes.
pub fn tell(outbox: &TableName, episodes: &TableName) -> String {
    format!(
        "INSERT INTO {outbox} ([id], [kind], [variable], [episode_id], [created_at], [payload], [attempts], [next_try_at], [state]) \
         SELECT CAST(s.[id] AS nvarchar(64)), CAST(s.[kind] AS nvarchar(20)), CAST(s.[variable] AS nvarchar(100)), \
         (SELECT e.[id] FROM {episodes} AS e WHERE e.[begin_at] = CAST(s.[about_begin] AS datetime2(6)) \
         AND e.[variable] = CAST(s.[about_variable] COLLATE {BYTES} AS nvarchar(100)) \
         AND e.[kind] = CAST(s.[about_kind] COLLATE {BYTES} AS nvarchar(20))), \
         CAST(s.[created_at] AS datetime2(6)), s.[payload], 0, CAST(s.[created_at] AS datetime2(6)), N'{due}' \
         FROM {STAGED_MESSAGES} AS s WHERE @held = 1 AND NOT EXISTS (SELECT 1 FROM {outbox} AS o \
         WHERE o.[id] = CAST(s.[id] COLLATE {BYTES} AS nvarchar(64))) ORDER BY s.[n]; ",
        outbox = outbox.sql_server(),
        episodes = episodes.sql_server(),
        due = EntryState::Due,
    )
}

fn columns() -> String {
    format!("[{}]", OUTBOX_COLUMNS.join("], ["))
}

/// At most `@P1` entries that are due and whose next try is not after `@P2`, in their order, from
/// the one after `@P3` on.
pub fn due(outbox: &TableName) -> String {
    format!(
        "SELECT TOP (@P1) {} FROM {} WHERE [state] = N'{}' AND [seq] > @P3 AND [next_try_at] <= @P2 ORDER BY [seq]",
        columns(),
        outbox.sql_server(),
        EntryState::Due,
    )
}

/// At most `@P1` entries of state `@P2`, the newest first.
pub fn newest(outbox: &TableName) -> String {
    format!(
        "SELECT TOP (@P1) {} FROM {} WHERE [state] = @P2 ORDER BY [seq] DESC",
        columns(),
        outbox.sql_server()
    )
}

/// Stores the result of a try at the entry `@P1`: its state `@P2`, its next try `@P3`, the error
/// `@P4` and the deliverer's notes `@P5`; returns the number of rows.
pub fn tried(outbox: &TableName) -> String {
    format!(
        "SET NOCOUNT ON; UPDATE {} SET [state] = @P2, [attempts] = [attempts] + 1, [next_try_at] = @P3, \
         [last_error] = NULLIF(@P4, N''), [progress] = NULLIF(@P5, N'') WHERE [seq] = @P1; SELECT CAST(@@ROWCOUNT AS int);",
        outbox.sql_server()
    )
}

/// How many entries are of state `@P1`, and when the first of them was made.
pub fn count(outbox: &TableName) -> String {
    format!(
        "SELECT COUNT_BIG(*), (SELECT TOP (1) f.[created_at] FROM {table} AS f WHERE f.[state] = @P1 ORDER BY f.[seq]) \
         FROM {table} AS o WHERE o.[state] = @P1",
        table = outbox.sql_server()
    )
}

/// Deletes those of the first `@P1` delivered entries that were made before `@P2`; returns their
/// number.
pub fn forget_delivered(outbox: &TableName) -> String {
    format!(
        "SET NOCOUNT ON; DELETE FROM {table} WHERE [state] = N'{delivered}' AND [created_at] < @P2 AND [seq] IN \
         (SELECT TOP (@P1) f.[seq] FROM {table} AS f WHERE f.[state] = N'{delivered}' ORDER BY f.[seq]); \
         SELECT CAST(@@ROWCOUNT AS int);",
        table = outbox.sql_server(),
        delivered = EntryState::Delivered,
    )
}
