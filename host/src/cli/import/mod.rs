//! `host import`: a wide CSV file into the input table.
//!
//! The file is read once, row by row, and stored in batches; the memory it takes is a batch. With `--strict` it is read once more
//! before, and nothing is written unless all of it is right. A load that ends early leaves whole batches behind, and the same
//! command loads the rest, because what the table has is left out.

mod cell;
mod file;
mod rows;
mod wrong;

use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context, anyhow, bail};

pub(super) use cell::datetime_format;
pub(super) use file::encoding;

use self::file::Form;
use self::rows::{Rows, Tally};
use self::wrong::Wrong;
use super::args;
use super::parts;
use super::progress::{Progress, Unit};
use super::say;
use super::stop::Stop;
use crate::config::{Config, Loaded};
use crate::reading::Reading;
use crate::store::{Connector, Importer};
use crate::telemetry;
use crate::worker::report::count;

const AGAIN: &str = "the same command loads the rest";

/// Loads the file; fails if it has no reading, or with `--strict` if anything in it is wrong.
pub(super) async fn import(mut loaded: Loaded, asked: &args::Import) -> anyhow::Result<ExitCode> {
    let log = &mut loaded.config.log;
    log.file = asked.overrides.log_file.as_ref().and(log.file.take());
    let mut progress = Progress::new(Unit::Bytes);
    let _telemetry = telemetry::start_on(log, progress.console()).context("the log cannot be started")?;
    loaded.warnings.iter().for_each(|warning| tracing::warn!("{warning}"));
    let stop = Stop::listen()?;
    let said = load(&loaded.config, asked, &mut progress, &stop).await;
    progress.finish();
    say::lines(&said.with_context(|| format!("`{}`", asked.file.display()))?);
    Ok(ExitCode::SUCCESS)
}

async fn load(
    config: &Config,
    asked: &args::Import,
    progress: &mut Progress,
    stop: &Stop,
) -> anyhow::Result<String> {
    let mut form = Form::of(&asked.file, asked.encoding)?;
    form.decimal = asked.decimal.unwrap_or(form.decimal);
    tracing::info!("{form}");
    let rows = || Rows::open(&asked.file, asked.encoding, form, asked.datetime_format.clone());
    if asked.strict {
        let (mut rows, mut wrong) = (rows()?, Wrong::default());
        while rows.next(&mut wrong)?.is_some() {
            if stop.asked() {
                bail!("stopped; nothing is loaded yet");
            }
        }
        if let Some(said) = wrong.summary() {
            bail!("{said}; nothing was loaded");
        }
    }
    let (mut rows, mut wrong) = (rows()?, Wrong::default());
    let store = parts::store(config)?;
    store.warnings().iter().for_each(|warning| tracing::warn!("{warning}"));
    let opened = stop.unless_asked(store.open_importer(asked.create_table)).await;
    let opened = opened.ok_or_else(|| anyhow!("stopped; nothing is loaded yet"))?;
    let mut importer = opened.map_err(|error| anyhow!("{error}"))?;
    progress.start(rows.length());
    let mut inserted = 0;
    loop {
        let (batch, more) = next_batch(&mut rows, &mut wrong, config.worker.batch_rows)?;
        inserted += store_batch(importer.as_mut(), &batch, stop).await?;
        progress.set(rows.read(), "");
        if !more {
            break;
        }
        if stop.asked() {
            bail!("stopped after {}; {AGAIN}", count(rows.tally().readings, "reading"));
        }
    }
    importer.close().await.map_err(|error| anyhow!("{error}"))?;
    let tally = rows.tally();
    match (tally.readings, wrong.summary()) {
        (0, None) => bail!("there is no reading in it: below its header all cells are empty"),
        (0, Some(said)) => bail!("there is no reading in it: {said}"),
        (_, said) => Ok(summary(tally, inserted, said)),
    }
}

/// The readings of the next rows, about so many, and whether there are more.
fn next_batch(rows: &mut Rows, wrong: &mut Wrong, most: usize) -> anyhow::Result<(Vec<Reading>, bool)> {
    let mut batch = Vec::new();
    while batch.len() < most {
        match rows.next(wrong)? {
            Some(readings) => batch.extend(readings),
            None => return Ok((batch, false)),
        }
    }
    Ok((batch, true))
}

async fn store_batch(importer: &mut dyn Importer, batch: &[Reading], stop: &Stop) -> anyhow::Result<u64> {
    if batch.is_empty() {
        return Ok(0);
    }
    let stored = stop.unless_at_once(importer.insert(batch)).await;
    let stored = stored.ok_or_else(|| anyhow!("stopped at once; {AGAIN}"))?;
    // Its text is whole; the causes below it say the same again.
    stored.map_err(|error| anyhow!("{error}; {AGAIN}"))
}

fn summary(tally: &Tally, inserted: u64, wrong: Option<String>) -> String {
    let mut text = format!(
        "{} of {} in {} loaded",
        count(inserted, "reading"),
        count(tally.variables() as u64, "variable"),
        count(tally.rows, "row")
    );
    let there = tally.readings.saturating_sub(inserted);
    if there > 0 {
        text.push_str(&format!(", {there} were there already"));
    }
    if let Some(wrong) = wrong {
        text.push_str(&format!("\nnot loaded: {wrong}"));
    }
    if let (Some((first, last)), true) = (tally.span, inserted > 0) {
        let next = last.later(Duration::from_secs(1));
        text.push_str(&format!(
            "\nthey are from {first} to {last}; what is too old for `host run` is judged by:\n  \
             host backfill --from \"{first}\" --to \"{next}\""
        ));
    }
    text
}
