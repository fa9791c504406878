//! The statements that read and write the output and the state table.
//!
//! Rows are passed through two tables of the session's own, which the driver's bulk load fills:
//! every server accepts FLOAT, DATETIME2, NVARCHAR and BIT there, all nullable, and converts them
//! itself when they are moved into the real columns.

use std::time::Duration;

use crate::store::TableName;

/// The session's table for the verdicts of a commit.
pub const STAGED_VERDICTS: &str = "#anomaly_worker_verdicts";

/// The session's table for keys to look up.
pub const STAGED_KEYS: &str = "#anomaly_worker_keys";

/// The session's table for the parts of a checkpoint that changed.
pub const STAGED_PARTS: &str = "#anomaly_worker_parts";

/// The columns that hold numbers, and the most digits of each before the point.
pub const NUMBERS: [(&str, i32); 7] = [
    ("y", 12),
    ("yhat", 12),
    ("yhat_lower", 12),
    ("yhat_upper", 12),
    ("residual", 12),
    ("anomaly_score", 3),
    ("prediction_error_pct", 3),
];

/// The columns that hold yes or no.
pub const FLAGS: [&str; 3] = ["outside_interval", "high_residual", "is_anomaly"];

/// Creates the table for verdicts. `n` counts them in their order.
pub fn stage_verdicts() -> String {
    let numbers: Vec<String> = NUMBERS.iter().map(|(name, _)| format!("[{name}] FLOAT NULL")).collect();
    let flags: Vec<String> = FLAGS.iter().map(|name| format!("[{name}] BIT NULL")).collect();
    format!(
        "CREATE TABLE {STAGED_VERDICTS} ([n] FLOAT NULL, [ds] DATETIME2 NULL, [variable] NVARCHAR(MAX) NULL, {}, {}, \
         [source_file] NVARCHAR(MAX) NULL);",
        numbers.join(", "),
        flags.join(", ")
    )
}

/// Creates the table for keys.
pub fn stage_keys() -> String {
    format!(
        "CREATE TABLE {STAGED_KEYS} ([n] FLOAT NULL, [ds] DATETIME2 NULL, [variable] NVARCHAR(MAX) NULL);"
    )
}

/// Creates the table for parts. The bytes of a deleted part are NULL.
pub fn stage_parts() -> String {
    format!("CREATE TABLE {STAGED_PARTS} ([name] NVARCHAR(MAX) NULL, [bytes] VARBINARY(MAX) NULL);")
}

/// Stages part `@P1` with bytes `@P2`.
pub fn stage_large_part() -> String {
    format!("INSERT INTO {STAGED_PARTS} ([name], [bytes]) VALUES (@P1, @P2);")
}

/// Empties one of them.
pub fn empty(staged: &str) -> String {
    format!("TRUNCATE TABLE {staged};")
}

/// The source of a column of the output in the staged table.
pub struct Filled {
    pub column: &'static str,
    /// An expression on the staged row `s`.
    pub by: String,
}

/// The verdicts of a commit.
#[derive(Clone, Copy)]
pub struct CommitParts<'a> {
    /// [`insert`] or [`replace`]; it reads the output from `@P3` to `@P4`, datetimes around those
    /// that are staged.
    pub insert: &'a str,
    /// [`alone`], if no unique index prevents two writers from writing the same verdict.
    pub lock: Option<&'a str>,
}

/// One transaction: the fence (the worker's row with its epoch, which gets the new state), the
/// staged verdicts that are not there yet, if there are any, and `beside`, the changes of the
/// state's parts ([`parts_anew`], [`parts_changed`]), of episodes and of the outbox, if there are
/// any. At its end the `guard` rolls all of it back, if another process has changed an episode.
/// Returns how many rows the fence found (one, or nothing was written; −1: another process writes
/// the table; −2: the guard's result), how many verdicts were inserted and how many were deleted. A
/// trigger may return results before.
///
/// `@P1` worker, `@P2` epoch; then those of the columns of [`STATE`] that have a value, in that
/// order. NULL is not passed as a parameter, because it would be one without a type, which not
/// every server accepts.
pub fn commit(
    state: &TableName,
    given: [bool; STATE.len()],
    staged: Option<CommitParts<'_>>,
    beside: &str,
    guard: &str,
) -> String {
    let mut parameters = if staged.is_some() { 5.. } else { 3.. };
    let columns: Vec<String> = STATE
        .iter()
        .zip(given)
        .map(|(name, given)| match given.then(|| parameters.next()).flatten() {
            Some(at) => format!("[{name}] = @P{at}"),
            None => format!("[{name}] = NULL"),
        })
        .collect();
    let write = format!(
        "UPDATE {state} SET {columns} WHERE [worker] = @P1 AND [epoch] = @P2; SET @held = @@ROWCOUNT; {insert}{beside}",
        state = state.sql_server(),
        columns = columns.join(", "),
        insert = staged.map(|staged| staged.insert).unwrap_or_default(),
    );
    let write = match staged.and_then(|staged| staged.lock) {
        Some(lock) => format!("{lock}IF @answer >= 0 BEGIN {write}END; "),
        None => write,
    };
    format!(
        "SET NOCOUNT ON; DECLARE @held int, @inserted int, @removed int; SET @held = -1; SET @inserted = 0; SET @removed = 0; \
         BEGIN TRANSACTION; {write}{guard}COMMIT TRANSACTION; SELECT @held, @inserted, @removed;"
    )
}

