//! Opens what the configuration names, for the commands: the engine, the store, the source of
//! detectors.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::{Misconfigured, detector_files, sqlserver_target};
use crate::alert::channel::{self, Channel};
use crate::config::{Config, TrainingSection, WorkerSection};
use crate::datetime::Datetime;
use crate::detector::{Compiler, Detector, DetectorError, Engine, Limits};
use crate::reload::{LastGood, SetSource};
use crate::service::control::{self, ServiceIdentity};
use crate::store::table_name::NotATableName;
use crate::store::{Clock, PlantClock, SqlServerStore, SqliteStore, Store, TableNames};
use crate::training::{Settings, TrainingPlan};

/// The tables that the configuration names.
///
/// # Errors
/// A table's name that is none.
pub(super) fn tables(config: &Config) -> Result<TableNames, NotATableName> {
    Ok(TableNames {
        input: config.input.table.parse()?,
        output: config.output.table.parse()?,
        state: config.output.state_table.parse()?,
        episodes: config.output.episodes_table.parse()?,
        outbox: config.output.outbox_table.parse()?,
    })
}

/// The store that the configuration names.
///
/// # Errors
/// A table's name that is not valid; keys on the server that conflict.
pub(super) fn store(config: &Config) -> anyhow::Result<Box<dyn Store>> {
    let tables = tables(config).map_err(|why| Misconfigured(why.to_string()))?;
    if config.is_on_server() {
        let (input, output) = sqlserver_target::targets(config).map_err(Misconfigured)?;
        let clock = config.input.clock.clone();
        return Ok(Box::new(SqlServerStore { input, output, tables, clock }));
    }
    let clock = match &config.input.clock {
        PlantClock::Server => Clock::system(),
        PlantClock::Offset { minutes } => Clock::before_utc(*minutes),
        PlantClock::Zone(zone) => {
            let why = format!(
                "`input.clock` is the time zone `{zone}`, which only a server knows; for a file it is \"server\", the clock of this machine, \
                 or hours before UTC"
            );
            return Err(Misconfigured(why).into());
        }
    };
    Ok(Box::new(SqliteStore {
        output: config.output_database().to_owned(),
        create_output: true,
        tables,
        clock,
        ..SqliteStore::new(config.input_database())
    }))
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

/// The channels that the configuration names.
///
/// # Errors
/// The keys of a channel that conflict.
pub(super) fn channels(config: &Config) -> anyhow::Result<Vec<Channel>> {
    let credentials = std::env::var_os("CREDENTIALS_DIRECTORY");
    channel::channels(&config.alerts, &config.worker.row(), credentials.as_deref())
        .map_err(|why| Misconfigured(why).into())
}

/// An engine for a command without a configuration.
pub(super) fn plain_engine(limits: Limits) -> Result<Engine, DetectorError> {
    Engine::with_compiler(limits, cache_dir().as_deref(), Compiler::this_program())
}

/// The detector that the configuration names, with the models as they are on the disk.
pub(super) async fn detector(config: &Config) -> Result<Detector, DetectorError> {
    let engine = engine(config)?;
    let set = source(config).read_at_start(&engine).await?;
    Detector::open(&engine, Arc::new(set), None).await
}

/// The files of the detector.
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

/// Readings in memory at a time while models are trained: 16 MiB, and twice that while their lists
/// grow.
const MOST_READINGS: usize = 1 << 20;

/// The parameters of a training, except its range.
pub(super) fn training_plan(worker: &WorkerSection, section: &TrainingSection) -> TrainingPlan {
    let epoch = Datetime::from_micros(0);
    let memory = usize::try_from(section.memory_mib << 20).unwrap_or(usize::MAX);
    TrainingPlan {
        from: epoch,
        to: epoch,
        now: epoch,
        variables: None,
        shard: worker.shard,
        holdout: section.holdout,
        page_rows: worker.batch_rows,
        most_readings: MOST_READINGS,
        limits: Some((memory, section.deadline)),
        keep: section.keep,
    }
}

/// The settings of training that the configuration names. `prophet`: the detector is the built-in
/// one, whose keys are known here.
///
/// # Errors
/// The file cannot be read, or does not hold settings.
pub(super) fn training_settings(section: &TrainingSection, prophet: bool) -> anyhow::Result<Settings> {
    let mut settings = match &section.settings {
        Some(path) => {
            let name = path.display();
            let bytes = detector_files::small(path)?;
            Settings::parse(&bytes).map_err(|why| Misconfigured(format!("`{name}`: {why}")))?
        }
        None if prophet => Settings::usual(),
        None => Settings::default(),
    };
    if let Some(mode) = section.mode {
        settings.set("method", mode.name().into());
    }
    if prophet {
        // A megabyte or more of each model, which judging does not need.
        settings.set_unless_said("history", "ends".into());
    }
    Ok(settings)
}

/// The name of this configuration's service on its machine.
///
/// # Errors
/// As [`store`].
pub(super) fn control_name(config: &Config) -> anyhow::Result<String> {
    // As configured: not every user can follow the links on the way to a file.
    Ok(control::name(&config.worker.row(), &store(config)?.output_place()))
}

/// A service of this configuration, as others see it.
pub(super) fn identity(
    config: &Config,
    file: Option<&Path>,
    output: String,
    kept_set: Option<PathBuf>,
) -> ServiceIdentity {
    ServiceIdentity {
        process: std::process::id(),
        config: file.map(Path::to_owned),
        worker: config.worker.row(),
        output,
        log_file: config.log.file.clone(),
        kept_set,
    }
}

/// The kept set that judged last; None, and a line in the log, if there is no directory for it.
pub(super) fn last_good(config: &Config, source: &SetSource) -> Option<LastGood> {
    let directory = config.detector.state_dir.clone().or_else(state_dir);
    if directory.is_none() {
        tracing::warn!(
            "no directory to keep the last good set in, so that a start with broken files has no set to use; name one as \
             `state_dir` of `[detector]`"
        );
    }
    Some(LastGood::new(&directory?, &config.worker.row(), source))
}

/// A directory of this user's own: systemd's `CacheDirectory=`, else the platform's.
fn cache_dir() -> Option<PathBuf> {
    of_systemd("CACHE_DIRECTORY").or_else(|| Some(dirs::cache_dir()?.join("anomaly-worker")))
}

/// The same for files that must survive a cleaning: systemd's `StateDirectory=`, else the
/// platform's.
fn state_dir() -> Option<PathBuf> {
    let platform = || dirs::state_dir().or_else(dirs::data_local_dir);
    of_systemd("STATE_DIRECTORY").or_else(|| Some(platform()?.join("anomaly-worker")))
}

/// Of several directories the first.
fn of_systemd(variable: &str) -> Option<PathBuf> {
    std::env::var_os(variable)
        .and_then(|directories| std::env::split_paths(&directories).next())
        .filter(|first| !first.as_os_str().is_empty())
}
