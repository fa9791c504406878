//! `host backfill`: judges a range of past readings.
//!
//! If a connection is lost, or a lock is held for long, it is tried again and continues after what
//! was stored. Only the first connection must succeed at once.

use std::process::ExitCode;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{anyhow, bail};

use super::args;
use super::progress::{ProgressDisplay, Unit};
use super::say;
use super::{STOPPING, command_log, wiring};
use crate::config::LoadedConfig;
use crate::detector::Detector;
use crate::stop::Stop;
use crate::store::{Connector, ErrorKind};
use crate::text::escaped;
use crate::worker::backfill::{Backfill, BackfillPlan, SetAsideOutcome};
use crate::worker::report::{self, count};
use crate::worker::{CycleError, backfill, outage};

/// How often in a row the database may be out of reach or locked: with the pauses in between, about
/// five minutes.
const TRIES: usize = 10;

/// Names in one line.
const NAMED: usize = 10;

/// The result that is printed at the end.
struct Done {
    progress: backfill::BackfillProgress,
    /// Whether it continued an earlier run.
    resumed: bool,
    asides: SetAsideOutcome,
}

/// What was done over a connection, also if it ended early.
#[derive(Default)]
struct Reached {
    begun: bool,
    resumed: bool,
    progress: backfill::BackfillProgress,
}

/// Judges the range; fails if it was not finished.
pub(super) async fn backfill(
    mut loaded: LoadedConfig,
    asked: &args::BackfillArgs,
) -> anyhow::Result<ExitCode> {
    let mut progress = ProgressDisplay::new(Unit::Readings);
    let _telemetry = command_log::start(&mut loaded, &asked.overrides, Some(&progress))?;
    let stop = Stop::on_signals(STOPPING)?;
    let names = asked.variables.iter().map(|name| Arc::from(name.trim()));
    let plan = BackfillPlan {
        worker: loaded.config.worker.row(),
        shard: loaded.config.worker.shard,
        from: asked.range.from,
        to: asked.range.to,
        variables: (!asked.variables.is_empty()).then(|| names.collect()),
        replace: asked.replace,
        rules: super::run::tracker_settings(&loaded.config),
        batch_rows: loaded.config.worker.batch_rows,
    };
    let opening = wiring::detector(&loaded.config);
    let mut detector = stop.unless_asked(opening).await.ok_or_else(|| anyhow!(NOTHING_DONE))??;
    report::models(&detector);
    let store = wiring::store(&loaded.config)?;
    store.warnings().iter().for_each(|warning| tracing::warn!("{warning}"));

    let begun = Instant::now();
    let done = judge(&plan, store.as_ref(), &mut detector, &mut progress, &stop).await;
    progress.finish();
    let done = done?;
    say::lines(&summary(&plan, &done, begun.elapsed()));
    Ok(ExitCode::SUCCESS)
}

/// Judges the range, however often the database cannot be reached.
async fn judge(
    plan: &BackfillPlan,
    store: &dyn Connector,
    detector: &mut Detector,
    progress: &mut ProgressDisplay,
    stop: &Stop,
) -> anyhow::Result<Done> {
    let pauses = || outage::pauses().take(TRIES);
    let mut left = pauses();
    let (mut begun, mut resumed) = (false, false);
    let (mut replaced, mut judging) = (0, Duration::ZERO);
    loop {
        let mut reached = Reached::default();
        let ended =
            stop.unless_at_once(attempt(plan, store, detector, progress, stop, &mut reached))
                .await
                .ok_or_else(|| anyhow!("stopped at once, and the batch in hand is rolled back; {GO_ON}"))?;
        if !begun && reached.begun {
            (begun, resumed) = (true, reached.resumed);
        }
        replaced += reached.progress.replaced;
        judging += reached.progress.judging;
        if reached.progress.rows > 0 {
            left = pauses();
        }
        match ended {
            Ok(Some(asides)) => {
                let progress = backfill::BackfillProgress { replaced, judging, ..reached.progress };
                return Ok(Done { progress, resumed, asides });
            }
            Ok(None) => {
                let Some(through) = reached.progress.through else { bail!(NOTHING_DONE) };
                bail!("stopped; all readings up to {through} are done, and {GO_ON}");
            }
            Err(error) if begun && passes(&error) && !stop.is_asked() => {
                let Some(pause) = left.next() else { bail!("{error}; {GO_ON}") };
                tracing::warn!("{error}; trying again");
                if stop.unless_asked(tokio::time::sleep(pause)).await.is_none() {
                    bail!("stopped while the database was out of reach; {GO_ON}");
                }
            }
            Err(error) if begun => bail!("{error}; {GO_ON}"),
            Err(error) => bail!("{error}"),
        }
    }
}

