//! The commands for ranges of time: backfill, import, export.

use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, ValueEnum};

use super::Overrides;
use crate::cli::import;
use crate::config::{TrainingMode, leave_out_text};
use crate::datetime::Datetime;
use crate::training::LeaveOut;

/// Half-open: from a datetime on and before another.
#[derive(Args, Clone, Copy, Debug)]
pub struct DatetimeRange {
    /// The first datetime: `2025-01-15`, `2025-01-15 10:00` or `2025-01-15T10:00:00`
    #[arg(long, value_name = "DATETIME", value_parser = Datetime::parse)]
    pub from: Datetime,

    /// The datetime before which it ends
    #[arg(long, value_name = "DATETIME", value_parser = Datetime::parse)]
    pub to: Datetime,
}

#[derive(Args, Debug)]
pub struct BackfillArgs {
    #[command(flatten)]
    pub range: DatetimeRange,

    /// Replace existing verdicts; one is deleted only if there is a new one for its reading
    #[arg(long)]
    pub replace: bool,

    /// Judge only these, divided by commas [default: all]
    #[arg(long, value_name = "NAME", value_delimiter = ',', num_args = 1..)]
    pub variables: Vec<String>,

    #[command(flatten)]
    pub overrides: Overrides,
}

#[derive(Args, Debug)]
pub struct Train {
    /// The length of the past to train on: 60d, 12h [default: `history` of `[training]`, 60d]
    #[arg(long, value_name = "TIME", value_parser = humantime::parse_duration, conflicts_with_all = ["from", "to"])]
    pub history: Option<Duration>,

    /// Train on readings from this datetime on
    #[arg(long, value_name = "DATETIME", value_parser = Datetime::parse)]
    pub from: Option<Datetime>,

    /// And before this one [default: now]
    #[arg(long, value_name = "DATETIME", value_parser = Datetime::parse, requires = "from")]
    pub to: Option<Datetime>,

    /// Train only these, divided by commas [default: all]
    #[arg(long, value_name = "NAME", value_delimiter = ',', num_args = 1..)]
    pub variables: Vec<String>,

    /// Write the set into this directory, which is new or empty, and leave the models in use alone
    #[arg(long, value_name = "DIR")]
    pub out: Option<PathBuf>,

    /// How much of the end of each series is held out to measure models on; at most a fifth of it
    /// [default: `holdout` of `[training]`, 1d]
    #[arg(long, value_name = "TIME", value_parser = humantime::parse_duration)]
    pub holdout: Option<Duration>,

    /// Leave out the readings that were flagged; with `=real`, those of episodes with the feedback
    /// real or sensor (`host feedback`) [default: `leave_out_anomalies` of `[training]`, none]
    #[arg(long, value_name = "WHICH", value_parser = leave_out_text, num_args = 0..=1, require_equals = true,
        default_missing_value = "flagged")]
    pub leave_out_anomalies: Option<LeaveOut>,

    /// Settings of the training, one JSON object as for `host fit`; its key `variables` holds those
    /// of single variables [default: `settings` of `[training]`, else 95 % intervals and
    /// multiplicative seasonalities, as far as there is enough data]
    #[arg(long, value_name = "SETTINGS.json")]
    pub settings: Option<PathBuf>,

    /// Where the search ends [default: `mode` of `[training]`, else the `method` of the settings,
    /// else optimum]
    #[arg(long, value_name = "MODE")]
    pub mode: Option<TrainingMode>,

    #[command(flatten)]
    pub overrides: Overrides,
}

#[derive(Args, Debug)]
pub struct BacktestArgs {
    #[command(flatten)]
    pub range: DatetimeRange,

    /// Settings of the detector, one JSON object, instead of `[detector.settings]`
    #[arg(long, value_name = "SETTINGS.json")]
    pub settings: Option<PathBuf>,

    /// Train a set on the readings before the range, with these settings of training, and judge
    /// with it
    #[arg(long, value_name = "SETTINGS.json", conflicts_with = "models")]
    pub train_settings: Option<PathBuf>,

    /// Known events, as a CSV file with the columns `variable`, `from` and `to`
    #[arg(long, value_name = "FILE.csv")]
    pub events: Option<PathBuf>,

    /// Judge only these, divided by commas [default: all]
    #[arg(long, value_name = "NAME", value_delimiter = ',', num_args = 1..)]
    pub variables: Vec<String>,

    #[command(flatten)]
    pub overrides: Overrides,
}

#[derive(Args, Debug)]
pub struct Import {
    /// A CSV file with a column DATETIME and a column for each variable; `-` is standard input
    #[arg(value_name = "FILE.csv")]
    pub file: PathBuf,

    /// How datetimes are written, as for Python's `strftime` [default: 2025-01-15 10:00:00, with a
    /// `T` or fractions too]
    #[arg(long, value_name = "FORMAT", value_parser = import::datetime_format)]
    pub datetime_format: Option<import::DatetimeFormat>,

    /// The decimal mark; the other one may group digits [default: found from all the numbers of the
    /// file]
    #[arg(long, value_name = "MARK")]
    pub decimal: Option<Decimal>,

    /// The encoding of a file that is not Unicode, such as windows-1252
    #[arg(long, value_name = "NAME", value_parser = import::encoding)]
    pub encoding: Option<&'static encoding_rs::Encoding>,

    /// Load nothing if anything in the file is wrong or repeated
    #[arg(long)]
    pub strict: bool,

    /// Make the input table if there is none, and the database's file
    #[arg(long)]
    pub create_table: bool,

    #[command(flatten)]
    pub overrides: Overrides,
}

/// The decimal mark.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Decimal {
    Comma,
    Point,
}

#[derive(Args, Debug)]
pub struct Export {
    #[command(flatten)]
    pub range: DatetimeRange,

    /// Only these, divided by commas [default: all]
    #[arg(long, value_name = "NAME", value_delimiter = ',', num_args = 1..)]
    pub variables: Vec<String>,

    /// Only anomalies
    #[arg(long)]
    pub anomalies: bool,

    /// Write to this file, which appears once it is complete [default: standard output]
    #[arg(short, long, value_name = "FILE")]
    pub output: Option<PathBuf>,

    #[command(flatten)]
    pub overrides: Overrides,
}
