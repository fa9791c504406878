//! `host predict`: what a model expects, for a table of timestamps; the quickest way to compare a
//! model here with the same in Prophet.
//!
//! The model goes through the very component that judges in service, opened for this one file. A
//! batch has each instant once and a table may not: rows of one `ds` are asked about in batches of
//! their own, the first ones, then the second ones. The intervals of `batch` depend on the number
//! of rows before a row, as in Prophet; there all rows are in every batch, those of one `ds` a
//! microsecond apart with the one that is asked about in its place. They can only miscount a row
//! where `ds` differ by microseconds.

mod rounds;

use std::collections::BTreeMap;
use std::fs;
use std::io::{BufWriter, ErrorKind, Write};
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, anyhow, bail};
use serde_json::{Map, Value};

use self::rounds::BatchRow;
use super::args::{Predict, TrendUncertaintyArg};
use super::ds_table::{DsTable, Use};
use super::say::complain;
use super::{detector_files, wiring};
use crate::batch::{Batch, Column, Outcome, Verdicts};
use crate::detector::{Detector, Limits, Set};

/// The model's file is given to the detector under this name, whatever the user calls it, so that
/// it is the model of `y`: the one name that none of the table's columns can need.
const MODEL: &str = "prophet_model_y.json";

/// A person waits for this, and can end it: the deadlines of a service are not needed.
const DEADLINE: Duration = Duration::from_secs(600);

/// Lines in one sentence.
const NAMED: usize = 10;

/// The expectation for a row, or why there is none.
type Prediction = Result<[f64; 3], String>;

/// Prints a CSV; fails if not a single row could be predicted.
pub(super) async fn predict(asked: &Predict) -> anyhow::Result<ExitCode> {
    let input = asked.input.display();
    let file = fs::File::open(&asked.input).with_context(|| format!("`{input}` cannot be read"))?;
    let table = DsTable::read(file, Use::Predict).with_context(|| format!("`{input}`"))?;
    for name in &table.passed_over {
        complain!("note: `{input}`: column `{name}` holds no numbers and is passed over");
    }
    let mut detector = open(asked).await?;
    let by_number = matches!(asked.trend_uncertainty, Some(TrendUncertaintyArg::Batch));
    let rows = rows(&mut detector, &table, by_number)
        .await
        .with_context(|| format!("`{}`", asked.model.display()))?;
    for (why, lines) in reasons(&table, &rows) {
        complain!("note: `{input}`: {lines}: {why}");
    }
    match print(&table, &rows) {
        // The reader has closed the pipe, and needs no more.
        Err(error) if error.kind() == ErrorKind::BrokenPipe => Ok(ExitCode::SUCCESS),
        Err(error) => Err(error.into()),
        Ok(()) if rows.iter().all(Result::is_err) => bail!("`{input}`: no row can be predicted"),
        Ok(()) => Ok(ExitCode::SUCCESS),
    }
}

/// Opens a detector that has this model and no other.
async fn open(asked: &Predict) -> anyhow::Result<Detector> {
    let limits = Limits { deadline: DEADLINE, ..Limits::default() };
    let module = detector_files::module(asked.detector.as_deref(), &limits)?;
    let mut files = vec![detector_files::model(MODEL, &asked.model, &limits)?];
    files.extend(detector_files::country_holidays(asked.country_holidays.as_deref(), &limits)?);
    // The expectation of the model alone, whatever was read before.
    let mut settings = Map::from_iter([("rule".to_owned(), Value::from("interval"))]);
    if let Some(width) = asked.interval_width {
        settings.insert("interval_width".into(), width.into());
    }
    if let Some(trend) = asked.trend_uncertainty {
        settings.insert("trend_uncertainty".into(), trend.name().into());
    }
    let model = asked.model.display().to_string();
    let set = Set::new(module, files, model.clone(), Value::Object(settings).to_string());
    let engine = wiring::plain_engine(limits)?;
    Detector::open(&engine, Arc::new(set), None).await.with_context(|| format!("`{model}`"))
}