/// The part of [`commit`] that deletes all parts of the worker.
pub fn parts_anew(parts: &TableName) -> String {
    format!("DELETE FROM {} WHERE [worker] = @P1 AND @held = 1; ", parts.sql_server())
}

/// The part of [`commit`] that replaces the parts of the staged names. The names get the database's
/// collation, because the session's own tables may have another. The table that loses rows has no
/// alias, as in [`replace`]; each of its rows is found by its key.
pub fn parts_changed(parts: &TableName) -> String {
    format!(
        "DELETE FROM {table} WHERE [worker] = @P1 AND @held = 1 AND EXISTS (SELECT 1 FROM (\
         SELECT CAST(s.[name] COLLATE DATABASE_DEFAULT AS nvarchar(100)) AS [new_name] FROM {STAGED_PARTS} AS s) AS n WHERE n.[new_name] = [name]); \
         INSERT INTO {table} ([worker], [name], [bytes]) SELECT @P1, CAST(s.[name] AS nvarchar(100)), s.[bytes] \
         FROM {STAGED_PARTS} AS s WHERE s.[bytes] IS NOT NULL AND @held = 1; ",
        table = parts.sql_server()
    )
}

/// All parts of worker `@P1`.
pub fn parts(parts: &TableName) -> String {
    format!("SELECT [name], [bytes] FROM {} WHERE [worker] = @P1", parts.sql_server())
}

/// The part of [`commit`] that keeps other writers of this program out until the transaction ends:
/// under READ COMMITTED two of them may both find that a verdict is not there yet. The lock is
/// named by the table's number, because names are compared byte by byte.
pub fn alone(output: &TableName, wait: Duration) -> String {
    format!(
        "DECLARE @lock nvarchar(255), @answer int; SET @lock = 'anomaly-worker writes ' + CAST(OBJECT_ID({table}) AS nvarchar(20)); \
         EXEC @answer = sp_getapplock @Resource = @lock, @LockMode = 'Exclusive', @LockOwner = 'Transaction', @LockTimeout = {wait}; ",
        table = text(&output.sql_server()),
        wait = wait.as_millis(),
    )
}

/// A text as a literal.
fn text(text: &str) -> String {
    format!("N'{}'", text.replace('\'', "''"))
}

/// Inserts the staged verdicts and rolls back. Fails as the commit would.
pub fn attempt(insert: &str) -> String {
    format!(
        "SET NOCOUNT ON; DECLARE @held int, @inserted int; SET @held = 1; BEGIN TRANSACTION; {insert}\
         IF @@TRANCOUNT > 0 ROLLBACK TRANSACTION; SELECT @held, @inserted;"
    )
}

