//! What a person types: commands, flags and their help.
//!
//! Flags that a configuration file can say too are folded over it by [`Overrides::load`]; they are checked by the same readers, so
//! `--interval 0` is refused in the words of the file. The help is the manual that people have at hand: it says what a flag does
//! when it is left out and ends in an example.

use std::ffi::OsString;
use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Parser, Subcommand, ValueEnum};

use super::import;
use crate::config::{self, Access, ConfigError, Loaded, LogFormat};
use crate::datetime::Datetime;
use crate::worker::Shard;

/// Judges a plant's readings: reads them from a database every few minutes, hands them to a sandboxed detector, and stores the
/// verdicts beside them.
#[derive(Debug, Parser)]
#[command(name = "host", version, arg_required_else_help = true, subcommand_required = true)]
#[command(after_help = "\
Start here:
  host demo                     a simulated plant, judged in seconds
  host check                    would `host run` work here?
  host run --interval 10        judge what is new, every 10 minutes

`host help COMMAND` tells more about a command.")]
pub struct Cli {
    #[command(subcommand)]
    pub command: Command,
}

#[derive(Debug, Subcommand)]
pub enum Command {
    /// Judge new readings, every few minutes until stopped
    ///
    /// Ctrl+C or SIGTERM finishes or rolls back the batch in hand, prints a summary and ends with exit code 0. Every reading is
    /// judged once, however often the worker is stopped and started. Module, models and settings can be replaced while it runs.
    #[command(after_help = "\
Examples:
  host run                                            the built-in detector, every 10 minutes
  host run --interval 30s --models models/prophet     another interval, other models
  host run --once                                     one cycle, for cron or the Task Scheduler
  host run --config anomaly-worker.toml               all the rest is in the file")]
    Run(Run),

    /// Try everything that `run` needs, and say what to do where it fails
    ///
    /// Takes the flags of `run`, so that one can stand where the other stood. Prints a line for each thing tried:
    /// configuration, database, tables, rights, module, models, and variables without a model. Writes no verdict. Exit code 0
    /// only if `run` would work.
    #[command(after_help = "Example:\n  host check --config anomaly-worker.toml")]
    Check(Overrides),

    /// Show how far the worker has come
    ///
    /// Reads the state that the last cycle stored: the latest datetime judged, how far behind it is, the detector and models
    /// in use, and counts. The worker need not run.
    #[command(after_help = "Examples:\n  host status\n  host status --json | jq .watermark")]
    Status(Status),

    /// Judge a range of readings that is already past
    ///
    /// For readings from before the worker's time, those that came too late, and variables that were set aside; with
    /// --replace also to judge anew with other models. Reads, judges and stores as `run` does, in transactions of about 4000
    /// verdicts, and may run beside it: whoever writes a verdict first, there is one. The worker's position stays where it is.
    ///
    /// Ctrl+C ends it after the batch in hand, with exit code 1 as the range is not done; a second one ends it at once. The
    /// same command, given again, goes on where it ended, also after a crash. It begins anew when module, models or settings
    /// have changed since. Variables that the worker had set aside are set aside no longer once all of their readings lie in
    /// a range that is done. The log goes to the console alone, unless --log-file is given: the worker's file is the worker's.
    #[command(after_help = "\
Examples:
  What has no verdict yet in January; then all of it anew, with the models as they are now; then two variables:
  host backfill --from 2025-01-01 --to 2025-02-01
  host backfill --from 2025-01-01 --to 2025-02-01 --replace
  host backfill --from \"2025-01-15 10:00\" --to 2025-01-16 --variables TEMP-03,\"AGUA/FLOW 1\"")]
    Backfill(Backfill),

    /// Load a CSV file of readings into the input table
    ///
    /// The file is wide: a column DATETIME and a column for each variable, named as in the input table. An empty cell is no
    /// reading. Columns may be divided by `,`, `;` or tabs; where it is not the comma, numbers may have a decimal comma.
    /// UTF-8 and UTF-16 are recognised.
    ///
    /// A reading whose variable and datetime the table already has is left out, so that a file which is loaded again, or was
    /// loaded in part, adds only what is missing. A cell that is no number and a row without a datetime are named and counted,
    /// and the rest is loaded. This is the only command that writes to the input table.
    #[command(after_help = "\
