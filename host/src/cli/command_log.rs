//! The log of a command that ends by itself: on standard error, around its progress. The log file
//! is the service's; such a command writes one only if its own command line names it.

use anyhow::Context;

use super::args::Overrides;
use super::progress::ProgressDisplay;
use crate::config::LoadedConfig;
use crate::telemetry::{self, Telemetry};

/// Starts it, and logs the warnings of the configuration.
pub(super) fn start(
    loaded: &mut LoadedConfig,
    asked: &Overrides,
    progress: Option<&ProgressDisplay>,
) -> anyhow::Result<Telemetry> {
    let log = &mut loaded.config.log;
    log.file = asked.log_file.as_ref().and(log.file.take());
    let started = match progress {
        Some(progress) => telemetry::start_on(log, progress.console()),
        None => telemetry::start(log),
    };
    let started = started.context("the log cannot be started")?;
    loaded.warnings.iter().for_each(|warning| tracing::warn!("{warning}"));
    Ok(started)
}
