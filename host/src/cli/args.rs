//! The command line: commands, flags and their help.
//!
//! Flags that are also keys of the configuration override it ([`Overrides::load`]). The same
//! functions check both, so `--interval 0` is refused with the same text. The help is the manual at
//! hand: it says what happens if a flag is left out, and ends with an example. The flags of a group
//! of commands are in a file of their own.

mod alerts;
mod detector;
mod episodes;
mod models;
mod overrides;
mod ranges;
mod run;
mod service;
mod tables;

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};

use crate::alert::language::Language;
use crate::datetime::Datetime;

pub use alerts::AlertsCommand;
pub use detector::{CompileModule, DetectorCommand};
pub use episodes::{EpisodesArgs, FeedbackArgs, ShelveArgs};
pub use models::ModelsCommand;
pub use overrides::Overrides;
pub use ranges::{BackfillArgs, BacktestArgs, DatetimeRange, Decimal, Export, Import, Train};
pub use run::{Reload, Run, Serve, Status};
pub use service::{ServiceCommand, ServiceName};
pub use tables::{Fit, Predict, TrendUncertaintyArg};

/// Judges a plant's readings: reads them from a database every few minutes, hands them to a
/// sandboxed detector, and stores the verdicts in the database.
#[derive(Debug, Parser)]
#[command(name = "host", version, arg_required_else_help = true, subcommand_required = true)]
#[command(after_help = "\
Start here:
  host demo                     a simulated plant, judged in seconds
  host check                    would `host run` work here?
  host run --interval 10        judge what is new, every 10 minutes

`host help COMMAND` shows the help of a command.")]
pub struct Cli {
    #[command(subcommand)]
    pub command: Command,
}

#[derive(Debug, Subcommand)]
pub enum Command {
    /// Judge new readings, every few minutes until stopped
    ///
    /// Ctrl+C or SIGTERM finishes or rolls back the current batch, prints a summary and ends with
    /// exit code 0. Every reading is judged once, however often the worker is stopped and
    /// started. Module, models and settings can be replaced while it runs.
    #[command(after_help = "\
Examples:
  host run                                            the built-in detector, every 10 minutes
  host run --interval 30s --models models/prophet     another interval, other models
  host run --once                                     one cycle, for cron or the Task Scheduler
  host run --config anomaly-worker.toml               all the rest is in the file")]
    Run(Run),

    /// Serve the page from the database, without a worker
    ///
    /// The page of `[web]`: overview of the plant, charts, anomalies, models. It only reads, so a
    /// login with SELECT is enough, and it may run beside any number of workers. It listens at
    /// 127.0.0.1:8686 unless `listen` of `[web]` or --listen names another address; access from
    /// other machines needs a token or a proxy. `run` serves the same page if `listen` is set.
    #[command(after_help = "\
Examples:
  host serve --database plant.sqlite
  host serve --config anomaly-worker.toml --listen 127.0.0.1:9000")]
    Serve(Serve),

    /// Draw the chart of a variable into a file
    ///
    /// Readings, expectation, band and anomalies, as on the page. The file is an SVG, which
    /// browsers and office programs can open.
    #[command(after_help = "\
Examples:
  host plot TEMP-03 -o temp.svg
  host plot TEMP-03 -o january.svg --from 2025-01-01 --to 2025-02-01 --language es")]
    Plot(Plot),

    /// Try everything that `run` needs, and say what to do where it fails
    ///
    /// Takes the flags of `run`, so that either command can replace the other in a line. Prints a
    /// line for each check: configuration, database, tables, rights, module, models, and variables
    /// without a model. Writes no verdict. Exit code 0 only if `run` would work.
    #[command(after_help = "Example:\n  host check --config anomaly-worker.toml")]
    Check(Overrides),

    /// Show the state of the worker
    ///
    /// Reads the state that the last cycle stored: the latest datetime judged, how far behind it
    /// is, the detector and models in use, and counts. The worker need not run.
    #[command(after_help = "Examples:\n  host status\n  host status --json | jq .watermark")]
    Status(Status),

    /// Show and test the channels of alerts, and retry failed deliveries
    #[command(subcommand)]
    Alerts(AlertsCommand),

    /// Make the running service look at its module and models now, and show the result
    ///
    /// The service finds new files by itself within half a minute; this command does not wait, and
    /// shows the result. It asks the service of this configuration on this machine, as its user or
    /// as an administrator, and waits two minutes at most. Exit code 0: nothing has changed, or the
    /// files passed their trial and judge the next batch; 1: they are refused, or no service
    /// answers.
    ///
    /// With --dry-run nothing changes: it shows what the files on disk would change, and tries them
    /// on the last batch that was judged. Exit code 0: they would be used; 1: they would be
    /// refused.
    #[command(after_help = "\
Examples:
  host reload --config anomaly-worker.toml
  host reload --dry-run --config anomaly-worker.toml")]
    Reload(Reload),