Examples:
  host import enero.csv
  host import enero.csv --datetime-format \"%d/%m/%Y %H:%M\"
  host import enero.csv --database plant.sqlite --create-table")]
    Import(Import),

    /// Print the verdicts of a range as CSV
    ///
    /// The columns are those of the output table; NULL is an empty field, and a flag is 1 or 0.
    #[command(after_help = "\
Examples:
  host export --from 2025-01-15 --to 2025-01-16 > day.csv
  host export --from 2025-01-01 --to 2025-02-01 --anomalies -o january.csv")]
    Export(Export),

    /// Print the statements that make the tables
    ///
    /// With the names of the configuration, as `run` makes them itself where it may; and for SQL Server the least rights that
    /// a login needs. Opens no database.
    #[command(after_help = "Example:\n  host schema --dialect sqlserver > tables.sql")]
    Schema(Schema),

    /// Show it all on a simulated plant, in under a minute
    ///
    /// Makes a database file with 25 variables and known faults, judges it in real cycles, drops in a new model on the way,
    /// and ends with what was injected, found and missed. Needs no database and no configuration.
    #[command(after_help = "Example:\n  host demo --days 7 --dir /tmp/demo")]
    Demo(Demo),

    /// Print what a model expects, for a table of timestamps
    ///
    /// Reads a CSV file with a column `ds` and the columns that the model needs, by its own names for them: `cap`, `floor`,
    /// regressors, conditions as 0 and 1. Prints a CSV with `ds`, `yhat`, `yhat_lower` and `yhat_upper`, by the detector that
    /// judges in `run`; rows are sorted by `ds`, as Prophet does. A row that cannot be predicted has empty fields, and stderr says
    /// why.
    #[command(after_help = "\
Examples:
  host predict prophet_model_T1.json future.csv
  host predict prophet_model_T1.json future.csv --trend-uncertainty batch     as Prophet's own `predict` does")]
    Predict(Predict),

    /// Look at detector modules
    #[command(subcommand)]
    Detector(DetectorCommand),
}

#[derive(Debug, Subcommand)]
pub enum DetectorCommand {
    /// Show what a module says of itself, what it imports, and whether this host would load it
    #[command(after_help = "Example:\n  host detector inspect detector.wasm")]
    Inspect {
        /// A WebAssembly component
        #[arg(value_name = "FILE")]
        module: PathBuf,
    },
}

#[derive(Args, Debug)]
pub struct Run {
    /// Run one cycle and end: exit code 0 if it worked, 1 if not
    #[arg(long)]
    pub once: bool,

    #[command(flatten)]
    pub overrides: Overrides,
}

#[derive(Args, Debug)]
pub struct Status {
    /// Print one JSON object, for monitoring
    #[arg(long)]
    pub json: bool,

    #[command(flatten)]
    pub overrides: Overrides,
}

/// Half-open: from a datetime on and before another.
#[derive(Args, Clone, Copy, Debug)]
pub struct Range {
    /// The first datetime: `2025-01-15`, `2025-01-15 10:00` or `2025-01-15T10:00:00`
    #[arg(long, value_name = "DATETIME", value_parser = Datetime::parse)]
    pub from: Datetime,

    /// The datetime before which it ends
    #[arg(long, value_name = "DATETIME", value_parser = Datetime::parse)]
    pub to: Datetime,
}

#[derive(Args, Debug)]
pub struct Backfill {
    #[command(flatten)]
    pub range: Range,

    /// Put new verdicts in the place of those that are there; one goes only when there is a new one for its reading
    #[arg(long)]
    pub replace: bool,

    /// Judge only these, divided by commas [default: all]
    #[arg(long, value_name = "NAME", value_delimiter = ',', num_args = 1..)]
    pub variables: Vec<String>,