/// The part of [`commit`] that inserts the staged verdicts: of each key the first, and none that is
/// there already. The table's types and collation decide which texts or datetimes are the same.
///
/// The datetimes are also bounded, so that no plan reads the output from its beginning.
pub fn insert(output: &TableName, filled: &[Filled], gives_time: bool) -> String {
    let of = |name: &str| {
        filled.iter().find(|filled| filled.column == name).map_or("NULL", |filled| filled.by.as_str())
    };
    let columns: Vec<String> = filled.iter().map(|filled| format!("[{}]", filled.column)).collect();
    let values: Vec<String> =
        filled.iter().map(|filled| format!("{} AS [{}]", filled.by, filled.column)).collect();
    format!(
        "INSERT INTO {table} ({columns}{at}) SELECT {columns}{now} FROM (\
         SELECT s.[n], {values}, ROW_NUMBER() OVER (PARTITION BY {variable}, {ds} ORDER BY s.[n]) AS [nth] \
         FROM {STAGED_VERDICTS} AS s) AS v WHERE v.[nth] = 1 AND @held = 1 AND NOT EXISTS (\
         SELECT 1 FROM {table} AS o WHERE o.[variable] = v.[variable] AND o.[ds] = v.[ds] AND o.[ds] >= @P3 AND o.[ds] <= @P4) \
         ORDER BY v.[n]; SET @inserted = @@ROWCOUNT; ",
        table = output.sql_server(),
        columns = columns.join(", "),
        at = if gives_time { ", [processed_at]" } else { "" },
        now = if gives_time { ", GETDATE()" } else { "" },
        values = values.join(", "),
        variable = of("variable"),
        ds = of("ds"),
    )
}

/// The same, but replaces existing verdicts of the same keys, and counts how many were deleted.
/// Bytes are compared, because a verdict under a name that the collation only takes for the same
/// belongs to another variable.
///
/// The table that loses rows has no alias: if it had one, not every server would check the right to
/// delete. Columns without a table's name are therefore its own.
pub fn replace(output: &TableName, filled: &[Filled], gives_time: bool) -> String {
    let of = |name: &str| {
        filled.iter().find(|filled| filled.column == name).map_or("NULL", |filled| filled.by.as_str())
    };
    format!(
        "DELETE FROM {} WHERE @held = 1 AND [ds] >= @P3 AND [ds] <= @P4 AND EXISTS (SELECT 1 FROM (\
         SELECT {} AS [new_variable], {} AS [new_ds] FROM {STAGED_VERDICTS} AS s) AS n \
         WHERE n.[new_variable] = [variable] AND n.[new_ds] = [ds] AND \
         CAST(n.[new_variable] AS varbinary(8000)) = CAST([variable] AS varbinary(8000))); SET @removed = @@ROWCOUNT; {}",
        output.sql_server(),
        of("variable"),
        of("ds"),
        insert(output, filled, gives_time),
    )
}

/// The columns of a verdict that is read.
pub(super) fn columns(has_source_file: bool) -> String {
    format!(
        "[ds], CAST([variable] AS nvarchar(4000)) AS [variable], [y], [yhat], [yhat_lower], [yhat_upper], [residual], \
         [outside_interval], [high_residual], [is_anomaly], [anomaly_score], [prediction_error_pct], [processed_at], \
         {} AS [source_file]",
        if has_source_file { "CAST([source_file] AS nvarchar(4000))" } else { "CAST(NULL AS nvarchar(1))" },
    )
}

/// At most `@P1` verdicts with `@P2 <= ds < @P3`, in time order. `source_file` is NULL if the table
/// lacks it. Texts are read as NVARCHAR, as those of the input are. The flag is compared as a
/// number, so that no index is used for it: one on the flag would lead to all anomalies of the
/// table.
pub fn verdicts(output: &TableName, has_source_file: bool, anomalies_only: bool) -> String {
    format!(
        "SELECT TOP (@P1) {} FROM {} AS v WHERE [ds] >= @P2 AND [ds] < @P3{} ORDER BY v.[ds], v.[variable]",
        columns(has_source_file),
        output.sql_server(),
        if anomalies_only { " AND CAST([is_anomaly] AS int) = 1" } else { "" },
    )
}

/// Deletes the row of worker `@P1` with epoch `@P2`, and its parts; returns the number of state
/// rows.
pub fn forget(state: &TableName, parts: &TableName) -> String {
    format!(
        "SET NOCOUNT ON; DECLARE @held int; BEGIN TRANSACTION; \
         DELETE FROM {} WHERE [worker] = @P1 AND [epoch] = @P2; SET @held = @@ROWCOUNT; {}\
         COMMIT TRANSACTION; SELECT @held;",
        state.sql_server(),
        parts_anew(parts)
    )
}

/// Replaces `@P2` by `@P3` in what worker `@P1` has set aside; returns the number of rows.
pub fn exchange_set_aside(state: &TableName) -> String {
    format!(
        "SET NOCOUNT ON; UPDATE {} SET [set_aside] = @P3 WHERE [worker] = @P1 AND [set_aside] = @P2; \
         SELECT CAST(@@ROWCOUNT AS int);",
        state.sql_server()
    )
}

