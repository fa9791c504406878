//! `host run`: the service.

use std::io;
use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, anyhow};

use super::{Misconfigured, args, code_of, web, wiring};
use crate::alert::delivery::{Delivery, Outgoing};
use crate::alert::outbox::Described;
use crate::alert::service_status::ServiceStatus;
use crate::config::{self, Access, Config, LoadedConfig};
use crate::detector::{DetectorError, Engine};
use crate::episode::TrackerSettings;
use crate::metrics::{self, Metrics};
use crate::reload::watch::{Asker, Timing, Watch};
use crate::reload::{ReloadSlots, Reloader, SetSource, Start};
use crate::service::Manager;
use crate::service::control::{self, AsyncAnswer, Question, Reply, ServiceIdentity};
use crate::stop::Stop;
use crate::store::sqlserver::Timeouts;
use crate::training::Settings;
use crate::training::background::{Background, BackgroundHandle, Orders};
use crate::worker::schedule::{self, ScheduleEnd};
use crate::worker::{Worker, WorkerSettings, report};
use crate::{signal, telemetry};

/// How long a reload waits for files that are being written; then their later changes are followed.
const LONGEST_RELOAD: Duration = Duration::from_secs(60);

/// Runs until it is stopped, or for one cycle.
pub(super) async fn run(loaded: LoadedConfig, asked: &args::Run) -> anyhow::Result<ExitCode> {
    let _telemetry = telemetry::start(&loaded.config.log).context("the log cannot be started")?;
    // Reported once, by the log, which is on the console as well.
    Ok(serve(loaded, asked).await.unwrap_or_else(|error| {
        tracing::error!("{error:#}");
        code_of(&error)
    }))
}

async fn serve(loaded: LoadedConfig, asked: &args::Run) -> anyhow::Result<ExitCode> {
    // Signals are handled before the first line of the log: none has its default effect after it.
    let stop = Stop::on_signals("stopping")?;
    let hangups = signal::Hangups::listen();
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
    let store = wiring::store(&config)?;
    store.warnings().iter().for_each(|warning| tracing::warn!("{warning}"));
    let metrics = Metrics::default();
    let outgoing = outgoing(&config, &metrics)?;

    // Current reads, compilations and openings are abandoned; their threads end with the process.
    let engine = wiring::engine(&config)?;
    let source = wiring::source(&config);
    let last_good = wiring::last_good(&config, &source);
    let opened = tokio::select! {
        biased;
        () = stop.asked() => {
            // Asked to end, and not ended by what it loads.
            engine.has_run();
            return Ok(ExitCode::SUCCESS);
        }
        opened = Start::open(&engine, &source, last_good.as_ref()) => match opened {
            Err(error @ DetectorError::Settings(_)) => return Err(Misconfigured(error.to_string()).into()),
            opened => opened?,
        },
    };
    let Start { detector, before, refused } = opened;
    report::models(&detector);

    let shared = last_good.clone().map_or_else(ReloadSlots::default, ReloadSlots::keeping);
    let reloader =
        Reloader::new(engine.clone(), source.clone(), shared.clone(), &detector).refused_at_start(refused);
    let watch = Watch::start(reloader, Timing::default());
    let manager = Manager::of_environment(longest_step(&config));
    let hangups = tokio::spawn(look_on_hangup(watch.asker(), hangups, manager.clone()));

    let kept_set = last_good.as_ref().map(|last_good| last_good.path().to_owned());
    let identity = wiring::identity(&config, loaded.file.as_deref(), store.output_place(), kept_set);
    let answers = Answers { asker: watch.asker(), shared: shared.clone(), identity };
    let control = tokio::spawn(control::serve(wiring::control_name(&config)?, answers));

    let metrics = metrics.watching(shared.clone());
    metrics.expect_signs(silence(&config));
    let _page = if asked.once { None } else { web::beside(&config, &shared, &metrics)? };
    let settings = settings(&config);
    let training = background(&config, &engine, &source, &shared)?;
    let mut worker = Worker::new(settings, store, detector, shared)
        .after(before)
        .telling(Arc::clone(&outgoing.service_status))
        .counted_by(metrics.clone());
    let once = asked.once;
    let training = if once { None } else { started(training, &worker) };
    let told = if once {
        AlertDelivery::Once(Box::new(outgoing))
    } else {
        AlertDelivery::AllTheTime(outgoing.start())
    };
    let end = schedule::run(&manager, &mut worker, config.worker.interval, once, &stop).await;
    if let Some(training) = training {
        training.finish().await;
    }
    match told {
        AlertDelivery::Once(outgoing) => outgoing.once().await,
        AlertDelivery::AllTheTime(delivery) => delivery.finish().await,
    }
    if let Some(file) = &asked.metrics_file {
        metrics::write_file(&metrics, file)
            .with_context(|| format!("the metrics cannot be written to `{}`", file.display()))?;
    }
    hangups.abort();
    control.abort();
    if let Some(last_good) = &last_good {
        last_good.finish().await;
    }
    match end {
        ScheduleEnd::Stopped => Ok(ExitCode::SUCCESS),
        // Its text is whole; the causes below it say the same again.
        ScheduleEnd::Failed(error) => Err(anyhow!("{error}")),
    }
}