    #[command(flatten)]
    pub overrides: Overrides,
}

#[derive(Args, Debug)]
pub struct Import {
    /// A CSV file with a column DATETIME and a column for each variable
    #[arg(value_name = "FILE.csv")]
    pub file: PathBuf,

    /// How datetimes are written, as for `strftime` [default: 2025-01-15 10:00:00, with a `T` or fractions too]
    #[arg(long, value_name = "FORMAT", value_parser = import::datetime_format)]
    pub datetime_format: Option<String>,

    /// How fractions are written [default: with a comma if columns are not divided by commas and numbers have them]
    #[arg(long, value_name = "MARK")]
    pub decimal: Option<Decimal>,

    /// The encoding of a file that is not Unicode, such as windows-1252
    #[arg(long, value_name = "NAME", value_parser = import::encoding)]
    pub encoding: Option<&'static encoding_rs::Encoding>,

    /// Read the whole file first, and load nothing if anything in it is wrong
    #[arg(long)]
    pub strict: bool,

    /// Make the input table if there is none, and the database's file
    #[arg(long)]
    pub create_table: bool,

    #[command(flatten)]
    pub overrides: Overrides,
}

/// What stands before the decimals.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Decimal {
    Comma,
    Point,
}

#[derive(Args, Debug)]
pub struct Export {
    #[command(flatten)]
    pub range: Range,

    /// Only these, divided by commas [default: all]
    #[arg(long, value_name = "NAME", value_delimiter = ',', num_args = 1..)]
    pub variables: Vec<String>,

    /// Only anomalies
    #[arg(long)]
    pub anomalies: bool,

    /// Write to this file, which is there when it is whole [default: standard output]
    #[arg(short, long, value_name = "FILE")]
    pub output: Option<PathBuf>,

    #[command(flatten)]
    pub overrides: Overrides,
}

#[derive(Args, Debug)]
pub struct Schema {
    /// For which database [default: the one of the configuration]
    #[arg(long, value_name = "DIALECT")]
    pub dialect: Option<Dialect>,

    #[command(flatten)]
    pub overrides: Overrides,
}

/// A kind of database.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Dialect {
    Sqlite,
    Sqlserver,
}

#[derive(Args, Debug)]
pub struct Predict {
    /// A Prophet model, as `model_to_json` writes it
    #[arg(value_name = "MODEL")]
    pub model: PathBuf,

    /// A CSV file with a column `ds`: `2025-01-15`, `2025-01-15 10:00:00` or `2025-01-15T10:00:00.503000`
    #[arg(value_name = "INPUT.csv")]
    pub input: PathBuf,

    /// What intervals allow the trend to do after training [default: none]
    #[arg(long, value_name = "LAW")]
    pub trend_uncertainty: Option<TrendUncertainty>,

    /// Level of the intervals, between 0 and 1 [default: the model's own]
    #[arg(long, value_name = "LEVEL")]
    pub interval_width: Option<f64>,

    /// Dates of country holidays, as a CSV file with columns `ds` and `holiday`, for a model without them
    #[arg(long, value_name = "FILE")]
    pub country_holidays: Option<PathBuf>,

    /// A detector, as a WebAssembly component [default: the built-in Prophet detector]
    #[arg(long, value_name = "FILE")]
    pub detector: Option<PathBuf>,
}

/// As the detector's setting of that name.
#[derive(Clone, Copy, Debug, ValueEnum)]
pub enum TrendUncertainty {
    /// To go on as it was
    None,
    /// What Prophet's own `predict` allows it; depends on the number of rows and their spacing
    Batch,
    /// To change at any time
    Continuous,
}

impl TrendUncertainty {
    /// What the setting calls it.
    pub fn name(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Batch => "batch",
            Self::Continuous => "continuous",
        }
    }
}

#[derive(Args, Debug)]
pub struct Demo {
    /// Where the demo's database and models go; made if absent
    #[arg(long, value_name = "DIR", default_value = "demo")]
    pub dir: PathBuf,

