//! `host run`: the service.

use std::io;
use std::path::Path;
use std::pin::pin;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, anyhow};
use futures_util::FutureExt;

use super::{Misconfigured, code_of, wiring};
use crate::config::{self, Access, Config, LoadedConfig};
use crate::detector::{Detector, DetectorError, Engine};
use crate::reload::watch::{Timing, Watch};
use crate::reload::{ReloadSlots, Reloader, SetSource};
use crate::service::Manager;
use crate::store::sqlserver::Timeouts;
use crate::worker::schedule::{self, ScheduleEnd};
use crate::worker::{Worker, WorkerSettings, report};
use crate::{signal, telemetry};

/// Runs until it is stopped, or for one cycle.
pub(super) async fn run(loaded: LoadedConfig, once: bool) -> anyhow::Result<ExitCode> {
    let _telemetry = telemetry::start(&loaded.config.log).context("the log cannot be started")?;
    // Told once, by the log, which is on the console as well.
    Ok(serve(loaded, once).await.unwrap_or_else(|error| {
        tracing::error!("{error:#}");
        code_of(&error)
    }))
}

async fn serve(loaded: LoadedConfig, once: bool) -> anyhow::Result<ExitCode> {
    let config = loaded.config;
    if let Some(file) = &loaded.file {
        tracing::info!("configured by `{}`", file.display());
    } else {
        let file = config::whole(Path::new(config::DEFAULT_FILE));
        tracing::info!(
            "no configuration file (`{}` is not there): defaults, environment and flags",
            file.display()
        );
    }
    for warning in &loaded.warnings {
        tracing::warn!("{warning}");
    }
    // Listening begins before anything is opened, so that no signal finds the default behaviour.
    let mut stop = pin!(signal::shutdown()?.map(|name| tracing::info!("{name}: stopping")));
    let hangups = signal::Hangups::listen();
    let store = wiring::store(&config)?;
    store.warnings().iter().for_each(|warning| tracing::warn!("{warning}"));

    // What is read, compiled or opened at this moment is left to its threads, which end with the
    // process.
    let engine = wiring::engine(&config)?;
    let opened = tokio::select! {
        biased;
        () = &mut stop => {
            // Asked to end, and not ended by what it loads.
            engine.has_run();
            return Ok(ExitCode::SUCCESS);
        }
        opened = open(&config, &engine) => match opened {
            Err(error @ DetectorError::Settings(_)) => return Err(Misconfigured(error.to_string()).into()),
            opened => opened?,
        },
    };
    let (source, detector) = opened;
    report::models(&detector);

    let shared = ReloadSlots::default();
    let watch = Watch::start(Reloader::new(engine, source, shared.clone(), &detector), Timing::default());
    let hangups = tokio::spawn(hint_on_hangup(watch, hangups));

    let settings = settings(&config);
    let manager = Manager::of_environment(longest_step(&config));
    let mut worker = Worker::new(settings, store, detector, shared);
    let end = schedule::run_under(&manager, &mut worker, config.worker.interval, once, stop).await;
    hangups.abort();
    match end {
        ScheduleEnd::Stopped => Ok(ExitCode::SUCCESS),
        // Its text is whole; the causes below it say the same again.
        ScheduleEnd::Failed(error) => Err(anyhow!("{error}")),
    }
}

async fn open(config: &Config, engine: &Engine) -> Result<(SetSource, Detector), DetectorError> {
    let source = wiring::source(config);
    let set = Arc::new(source.read_at_start(engine).await?);
    let detector = Detector::open(engine, set, None).await?;
    Ok((source, detector))
}

/// What may pass between two signs of life: a call of the detector, which is repeated on a fresh
/// instance, or connecting to both servers and waiting for an answer.
fn longest_step(config: &Config) -> Duration {
    let timeouts = Timeouts::default();
    let of = |access: &Access| {
        access.connect_timeout.unwrap_or(timeouts.connect) + access.query_timeout.unwrap_or(timeouts.query)
    };
    let store = of(&config.input.access) + of(&config.output_access());
    2 * (config.detector.deadline.max(config.detector.compile_deadline) + store)
}

/// What a worker is told.
pub(super) fn settings(config: &Config) -> WorkerSettings {
    WorkerSettings {
        name: config.worker.row(),
        shard: config.worker.shard,
        batch_rows: config.worker.batch_rows,
        initial_lookback: config.worker.initial_lookback,
        allowed_lateness: config.worker.allowed_lateness,
        settle: config.worker.settle(),
        // What is left of the interval is for the calls that the search begins and ends with, and for
        // judging.
        patience: config.worker.interval / 3,
        reconcile: config.worker.reconcile.0,
    }
}

/// SIGHUP is a hint like a file event. Owns the watch: it ends with this task.
async fn hint_on_hangup(watch: Watch, hangups: io::Result<signal::Hangups>) {
    match hangups {
        Ok(mut hangups) => loop {
            hangups.next().await;
            watch.hint();
        },
        Err(error) => {
            tracing::warn!("SIGHUP is not listened to: {error}");
            std::future::pending::<()>().await;
        }
    }
}
