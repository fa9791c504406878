//! `host backtest`: compares what a set would have flagged in the past with the stored verdicts.
//!
//! The database is only read. A set that is trained for a backtest is in a temporary directory.

use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, anyhow};
use comfy_table::CellAlignment;

use super::args::BacktestArgs;
use super::progress::{ProgressDisplay, Unit};
use super::say;
use super::{STOPPING, command_log, detector_files, wiring};
use crate::config::{LoadedConfig, TrainingSection};
use crate::demo::tables;
use crate::detector::{Detector, Engine};
use crate::regular;
use crate::reload::SetSource;
use crate::stop::Stop;
use crate::store::{Input, VerdictReader};
use crate::text::escaped;
use crate::training::backtest::{self, BacktestPlan, Backtested, Both, KnownEvent, Tally};
use crate::training::leave_out::judged;
use crate::training::{LeftOut, Pace, TrainingPlan, TrainingSession};
use crate::worker::report::count;

/// The most variables in the table: those that are flagged most often.
const WORST: usize = 20;

const WEEK: f64 = 7.0 * 86_400.0;

/// Prints the comparison.
pub(super) async fn backtest(mut loaded: LoadedConfig, asked: &BacktestArgs) -> anyhow::Result<ExitCode> {
    let mut progress = ProgressDisplay::new(Unit::Readings);
    let _telemetry = command_log::start(&mut loaded, &asked.overrides, Some(&progress))?;
    let events = match &asked.events {
        Some(path) => {
            let name = path.display();
            let bytes = detector_files::small(path)?;
            backtest::read_events(&bytes).map_err(|why| anyhow!("`{name}`: {why}"))?
        }
        None => Vec::new(),
    };
    let plan = BacktestPlan {
        from: asked.range.from,
        to: asked.range.to,
        variables: asked.variables.iter().map(|name| Arc::from(name.trim())).collect(),
        shard: loaded.config.worker.shard,
        batch_rows: loaded.config.worker.batch_rows,
        rules: loaded.config.variables.rules(),
    };
    let stop = Stop::on_signals(STOPPING)?;
    let working = work(&loaded, asked, &plan, events, &mut progress);
    let done = stop.unless_asked(working).await;
    progress.finish();
    let done = done.ok_or_else(|| anyhow!("stopped"))??;
    say::lines(&summary(&plan, &done));
    Ok(ExitCode::SUCCESS)
}

async fn work(
    loaded: &LoadedConfig,
    asked: &BacktestArgs,
    plan: &BacktestPlan,
    events: Vec<KnownEvent>,
    progress: &mut ProgressDisplay,
) -> anyhow::Result<Backtested> {
    let config = &loaded.config;
    let store = wiring::store(config)?;
    store.warnings().iter().for_each(|warning| tracing::warn!("{warning}"));
    let mut input = store.look_at_input().await?;
    input.layout().await?;
    let mut output = judged(store.as_ref()).await?;
    let engine = wiring::engine(config)?;
    let mut source = wiring::source(config);
    if let Some(path) = &asked.settings {
        let name = path.display();
        source.settings =
            regular::read_small_text(path).with_context(|| format!("`{name}` cannot be read"))?;
    }
    let made = tempfile::tempdir().context("no temporary directory can be made for the set")?;
    if let Some(path) = &asked.train_settings {
        let section = TrainingSection { settings: Some(path.clone()), ..config.training.clone() };
        source = trained(loaded, &section, plan, &engine, &source, made.path(), input.as_mut()).await?;
    }
    let set = source.read_at_start(&engine).await?;
    let mut detector = Detector::open(&engine, Arc::new(set), None).await?;
    progress.start(input.count_range(plan.from, plan.to).await.unwrap_or(0));
    let output = output.as_deref_mut().map(|output| output as &mut dyn VerdictReader);
    let rows = |rows| progress.set(rows, "");
    Ok(backtest::run(plan, events, &mut detector, input.as_mut(), output, rows).await?)
}

