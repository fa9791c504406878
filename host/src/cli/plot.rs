//! `host plot`: writes a variable's chart to a file, as the page shows it.

use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, anyhow};

use super::say::say;
use super::{Misconfigured, args, wiring};
use crate::alert::language::Language;
use crate::chart::{ChartSize, Dress, ENGLISH, SPANISH, chart};
use crate::config::Config;
use crate::datetime::Datetime;
use crate::store::{ReadFrom, Stretch};
use crate::text::escaped;
use crate::web::chart_data;

/// The time range if none is given.
const DEFAULT: Duration = Duration::from_secs(24 * 3600);

/// Draws the variable's readings.
pub(super) async fn plot(config: &Config, asked: &args::Plot) -> anyhow::Result<ExitCode> {
    let store = wiring::store(config)?;
    let reader = store.open_page().await.map_err(|error| anyhow!("{error}"))?;
    let mut reader = reader.ok_or_else(|| {
        anyhow!(
            "there is no `{}`, where verdicts would be; check the path in the configuration",
            store.output_place()
        )
    })?;
    let variable: Arc<str> = asked.variable.as_str().into();
    let (from, to) = match (asked.from, asked.to) {
        (Some(from), Some(to)) => (from, to),
        (from, to) => {
            let all = Stretch {
                variable: Arc::clone(&variable),
                from: Datetime::from_micros(i64::MIN),
                to: to.unwrap_or(Datetime::from_micros(i64::MAX)),
            };
            let last = reader.stretches(&[all], 1, ReadFrom::End).await?.concat();
            let last =
                last.first().ok_or_else(|| anyhow!("there are no verdicts on `{}`", escaped(&variable)))?;
            // The end is exclusive, and the last verdict is to be shown.
            let to = to.unwrap_or_else(|| last.ds.later(Duration::from_secs(1)));
            (from.unwrap_or_else(|| to.earlier(DEFAULT)), to)
        }
    };
    if from >= to {
        return Err(Misconfigured(format!("--to ({to}) must be later than --from ({from})")).into());
    }
    let (data, is_exact) = chart_data(reader.as_mut(), &variable, from, to).await?;
    reader.leave().await?;
    let labels = if asked.language == Language::Es { &SPANISH } else { &ENGLISH };
    let svg = chart(&data, labels, ChartSize::WIDE, Dress::File)?;
    std::fs::write(&asked.output, svg)
        .with_context(|| format!("`{}` cannot be written", asked.output.display()))?;
    let some = if is_exact { "" } else { "; it shows the extremes of some, and the worst that are flagged" };
    say!(
        "`{}` from {from} to {to} drawn into `{}`, {} points{some}",
        escaped(&variable),
        asked.output.display(),
        data.points.len()
    );
    Ok(ExitCode::SUCCESS)
}
