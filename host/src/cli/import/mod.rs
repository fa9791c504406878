//! `host import`: a wide CSV file into the input table.
//!
//! The file is read twice, row by row: first to see how all of it is written and how many cells it
//! has, then to load it. It is loaded in batches, so that the memory is that of one batch. At the
//! end every cell must be accounted for, or the import fails. If a load ends early, the batches
//! before that are stored. The same command then loads the rest, because readings that the table
//! has are left out.

mod accounts;
mod cell;
mod csv_dialect;
mod file_format;
mod file_loader;
mod file_source;
mod header;
mod lines;
mod moment;
mod number;
mod opened_file;
mod records;
mod rejects;
mod repeats;
mod rows;

use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context, anyhow, bail};

pub(super) use file_source::encoding;
pub(super) use moment::{DatetimeFormat, datetime_format};

use self::file_format::look;
use self::file_loader::{FileLoader, FileResult as Done};
use self::file_source::FileSource;
use super::args;
use super::progress::{ProgressDisplay, Unit};
use super::say;
use super::{STOPPING, command_log, wiring};
use crate::config::{Config, LoadedConfig};
use crate::stop::Stop;
use crate::worker::report::count;

/// Loads the file. Fails if it has no reading, or with `--strict` if anything in it is wrong.
pub(super) async fn import(mut loaded: LoadedConfig, asked: &args::Import) -> anyhow::Result<ExitCode> {
    let mut progress = ProgressDisplay::new(Unit::Bytes);
    let _telemetry = command_log::start(&mut loaded, &asked.overrides, Some(&progress))?;
    let stop = Stop::on_signals(STOPPING)?;
    let said = load(&loaded.config, asked, &mut progress, &stop).await;
    progress.finish();
    say::lines(&said.with_context(|| format!("`{}`", asked.file.display()))?);
    Ok(ExitCode::SUCCESS)
}

async fn load(
    config: &Config,
    asked: &args::Import,
    progress: &mut ProgressDisplay,
    stop: &Stop,
) -> anyhow::Result<String> {
    // A pipe may send nothing for hours, and the command can be stopped meanwhile.
    let (path, encoding) = (asked.file.clone(), asked.encoding);
    let opening = tokio::task::spawn_blocking(move || FileSource::open(&path, encoding));
    let source =
        stop.unless_asked(opening).await.ok_or_else(|| anyhow!("stopped; nothing is loaded yet"))???;
    let format = asked.datetime_format.as_ref();
    progress.start(source.length);
    let looked = look(&source, format, asked.decimal, |read| {
        progress.set(read, "looked at");
        if stop.is_asked() { Err(anyhow!("stopped; nothing is loaded yet")) } else { Ok(()) }
    })?;
    tracing::info!("{}", looked.form);
    let mut loading =
        FileLoader { source: &source, format, looked: &looked, batch: config.worker.batch_rows };
    if asked.strict {
        let done = loading.rehearse(stop)?;
        let said: Vec<String> =
            [done.wrong.summary(), done.accounts.repeats()].into_iter().flatten().collect();
        if !said.is_empty() {
            bail!("{}; nothing was loaded", said.join("; "));
        }
    }
    let store = wiring::store(config)?;
    store.warnings().iter().for_each(|warning| tracing::warn!("{warning}"));
    let opened = stop.unless_asked(store.open_importer(asked.create_table)).await;
    let opened = opened.ok_or_else(|| anyhow!("stopped; nothing is loaded yet"))?;
    let mut importer = opened.map_err(|error| anyhow!("{error}"))?;
    if !importer.has_datetime_index() {
        tracing::warn!(
            "no index of `{}` begins with `datetime`: what is there already is looked for in the whole table, once for each \
             {}; make one, or load into a small table",
            config.input.table,
            count(config.worker.batch_rows as u64, "reading")
        );
    }
    progress.start(source.length);
    let done = loading.run(importer.as_mut(), stop, progress).await?;
    importer.close().await.map_err(|error| anyhow!("{error}"))?;
    done.accounts.expect(looked.cells)?;
    match (done.accounts.readings(), done.wrong.summary()) {
        (0, None) => bail!("there is no reading in it: below its header all cells are empty"),
        (0, Some(said)) => bail!("there is no reading in it: {said}"),
        _ => Ok(summary(&done)),
    }
}

fn summary(done: &Done) -> String {
    let accounts = &done.accounts;
    let mut text = format!(
        "{} of {} in {} loaded",
        count(accounts.loaded, "reading"),
        count(done.variables, "variable"),
        count(done.rows, "row")
    );
    if accounts.present > 0 {
        text.push_str(&format!(", {} were there already", accounts.present));
    }
    for said in [accounts.repeats(), done.wrong.summary().map(|wrong| format!("not loaded: {wrong}"))] {
        text.push_str(&said.map_or_else(String::new, |said| format!("\n{said}")));
    }
    if let (Some((first, last)), true) = (accounts.span, accounts.loaded > 0) {
        let next = last.later(Duration::from_secs(1));
        text.push_str(&format!(
            "\nthey are from {first} to {last}; what is too old for `host run` is judged by:\n  \
             host backfill --from \"{first}\" --to \"{next}\""
        ));
    }
    text
}
