//! The tables: their columns, which are the same in every database, and the default names.
//!
//! Each database's own DDL is in a file of its own: [`sqlite`], [`sqlserver`].

pub mod sqlite;
pub mod sqlserver;

use super::TableName;

/// The columns that every input table has; it may also have `id`, `source_file` and `created_at`.
pub const INPUT_COLUMNS: [&str; 3] = ["datetime", "variable_name", "value"];

/// The columns that a commit writes and that must exist; the table may also have `source_file`.
pub const OUTPUT_COLUMNS: [&str; 13] = [
    "ds",
    "y",
    "yhat",
    "yhat_lower",
    "yhat_upper",
    "residual",
    "outside_interval",
    "high_residual",
    "is_anomaly",
    "anomaly_score",
    "variable",
    "prediction_error_pct",
    "processed_at",
];

/// The columns of the state table: one row per worker. Only `worker` and `epoch` are set when it
/// takes its name; its first commit sets the others.
pub const STATE_COLUMNS: [&str; 11] = [
    "worker",
    "epoch",
    "watermark",
    "position",
    "checkpoint",
    "checkpoint_schema",
    "checkpoint_digest",
    "set_digest",
    "set_aside",
    "counts",
    "updated_at",
];

/// The columns of the table of parts: a row for each part of each worker's checkpoint.
pub const PARTS_COLUMNS: [&str; 3] = ["worker", "name", "bytes"];

/// The columns of the table of episodes, in their order: other programs may rely on them.
pub const EPISODE_COLUMNS: [&str; 25] = [
    "id",
    "variable",
    "kind",
    "begin_at",
    "end_at",
    "closed_at",
    "is_open",
    "peak_score",
    "worst_ds",
    "worst_y",
    "worst_yhat",
    "direction",
    "readings",
    "flagged",
    "cause",
    "priority",
    "told",
    "shelved",
    "feedback",
    "note",
    "feedback_at",
    "worker",
    "version",
    "created_at",
    "updated_at",
];

/// The key of an episode. The begin comes first, so that new ones are added at the index's end.
pub const EPISODE_KEY: [&str; 3] = ["begin_at", "variable", "kind"];

/// The other searches for episodes: open ones by kind, those of a variable, those that ended, and
/// those that were changed since.
pub const EPISODE_INDEXES: [&[&str]; 4] =
    [&["is_open", "kind", "begin_at"], &["variable", "begin_at"], &["end_at"], &["updated_at"]];

/// The columns of the outbox, in their order.
pub const OUTBOX_COLUMNS: [&str; 12] = [
    "seq",
    "id",
    "kind",
    "variable",
    "episode_id",
    "created_at",
    "payload",
    "attempts",
    "next_try_at",
    "state",
    "last_error",
    "progress",
];

/// The key of an entry of the outbox: its stable name.
pub const OUTBOX_KEY: [&str; 1] = ["id"];

/// The search for entries: those of a state in their order.
pub const OUTBOX_INDEXES: [&[&str]; 1] = [&["state", "seq"]];

/// The tables of a store.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TableNames {
    pub input: TableName,
    pub output: TableName,
    pub state: TableName,
    pub episodes: TableName,
    pub outbox: TableName,
}

impl Default for TableNames {
    fn default() -> Self {
        Self {
            input: TableName::of("dbo", "datos_proceso"),
            output: TableName::of("dbo", "anomalies_detector"),
            state: TableName::of("dbo", "anomaly_worker_state"),
            episodes: TableName::of("dbo", "anomaly_worker_episodes"),
            outbox: TableName::of("dbo", "anomaly_worker_outbox"),
        }
    }
}