/// Trains a set on the readings before the range.
async fn trained(
    loaded: &LoadedConfig,
    section: &TrainingSection,
    plan: &BacktestPlan,
    engine: &Engine,
    source: &SetSource,
    place: &std::path::Path,
    input: &mut dyn Input,
) -> anyhow::Result<SetSource> {
    let config = &loaded.config;
    let (before, out) = (place.join("before"), place.join("models"));
    std::fs::create_dir(&before)?;
    let settings = wiring::training_settings(section, config.detector.module.is_none())?;
    let training = TrainingPlan {
        from: plan.from.earlier(section.history),
        to: plan.from,
        now: plan.from,
        variables: (!plan.variables.is_empty()).then(|| plan.variables.iter().cloned().collect()),
        ..wiring::training_plan(&config.worker, section)
    };
    let alone = SetSource { models: before, ..source.clone() };
    let mut session = TrainingSession::begin(engine, &alone, &training, &settings, &out).await?;
    session.train(input, LeftOut::Nothing, &Pace::FULL, |_| {}).await?;
    session.finish(&alone).await?.ok_or_else(|| {
        anyhow!("no model can be trained on the readings from {} to {}", training.from, training.to)
    })?;
    Ok(SetSource { models: out, ..source.clone() })
}

fn summary(plan: &BacktestPlan, done: &Backtested) -> String {
    let weeks = plan.to.since(plan.from).as_secs_f64() / WEEK;
    let mut worst: Vec<_> = done.variables.iter().collect();
    let share =
        |tally: &Tally| if tally.judged == 0 { 0.0 } else { tally.flagged as f64 / tally.judged as f64 };
    worst.sort_by(|(_, a), (_, b)| share(&b.would).total_cmp(&share(&a.would)));
    let mut table = tables::plain([
        "variable",
        "readings",
        "flagged",
        "stored",
        "episodes/week",
        "stored",
        "differ",
        "unjudged",
    ]);
    let row = |name: String, both: &Both| {
        let percent = |tally: &Tally| match tally.judged {
            0 => "-".to_owned(),
            _ => format!("{:.2} %", 100.0 * share(tally)),
        };
        let weekly = |tally: &Tally| match tally.judged {
            0 => "-".to_owned(),
            _ => format!("{:.2}", tally.episodes as f64 / weeks),
        };
        [
            name,
            (both.would.judged + both.unjudged).to_string(),
            percent(&both.would),
            percent(&both.stored),
            weekly(&both.would),
            weekly(&both.stored),
            both.differ.to_string(),
            both.unjudged.to_string(),
        ]
    };
    for (name, both) in worst.iter().take(WORST) {
        table.add_row(row(escaped(name), both));
    }
    let all = done.variables.values().fold(Both::default(), |all, one| all.and(one));
    table.add_row(row("all variables".to_owned(), &all));
    for column in table.column_iter_mut().skip(1) {
        column.set_cell_alignment(CellAlignment::Right);
    }
    let mut text = tables::printed(table);
    let more = worst.len().saturating_sub(WORST);
    if more > 0 {
        text.push_str(&format!("\nand {} more, each with fewer flagged", count(more as u64, "variable")));
    }
    if !done.events.is_empty() {
        text.push_str(&events(done));
    }
    if let Some((batches, why)) = &done.failed {
        text.push_str(&format!("\nbatches that could not be judged: {batches}; the first: {}", escaped(why)));
    }
    text.push_str(&format!(
        "\n{} to {}, after a lookback of {}; nothing was written",
        plan.from,
        plan.to,
        humantime::format_duration(done.shown)
    ));
    text
}

fn events(done: &Backtested) -> String {
    let mut table = tables::plain(["event of", "from", "to", "found after", "stored"]);
    let after = |time: Option<Duration>| match time {
        Some(time) => humantime::format_duration(Duration::from_secs(time.as_secs())).to_string(),
        None => "missed".to_owned(),
    };
    for found in &done.events {
        let event = &found.event;
        table.add_row([
            escaped(&event.variable),
            event.from.to_string(),
            event.to.to_string(),
            after(found.would_after()),
            after(found.stored_after()),
        ]);
    }
    let hits = done.events.iter().filter(|found| found.would_after().is_some()).count();
    let stored = done.events.iter().filter(|found| found.stored_after().is_some()).count();
    format!(
        "\n\n{}\n{hits} of {} found; {stored} by the verdicts that are stored\n",
        tables::printed(table),
        count(done.events.len() as u64, "event")
    )
}