/// The delivery of alerts, while the worker runs or after its one cycle.
enum AlertDelivery {
    Once(Box<Outgoing>),
    AllTheTime(Delivery),
}

/// The outbox, over a connection of its own.
fn outgoing(config: &Config, metrics: &Metrics) -> anyhow::Result<Outgoing> {
    let worker = config.worker.row();
    Ok(Outgoing {
        channels: wiring::channels(config)?,
        store: wiring::store(config)?,
        service_status: Arc::new(ServiceStatus::new(worker.clone(), config.worker.interval)),
        about: described(config),
        together: config.alerts.together,
        worker,
        metrics: metrics.clone(),
    })
}

/// The description of a variable in the configuration.
fn described(config: &Config) -> Box<dyn Fn(&str) -> Described + Send + Sync> {
    let (rules, page) = (config.variables.rules(), config.alerts.page.clone());
    Box::new(move |variable| {
        let said = rules.of(variable);
        Described { unit: said.unit.clone(), description: said.description.clone(), page: page.clone() }
    })
}

/// The longest time between two feeds of the watchdog: a call of the detector, which is repeated on
/// a fresh instance, or connecting to both servers and waiting for an answer.
fn longest_step(config: &Config) -> Duration {
    let timeouts = Timeouts::default();
    let of = |access: &Access| {
        access.connect_timeout.unwrap_or(timeouts.connect) + access.query_timeout.unwrap_or(timeouts.query)
    };
    let store = of(&config.input.access) + of(&config.output_access());
    2 * (config.detector.deadline.max(config.detector.compile_deadline) + store)
}

/// How long the schedule may make no progress before it counts as stuck: it sleeps for an interval,
/// and a step may take its whole limit.
fn silence(config: &Config) -> Duration {
    2 * config.worker.interval + longest_step(config)
}

/// The settings of the worker.
pub(super) fn settings(config: &Config) -> WorkerSettings {
    WorkerSettings {
        name: config.worker.row(),
        shard: config.worker.shard,
        batch_rows: config.worker.batch_rows,
        initial_lookback: config.worker.initial_lookback,
        allowed_lateness: config.worker.allowed_lateness,
        settle: config.worker.settle(),
        // What is left of the interval is for the calls that the search begins and ends with, and
        // for judging.
        patience: config.worker.interval / 3,
        reconcile: config.worker.reconcile.0,
        episodes: tracker_settings(config),
    }
}

/// The training beside the worker. Errors in the settings are reported before anything is judged.
fn background(
    config: &Config,
    engine: &Engine,
    source: &SetSource,
    shared: &ReloadSlots,
) -> anyhow::Result<Background> {
    let section = &config.training;
    let orders = Orders {
        worker: config.worker.row(),
        every: section.every.0,
        history: section.history,
        leave_out_anomalies: section.leave_out_anomalies,
        plan: wiring::training_plan(&config.worker, section),
        settings: match section.every.0 {
            Some(_) => wiring::training_settings(section, config.detector.module.is_none())?,
            None => Settings::default(),
        },
    };
    let store = wiring::store(config)?;
    Ok(Background::new(engine.clone(), store, source.clone(), shared.clone(), orders))
}

/// Judging does not need it.
fn started(training: Background, worker: &Worker) -> Option<BackgroundHandle> {
    match training.start(worker.beats()) {
        Ok(running) => Some(running),
        Err(error) => {
            tracing::warn!("no models are trained beside the cycles: {error}");
            None
        }
    }
}

/// The settings of episodes.
pub(super) fn tracker_settings(config: &Config) -> Arc<TrackerSettings> {
    /// Readings arrive with the cycles: a reading that is missing in a single cycle is not silence.
    const LEAST_SILENCE: Duration = Duration::from_secs(10 * 60);
    let least_silence = LEAST_SILENCE.max(config.worker.interval.saturating_mul(2));
    Arc::new(TrackerSettings { rules: config.variables.rules(), least_silence })
}

/// The answers to `host reload`.
struct Answers {
    asker: Asker,
    shared: ReloadSlots,
    identity: ServiceIdentity,
}

impl AsyncAnswer for Answers {
    async fn answer(&self, question: Question) -> Option<Reply> {
        match question {
            Question::Look => self.asker.look().await.map(Reply::Looked),
            Question::InUse => self.shared.in_use().map(Reply::InUse),
            Question::Who => Some(Reply::Who(self.identity.clone())),
        }
    }
}

/// SIGHUP makes the reloader look at the files at once; the log shows the result.
async fn look_on_hangup(asker: Asker, hangups: io::Result<signal::Hangups>, manager: Manager) {
    match hangups {
        Ok(mut hangups) => loop {
            hangups.next().await;
            match manager.reloading(tokio::time::timeout(LONGEST_RELOAD, asker.look())).await {
                Ok(Some(answer)) => tracing::info!("SIGHUP: {answer}"),
                Ok(None) => return,
                Err(_) => {
                    tracing::info!("SIGHUP: the files are still being written, or reading them takes long");
                }
            }
        },
        Err(error) => tracing::warn!("SIGHUP has no effect: {error}"),
    }
}
