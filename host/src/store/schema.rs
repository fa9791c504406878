//! The tables: their columns, which are the same in every database, and the default names.
//!
//! Each database's own DDL stands in a file of its own: [`sqlite`], [`sqlserver`].

pub mod sqlite;
pub mod sqlserver;

use super::TableName;

/// The columns that every input table has; `id`, `source_file` and `created_at` may be there
/// besides.
pub const INPUT_COLUMNS: [&str; 3] = ["datetime", "variable_name", "value"];

/// The columns that a commit writes, and without which it would lose something; `source_file` may
/// be there besides.
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
/// takes its name; the rest comes with its first commit.
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

/// Which tables a store works on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TableNames {
    pub input: TableName,
    pub output: TableName,
    pub state: TableName,
}

impl Default for TableNames {
    fn default() -> Self {
        Self {
            input: TableName::of("dbo", "datos_proceso"),
            output: TableName::of("dbo", "anomalies_detector"),
            state: TableName::of("dbo", "anomaly_worker_state"),
        }
    }
}
