//! `host service`.

use std::path::PathBuf;

use clap::{Args, Subcommand};

#[derive(Debug, Subcommand)]
pub enum ServiceCommand {
    /// Make a service of this program where it is: a unit of systemd, or a service of Windows
    ///
    /// Nothing is started. On Linux, state, cache, passwords and user of the service go by its
    /// name. On Windows it works in the directory of its configuration, starts with the
    /// machine, and anew after a failure; its problems are in the Event Log. Several can be on
    /// one machine.
    #[command(after_help = "\
Examples:
  sudo host service install --config /etc/anomaly-worker/anomaly-worker.toml
  host service install --config C:\\ProgramData\\anomaly-worker\\anomaly-worker.toml --account PLANT\\worker$")]
    Install {
        /// The configuration that the service reads
        #[arg(long, value_name = "FILE")]
        config: PathBuf,

        /// Windows: as whom it runs, `DOMAIN\name`, `DOMAIN\name$` (group-managed: no password),
        /// LocalService or NetworkService; a password is read from stdin where there must be one
        /// [default: `NT SERVICE\` and the service's name]
        #[arg(long, value_name = "NAME")]
        account: Option<String>,

        #[command(flatten)]
        of: ServiceName,
    },

    /// Stop the service and remove it; configuration and data stay
    #[command(after_help = "Example:\n  sudo host service uninstall")]
    Uninstall {
        #[command(flatten)]
        of: ServiceName,
    },

    /// Start the service, and say how that went
    Start {
        #[command(flatten)]
        of: ServiceName,
    },

    /// Stop the service; it finishes or rolls back the batch in hand
    Stop {
        #[command(flatten)]
        of: ServiceName,
    },

    /// Have the service look at module, models and settings at once
    Reload {
        #[command(flatten)]
        of: ServiceName,
    },

    /// Show whether the service runs: exit code 0 if it does
    Status {
        #[command(flatten)]
        of: ServiceName,
    },

    /// Be the service: for the service manager of Windows
    #[command(hide = true)]
    Run {
        #[arg(long, value_name = "FILE")]
        config: PathBuf,

        #[command(flatten)]
        of: ServiceName,
    },
}

#[derive(Args, Debug)]
pub struct ServiceName {
    /// What the service is called
    #[arg(long, value_name = "NAME", default_value = crate::service::NAME)]
    pub name: String,

    /// The root of the system that it is for
    #[arg(long, value_name = "DIR", default_value = "/", hide = true)]
    pub root: PathBuf,
}
