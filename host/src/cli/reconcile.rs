//! `host reconcile`: a look for unjudged readings now.
//!
//! If no worker of the name is active, it is the worker's own look, and its result is in the state
//! row. If one is, the same readings are judged beside it as by a backfill: the first verdict
//! written wins.

use std::process::ExitCode;
use std::sync::Arc;

use anyhow::{anyhow, bail};

use super::args::Overrides;
use super::run::settings;
use super::say::say;
use super::{STOPPING, command_log, wiring};
use crate::config::LoadedConfig;
use crate::detector::Detector;
use crate::reconciliation::Look;
use crate::reload::ReloadSlots;
use crate::stop::Stop;
use crate::store::Connector;
use crate::worker::backfill::{Backfill, BackfillPlan};
use crate::worker::report::{self, count};
use crate::worker::{self, CycleError, Slice, Worker};

/// Looks, judges and prints the result.
pub(super) async fn reconcile(mut loaded: LoadedConfig, asked: &Overrides) -> anyhow::Result<ExitCode> {
    let _telemetry = command_log::start(&mut loaded, asked, None)?;
    let config = &loaded.config;
    let stop = Stop::on_signals(STOPPING)?;
    let engine = wiring::engine(config)?;
    let set = Arc::new(wiring::source(config).read_at_start(&engine).await?);
    let detector = Detector::open(&engine, Arc::clone(&set), None).await?;
    let store = wiring::store(config)?;
    let mut worker = Worker::new(settings(config), wiring::store(config)?, detector, ReloadSlots::default());
    match worker.begin_look().await {
        Ok(()) => {}
        Err(CycleError::Standby { .. }) => {
            let mut detector = Detector::open(&engine, set, None).await?;
            return beside(&loaded, store.as_ref(), &mut detector, &stop).await;
        }
        Err(error) => bail!("{error}"),
    }
    loop {
        let slice = stop.unless_at_once(worker.look()).await;
        match slice.ok_or_else(|| anyhow!("stopped at once"))?.map_err(|error| anyhow!("{error}"))? {
            Slice::More if stop.is_asked() => bail!("stopped; not all was looked at"),
            Slice::More => {}
            Slice::Done(look) => {
                in_words(&look).lines().for_each(|line| say!("{line}"));
                return Ok(if look.unjudged == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE });
            }
            Slice::NoIndex => bail!("nothing was looked at: the input table has no index on `datetime`"),
        }
    }
}

/// Beside an active worker.
async fn beside(
    loaded: &LoadedConfig,
    store: &dyn Connector,
    detector: &mut Detector,
    stop: &Stop,
) -> anyhow::Result<ExitCode> {
    let config = &loaded.config.worker;
    let (mut input, mut output) = store.open().await?;
    let layout = input.layout().await?;
    if !layout.has_datetime_index {
        bail!("nothing was looked at: the input table has no index on `datetime`");
    }
    let now = input.now().await?;
    let since = output.outline(&config.row()).await?.map(|found| found.state.position.since());
    let from = now.earlier(worker::lateness(config.allowed_lateness, layout));
    let plan = BackfillPlan {
        worker: config.row(),
        shard: config.shard,
        from: since.map_or(from, |since| from.max(since)),
        to: now,
        variables: None,
        replace: false,
        rules: super::run::tracker_settings(&loaded.config),
        batch_rows: config.batch_rows,
    };
    output.close().await?;
    tracing::info!("worker `{}` is active; this looks beside it", config.row());
    let mut backfill = Backfill::begin(&plan, store, detector).await?;
    while backfill.step(detector).await? {
        if stop.is_asked() {
            bail!("stopped; not all was looked at");
        }
    }
    let counts = backfill.progress().counts;
    backfill.finish().await?;
    say!(
        "readings from {} to {}: {} had no verdict and have one now, {} had one",
        plan.from,
        plan.to,
        counts.judged,
        counts.already_judged
    );
    if let Some(reasons) = report::not_judged(&crate::counts::Counts { already_judged: 0, ..counts }) {
        say!("without a verdict: {reasons}");
    }
    Ok(ExitCode::SUCCESS)
}

fn in_words(look: &Look) -> String {
    let found = match look.found.total() {
        0 => String::new(),
        found => format!(", {found} of them judged now: {}", look.found),
    };
    let mut text = format!(
        "readings from {} to {}: {} with a verdict{found}",
        look.from,
        look.to,
        count(look.rows.judged, "reading")
    );
    if let Some(reasons) = report::not_judged(&look.rows) {
        text.push_str(&format!("\nwithout a verdict: {reasons}"));
    }
    if look.awaited > 0 {
        text.push_str(&format!("\nread by the next cycle: {}", look.awaited));
    }
    text.push_str(&format!("\nunjudged readings: {}", look.unjudged));
    text
}