    /// How much of the plant's life to simulate, 1 to 30 days
    #[arg(long, value_name = "N", default_value_t = 3, value_parser = clap::value_parser!(u32).range(1..=30))]
    pub days: u32,

    /// Write the history that the demo's models are trained on as CSV, and end
    #[arg(long, value_name = "FILE", hide = true)]
    pub write_history: Option<PathBuf>,
}

/// Flags that go over the configuration's file and the environment.
#[derive(Args, Debug, Default)]
pub struct Overrides {
    /// Read this configuration [default: `anomaly-worker.toml`, if there is one here]
    ///
    /// Each key of it can also be set by an environment variable, which goes over the file: ANOMALY_WORKER_INTERVAL is `interval`
    /// of `[worker]`. Flags go over both. A file called `.yaml` or `.yml` is read as the Python worker's `config.yaml`.
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

    /// An SQLite file for readings and verdicts alike, whatever server the configuration names [default: anomaly-worker.sqlite]
    #[arg(long, value_name = "FILE")]
    pub database: Option<PathBuf>,

    /// Judge one share of the variables, such as 2/8, beside workers that judge the others [default: all]
    ///
    /// Each worker has a position of its own. Which share a variable falls to follows from its name: nothing else has to be agreed on
    /// but the number of shares. Workers of the same share stand by for each other.
    #[arg(long, value_name = "K/N")]
    pub shard: Option<Shard>,

    /// Write the log to this file besides the console; "" for none [default: worker.log]
    #[arg(long, value_name = "FILE", value_parser = clap::value_parser!(OsString))]
    pub log_file: Option<OsString>,

    /// How log lines are written [default: text]
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
    ) -> Result<Loaded, ConfigError> {
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
        Ok(loaded)
    }
}