    /// Look for unjudged readings now, and judge them
    ///
    /// Checks every reading of the allowed lateness, whatever its id: it has a verdict, or a reason
    /// why it has none, or the next cycle reads it. A reading with none of these is judged, and
    /// counted by cause. `run` does the same every hour between its cycles (`reconcile` of
    /// `[worker]`); this command may run beside an active worker. Exit code 0 if no unjudged
    /// reading is left.
    #[command(after_help = "Example:\n  host reconcile --config anomaly-worker.toml")]
    Reconcile(Overrides),

    /// List episodes: when variables were anomalous, silent or stuck
    ///
    /// Without a time range it lists the open ones, the most urgent first; with --from or --to
    /// those of the range, the newest first. It only reads; the worker need not run.
    #[command(after_help = "\
Examples:
  host episodes
  host episodes --from 2025-01-15 --variable TEMP-03
  host episodes --from 2025-01-01 --to 2025-02-01 --csv > january.csv")]
    Episodes(EpisodesArgs),

    /// Stop the messages on a variable for a while
    ///
    /// The variable is judged and stored as always, and its episodes are recorded, but no messages
    /// are made of them. An episode that is still open when the time is over makes its message
    /// then. If a message was sent at the begin of an episode, one is sent at its end too. A
    /// running worker applies it from its next cycle on. Recurring times are set in the
    /// configuration: `shelved` of `[variables."TEMP*"]`.
    #[command(after_help = "\
Examples:
  host shelve TEMP-03 --for 4h --reason \"sensor is cleaned\"
  host shelve TEMP-03 --end")]
    Shelve(ShelveArgs),

    /// Record what an episode was
    ///
    /// The feedback is stored with the episode and shown with it; the last one counts.
    #[command(after_help = "\
Examples:
  host feedback 42 --real --note \"leak at the valve\"
  host feedback 43 --expected")]
    Feedback(FeedbackArgs),

    /// Judge a range of past readings
    ///
    /// For readings from before the worker's time, those that came too late, and variables that
    /// were set aside; with --replace also to judge again with other models. Reads, judges and
    /// stores as `run` does, in transactions of about 4000 verdicts, and may run beside it:
    /// the first verdict written wins. The worker's position stays where it is.
    ///
    /// Ctrl+C ends it after the current batch, with exit code 1 as the range is not done; a second
    /// one ends it at once. The same command, given again, continues where it ended, also after a
    /// crash. It starts anew if module, models or settings have changed since. Variables that the
    /// worker had set aside are no longer set aside once all of their readings lie in a range that
    /// is done. The log goes to the console alone, unless --log-file is given.
    #[command(after_help = "\
Examples:
  What has no verdict yet in January; all of January again, with the models as they are now; two variables:
  host backfill --from 2025-01-01 --to 2025-02-01
  host backfill --from 2025-01-01 --to 2025-02-01 --replace
  host backfill --from \"2025-01-15 10:00\" --to 2025-01-16 --variables TEMP-03,\"AGUA/FLOW 1\"")]
    Backfill(BackfillArgs),

    /// Load a CSV file of readings into the input table
    ///
    /// The file is wide: a column DATETIME and a column for each variable, named as in the input
    /// table. An empty cell is no reading, and neither is `NaN`, `null` or `-`. UTF-8 and
    /// UTF-16 are recognised, and so is the separator of columns. The decimal mark is found from
    /// all the numbers of the file; if they contradict each other, nothing is loaded.
    ///
    /// A reading whose variable and datetime the table already has is left out, so that a file
    /// which is loaded again, or was loaded in part, adds only what is missing; of those that
    /// the file has twice the first counts. A cell that is not a number and a row without a
    /// datetime are reported and counted, and the rest is loaded. The counts add up to the cells of
    /// the file, or the command fails. This is the only command that writes to your input
    /// table.
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
    /// With the names of the configuration, as `run` makes them itself if it has the right; and for
    /// SQL Server the least rights that a login needs. Opens no database.
    #[command(after_help = "Example:\n  host schema --dialect sqlserver > tables.sql")]
    Schema(SchemaArgs),

    /// Show everything on a simulated plant, in under a minute
    ///
    /// Makes a database file with 25 variables and known faults, judges it in real cycles, adds a
    /// new model meanwhile, and ends with a table of the faults that were found and missed. Needs
    /// no database and no configuration.
    #[command(after_help = "Example:\n  host demo --days 7 --dir /tmp/demo")]
    Demo(Demo),

    /// Print what a model expects, for a table of timestamps
    ///
    /// Reads a CSV file with a column `ds` and the columns that the model needs, under the model's
    /// names: `cap`, `floor`, regressors, conditions as 0 and 1. Prints a CSV with `ds`,
    /// `yhat`, `yhat_lower` and `yhat_upper`, computed by the detector that judges in `run`; rows
    /// are sorted by `ds`, as Prophet does. A row that cannot be predicted has empty fields, and
    /// stderr has the reason.
    #[command(after_help = "\
