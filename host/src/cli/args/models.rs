//! `host models`.

use std::time::Duration;

use clap::Subcommand;

use super::Overrides;

#[derive(Debug, Subcommand)]
pub enum ModelsCommand {
    /// List the models in use: when each was trained, on what, its error on the held-out end, and
    /// since when it has been in use
    #[command(after_help = "Example:\n  host models list --config anomaly-worker.toml")]
    List(Overrides),

    /// Show a variable's model in use, and the earlier ones that are kept
    #[command(after_help = "Example:\n  host models show TEMP-03")]
    Show {
        #[arg(value_name = "VARIABLE")]
        variable: String,

        #[command(flatten)]
        overrides: Overrides,
    },

    /// Measure a variable's model and the earlier ones on its last readings
    #[command(after_help = "Example:\n  host models compare TEMP-03 --holdout 3d")]
    Compare {
        #[arg(value_name = "VARIABLE")]
        variable: String,

        /// The length of the past to measure on [default: `holdout` of `[training]`, 1d]
        #[arg(long, value_name = "TIME", value_parser = humantime::parse_duration)]
        holdout: Option<Duration>,

        #[command(flatten)]
        overrides: Overrides,
    },

    /// Put an earlier model in the place of a variable's model in use
    ///
    /// All other models stay as they are. A running worker picks it up like any other change. The
    /// set that was in use is kept, so that this can be rolled back as well.
    #[command(after_help = "\
Examples:
  host models rollback TEMP-03             to the latest earlier model that is different
  host models rollback TEMP-03 --to 7      to that of generation 7")]
    Rollback {
        #[arg(value_name = "VARIABLE")]
        variable: String,

        /// The set that has it; `host models show VARIABLE` lists them
        #[arg(long, value_name = "GENERATION")]
        to: Option<u64>,

        #[command(flatten)]
        overrides: Overrides,
    },
}
