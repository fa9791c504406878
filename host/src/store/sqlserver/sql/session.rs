//! The settings of a session, and its queries on the catalogue.

use std::time::Duration;

use crate::store::schema::{INPUT_COLUMNS, OUTPUT_COLUMNS, STATE_COLUMNS};

/// The settings that hold for the session's life, and the name of its database.
///
/// XACT_ABORT: a statement that fails rolls its whole transaction back. DEADLOCK_PRIORITY: in a
/// deadlock our transaction is the victim, and the plant's program continues. The ANSI settings are
/// those that writing to a table with an indexed computed column or a filtered index requires.
pub fn set_up(lock_timeout: Duration) -> String {
    format!(
        "SET ANSI_NULLS, ANSI_PADDING, ANSI_WARNINGS, ARITHABORT, CONCAT_NULL_YIELDS_NULL, QUOTED_IDENTIFIER ON; \
         SET NUMERIC_ROUNDABORT OFF; SET NOCOUNT ON; SET XACT_ABORT ON; SET LOCK_TIMEOUT {}; SET DEADLOCK_PRIORITY LOW; \
         SET TRANSACTION ISOLATION LEVEL READ COMMITTED; SELECT DB_NAME();",
        lock_timeout.as_millis()
    )
}

/// Opens a transaction that is to be rolled back.
pub fn begin() -> &'static str {
    "BEGIN TRANSACTION;"
}

/// Rolls back what a failed call may have left open.
pub fn roll_back() -> &'static str {
    "IF @@TRANCOUNT > 0 ROLLBACK TRANSACTION;"
}

/// The columns of the table or view `@P1`: number, name as it is written, our name that the server
/// takes for the same, type, length in bytes, precision, scale, nullable, identity, whether it
/// fills itself (computed, or of a period), whether it has a default, collation. No rows if there
/// is none, or none that this login may see.
///
/// The server decides which names are the same, by the collation of its catalogue: whether case
/// counts, and what the small letter of an `I` is. A type that is not one of the system's (CLR) has
/// no name.
pub fn columns() -> String {
    let ours: Vec<String> = known_columns().map(|name| format!("WHEN '{name}' THEN '{name}'")).collect();
    format!(
        "SELECT CAST(c.column_id AS int), c.name, CASE c.name {} END, t.name, CAST(c.max_length AS int), \
         CAST(c.precision AS int), CAST(c.scale AS int), CAST(c.is_nullable AS int), CAST(c.is_identity AS int), \
         CASE WHEN c.is_computed = 1 OR COLUMNPROPERTY(c.object_id, c.name, 'GeneratedAlwaysType') > 0 THEN 1 ELSE 0 END, \
         CASE WHEN c.default_object_id = 0 THEN 0 ELSE 1 END, c.collation_name \
         FROM sys.columns AS c LEFT JOIN sys.types AS t ON t.user_type_id = c.system_type_id \
         WHERE c.object_id = OBJECT_ID(@P1) ORDER BY c.column_id",
        ours.join(" ")
    )
}

/// The columns that this store looks for, each once.
fn known_columns() -> impl Iterator<Item = &'static str> {
    let all = INPUT_COLUMNS.iter().chain(&OUTPUT_COLUMNS).chain(&STATE_COLUMNS).chain(&["id", "source_file"]);
    all.copied().collect::<std::collections::BTreeSet<_>>().into_iter()
}

/// The key columns of the indexes of `@P1`, in order: index, unique, the column's number, whether
/// the index is in partitions by another column than its first. Without those that serve neither
/// look-ups nor uniqueness: partial, disabled or hypothetical ones (the tuning advisor's, which
/// hold nothing), and those of other kinds than a sorted one.
pub fn indexes() -> String {
    "SELECT CAST(i.index_id AS int), CAST(i.is_unique AS int), CAST(k.column_id AS int), \
     CASE WHEN EXISTS (SELECT 1 FROM sys.index_columns AS p WHERE p.object_id = i.object_id AND p.index_id = i.index_id \
     AND p.partition_ordinal > 0 AND p.key_ordinal <> 1) THEN 1 ELSE 0 END \
     FROM sys.indexes AS i \
     JOIN sys.index_columns AS k ON k.object_id = i.object_id AND k.index_id = i.index_id \
     WHERE i.object_id = OBJECT_ID(@P1) AND i.type IN (1, 2) AND i.has_filter = 0 AND i.is_disabled = 0 \
     AND i.is_hypothetical = 0 AND k.key_ordinal > 0 \
     ORDER BY i.index_id, k.key_ordinal"
        .to_owned()
}

/// The table that the synonym `@P1` stands for; no row if it is not a synonym.
pub fn synonym() -> String {
    "SELECT s.base_object_name FROM sys.synonyms AS s WHERE s.object_id = OBJECT_ID(@P1)".to_owned()
}

/// Names of existing tables and views, for an error.
pub fn some_tables() -> String {
    "SELECT TOP (10) s.name + '.' + o.name AS name FROM sys.objects AS o JOIN sys.schemas AS s ON s.schema_id = o.schema_id \
     WHERE o.type IN ('U', 'V') AND o.is_ms_shipped = 0 ORDER BY name"
        .to_owned()
}

/// Takes the lock `@P1` for the session, or finds that it has it, with the shortest possible wait:
/// without a wait some servers report a taken lock as an error. A lock that is taken twice has to
/// be released twice, so it is taken once.
pub fn lock() -> &'static str {
    "DECLARE @answer int; SET @answer = 0; IF COALESCE(APPLOCK_MODE('public', @P1, 'Session'), 'NoLock') <> 'Exclusive' \
     EXEC @answer = sp_getapplock @Resource = @P1, @LockMode = 'Exclusive', @LockOwner = 'Session', @LockTimeout = 1; \
     SELECT @answer;"
}

/// Does nothing: a session that answers exists.
pub fn alive() -> &'static str {
    "SELECT 1"
}

/// Whether the login has the right: `permission` on `securable` of `class`, all parameters. NULL if
/// the securable does not exist.
pub fn may() -> String {
    "SELECT CAST(HAS_PERMS_BY_NAME(@P1, @P2, @P3) AS int)".to_owned()
}
