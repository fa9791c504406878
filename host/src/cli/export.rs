//! `host export`: the verdicts of a range as CSV.
//!
//! Read page by page and written as they come, so that a year takes no more memory than a day. A
//! file is written beside its name and renamed when it is whole. Why a reading is an anomaly is in
//! the table of episodes: what is written is the cause of the episode that it belongs to.

use std::collections::{HashMap, HashSet};
use std::fs::{self, File};
use std::io::{self, BufWriter, ErrorKind, IsTerminal, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, anyhow};

use super::args;
use super::say::{complain, say};
use super::wiring;
use crate::config::LoadedConfig;
use crate::datetime::Datetime;
use crate::episode::{EpisodeKind, EpisodeRange, StoredEpisode};
use crate::shard::Shard;
use crate::store::{Output, StoredVerdict};
use crate::text::escaped;
use crate::worker::report::count;

/// Verdicts of one read.
const PAGE: usize = 10_000;

/// Episodes of one variable in the time of a page.
const EPISODES: usize = 10_000;

/// The columns of the output table, less its key, and the cause.
const COLUMNS: [&str; 15] = [
    "ds",
    "y",
    "yhat",
    "yhat_lower",
    "yhat_upper",
    "residual",
    "outside_interval",
    "high_residual",
    "is_anomaly",
    "anomaly_score",
    "variable",
    "prediction_error_pct",
    "source_file",
    "processed_at",
    "cause",
];

/// The requested verdicts, and the share of the variables.
type ExportRequest<'a> = (&'a args::Export, Option<Shard>);

/// How a text of the database's is written: as it is to a file or a pipe, escaped to a terminal.
type TextStyle = fn(&str) -> String;

/// Writes the verdicts of the range.
pub(super) async fn export(loaded: &LoadedConfig, asked: &args::Export) -> anyhow::Result<ExitCode> {
    let store = wiring::store(&loaded.config)?;
    for warning in loaded.warnings.iter().chain(&store.warnings()) {
        complain!("warning: {warning}");
    }
    let shard = loaded.config.worker.shard;
    let output = store.look_at_output().await.map_err(|error| anyhow!("{error}"))?;
    let mut output = output.ok_or_else(|| {
        anyhow!(
            "there is no `{}`, where verdicts would be; check the path in the configuration",
            store.output_place()
        )
    })?;
    let shown: TextStyle = if io::stdout().is_terminal() { escaped } else { str::to_owned };
    let written = match &asked.output {
        None => match write(output.as_mut(), (asked, shard), io::stdout().lock(), shown).await {
            // The reader has closed the pipe, and needs no more.
            Err(error) if is_broken_pipe(&error) => return Ok(ExitCode::SUCCESS),
            written => written?,
        },
        Some(file) => to_file(output.as_mut(), (asked, shard), file).await?,
    };
    if let Some(file) = &asked.output {
        say!("{} written to `{}`", count(written, "verdict"), file.display());
    }
    Ok(ExitCode::SUCCESS)
}

/// Writes the complete file, or none.
async fn to_file(output: &mut dyn Output, asked: ExportRequest<'_>, file: &Path) -> anyhow::Result<u64> {
    let mut beside = file.as_os_str().to_owned();
    beside.push(".part");
    let beside = PathBuf::from(beside);
    let told = || format!("`{}` cannot be written", file.display());
    let written = write(output, asked, File::create(&beside).with_context(told)?, str::to_owned).await;
    let done = written.and_then(|written| {
        fs::rename(&beside, file).with_context(told)?;
        Ok(written)
    });
    if done.is_err() {
        // The rest of the file is of no use, and the error matters more than that it cannot be
        // deleted.
        let _ = fs::remove_file(&beside);
    }
    done
}

