//! The commands for a worker: run, serve, status, reload.

use std::net::SocketAddr;
use std::path::PathBuf;

use clap::Args;

use super::Overrides;

#[derive(Args, Debug)]
pub struct Run {
    /// Run one cycle and end: exit code 0 if it worked, 1 if not
    #[arg(long)]
    pub once: bool,

    /// Write the metrics of that cycle into this file, for a node exporter
    #[arg(long, value_name = "FILE", requires = "once")]
    pub metrics_file: Option<PathBuf>,

    #[command(flatten)]
    pub overrides: Overrides,
}

#[derive(Args, Debug)]
pub struct Serve {
    /// Serve at this address [default: `listen` of `[web]`, else 127.0.0.1:8686]
    #[arg(long, value_name = "ADDRESS:PORT")]
    pub listen: Option<SocketAddr>,

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

#[derive(Args, Debug)]
pub struct Reload {
    /// Change nothing; show what a reload would do
    #[arg(long)]
    pub dry_run: bool,

    #[command(flatten)]
    pub overrides: Overrides,
}
