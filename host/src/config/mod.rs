//! The configuration: defaults, one TOML file, environment variables, flags, each overriding the
//! one before.
//!
//! A [`Config`] is plain data, made once at the start and passed by reference. [`keys`] lists every
//! key once, with its reader; the file, the environment and the printed form all walk that list. A
//! mistake stops the start with the place, the key, what was found and what is allowed: a worker
//! that runs with a mistyped interval is worse than one that does not start.
//!
//! Relative paths are relative to the working directory, wherever they were given, as in the Python
//! worker: a path keeps its meaning when it moves from a flag to a variable to the file.

mod access;
mod alerts;
mod channel;
mod environment;
mod error;
mod file;
mod keys;
mod python;
mod value;
mod variables;

use std::ffi::OsString;
use std::fmt;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde_json::{Map, Value};

use crate::secret::Secret;
use crate::shard::Shard;
use crate::store::PlantClock;
use crate::training::LeaveOut;

pub use access::{Access, Encrypt};
pub use alerts::AlertsSection;
pub use channel::{ChannelKind, ChannelSection, MailTls};
pub use error::ConfigError;
pub use value::{Every, LogFormat, LogLevel, TrainingMode, interval_text, leave_out_text};
pub use variables::VariablesSection;

/// Read from the working directory when no file is named and this one is there;
/// [`LoadedConfig::file`] says so.
pub const DEFAULT_FILE: &str = "anomaly-worker.toml";

/// The SQLite file if neither a file nor a server is named.
pub const DEFAULT_DATABASE: &str = "anomaly-worker.sqlite";

const MINUTE: u64 = 60;
const HOUR: u64 = 60 * MINUTE;

/// Everything that can be configured. `Display` writes it as a file that reads back as the same
/// configuration, except for secrets.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Config {
    pub worker: WorkerSection,
    pub input: InputSection,
    pub output: OutputSection,
    pub detector: DetectorSection,
    pub training: TrainingSection,
    pub log: Log,
    pub alerts: AlertsSection,
    pub web: Web,
    pub variables: VariablesSection,
}

/// The cycle and its schedule.
#[derive(Clone, Debug, PartialEq)]
pub struct WorkerSection {
    /// Names the state row, see [`WorkerSection::row`]; 1 to 90 characters.
    pub name: String,
    /// This worker's share of the variables. None: all.
    pub shard: Option<Shard>,
    /// Between the starts of two cycles; above zero, at most seven days.
    pub interval: Duration,
    /// Readings of one batch, 1 to 100,000; a batch still holds whole datetimes.
    pub batch_rows: usize,
    /// How far back a worker starts that finds neither a state row nor verdicts.
    pub initial_lookback: Duration,
    /// None: 24 h where the input has a key, 1 h where it has none.
    pub allowed_lateness: Option<Duration>,
    /// How long a missing id is awaited. None: two intervals, see [`WorkerSection::settle`].
    pub settle: Option<Duration>,
    /// How often unjudged readings are looked for.
    pub reconcile: Every,
}

/// Where the readings are.
#[derive(Clone, Debug, PartialEq)]
pub struct InputSection {
    /// An SQLite file; on a server, the name of a database. None: see [`Config::input_database`].
    pub database: Option<PathBuf>,
    /// As written by the user: `table` or `schema.table`.
    pub table: String,
    /// The clock that gives the plant's time, if that is not the server's.
    pub clock: PlantClock,
    pub access: Access,
}

/// Where verdicts and state go.
#[derive(Clone, Debug, PartialEq)]
pub struct OutputSection {
    /// None: the input's; see [`Config::output_database`].
    pub database: Option<PathBuf>,
    pub table: String,
    pub state_table: String,
    pub episodes_table: String,
    pub outbox_table: String,
    /// The keys that differ from the input's; see [`Config::output_access`].
    pub access: Access,
}

/// The detector, its files, and its limits.
#[derive(Clone, Debug, PartialEq)]
pub struct DetectorSection {
    /// A component's file. None: the detector that is built in.
    pub module: Option<PathBuf>,
    /// A directory.
    pub models: PathBuf,
    /// Of the sandbox, 1 to 4096.
    pub memory_mib: u64,
    /// The most that is kept of a detector's state, 1 to 1024.
    pub checkpoint_mib: u64,
    /// For each call; above zero, at most an hour.
    pub deadline: Duration,
    /// The most that is read of a module, of one model, and of all models together; 1 to 65,536.
    pub module_mib: u64,
    pub model_mib: u64,
    pub models_mib: u64,
    /// Of the process that compiles a module, 64 to 65536.
    pub compile_memory_mib: u64,
    /// For compiling a module; above zero, at most an hour.
    pub compile_deadline: Duration,
    /// For compiled modules and prepared models. None: a directory of the user's own.
    pub cache_dir: Option<PathBuf>,
    /// For the set that judged last. None: a directory of the user's own.
    pub state_dir: Option<PathBuf>,
    /// The detector's own settings: passed on as JSON and not interpreted.
    pub settings: Map<String, Value>,
}