Examples:
  host predict prophet_model_T1.json future.csv
  host predict prophet_model_T1.json future.csv --trend-uncertainty batch     as Prophet's own `predict` does")]
    Predict(Predict),

    /// Train a model on a table, and print it
    ///
    /// Reads a CSV file as Prophet's own `fit` takes it: `ds`, `y` and the columns that the
    /// settings use, by their names. An empty cell in `y` is no reading. The settings are one
    /// JSON object: `{"prophet": {…}, "seasonalities": [{…}], "regressors": [{…}],
    /// "country_holidays": "US"}` with the arguments of `Prophet(…)`, `add_seasonality` and
    /// `add_regressor`; `{}` is Prophet's defaults. Prints the file that Prophet's
    /// `model_to_json` writes, by the detector that judges in `run`; neither Python nor Stan is
    /// needed. Warnings go to stderr.
    #[command(after_help = "\
Examples:
  host fit settings.json history.csv > prophet_model_T1.json
  host fit settings.json history.csv --report --output prophet_model_T1.json
  host fit settings.json history.csv --mode as-prophet     stop where Prophet's own search stops")]
    Fit(Fit),

    /// Train models from the readings of the database
    ///
    /// Reads the range as `backfill` does, in bounded pages, and trains a model for each variable
    /// in the detector's sandbox. The end of each series is held out; the new model and the one in
    /// use are measured on it, and the new one is used unless its error there is more than 1.1
    /// times the other's. A variable that cannot be trained keeps its model, and the output gives
    /// the reason. The new set replaces the models' directory in one move, so that a running
    /// worker picks it up once; the earlier sets are kept for `host models rollback`. Ctrl+C leaves
    /// everything as it was. Nothing is written to the database. `run` does the same on a schedule
    /// (`every` of `[training]`).
    #[command(after_help = "\
Examples:
  host train --out candidate                          another set, not in use, from the last 60 days
  host train --history 30d                            into the models' directory of the configuration
  host train --from 2025-01-01 --to 2025-02-01 --variables TEMP-03 --settings training.json")]
    Train(Box<Train>),

    /// Compare what a set would have flagged in the past with what was flagged
    ///
    /// Judges a range like a worker that starts at its beginning: with the models in use, with
    /// those of another directory (--models), with other settings, or with models that are trained
    /// on the readings before the range. Writes nothing to the database. For the variables that are
    /// flagged most often, prints the percentage of flagged readings and the episodes a week, and
    /// the same of the stored verdicts. For each known event, prints how soon it was found, or
    /// that it was missed.
    #[command(after_help = "\
Examples:
  host backtest --from 2025-01-01 --to 2025-02-01 --models candidate
  host backtest --from 2025-01-01 --to 2025-02-01 --train-settings training.json --events known.csv")]
    Backtest(Box<BacktestArgs>),

    /// Show the models in use and earlier ones, and put one back
    #[command(subcommand)]
    Models(ModelsCommand),

    /// Install this program as a service of the machine, or remove it
    #[command(subcommand)]
    Service(ServiceCommand),

    /// Write manual pages and completions into a directory: for packages
    #[command(hide = true)]
    Manuals {
        #[arg(value_name = "DIR")]
        directory: PathBuf,
    },

    /// Inspect detector modules
    #[command(subcommand)]
    Detector(DetectorCommand),

    /// Compile a module from stdin to stdout: the process that `host` starts for that
    #[command(hide = true)]
    CompileModule(CompileModule),
}

#[derive(Args, Debug)]
pub struct Plot {
    /// The variable's name, as it stands in the table
    #[arg(value_name = "VARIABLE")]
    pub variable: String,

    /// Write the picture into this file
    #[arg(short, long, value_name = "FILE.svg")]
    pub output: PathBuf,

    /// Show it from this datetime on [default: the day up to the end]
    #[arg(long, value_name = "DATETIME", value_parser = Datetime::parse)]
    pub from: Option<Datetime>,

    /// And before this one [default: the last verdict]
    #[arg(long, value_name = "DATETIME", value_parser = Datetime::parse)]
    pub to: Option<Datetime>,

    /// The language of its texts
    #[arg(long, value_name = "LANGUAGE", default_value = "en")]
    pub language: Language,

    #[command(flatten)]
    pub overrides: Overrides,
}

#[derive(Args, Debug)]
pub struct SchemaArgs {
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
pub struct Demo {
    /// The directory of the demo's database and models; made if absent
    #[arg(long, value_name = "DIR", default_value = "demo")]
    pub dir: PathBuf,

    /// How many days of the plant to simulate, 1 to 30
    #[arg(long, value_name = "N", default_value_t = 3, value_parser = clap::value_parser!(u32).range(1..=30))]
    pub days: u32,

    /// Write the history that the demo's models are trained on as CSV, and end
    #[arg(long, value_name = "FILE", hide = true)]
    pub write_history: Option<PathBuf>,
}

#[cfg(test)]
mod tests;
