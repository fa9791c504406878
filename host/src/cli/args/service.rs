//! `host service`.

use std::path::PathBuf;

use clap::{Args, Subcommand};

#[derive(Debug, Subcommand)]
pub enum ServiceCommand {
    /// Install this program as a service, from where it is: a unit of systemd, or a Windows service
    ///
    /// Nothing is started. On Linux, the names of the service's user and of its directories for
    /// state, cache and passwords are the service's name. On Windows it works in the directory of
    /// its configuration, starts with the machine, and again after a failure; its problems are in
    /// the Event Log. One machine can have several services.
    #[command(after_help = "\
Examples:
  sudo host service install --config /etc/anomaly-worker/anomaly-worker.toml
  host service install --config C:\\ProgramData\\anomaly-worker\\anomaly-worker.toml --account PLANT\\worker$")]
    Install {
        /// The configuration that the service reads
        #[arg(long, value_name = "FILE")]
        config: PathBuf,

        /// Windows: the account that it runs as, `DOMAIN\name`, `DOMAIN\name$` (group-managed: no
        /// password), LocalService or NetworkService; if it needs a password, that is read from
        /// stdin [default: `NT SERVICE\` and the service's name]
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

    /// Start the service, and show the result
    Start {
        #[command(flatten)]
        of: ServiceName,
    },

    /// Stop the service; it finishes or rolls back the current batch
    Stop {
        #[command(flatten)]
        of: ServiceName,
    },

    /// Make the service look at module, models and settings at once
    Reload {
        #[command(flatten)]
        of: ServiceName,
    },

    /// Show whether the service runs: exit code 0 if it does
    Status {
        #[command(flatten)]
        of: ServiceName,
    },

    /// Run as the service: for the service manager of Windows
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
    /// The name of the service
    #[arg(long, value_name = "NAME", default_value = crate::service::NAME)]
    pub name: String,

    /// The root of the system that it is for
    #[arg(long, value_name = "DIR", default_value = "/", hide = true)]
    pub root: PathBuf,
}