/// Training: its schedule within a worker, and the defaults of `host train`.
#[derive(Clone, Debug, PartialEq)]
pub struct TrainingSection {
    /// How often a worker trains models.
    pub every: Every,
    /// The length of the past that models are trained on.
    pub history: Duration,
    /// The length of the end of each series that is held out to measure models on.
    pub holdout: Duration,
    /// Which readings are left out.
    pub leave_out_anomalies: LeaveOut,
    /// How many earlier sets are kept, 1 to 100.
    pub keep: usize,
    /// None: as in the settings.
    pub mode: Option<TrainingMode>,
    /// A file of one JSON object, as for `host fit`. None: those of the usual training script.
    pub settings: Option<PathBuf>,
    /// Of the sandbox, 1 to 4096.
    pub memory_mib: u64,
    /// For one series; above zero, at most a day.
    pub deadline: Duration,
}

/// The targets of log lines, besides the console.
#[derive(Clone, Debug, PartialEq)]
pub struct Log {
    pub file: Option<PathBuf>,
    /// The file is rotated before it grows beyond this; 1 to 10,240.
    pub max_mib: u64,
    /// How many rotated files stay, `worker.log.1` the youngest; 1 to 1000.
    pub keep: usize,
    pub format: LogFormat,
    pub level: LogLevel,
}

/// The page, and who may see it.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Web {
    /// None: `host run` serves none.
    pub listen: Option<SocketAddr>,
    /// The token that a browser must give. Without one, and without a proxy, the page is served on
    /// this machine only.
    pub token: Option<Secret>,
    pub token_file: Option<PathBuf>,
    /// The header in which a proxy names the user.
    pub trusted_header: Option<String>,
    /// The addresses from which that header is trusted.
    pub proxies: Option<String>,
    /// Host names of the page, besides its address and `localhost`.
    pub hosts: Option<String>,
    /// Whether a person may shelve variables and give feedback on the page.
    pub actions: bool,
}

impl Default for WorkerSection {
    fn default() -> Self {
        Self {
            name: "default".to_owned(),
            shard: None,
            interval: Duration::from_secs(10 * MINUTE),
            batch_rows: 4000,
            initial_lookback: Duration::from_secs(24 * HOUR),
            allowed_lateness: None,
            settle: None,
            reconcile: Every(Some(Duration::from_secs(HOUR))),
        }
    }
}

impl Default for InputSection {
    fn default() -> Self {
        Self {
            database: None,
            table: "dbo.datos_proceso".to_owned(),
            clock: PlantClock::default(),
            access: Access::default(),
        }
    }
}

impl Default for OutputSection {
    fn default() -> Self {
        Self {
            database: None,
            table: "dbo.anomalies_detector".to_owned(),
            state_table: "dbo.anomaly_worker_state".to_owned(),
            episodes_table: "dbo.anomaly_worker_episodes".to_owned(),
            outbox_table: "dbo.anomaly_worker_outbox".to_owned(),
            access: Access::default(),
        }
    }
}

impl Default for DetectorSection {
    fn default() -> Self {
        Self {
            module: None,
            models: "models/prophet".into(),
            memory_mib: 256,
            // 10,000 variables of the built-in detector, at 8 KB each, and what came since.
            checkpoint_mib: 128,
            deadline: Duration::from_secs(30),
            module_mib: 64,
            model_mib: 64,
            models_mib: 1024,
            compile_memory_mib: 416,
            compile_deadline: Duration::from_secs(9),
            cache_dir: None,
            state_dir: None,
            settings: Map::new(),
        }
    }
}

impl Default for TrainingSection {
    fn default() -> Self {
        Self {
            every: Every(None),
            history: Duration::from_secs(60 * 24 * HOUR),
            holdout: Duration::from_secs(24 * HOUR),
            leave_out_anomalies: LeaveOut::Nothing,
            keep: 5,
            mode: None,
            settings: None,
            memory_mib: 1024,
            deadline: Duration::from_secs(10 * MINUTE),
        }
    }
}

impl Default for Log {
    fn default() -> Self {
        Self {
            file: Some("worker.log".into()),
            max_mib: 10,
            keep: 5,
            format: LogFormat::Text,
            level: LogLevel::Info,
        }
    }
}