/// One of the verdicts with `@P1 <= ds <= @P2`, if there is any.
pub fn any_within(output: &TableName) -> String {
    format!("SELECT TOP (1) [ds] FROM {} WHERE [ds] >= @P1 AND [ds] <= @P2", output.sql_server())
}

/// The `n` of those staged keys for which the output holds a verdict, between `@P1` and `@P2`,
/// datetimes around those of the keys: whatever the plan, no more of the output is read. The keys
/// are converted to the columns' types before they are searched for, because some servers would not
/// use the index otherwise.
pub fn already_judged(output: &TableName, variable: &str, ds: &str) -> String {
    format!(
        "SELECT k.[n] FROM (SELECT s.[n], {variable} AS [variable], {ds} AS [ds] FROM {STAGED_KEYS} AS s) AS k \
         WHERE EXISTS (SELECT 1 FROM {} AS o WHERE o.[variable] = k.[variable] AND o.[ds] = k.[ds] \
         AND o.[ds] >= @P1 AND o.[ds] <= @P2)",
        output.sql_server()
    )
}

/// The `n` of those staged keys whose variable would become another text as `variable`, an
/// expression on the staged row `s`. Bytes are compared, because a collation takes some different
/// texts for the same. The blanks with which a fixed-length column is `padded` are not part of a
/// name.
pub fn foreign_names(variable: &str, padded: bool) -> String {
    let kept = format!("CAST({variable} AS nvarchar(4000))");
    let kept = if padded { format!("RTRIM({kept})") } else { kept };
    format!(
        "SELECT s.[n] FROM {STAGED_KEYS} AS s WHERE CAST({kept} AS varbinary(8000)) <> CAST(s.[variable] AS varbinary(8000))"
    )
}

/// Whether the state table records that `@P1`, an index of the output, was tried.
pub fn tried(state: &TableName) -> String {
    format!("SELECT [epoch] FROM {} WHERE [worker] = @P1", state.sql_server())
}

/// Records in the state table that `@P1`, an index of the output, was tried (`@P2` is 1), or is to
/// be tried again (0).
pub fn note_tried(state: &TableName) -> String {
    format!(
        "SET NOCOUNT ON; UPDATE {table} SET [epoch] = @P2, [updated_at] = GETDATE() WHERE [worker] = @P1; \
         INSERT INTO {table} ([worker], [epoch], [updated_at]) SELECT @P1, @P2, GETDATE() \
         WHERE NOT EXISTS (SELECT 1 FROM {table} WHERE [worker] = @P1);",
        table = state.sql_server(),
    )
}

/// The `n` of those staged keys whose variable is the same as that of one with a lower `n`, each
/// with the lowest. They are converted to the column's type, so that its collation decides what is
/// the same.
pub fn equal_names(variable: &str) -> String {
    format!(
        "SELECT k.[n], k.[first] FROM (SELECT s.[n], MIN(s.[n]) OVER (PARTITION BY {variable}) AS [first] \
         FROM {STAGED_KEYS} AS s) AS k WHERE k.[first] < k.[n]"
    )
}

/// The `n` of each staged key, and the spelling of its variable in the output: that of one of its
/// verdicts, the first of the index.
pub fn spellings(output: &TableName, variable: &str) -> String {
    format!(
        "SELECT k.[n], CAST((SELECT TOP (1) o.[variable] FROM {} AS o WHERE o.[variable] = k.[variable]) AS nvarchar(4000)) \
         FROM (SELECT s.[n], {variable} AS [variable] FROM {STAGED_KEYS} AS s) AS k",
        output.sql_server()
    )
}

/// The greatest ds before `@P1`: the first row of the index on ds, from there backwards.
pub fn newest(output: &TableName) -> String {
    format!("SELECT TOP (1) [ds] FROM {} WHERE [ds] < @P1 ORDER BY [ds] DESC", output.sql_server())
}

/// The names of all workers. The table has a row for each of them, and no more.
pub fn workers(state: &TableName) -> String {
    format!("SELECT [worker] FROM {} ORDER BY [worker]", state.sql_server())
}

/// The columns of the state that a commit writes, as [`commit`] takes and [`read`] gives them.
pub const STATE: [&str; 9] = [
    "position",
    "watermark",
    "checkpoint",
    "checkpoint_schema",
    "checkpoint_digest",
    "set_digest",
    "set_aside",
    "counts",
    "updated_at",
];