async fn write(
    output: &mut dyn Output,
    (asked, shard): ExportRequest<'_>,
    out: impl Write,
    shown: TextStyle,
) -> anyhow::Result<u64> {
    let variables: HashSet<&str> = asked.variables.iter().map(|name| name.trim()).collect();
    let mut csv = csv::Writer::from_writer(BufWriter::new(out));
    csv.write_record(COLUMNS)?;
    let (mut from, to) = (asked.range.from, asked.range.to);
    let (mut limit, mut written) = (PAGE, 0);
    loop {
        let page = output.read_verdicts(from, to, asked.anomalies, limit).await;
        let page = page.map_err(|error| anyhow!("{error}"))?;
        let last = page.verdicts.last().map(|verdict| verdict.ds).filter(|_| page.full);
        if last == page.verdicts.first().map(|verdict| verdict.ds) && last.is_some() {
            // A page of one datetime, which may not be complete.
            limit = limit.saturating_mul(2);
            continue;
        }
        limit = PAGE;
        // The last datetime of a full page is read again.
        let whole = page.verdicts.iter().filter(|verdict| last.is_none_or(|last| verdict.ds < last));
        let asked_for = |name: &str| {
            (variables.is_empty() || variables.contains(name)) && shard.is_none_or(|shard| shard.holds(name))
        };
        let whole: Vec<&StoredVerdict> = whole.filter(|row| asked_for(&row.variable)).collect();
        let causes = causes(output, &whole).await?;
        for verdict in whole {
            csv.write_record(record(verdict, cause(&causes, verdict), shown))?;
            written += 1;
        }
        match last {
            Some(last) => from = last,
            None => break,
        }
    }
    csv.flush()?;
    Ok(written)
}

/// The episodes of the variables that have anomalies among these, in ascending order of ds: of each
/// the ones of that time.
async fn causes(
    output: &mut dyn Output,
    verdicts: &[&StoredVerdict],
) -> anyhow::Result<HashMap<Arc<str>, Vec<StoredEpisode>>> {
    let mut causes = HashMap::new();
    let (Some(first), Some(last)) = (verdicts.first(), verdicts.last()) else { return Ok(causes) };
    let (from, to) = (first.ds, last.ds.later(Duration::from_secs(1)));
    for verdict in verdicts.iter().filter(|verdict| verdict.is_anomaly == Some(true)) {
        if causes.contains_key(&verdict.variable) {
            continue;
        }
        let variable = Some(Arc::clone(&verdict.variable));
        let found = output.episodes(&EpisodeRange { variable, from, to, limit: EPISODES }).await;
        let mut found = found.map_err(|error| anyhow!("{error}"))?;
        found.retain(|row| row.episode.kind == EpisodeKind::Anomaly);
        causes.insert(Arc::clone(&verdict.variable), found);
    }
    Ok(causes)
}

/// The cause of the episode that an anomaly belongs to. None: it belongs to none, or there is no
/// cause.
fn cause<'a>(causes: &'a HashMap<Arc<str>, Vec<StoredEpisode>>, verdict: &StoredVerdict) -> Option<&'a str> {
    let holds = |begin: Datetime, end: Datetime| (begin..=end).contains(&verdict.ds);
    let of = causes.get(&verdict.variable).filter(|_| verdict.is_anomaly == Some(true))?;
    let row = of.iter().find(|row| holds(row.episode.begin, row.episode.end))?;
    row.episode.cause.as_deref()
}

/// Numbers in the fewest digits that are read as the same number.
fn record(verdict: &StoredVerdict, cause: Option<&str>, shown: TextStyle) -> [String; COLUMNS.len()] {
    let number = |number: Option<f64>| number.map_or_else(String::new, |number| number.to_string());
    let flag = |flag: Option<bool>| flag.map_or_else(String::new, |flag| u8::from(flag).to_string());
    [
        verdict.ds.to_string(),
        number(verdict.y),
        number(verdict.yhat),
        number(verdict.yhat_lower),
        number(verdict.yhat_upper),
        number(verdict.residual),
        flag(verdict.outside_interval),
        flag(verdict.high_residual),
        flag(verdict.is_anomaly),
        number(verdict.anomaly_score),
        shown(&verdict.variable),
        number(verdict.prediction_error_pct),
        shown(verdict.source_file.as_deref().unwrap_or_default()),
        verdict.processed_at.map_or_else(String::new, |at| at.to_string()),
        shown(cause.unwrap_or_default()),
    ]
}

fn is_broken_pipe(error: &anyhow::Error) -> bool {
    let io = error.chain().find_map(|cause| match cause.downcast_ref::<csv::Error>().map(csv::Error::kind) {
        Some(csv::ErrorKind::Io(error)) => Some(error.kind()),
        _ => cause.downcast_ref::<io::Error>().map(io::Error::kind),
    });
    io == Some(ErrorKind::BrokenPipe)
}
