//! The flags of every command that reads the configuration, and how they override it.

use std::ffi::OsString;
use std::path::PathBuf;
use std::time::Duration;

use clap::Args;

use crate::config::{self, Access, ConfigError, LoadedConfig, LogFormat};
use crate::shard::Shard;

/// Flags that override the configuration's file and the environment.
#[derive(Args, Debug, Default)]
pub struct Overrides {
    /// Read this configuration [default: `anomaly-worker.toml`, if there is one here]
    ///
    /// Each key of it can also be set by an environment variable, which overrides the file:
    /// ANOMALY_WORKER_INTERVAL is `interval` of `[worker]`. Flags override both. A file whose name
    /// ends in `.yaml` or `.yml` is read as the Python worker's `config.yaml`.
    #[arg(long, value_name = "FILE")]
    pub config: Option<PathBuf>,

    /// Time between two cycles: minutes, or with a unit as in 30s, 10m, 2h [default: 10m]
    #[arg(long, value_name = "TIME", value_parser = config::interval_text, allow_hyphen_values = true)]
    pub interval: Option<Duration>,

    /// A detector, as a WebAssembly component [default: the built-in Prophet detector]
    #[arg(long, value_name = "FILE")]
    pub detector: Option<PathBuf>,

    /// The detector's models [default: models/prophet]
    #[arg(long, value_name = "DIR")]
    pub models: Option<PathBuf>,

    /// An SQLite file for readings and verdicts, instead of the databases of the configuration
    /// [default: anomaly-worker.sqlite]
    #[arg(long, value_name = "FILE")]
    pub database: Option<PathBuf>,

    /// Judge one share of the variables, such as 2/8, beside workers that judge the others
    /// [default: all]
    ///
    /// Each worker has a position of its own. The share of a variable follows from its name: only
    /// the number of shares must be the same for all workers. Of several workers of the same share
    /// one is active, and the others are on standby.
    #[arg(long, value_name = "K/N")]
    pub shard: Option<Shard>,

    /// Write the log to this file and to the console; "" for no file [default: worker.log]
    #[arg(long, value_name = "FILE", value_parser = clap::value_parser!(OsString))]
    pub log_file: Option<OsString>,

    /// The format of log lines [default: text]
    #[arg(long, value_name = "FORMAT")]
    pub log_format: Option<LogFormat>,
}

impl Overrides {
    /// The configuration as these flags, that environment and the file have it.
    ///
    /// # Errors
    /// As [`config::load`].
    pub fn load(
        &self,
        environment: impl IntoIterator<Item = (OsString, OsString)>,
    ) -> Result<LoadedConfig, ConfigError> {
        let mut loaded = config::load(self.config.as_deref(), environment)?;
        let config = &mut loaded.config;
        set(&mut config.worker.interval, self.interval);
        set(&mut config.worker.shard, self.shard.map(Some));
        set(&mut config.detector.module, self.detector.clone().map(Some));
        set(&mut config.detector.models, self.models.clone());
        if let Some(database) = &self.database {
            config.input.database = Some(database.clone());
            config.output.database = None;
            config.input.access = Access::default();
            config.output.access = Access::default();
        }
        let log_file = self.log_file.as_ref().map(|file| (!file.is_empty()).then(|| file.into()));
        set(&mut config.log.file, log_file);
        set(&mut config.log.format, self.log_format);
        config.make_paths_whole();
        loaded.file = loaded.file.as_deref().map(config::whole);
        Ok(loaded)
    }
}

fn set<T>(field: &mut T, flag: Option<T>) {
    if let Some(value) = flag {
        *field = value;
    }
}