/// Raises the epoch of worker `@P1`, or makes a row that holds only the epoch; returns the row, as
/// [`read`] does.
pub fn take(state: &TableName) -> String {
    format!(
        "SET NOCOUNT ON; BEGIN TRANSACTION; \
         UPDATE {table} SET [epoch] = [epoch] + 1 WHERE [worker] = @P1; \
         INSERT INTO {table} ([worker], [epoch]) SELECT @P1, 1 WHERE NOT EXISTS (SELECT 1 FROM {table} WHERE [worker] = @P1); \
         {read}; COMMIT TRANSACTION;",
        table = state.sql_server(),
        read = read(state),
    )
}

/// The row of worker `@P1`: its epoch, then the columns of [`STATE`].
pub fn read(state: &TableName) -> String {
    format!("SELECT [epoch], [{}] FROM {} WHERE [worker] = @P1", STATE.join("], ["), state.sql_server())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_commit_is_one_transaction_behind_its_fence() {
        let (state, output) = (TableName::of("dbo", "s"), TableName::of("dbo", "o's"));
        let bare = commit(&state, [true; STATE.len()], None, "", "");
        assert_eq!(
            bare,
            "SET NOCOUNT ON; DECLARE @held int, @inserted int, @removed int; SET @held = -1; SET @inserted = 0; SET @removed = 0; \
             BEGIN TRANSACTION; \
             UPDATE [dbo].[s] SET [position] = @P3, [watermark] = @P4, [checkpoint] = @P5, [checkpoint_schema] = @P6, \
             [checkpoint_digest] = @P7, [set_digest] = @P8, [set_aside] = @P9, [counts] = @P10, [updated_at] = @P11 \
             WHERE [worker] = @P1 AND [epoch] = @P2; SET @held = @@ROWCOUNT; COMMIT TRANSACTION; SELECT @held, @inserted, @removed;"
        );
        let filled = [
            Filled { column: "ds", by: "CAST(s.[ds] AS datetime)".to_owned() },
            Filled { column: "variable", by: "CAST(s.[variable] AS varchar(100))".to_owned() },
        ];
        assert_eq!(
            insert(&output, &filled, true),
            "INSERT INTO [dbo].[o's] ([ds], [variable], [processed_at]) SELECT [ds], [variable], GETDATE() FROM (\
             SELECT s.[n], CAST(s.[ds] AS datetime) AS [ds], CAST(s.[variable] AS varchar(100)) AS [variable], \
             ROW_NUMBER() OVER (PARTITION BY CAST(s.[variable] AS varchar(100)), CAST(s.[ds] AS datetime) ORDER BY s.[n]) AS [nth] \
             FROM #anomaly_worker_verdicts AS s) AS v WHERE v.[nth] = 1 AND @held = 1 AND NOT EXISTS (\
             SELECT 1 FROM [dbo].[o's] AS o WHERE o.[variable] = v.[variable] AND o.[ds] = v.[ds] AND o.[ds] >= @P3 \
             AND o.[ds] <= @P4) ORDER BY v.[n]; SET @inserted = @@ROWCOUNT; "
        );
        let mut given = [true; STATE.len()];
        given[1] = false;
        let some = commit(&state, given, Some(CommitParts { insert: "INSERT; ", lock: None }), "PARTS; ", "");
        assert!(some.contains("[position] = @P5, [watermark] = NULL, [checkpoint] = @P6, "), "{some}");
        assert!(some.contains("SET @held = @@ROWCOUNT; INSERT; PARTS; COMMIT TRANSACTION;"), "{some}");
        let lock = alone(&output, Duration::from_secs(5));
        let locked =
            commit(&state, given, Some(CommitParts { insert: "INSERT; ", lock: Some(&lock) }), "", "GUARD ");
        assert!(
            locked.contains(
                "BEGIN TRANSACTION; DECLARE @lock nvarchar(255), @answer int; SET @lock = 'anomaly-worker writes ' + \
                 CAST(OBJECT_ID(N'[dbo].[o''s]') AS nvarchar(20)); EXEC @answer = sp_getapplock @Resource = @lock, \
                 @LockMode = 'Exclusive', @LockOwner = 'Transaction', @LockTimeout = 5000; IF @answer >= 0 BEGIN UPDATE [dbo].[s] "
            ),
            "{locked}"
        );
        assert!(
            locked.ends_with("INSERT; END; GUARD COMMIT TRANSACTION; SELECT @held, @inserted, @removed;"),
            "{locked}"
        );
    }
}
