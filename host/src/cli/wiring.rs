//! What the commands are put together from: a configuration's engine, store and source of detectors.

use std::path::{Path, PathBuf};

use anyhow::anyhow;
use async_trait::async_trait;

use super::sqlserver_target;
use crate::config::Config;
use crate::detector::{Compiler, DetectorError, Engine, Limits};
use crate::reload::SetSource;
use crate::store::table_name::NotATableName;
use crate::store::{
    Clock, Connector, Importer, Input, LeaderLock, Output, PlantClock, SqlServerStore, SqliteStore,
    StoreError, TableNames,
};

/// The store that the configuration names.
#[derive(Clone, Debug)]
pub(super) enum Store {
    Sqlite(SqliteStore),
    SqlServer(Box<SqlServerStore>),
}

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
/// A table's name that is none; keys on the server that do not go together.
pub(super) fn store(config: &Config) -> anyhow::Result<Store> {
    let tables = tables(config)?;
    if config.is_on_server() {
        let (input, output) = sqlserver_target::targets(config).map_err(|why| anyhow!(why))?;
        let clock = config.input.clock.clone();
        return Ok(Store::SqlServer(Box::new(SqlServerStore { input, output, tables, clock })));
    }
    let clock = match &config.input.clock {
        PlantClock::Server => Clock::system(),
        PlantClock::Offset { minutes } => Clock::before_utc(*minutes),
        PlantClock::Zone(zone) => {
            return Err(anyhow!(
                "`input.clock` is the time zone `{zone}`, which only a server knows; for a file it is \"server\", the clock of this machine, \
                 or hours before UTC"
            ));
        }
    };
    Ok(Store::Sqlite(SqliteStore {
        output: config.output_database().to_owned(),
        create_output: true,
        tables,
        clock,
        ..SqliteStore::new(config.input_database())
    }))
}

impl Store {
    /// Opens the input to read some of it once. A file stays as it is, byte for byte.
    pub(super) async fn look_at_input(&self) -> Result<Box<dyn Input>, StoreError> {
        Ok(match self {
            Self::Sqlite(store) => Box::new(store.look_at_input().await?),
            Self::SqlServer(store) => Box::new(store.open_input().await?),
        })
    }

    /// Opens the output in the same way. None for a file that is not there and that `run` would make.
    pub(super) async fn look_at_output(&self) -> Result<Option<Box<dyn Output>>, StoreError> {
        Ok(match self {
            Self::Sqlite(store) if !store.output.exists() => None,
            Self::Sqlite(store) => Some(Box::new(store.look_at_output().await?)),
            Self::SqlServer(store) => Some(Box::new(store.open_output().await?)),
        })
    }

    /// Opens the output to find out whether it could be written. None as before.
    pub(super) async fn try_output(&self) -> Result<Option<Box<dyn Output>>, StoreError> {
        Ok(match self {
            Self::Sqlite(store) if !store.output.exists() => None,
            Self::Sqlite(store) => Some(Box::new(store.try_output().await?)),
            Self::SqlServer(store) => Some(Box::new(store.open_output().await?)),
        })
    }

    /// Where the readings are, as a message names it.
    pub(super) fn input_place(&self) -> String {
        match self {
            Self::Sqlite(store) => store.input.display().to_string(),
            Self::SqlServer(store) => store.input.place(),
        }
    }

    /// What should be known of the way there.
    pub(super) fn warnings(&self) -> Vec<String> {
        let Self::SqlServer(store) = self else { return Vec::new() };
        let mut servers: Vec<String> = [&store.input, &store.output]
            .iter()
            .filter(|target| target.trusts_any())
            .map(ToString::to_string)
            .collect();
        servers.dedup();
        let warning = |server| format!("the certificate of `{server}` is not checked, as it was configured");
        servers.into_iter().map(warning).collect()
    }

    /// Where the verdicts go.
    pub(super) fn output_place(&self) -> String {
        match self {
            Self::Sqlite(store) => store.output.display().to_string(),
            Self::SqlServer(store) => store.output.place(),
        }
    }
}

#[async_trait]
impl Connector for Store {
    async fn open(&self) -> Result<(Box<dyn Input>, Box<dyn Output>), StoreError> {
        match self {
            Self::Sqlite(store) => store.open().await,
            Self::SqlServer(store) => store.open().await,
        }
    }

    async fn leader_lock(&self, worker: &str) -> Result<Box<dyn LeaderLock>, StoreError> {
        match self {
            Self::Sqlite(store) => store.leader_lock(worker).await,
            Self::SqlServer(store) => store.leader_lock(worker).await,
        }
    }

    async fn open_importer(&self, create: bool) -> Result<Box<dyn Importer>, StoreError> {
        match self {
            Self::Sqlite(store) => store.open_importer(create).await,
            Self::SqlServer(store) => store.open_importer(create).await,
        }
    }
}

/// The engine, with the configured limits and a cache for compiled modules.
pub(super) fn engine(config: &Config) -> Result<Engine, DetectorError> {
    let bytes = |mib: u64| usize::try_from(mib << 20).unwrap_or(usize::MAX);
    let limits = Limits {
        memory: bytes(config.detector.memory_mib),
        checkpoint: bytes(config.detector.checkpoint_mib),
        deadline: config.detector.deadline,
        module_file: config.detector.module_mib << 20,
        model_file: config.detector.model_mib << 20,
        model_files: config.detector.models_mib << 20,
        ..Limits::default()
    };
    let cache = config.detector.cache_dir.clone().or_else(cache_dir);
    let compiler = Compiler::this_program()
        .limited(config.detector.compile_memory_mib << 20, config.detector.compile_deadline);
    Engine::with_compiler(limits, cache.as_deref(), compiler)
}

/// An engine for a command without a configuration.
pub(super) fn plain_engine(limits: Limits) -> Result<Engine, DetectorError> {
    Engine::with_compiler(limits, cache_dir().as_deref(), Compiler::this_program())
}

/// Where the detector's parts are.
pub(super) fn source(config: &Config) -> SetSource {
    let files = if config.is_on_server() {
        Vec::new()
    } else {
        vec![config.input_database(), config.output_database()]
    };
    SetSource {
        module: config.detector.module.clone(),
        models: config.detector.models.clone(),
        settings: serde_json::Value::Object(config.detector.settings.clone()).to_string(),
        own: config.log.file.as_deref().into_iter().chain(files).map(Path::to_owned).collect(),
    }
}

/// A directory of this user's own: systemd's `CacheDirectory=`, of several the first, else the platform's.
fn cache_dir() -> Option<PathBuf> {
    let systemd = std::env::var_os("CACHE_DIRECTORY")
        .and_then(|directories| std::env::split_paths(&directories).next())
        .filter(|first| !first.as_os_str().is_empty());
    systemd.or_else(|| dirs::cache_dir().map(|cache| cache.join("anomaly-worker")))
}
