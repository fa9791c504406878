//! What a session is set up with, and what it asks of the catalogue.

use std::time::Duration;

/// The settings that hold for the session's life, and the name of its database.
///
/// XACT_ABORT: a statement that fails takes its whole transaction back. DEADLOCK_PRIORITY: of two that want what the other has, we
/// try again and the plant's program goes on. The ANSI settings are what a table with an indexed
/// computed column or a filtered index wants of who writes it.
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

/// Takes back what a failed call may have left open.
pub fn roll_back() -> &'static str {
    "IF @@TRANCOUNT > 0 ROLLBACK TRANSACTION;"
}

/// The columns of the table or view `@P1`: name, type, length in bytes, precision, scale, nullable, identity, computed, whether it
/// has a default, collation. No rows if there is none, or none that this login may see.
pub fn columns() -> String {
    "SELECT LOWER(c.name), LOWER(t.name), CAST(c.max_length AS int), CAST(c.precision AS int), CAST(c.scale AS int), \
     CAST(c.is_nullable AS int), CAST(c.is_identity AS int), CAST(c.is_computed AS int), \
     CASE WHEN c.default_object_id = 0 THEN 0 ELSE 1 END, c.collation_name \
     FROM sys.columns AS c JOIN sys.types AS t ON t.user_type_id = c.system_type_id \
     WHERE c.object_id = OBJECT_ID(@P1) ORDER BY c.column_id"
        .to_owned()
}

/// The key columns of the indexes of `@P1`, in order: index, unique, column. Without indexes on a part of the rows, which serve neither
/// look-ups nor uniqueness.
pub fn indexes() -> String {
    "SELECT CAST(i.index_id AS int), CAST(i.is_unique AS int), LOWER(c.name) \
     FROM sys.indexes AS i \
     JOIN sys.index_columns AS k ON k.object_id = i.object_id AND k.index_id = i.index_id \
     JOIN sys.columns AS c ON c.object_id = k.object_id AND c.column_id = k.column_id \
     WHERE i.object_id = OBJECT_ID(@P1) AND i.has_filter = 0 AND i.is_disabled = 0 AND k.key_ordinal > 0 \
     ORDER BY i.index_id, k.key_ordinal"
        .to_owned()
}

/// Names of tables and views that are there, for an error.
pub fn some_tables() -> String {
    "SELECT TOP (10) s.name + '.' + o.name AS name FROM sys.objects AS o JOIN sys.schemas AS s ON s.schema_id = o.schema_id \
     WHERE o.type IN ('U', 'V') AND o.is_ms_shipped = 0 ORDER BY name"
        .to_owned()
}

/// Takes the lock `@P1` for the session, waiting as short as can be: without a wait some servers call a taken lock an error.
pub fn lock() -> &'static str {
    "DECLARE @answer int; EXEC @answer = sp_getapplock @Resource = @P1, @LockMode = 'Exclusive', @LockOwner = 'Session', \
     @LockTimeout = 1; SELECT @answer;"
}

/// Whether the login may: `permission` on `securable` of `class`, all parameters. NULL where there is no such thing.
pub fn may() -> String {
    "SELECT CAST(HAS_PERMS_BY_NAME(@P1, @P2, @P3) AS int)".to_owned()
}
