//! What the commands are put together from: a configuration's engine, store and source of detectors.

use std::path::{Path, PathBuf};

use crate::config::Config;
use crate::detector::{DetectorError, Engine, Limits};
use crate::reload::Source;
use crate::store::TableNames;
use crate::store::sqlite::SqliteStore;
use crate::store::table_name::NotATableName;

/// The tables that the configuration names.
///
/// # Errors
/// A table's name that is none.
pub(super) fn tables(config: &Config) -> Result<TableNames, NotATableName> {
    Ok(TableNames {
        input: config.input.table.parse()?,
        output: config.output.table.parse()?,
        state: config.output.state_table.parse()?,
    })
}

/// The store that the configuration names.
///
/// # Errors
/// A table's name that is none.
pub(super) fn store(config: &Config) -> Result<SqliteStore, NotATableName> {
    let tables = tables(config)?;
    Ok(SqliteStore {
        output: config.output_database().to_owned(),
        create_output: true,
        tables,
        ..SqliteStore::new(config.input_database())
    })
}

/// The engine, with the configured limits and a cache for compiled modules.
pub(super) fn engine(config: &Config) -> Result<Engine, DetectorError> {
    let limits = Limits {
        memory: usize::try_from(config.detector.memory_mib << 20).unwrap_or(usize::MAX),
        deadline: config.detector.deadline,
        ..Limits::default()
    };
    let cache = config.detector.cache_dir.clone().or_else(cache_dir);
    Engine::new(limits, cache.as_deref())
}

/// Where the detector's parts are.
pub(super) fn source(config: &Config) -> Source {
    Source {
        module: config.detector.module.clone(),
        models: config.detector.models.clone(),
        settings: serde_json::Value::Object(config.detector.settings.clone()).to_string(),
        own: [config.log.file.as_deref(), Some(config.input_database()), Some(config.output_database())]
            .into_iter()
            .flatten()
            .map(Path::to_owned)
            .collect(),
    }
}

/// A directory of this user's own: systemd's `CacheDirectory=`, else the platform's.
pub(super) fn cache_dir() -> Option<PathBuf> {
    let systemd = std::env::var_os("CACHE_DIRECTORY").map(PathBuf::from);
    systemd.or_else(|| dirs::cache_dir().map(|cache| cache.join("anomaly-worker")))
}
