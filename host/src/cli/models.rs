//! `host models`: shows the models in use and earlier ones, and puts one back.

use std::collections::BTreeMap;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{anyhow, bail};
use comfy_table::CellAlignment;

use super::args::ModelsCommand;
use super::say::{self, say};
use super::{configuration, wiring};
use crate::config::Config;
use crate::demo::tables;
use crate::text::escaped;
use crate::training::holdout::HoldoutScore;
use crate::training::record::{ModelRecord, SetRecord};
use crate::training::rollback::{self, OfSet};
use crate::training::{Placed, generations};
use crate::worker::report::count;

/// Runs one of the commands.
pub(super) async fn models(asked: &ModelsCommand) -> anyhow::Result<ExitCode> {
    match asked {
        ModelsCommand::List(overrides) => list(&configuration(overrides)?.config).await?,
        ModelsCommand::Show { variable, overrides } => {
            show(&configuration(overrides)?.config, variable).await?;
        }
        ModelsCommand::Compare { variable, holdout, overrides } => {
            let config = configuration(overrides)?.config;
            let holdout = holdout.unwrap_or(config.training.holdout);
            compare(&config, variable, holdout).await?;
        }
        ModelsCommand::Rollback { variable, to, overrides } => {
            roll_back(&configuration(overrides)?.config, variable, *to).await?;
        }
    }
    Ok(ExitCode::SUCCESS)
}

/// Each variable's model file of the set in use, with the reason if the file is not used.
async fn in_use(config: &Config) -> anyhow::Result<BTreeMap<Arc<str>, (String, Option<String>)>> {
    let detector = wiring::detector(config).await?;
    let models = detector.summary().models.iter();
    Ok(models
        .map(|model| (Arc::clone(&model.variable), (model.path.clone(), model.refused.clone())))
        .collect())
}

async fn list(config: &Config) -> anyhow::Result<()> {
    let (models, directory) = (in_use(config).await?, &config.detector.models);
    let record = SetRecord::read(directory).unwrap_or_default();
    let mut table =
        tables::plain(["variable", "trained", "rows", "from", "to", "error", "within", "in use since"]);
    for (variable, (path, _)) in &models {
        let known = record.models.get(&**variable);
        let known = known.filter(|known| known.path == *path && known.holds(directory));
        let mut row = vec![escaped(variable)];
        row.extend(figures(known));
        table.add_row(row);
    }
    for column in [2, 5, 6] {
        if let Some(column) = table.column_mut(column) {
            column.set_cell_alignment(CellAlignment::Right);
        }
    }
    say::lines(&tables::printed(table));
    for (variable, (_, refused)) in &models {
        if let Some(why) = refused {
            say!("`{}` is not used: {}", escaped(variable), escaped(why));
        }
    }
    let kept: Vec<_> = generations::before(directory).iter().map(|kept| kept.number.to_string()).collect();
    let kept = if kept.is_empty() { "none".to_owned() } else { kept.join(", ") };
    say!(
        "{} in `{}`, generation {}; kept: {kept}",
        count(models.len() as u64, "model"),
        directory.display(),
        generations::in_use(directory)
    );
    Ok(())
}

/// Trained, rows, from, to, error, within, in use since.
fn figures(known: Option<&ModelRecord>) -> [String; 7] {
    let Some(known) = known else { return std::array::from_fn(|_| "-".to_owned()) };
    let [error, within] = errors(known.error, known.within);
    [
        known.trained.to_string(),
        known.rows.to_string(),
        known.first.to_string(),
        known.last.to_string(),
        error,
        within,
        known.since.to_string(),
    ]
}

fn errors(error: Option<f64>, within: Option<f64>) -> [String; 2] {
    let none = || "-".to_owned();
    [
        error.map_or_else(none, |error| format!("{error:.4}")),
        within.map_or_else(none, |within| format!("{:.1} %", 100.0 * within)),
    ]
}

/// The models of the variable; fails if there are none.
async fn sets(config: &Config, variable: &str) -> anyhow::Result<Vec<OfSet>> {
    let models = in_use(config).await?;
    let path = models.get(variable).map(|(path, _)| path.as_str());
    let sets = rollback::models_of(&config.detector.models, variable, path);
    if sets.is_empty() {
        bail!(
            "there is no model of `{}` in `{}`, nor in the earlier sets; `host models list` shows the variables that have one",
            escaped(variable),
            config.detector.models.display()
        );
    }
    Ok(sets)
}

async fn show(config: &Config, variable: &str) -> anyhow::Result<()> {
    for set in sets(config, variable).await? {
        let used = if set.in_use { " (in use)" } else { "" };
        say!("generation {}{used}", set.generation);
        say!("  file      {}", escaped(&set.file.0));
        let Some(known) = &set.record else {
            say!("  trained   elsewhere, or changed since");
            continue;
        };
        let [error, within] = errors(known.error, known.within);
        say!(
            "  trained   {} on {} of {} to {}",
            known.trained,
            count(known.rows, "row"),
            known.first,
            known.last
        );
        say!("  error     {error}, {within} within its interval");
        say!("  in use    since {}", known.since);
        for warning in &known.warnings {
            say!("  warning   {}", escaped(warning));
        }
    }
    Ok(())
}

async fn compare(config: &Config, variable: &str, holdout: Duration) -> anyhow::Result<()> {
    let sets = sets(config, variable).await?;
    let mut input = wiring::store(config)?.look_at_input().await?;
    let now = input.now().await?;
    let from = now.earlier(holdout);
    let range = (from, now, config.worker.batch_rows);
    let name = Arc::from(variable);
    let (engine, source) = (wiring::engine(config)?, wiring::source(config));
    let scores = rollback::measure(&engine, &source, &name, &sets, input.as_mut(), range).await?;
    let mut table = tables::plain(["generation", "trained", "error then", "within", "error now", "within"]);
    let mut readings = 0;
    for (set, score) in sets.iter().zip(scores) {
        let known = set.record.as_ref();
        let [then, then_within] =
            errors(known.and_then(|known| known.error), known.and_then(|known| known.within));
        let [error, within] = errors(
            score.map(|HoldoutScore { error, .. }| error),
            score.map(|HoldoutScore { within, .. }| within),
        );
        readings = readings.max(score.map_or(0, |score| score.readings));
        let used = if set.in_use { " (in use)" } else { "" };
        let trained = known.map_or_else(|| "-".to_owned(), |known| known.trained.to_string());
        table.add_row([format!("{}{used}", set.generation), trained, then, then_within, error, within]);
    }
    for column in table.column_iter_mut().skip(2) {
        column.set_cell_alignment(CellAlignment::Right);
    }
    say::lines(&tables::printed(table));
    say!("now: on {} from {from} to {now}", count(readings as u64, "reading"));
    Ok(())
}

async fn roll_back(config: &Config, variable: &str, to: Option<u64>) -> anyhow::Result<()> {
    let now = wiring::store(config)?.look_at_input().await?.now().await?;
    let (engine, source) = (wiring::engine(config)?, wiring::source(config));
    let keep = config.training.keep;
    let done = rollback::roll_back(&engine, &source, &Arc::from(variable), to, (now, keep)).await;
    let (chosen, Placed { generation, .. }) = done.map_err(|error| anyhow!("{error}"))?;
    say!(
        "`{}` has the model of generation {} again; the set is generation {generation}",
        escaped(variable),
        chosen.generation
    );
    Ok(())
}