/// The detector's answer for each row of the table. `by_number`: it depends on how many rows there
/// are before it.
async fn rows(detector: &mut Detector, table: &DsTable, by_number: bool) -> anyhow::Result<Vec<Prediction>> {
    let variable = match detector.summary().models.iter().find(|model| model.path == MODEL) {
        Some(model) => match &model.refused {
            None => Arc::clone(&model.variable),
            Some(why) => bail!("{why}"),
        },
        None => bail!("the detector makes no model of it"),
    };
    let mut rows: Vec<Prediction> = vec![Err(String::new()); table.ds.len()];
    for round in rounds::of(&table.ds, by_number) {
        for (said, asked) in ask(detector, table, &variable, &round).await?.into_iter().zip(&round) {
            if asked.wanted {
                rows[asked.row] = said;
            }
        }
    }
    Ok(rows)
}

/// Asks about the rows of a round.
async fn ask(
    detector: &mut Detector,
    table: &DsTable,
    variable: &Arc<str>,
    asked: &[BatchRow],
) -> anyhow::Result<Vec<Prediction>> {
    let mut batch = Batch {
        datetimes: asked.iter().map(|asked| asked.at).collect(),
        columns: vec![Column { variable: Arc::clone(variable), values: vec![f64::NAN; asked.len()] }],
    };
    for (name, values) in table.columns.iter().filter(|(name, _)| **name != **variable) {
        let values = asked.iter().map(|asked| values[asked.row]).collect();
        batch.columns.push(Column { variable: name.as_str().into(), values });
    }
    let said = judge(detector, &batch).await?;
    let numbers = |at: usize| [said.expected[at], said.lower[at], said.upper[at]];
    let missing = |at: &usize| !numbers(*at).iter().all(|number| number.is_finite());
    let missing: Vec<usize> = (0..asked.len()).filter(missing).collect();
    let mut rows: Vec<Prediction> = (0..asked.len()).map(|at| Ok(numbers(at))).collect();
    if missing.is_empty() {
        return Ok(rows);
    }
    // A detector gives a reason only for a reading, so these cells get a value.
    for &at in &missing {
        batch.columns[0].values[at] = 0.0;
        rows[at] = Err("the detector gives neither an expectation there nor a reason".into());
    }
    for withheld in judge(detector, &batch).await?.withheld {
        for at in withheld.rows.iter().filter(|at| missing.binary_search(at).is_ok()) {
            rows[*at] = Err(withheld.reason.clone());
        }
    }
    Ok(rows)
}

async fn judge(detector: &mut Detector, batch: &Batch) -> anyhow::Result<Verdicts> {
    let judged = detector.judge(Arc::new(batch.clone())).await?;
    // The detector's state must not change here.
    detector.discard();
    match judged.outcomes.into_iter().next() {
        Some(Outcome::Judged(verdicts)) => Ok(verdicts),
        Some(Outcome::Failed(why)) => Err(anyhow!(why)),
        Some(Outcome::NoModel) | None => Err(anyhow!("the detector does not use its model")),
    }
}

/// Why rows cannot be predicted, with their lines in the file.
fn reasons<'a>(table: &DsTable, rows: &'a [Prediction]) -> BTreeMap<&'a str, String> {
    let mut lines: BTreeMap<&str, Vec<u64>> = BTreeMap::new();
    for (row, line) in rows.iter().zip(&table.lines) {
        if let Err(why) = row {
            lines.entry(why).or_default().push(*line);
        }
    }
    let told = |(why, mut lines): (&'a str, Vec<u64>)| {
        lines.sort_unstable();
        let named: Vec<String> = lines.iter().take(NAMED).map(u64::to_string).collect();
        let more = match lines.len() - named.len() {
            0 => String::new(),
            more => format!(" and {more} more"),
        };
        let word = if lines.len() == 1 { "line" } else { "lines" };
        (why, format!("{word} {}{more} cannot be predicted", named.join(", ")))
    };
    lines.into_iter().map(told).collect()
}

fn print(table: &DsTable, rows: &[Prediction]) -> std::io::Result<()> {
    let mut out = BufWriter::new(std::io::stdout().lock());
    writeln!(out, "ds,yhat,yhat_lower,yhat_upper")?;
    for (at, row) in table.ds.iter().zip(rows) {
        match row {
            // The shortest digits that are read as the same number, with an exponent where Python
            // has one.
            Ok([yhat, lower, upper]) => writeln!(out, "{at},{yhat:?},{lower:?},{upper:?}")?,
            Err(_) => writeln!(out, "{at},,,")?,
        }
    }
    out.flush()
}
