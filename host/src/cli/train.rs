//! `host train`: trains models on the readings of the database. A failure or Ctrl+C leaves
//! everything unchanged.

use std::collections::BTreeSet;
use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;

use anyhow::{anyhow, bail};
use comfy_table::CellAlignment;

use super::args;
use super::args::DatetimeRange;
use super::progress::{ProgressDisplay, Unit};
use super::say;
use super::{STOPPING, command_log, wiring};
use crate::config::{LoadedConfig, TrainingSection};
use crate::demo::tables;
use crate::stop::Stop;
use crate::store::Input;
use crate::text::escaped;
use crate::training::collect::unseen;
use crate::training::decide::{Decision, TOLERANCE};
use crate::training::directory::Swapped;
use crate::training::holdout::HoldoutScore;
use crate::training::{LeftOut, Pace, Placed, TrainingPlan, TrainingSession, Variable};
use crate::worker::report::count;

/// Trains, and swaps the set in; fails if no variable could be trained.
pub(super) async fn train(mut loaded: LoadedConfig, asked: &args::Train) -> anyhow::Result<ExitCode> {
    let mut progress = ProgressDisplay::new(Unit::Readings);
    let _telemetry = command_log::start(&mut loaded, &asked.overrides, Some(&progress))?;
    let config = &loaded.config;
    let section = section(&config.training, asked);
    let settings = wiring::training_settings(&section, config.detector.module.is_none())?;
    let out = asked.out.as_deref().unwrap_or(&config.detector.models);
    if asked.out.is_some() && std::fs::read_dir(out).is_ok_and(|mut entries| entries.next().is_some()) {
        bail!("`{}` is not empty; name a new or empty directory with --out", out.display());
    }
    let stop = Stop::on_signals(STOPPING)?;
    let store = wiring::store(config)?;
    store.warnings().iter().for_each(|warning| tracing::warn!("{warning}"));
    let working = async {
        let mut input = store.look_at_input().await?;
        input.layout().await?;
        let plan = plan(&loaded, &section, asked, input.as_mut()).await?;
        let engine = wiring::engine(&loaded.config)?;
        let source = wiring::source(&loaded.config);
        let mut session = TrainingSession::begin(&engine, &source, &plan, &settings, out).await?;
        progress.start(input.count_range(plan.from, plan.to).await.unwrap_or(0));
        let leave_out =
            LeftOut::prepare(section.leave_out_anomalies, store.as_ref(), plan.from, plan.to).await?;
        let through =
            session.train(input.as_mut(), leave_out, &Pace::FULL, |rows| progress.set(rows, "")).await;
        progress.finish();
        let through = through?;
        let placed = session.finish(&source).await?;
        anyhow::Ok((plan, through, placed))
    };
    let done = stop.unless_asked(working).await;
    let (plan, through, placed) = done.ok_or_else(|| anyhow!("stopped; nothing is changed"))??;
    let seen: BTreeSet<_> = through.iter().map(|variable| Arc::clone(&variable.name)).collect();
    for name in unseen(plan.variables.as_ref(), &seen) {
        tracing::warn!("no reading of `{name}` from {} to {}", plan.from, plan.to);
    }
    if through.is_empty() {
        bail!("there is no reading from {} to {}", plan.from, plan.to);
    }
    say::lines(&summary(&plan, &through, placed.as_ref(), out));
    let trained = through.iter().any(|variable| variable.report.is_some());
    if trained { Ok(ExitCode::SUCCESS) } else { bail!("no variable could be trained") }
}

/// The configuration, overridden by the command line.
fn section(section: &TrainingSection, asked: &args::Train) -> TrainingSection {
    let mut section = section.clone();
    section.history = asked.history.unwrap_or(section.history);
    section.holdout = asked.holdout.unwrap_or(section.holdout);
    section.mode = asked.mode.or(section.mode);
    section.settings = asked.settings.clone().or(section.settings);
    section.leave_out_anomalies = asked.leave_out_anomalies.unwrap_or(section.leave_out_anomalies);
    section
}

async fn plan(
    loaded: &LoadedConfig,
    section: &TrainingSection,
    asked: &args::Train,
    input: &mut dyn Input,
) -> anyhow::Result<TrainingPlan> {
    let now = input.now().await?;
    let to = asked.to.unwrap_or(now);
    let from = asked.from.unwrap_or_else(|| to.earlier(section.history));
    DatetimeRange { from, to }.expect()?;
    let names = asked.variables.iter().map(|name| Arc::from(name.trim()));
    let variables = (!asked.variables.is_empty()).then(|| names.collect());
    let plan = wiring::training_plan(&loaded.config.worker, section);
    Ok(TrainingPlan { from, to, now, variables, ..plan })
}

/// One row for each variable, what needs attention, and where the models are.
fn summary(plan: &TrainingPlan, through: &[Variable], placed: Option<&Placed>, out: &Path) -> String {
    let mut table =
        tables::plain(["variable", "rows", "days", "error", "within", "in use", "within", "decided"]);
    for variable in through {
        let days = variable.report.as_ref().map_or_else(String::new, |report| {
            let span = report.last.micros().saturating_sub(report.first.micros());
            format!("{:.1}", span as f64 / 86_400e6)
        });
        let [error, within] = figures(variable.new);
        let [old_error, old_within] = figures(variable.old);
        let decided = match &variable.decision {
            Decision::New => "new".to_owned(),
            Decision::Replaced => "replaced".to_owned(),
            Decision::Better => "kept".to_owned(),
            Decision::Untrained(_) => "not trained".to_owned(),
        };
        let name = escaped(&variable.name);
        table.add_row([name, variable.rows.to_string(), days, error, within, old_error, old_within, decided]);
    }
    for column in table.column_iter_mut().skip(1).take(6) {
        column.set_cell_alignment(CellAlignment::Right);
    }
    let mut text = tables::printed(table);
    for variable in through {
        let name = escaped(&variable.name);
        if let Decision::Untrained(why) = &variable.decision {
            text.push_str(&format!("\n`{name}` {}; the model in use, if there is one, stays", escaped(why)));
        }
        let warnings = variable.report.iter().flat_map(|report| &report.warnings);
        for warning in warnings {
            text.push_str(&format!("\n`{name}`: {}", escaped(warning)));
        }
    }
    if through.iter().any(|variable| variable.decision == Decision::Better) {
        text.push_str(&format!(
            "\nkept: the new model's error is more than {TOLERANCE} times that of the one in use"
        ));
    }
    let out = out.display();
    text.push_str(&match placed {
        None => "\nno model is new, and nothing is written".to_owned(),
        Some(Placed { models, swapped, .. }) => {
            let how = match swapped {
                Swapped::AtOnce => "in one move",
                Swapped::OneByOne => "file by file",
            };
            format!(
                "\n{}, trained on {} to {}, now in `{out}`, swapped in {how}",
                count(*models as u64, "model"),
                plan.from,
                plan.to
            )
        }
    });
    text
}

fn figures(score: Option<HoldoutScore>) -> [String; 2] {
    match score {
        Some(score) => [format!("{:.4}", score.error), format!("{:.1} %", 100.0 * score.within)],
        None => ["-".to_owned(), "-".to_owned()],
    }
}