const NOTHING_DONE: &str = "stopped; nothing is done yet";
const GO_ON: &str = "the same command goes on from there";

fn passes(error: &CycleError) -> bool {
    let passes = |kind| matches!(kind, ErrorKind::Connection | ErrorKind::Busy | ErrorKind::EpisodeChanged);
    matches!(error, CycleError::Store(error) if passes(error.kind))
}

/// From one connection to its loss, or to the end. None if it was asked to stop before that.
async fn attempt(
    plan: &BackfillPlan,
    store: &dyn Connector,
    detector: &mut Detector,
    progress: &mut ProgressDisplay,
    stop: &Stop,
    reached: &mut Reached,
) -> Result<Option<SetAsideOutcome>, CycleError> {
    // Until it is connected there is no current batch to wait for.
    let Some(begun) = stop.unless_asked(Backfill::begin(plan, store, detector)).await else {
        return Ok(None);
    };
    let mut backfill = begun?;
    *reached = Reached { begun: true, resumed: backfill.resumed(), progress: backfill.progress() };
    if let (true, Some(through)) = (reached.resumed, reached.progress.through) {
        tracing::info!("all readings up to {through} are done; it goes on from there");
    }
    progress.start(reached.progress.of);
    loop {
        let more = backfill.step(detector).await?;
        reached.progress = backfill.progress();
        let at = reached.progress.through.map_or_else(String::new, |through| format!("up to {through}"));
        progress.set(reached.progress.rows, &at);
        if !more {
            return backfill.finish().await.map(Some);
        }
        if stop.is_asked() {
            return Ok(None);
        }
    }
}

/// The result, in a few lines.
fn summary(plan: &BackfillPlan, done: &Done, took: Duration) -> String {
    let Done { progress, resumed, asides } = done;
    let counts = &progress.counts;
    let replaced = match (plan.replace, resumed) {
        (false, _) => String::new(),
        (true, false) => format!(", {} replaced", count(progress.replaced, "verdict")),
        (true, true) => format!(", {} replaced since it went on", count(progress.replaced, "verdict")),
    };
    let mut text = format!(
        "{} to {}: {} judged, {}{replaced}, in {:.1} s ({:.1} s of it judging)",
        plan.from,
        plan.to,
        count(counts.judged, "reading"),
        report::anomalies(counts.anomalies),
        took.as_secs_f64(),
        progress.judging.as_secs_f64(),
    );
    if let Some(reasons) = report::not_judged(counts) {
        text.push_str(&format!("\nnot judged: {reasons}"));
    }
    if !asides.cleared.is_empty() {
        let names: Vec<_> =
            asides.cleared.iter().take(NAMED).map(|name| format!("`{}`", escaped(name))).collect();
        let more = asides.cleared.len() - names.len();
        let more = if more > 0 { format!(" and {more} more") } else { String::new() };
        text.push_str(&format!("\nno longer set aside: {}{more}", names.join(", ")));
    }
    let all = asides.failed.iter().map(|aside| ("could not be judged", aside));
    let all = all.chain(
        asides.left.iter().map(|aside| ("still set aside, as not all of it lies in this range", aside)),
    );
    let more = (asides.failed.len() + asides.left.len()).saturating_sub(NAMED);
    for (what, (variable, aside)) in all.take(NAMED) {
        let readings = count(aside.readings, "reading");
        let (first, last, why) = (aside.first, aside.last, escaped(&aside.reason));
        let variable = escaped(variable);
        text.push_str(&format!("\n{what}: `{variable}`, {readings} from {first} to {last}: {why}"));
    }
    if more > 0 {
        text.push_str(&format!("\nand {more} more"));
    }
    text
}