impl WorkerSection {
    /// The name of the state row: each share has a row of its own, `default 2/8`.
    pub fn row(&self) -> String {
        match self.shard {
            Some(shard) => format!("{} {shard}", self.name),
            None => self.name.clone(),
        }
    }

    /// How long a missing id is awaited.
    pub fn settle(&self) -> Duration {
        self.settle.unwrap_or(self.interval.saturating_mul(2))
    }
}

impl Config {
    /// Whether the tables are on a SQL Server; else they are in SQLite files.
    pub fn is_on_server(&self) -> bool {
        self.input.access.is_server() || self.output.access.is_server()
    }

    /// The SQLite file with the readings.
    pub fn input_database(&self) -> &Path {
        self.input.database.as_deref().unwrap_or(Path::new(DEFAULT_DATABASE))
    }

    /// The SQLite file for the results: the output's, or the input's.
    pub fn output_database(&self) -> &Path {
        self.output.database.as_deref().unwrap_or_else(|| self.input_database())
    }

    /// Makes all paths absolute, so that a message shows where something was searched for: a
    /// service's working directory is seldom the one that its user expects.
    pub(crate) fn make_paths_whole(&mut self) {
        if !self.is_on_server() {
            self.input.database = Some(whole(self.input_database()));
            self.output.database = self.output.database.as_deref().map(whole);
        }
        self.detector.models = whole(&self.detector.models);
        for path in [
            &mut self.detector.module,
            &mut self.detector.cache_dir,
            &mut self.detector.state_dir,
            &mut self.training.settings,
            &mut self.log.file,
            &mut self.web.token_file,
            &mut self.input.access.ca_file,
            &mut self.output.access.ca_file,
        ] {
            *path = path.as_deref().map(whole);
        }
    }

    /// How to reach the server for the results: the keys of the output, and those of the input for
    /// the others.
    pub fn output_access(&self) -> Access {
        self.output.access.over(&self.input.access)
    }
}

/// A path from the root, links as they are.
pub(crate) fn whole(path: &Path) -> PathBuf {
    std::path::absolute(path).unwrap_or_else(|_| path.to_owned())
}

/// A configuration and its sources.
#[derive(Debug, PartialEq)]
pub struct LoadedConfig {
    pub config: Config,
    /// The file that was read, for the log.
    pub file: Option<PathBuf>,
    /// Sentences for the log: `ANOMALY_…` variables that mean nothing, what of the Python worker's
    /// file is not used.
    pub warnings: Vec<String>,
}

/// Defaults, then the named file (or [`DEFAULT_FILE`], if it is there), then the environment. A
/// file whose name ends in `.yaml` or `.yml` is the Python worker's.
///
/// # Errors
/// A file that cannot be read or is not TOML (YAML, where that was meant), an unknown key, a value
/// that is not allowed.
pub fn load(
    named: Option<&Path>,
    environment: impl IntoIterator<Item = (OsString, OsString)>,
) -> Result<LoadedConfig, ConfigError> {
    let mut config = Config::default();
    let default = Path::new(DEFAULT_FILE);
    let file = named.or_else(|| default.exists().then_some(default));
    let mut warnings = match file {
        Some(file) if python::is_meant(file) => python::apply(&mut config, file)?,
        Some(file) => {
            file::apply(&mut config, file)?;
            Vec::new()
        }
        None => Vec::new(),
    };
    warnings.extend(environment::apply(&mut config, environment)?);
    Ok(LoadedConfig { config, file: file.map(Path::to_owned), warnings })
}

impl fmt::Display for Config {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut section = "";
        for key in keys::KEYS {
            if section != key.section {
                writeln!(f, "{}[{}]", if section.is_empty() { "" } else { "\n" }, key.section)?;
                section = key.section;
            }
            let value = (key.show)(self);
            // A mask instead of it would be read back as the password.
            if key.secret && value != "\"\"" {
                writeln!(f, "# {} is set and not shown", key.name)?;
            } else {
                writeln!(f, "{} = {value}", key.name)?;
            }
        }
        alerts::write(&self.alerts, f)?;
        variables::write(&self.variables, f)?;
        if self.detector.settings.is_empty() {
            return Ok(());
        }
        // Two levels around the table, so that tables inside it get their full name.
        let nested = Map::from_iter([("settings".to_owned(), self.detector.settings.clone().into())]);
        let settings = toml::to_string(&Map::from_iter([("detector".to_owned(), nested.into())]));
        write!(f, "\n{}", settings.map_err(|_| fmt::Error)?)
    }
}

#[cfg(test)]
mod tests;
