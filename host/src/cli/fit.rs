//! `host fit`: trains a model on a table, to compare training here with Prophet's. The counterpart
//! of `host predict`.
//!
//! The rows go through the component that trains in service. The host only knows that the settings
//! are a JSON object.

use std::fs;
use std::io::{ErrorKind, Write};
use std::path::Path;
use std::process::ExitCode;

use anyhow::{Context, anyhow, bail};
use serde_json::{Map, Value, json};

use super::args::Fit;
use super::ds_table::{DsTable, Use};
use super::say::complain;
use super::{detector_files, wiring};
use crate::detector::{Limits, Series, Trainer, TrainingReport, trainer};

/// The variable's name for the trainer, which is not part of the model.
const VARIABLE: &str = "y";

/// Prints or writes the model, its report, or both.
pub(super) async fn fit(asked: &Fit) -> anyhow::Result<ExitCode> {
    let input = asked.input.display();
    let settings = settings(asked)?;
    let series = series(&asked.input).with_context(|| format!("`{input}`"))?;
    let limits = Limits::default();
    let module = detector_files::module(asked.detector.as_deref(), &limits)?;
    let holidays = detector_files::country_holidays(asked.country_holidays.as_deref(), &limits)?;
    let files: Vec<_> = holidays.into_iter().collect();
    let engine = wiring::plain_engine(limits)?;
    let trainer = Trainer::new(&engine, &module).await?;
    let trained =
        trainer.train(&series, &settings, &files, &[]).await.map_err(|why| anyhow!("`{input}` {why}"))?;
    for warning in &trained.report.warnings {
        complain!("warning: `{input}`: {warning}");
    }
    let model = &trained.file.bytes;
    if let Some(path) = &asked.output {
        fs::write(path, model).with_context(|| format!("`{}` cannot be written", path.display()))?;
    }
    let mut printed = match (asked.report, &asked.output) {
        (true, _) => serde_json::to_vec_pretty(&report(&trained.report))?,
        (false, None) => model.clone(),
        (false, Some(_)) => return Ok(ExitCode::SUCCESS),
    };
    printed.push(b'\n');
    let mut out = std::io::stdout().lock();
    match out.write_all(&printed).and_then(|()| out.flush()) {
        // The reader has closed the pipe, and needs no more.
        Err(error) if error.kind() == ErrorKind::BrokenPipe => Ok(ExitCode::SUCCESS),
        Err(error) => Err(error.into()),
        Ok(()) => Ok(ExitCode::SUCCESS),
    }
}

/// The settings, with those of the command line.
fn settings(asked: &Fit) -> anyhow::Result<String> {
    let path = asked.settings.display();
    let bytes = detector_files::small(&asked.settings)?;
    let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(&bytes);
    let mut settings: Map<String, Value> =
        serde_json::from_slice(bytes).with_context(|| format!("`{path}` is not one JSON object"))?;
    if let Some(mode) = asked.mode {
        settings.insert("method".into(), mode.name().into());
    }
    Ok(Value::Object(settings).to_string())
}

fn series(path: &Path) -> anyhow::Result<Series> {
    let file = fs::File::open(path).context("it cannot be read")?;
    let table = DsTable::read(file, Use::Fit { most_rows: trainer::MOST_ROWS })?;
    for name in &table.passed_over {
        complain!("note: `{}`: column `{name}` holds no numbers and is passed over", path.display());
    }
    let (y, columns): (Vec<_>, Vec<_>) = table.columns.into_iter().partition(|(name, _)| name == VARIABLE);
    let Some((_, values)) = y.into_iter().next() else { bail!("it has no column `{VARIABLE}`") };
    Ok(Series { variable: VARIABLE.to_owned(), datetimes: table.ds, values, columns })
}

/// As JSON.
fn report(report: &TrainingReport) -> Value {
    let span = report.last.micros().saturating_sub(report.first.micros());
    json!({
        "rows": report.rows,
        "rows_without_reading": report.rows_without_reading,
        "first": report.first.to_string(),
        "last": report.last.to_string(),
        "span_days": span as f64 / 86_400e6,
        "noise": report.noise,
        "log_density": report.log_density,
        "steps": report.steps,
        "warnings": report.warnings,
        "details": report.details,
    })
}