fn set<T>(field: &mut T, flag: Option<T>) {
    if let Some(value) = flag {
        *field = value;
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::panic, reason = "a test may stop at what it did not expect")]

    use clap::CommandFactory;

    use super::*;
    use crate::config::Config;

    fn parse(line: &str) -> Result<Command, String> {
        let words = line.split_whitespace().map(|word| word.trim_matches('"'));
        Cli::try_parse_from(words).map(|cli| cli.command).map_err(|error| error.to_string())
    }

    /// The configuration of a command line over a file that sets everything that a flag can.
    fn config(line: &str) -> Config {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("c.toml");
        let text = "input.database = \"i\"\ninput.server = \"h\"\noutput.database = \"o\"\noutput.user = \"u\"\n\
                    log.format = \"json\"\nworker.interval = \"1h\"";
        std::fs::write(&file, text).unwrap();
        let mut overrides = match parse(line).unwrap() {
            Command::Run(run) => run.overrides,
            Command::Status(status) => status.overrides,
            Command::Check(overrides) => overrides,
            other => panic!("{other:?}"),
        };
        overrides.config = Some(file);
        let environment = [("ANOMALY_WORKER_INTERVAL".into(), "2h".into())];
        overrides.load(environment).unwrap().config
    }

    #[test]
    fn the_commands_are_sound() {
        Cli::command().debug_assert();
    }

    #[test]
    fn flags_go_over_environment_and_file() {
        let mut expected = Config::default();
        expected.input.database = Some("i".into());
        expected.input.access.server = Some("h".to_owned());
        expected.output.database = Some("o".into());
        expected.output.access.user = Some("u".to_owned());
        expected.log.format = LogFormat::Json;
        expected.worker.interval = Duration::from_secs(7200);
        for line in ["host run", "host run --once", "host check", "host status --json"] {
            assert_eq!(config(line), expected, "{line}");
        }
        expected.worker.interval = Duration::from_secs(600);
        expected.detector.module = Some("detector.wasm".into());
        expected.detector.models = "m".into();
        expected.input.database = Some("db".into());
        expected.input.access = Access::default();
        expected.output.database = None;
        expected.output.access = Access::default();
        expected.log.file = None;
        expected.log.format = LogFormat::Text;
        expected.worker.shard = Some("2/8".parse().unwrap());
        let flags = "--interval 10 --shard 2/8 --detector detector.wasm --models m --database db --log-file \"\" --log-format text";
        for command in ["run", "check", "status"] {
            assert_eq!(config(&format!("host {command} {flags}")), expected, "{command}");
        }
        expected.log.file = Some("other.log".into());
        assert_eq!(config(&format!("host run {flags}").replace("\"\"", "other.log")), expected);
    }

    #[test]
    fn the_other_commands_are_read() {
        for (line, read) in [
            ("host demo", r#"Demo(Demo { dir: "demo", days: 3, write_history: None })"#),
            (
                "host demo --dir d --days 30 --write-history h.csv",
                r#"Demo(Demo { dir: "d", days: 30, write_history: Some("h.csv") })"#,
            ),
            ("host detector inspect d.wasm", r#"Detector(Inspect { module: "d.wasm" })"#),
            (
                "host predict m.json i.csv",
                r#"Predict(Predict { model: "m.json", input: "i.csv", trend_uncertainty: None, interval_width: None, country_holidays: None, detector: None })"#,
            ),
            (
                "host predict m i --trend-uncertainty batch --interval-width 0.9 --country-holidays h --detector d",
                r#"Predict(Predict { model: "m", input: "i", trend_uncertainty: Some(Batch), interval_width: Some(0.9), country_holidays: Some("h"), detector: Some("d") })"#,
            ),
        ] {
            assert_eq!(parse(line).map(|command| format!("{command:?}")), Ok(read.to_owned()), "{line}");
        }
        assert!(matches!(parse("host run --once"), Ok(Command::Run(Run { once: true, .. }))));
        assert!(matches!(parse("host status --json"), Ok(Command::Status(Status { json: true, .. }))));
    }

    #[test]
    fn what_is_wrong_is_said() {
        let interval = "more than zero and at most 7 days: `10` (minutes), `30s`, `10m`, `2h`";
        for (line, said) in [
            (
                "host run --interval 0",
                format!("invalid value '0' for '--interval <TIME>': it must be {interval}"),
            ),
            (
                "host run --interval -5m",
                format!("invalid value '-5m' for '--interval <TIME>': it must be {interval}"),
            ),
            (
                "host run --log-format xml",
                "invalid value 'xml' for '--log-format <FORMAT>'\n  [possible values: text, json]".to_owned(),
            ),
            (
                "host run --shard 9/8",
                "invalid value '9/8' for '--shard <K/N>': a share such as `2/8`: the second of eight, of at most 999"
                    .to_owned(),
            ),
            ("host demo --days 0", "invalid value '0' for '--days <N>': 0 is not in 1..=30".to_owned()),
            (
                "host run --intervall 5",
                "unexpected argument '--intervall' found\n\n  tip: a similar argument exists: '--interval'"
                    .to_owned(),
            ),
        ] {
            let error = parse(line).map(|command| format!("{command:?}")).unwrap_err();
            assert!(error.starts_with(&format!("error: {said}\n")), "{line}: {error}");
        }
    }

    /// The help says the defaults in its own words; this holds them to the truth.
    #[test]
    fn the_help_tells_the_defaults() {
        let help = parse("host run --help").unwrap_err();
        let said = help.split_whitespace().collect::<Vec<_>>().join(" ");
        let printed = Config::default().to_string();
        for (key, flag) in [
            ("interval = ", "10m"),
            ("models = ", "models/prophet"),
            ("file = ", "worker.log"),
            ("format = ", "text"),
        ] {
            assert!(printed.contains(&format!("{key}\"{flag}\"")), "{key}");
            assert!(said.contains(&format!("[default: {flag}]")), "{said}");
        }
        assert!(
            said.contains(&format!("[default: {}]", Config::default().input_database().display())),
            "{said}"
        );
        assert!(said.contains(config::DEFAULT_FILE), "{said}");
    }
}
