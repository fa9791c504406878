//! The commands for ranges of time: backfill, import, export.

use std::path::PathBuf;

use clap::{Args, ValueEnum};

use super::Overrides;
use crate::cli::import;
use crate::datetime::Datetime;

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

    /// Put new verdicts in the place of those that are there; one goes only when there is a new one
    /// for its reading
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
    /// A CSV file with a column DATETIME and a column for each variable; `-` is standard input
    #[arg(value_name = "FILE.csv")]
    pub file: PathBuf,

    /// How datetimes are written, as for Python's `strftime` [default: 2025-01-15 10:00:00, with a
    /// `T` or fractions too]
    #[arg(long, value_name = "FORMAT", value_parser = import::datetime_format)]
    pub datetime_format: Option<import::DatetimeFormat>,

    /// What stands before decimals; the other mark may group digits [default: what all the numbers
    /// of the file say]
    #[arg(long, value_name = "MARK")]
    pub decimal: Option<Decimal>,

    /// The encoding of a file that is not Unicode, such as windows-1252
    #[arg(long, value_name = "NAME", value_parser = import::encoding)]
    pub encoding: Option<&'static encoding_rs::Encoding>,

    /// Load nothing if anything in the file is wrong, or repeats
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
    pub range: DatetimeRange,

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
