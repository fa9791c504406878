//! The commands for a table in a file: predict, fit.

use std::path::PathBuf;

use clap::{Args, ValueEnum};

use crate::config::TrainingMode;

#[derive(Args, Debug)]
pub struct Predict {
    /// A Prophet model, as `model_to_json` writes it
    #[arg(value_name = "MODEL")]
    pub model: PathBuf,

    /// A CSV file with a column `ds`: `2025-01-15`, `2025-01-15 10:00:00` or
    /// `2025-01-15T10:00:00.503000`
    #[arg(value_name = "INPUT.csv")]
    pub input: PathBuf,

    /// How the intervals account for changes of the trend after training [default: none]
    #[arg(long, value_name = "LAW")]
    pub trend_uncertainty: Option<TrendUncertaintyArg>,

    /// Width of the intervals, above 0 and at most 1 [default: the model's own]
    #[arg(long, value_name = "LEVEL")]
    pub interval_width: Option<f64>,

    /// Dates of country holidays, as a CSV file with columns `ds` and `holiday`, for a model
    /// without them
    #[arg(long, value_name = "FILE")]
    pub country_holidays: Option<PathBuf>,

    /// A detector, as a WebAssembly component [default: the built-in Prophet detector]
    #[arg(long, value_name = "FILE")]
    pub detector: Option<PathBuf>,
}

/// As the detector's setting of that name.
#[derive(Clone, Copy, Debug, ValueEnum)]
pub enum TrendUncertaintyArg {
    /// No changes
    None,
    /// As Prophet's own `predict` does; depends on the number of rows and their spacing
    Batch,
    /// A change at any time
    Continuous,
}

impl TrendUncertaintyArg {
    /// Its name in the setting.
    pub fn name(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Batch => "batch",
            Self::Continuous => "continuous",
        }
    }
}

#[derive(Args, Debug)]
pub struct Fit {
    /// Settings of the training, one JSON object
    #[arg(value_name = "SETTINGS.json")]
    pub settings: PathBuf,

    /// A CSV file with columns `ds` and `y`
    #[arg(value_name = "TRAIN.csv")]
    pub input: PathBuf,

    /// Where the search ends [default: the `method` of the settings, else optimum]
    #[arg(long, value_name = "MODE")]
    pub mode: Option<TrainingMode>,

    /// Print the report as JSON instead of the model
    #[arg(long)]
    pub report: bool,

    /// Write the model into this file instead of stdout
    #[arg(long, short, value_name = "FILE")]
    pub output: Option<PathBuf>,

    /// Dates of country holidays, as a CSV file with columns `ds` and `holiday`
    #[arg(long, value_name = "FILE")]
    pub country_holidays: Option<PathBuf>,

    /// A detector that trains, as a WebAssembly component [default: the built-in Prophet detector]
    #[arg(long, value_name = "FILE")]
    pub detector: Option<PathBuf>,
}
