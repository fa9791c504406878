//! `host episodes`: lists the open episodes, or those of a time range, as text or CSV.

use std::io::{self, Write};
use std::process::ExitCode;

use anyhow::anyhow;

use super::args::EpisodesArgs;
use super::say::{complain, say};
use super::wiring;
use crate::config::LoadedConfig;
use crate::datetime::Datetime;
use crate::episode::{EpisodeKind, EpisodeRange, StoredEpisode};
use crate::store::schema::EPISODE_COLUMNS;
use crate::worker::report::count;

/// The last datetime that every database can hold.
const END: Datetime = Datetime::from_micros(253_402_300_799_000_000);

/// The first datetime that every database can hold.
const BEGINNING: Datetime = Datetime::from_micros(-62_135_596_800_000_000);

/// Lists episodes.
pub(super) async fn episodes(loaded: &LoadedConfig, asked: &EpisodesArgs) -> anyhow::Result<ExitCode> {
    let store = wiring::store(&loaded.config)?;
    for warning in loaded.warnings.iter().chain(&store.warnings()) {
        complain!("warning: {warning}");
    }
    let output = store.look_at_output().await.map_err(|error| anyhow!("{error}"))?;
    let mut output = output.ok_or_else(|| {
        anyhow!(
            "there is no `{}`, where episodes would be; check the path in the configuration",
            store.output_place()
        )
    })?;
    let of_a_time = asked.from.is_some() || asked.to.is_some();
    let wanted = EpisodeRange {
        variable: asked.variable.as_deref().map(|name| name.trim().into()),
        from: asked.from.unwrap_or(BEGINNING),
        to: asked.to.unwrap_or(END),
        limit: usize::try_from(asked.limit).unwrap_or(usize::MAX),
    };
    let found = if of_a_time {
        output.episodes(&wanted).await
    } else {
        output.open_episodes().await.map(|mut open| {
            open.retain(|row| wanted.variable.as_ref().is_none_or(|name| *name == row.episode.variable));
            open.sort_by_key(|row| std::cmp::Reverse((row.episode.priority, row.episode.begin)));
            open.truncate(wanted.limit);
            open
        })
    };
    let found = found.map_err(|error| anyhow!("{error}"))?;
    output.close().await.map_err(|error| anyhow!("{error}"))?;
    if asked.csv {
        match csv(&found) {
            // The reader has closed the pipe, and needs no more.
            Err(error) if error.kind() == io::ErrorKind::BrokenPipe => {}
            written => written?,
        }
        return Ok(ExitCode::SUCCESS);
    }
    for row in &found {
        say!("{}", in_words(row));
    }
    let open = if of_a_time { "" } else { " open" };
    say!("{}{open}", count(found.len() as u64, "episode"));
    Ok(ExitCode::SUCCESS)
}

/// One line, with the most important values first.
fn in_words(row: &StoredEpisode) -> String {
    let episode = &row.episode;
    let until = match episode.closed_at {
        None if episode.kind == EpisodeKind::Shelved => format!("until {}", episode.end),
        None => "open".to_owned(),
        Some(_) => format!("to {}", episode.end),
    };
    let mut said = format!(
        "{:>6}  {:<8} {:<6} {}  from {} {until}",
        row.id,
        episode.kind.word(),
        episode.priority.word(),
        episode.variable,
        episode.begin
    );
    if episode.kind == EpisodeKind::Anomaly {
        said.push_str(&format!("  {} of {}", episode.flagged, count(episode.readings, "reading")));
    }
    if let (Some(worst), Some(score)) = (episode.worst, episode.peak_score) {
        let side = episode.direction.map_or("", |side| side.word());
        let expected = worst.yhat.map_or_else(String::new, |yhat| format!(", expected {yhat}"));
        said.push_str(&format!(", worst {score} {side}: {} at {}{expected}", worst.y, worst.ds));
    }
    if let Some(cause) = &episode.cause {
        said.push_str(&format!(", {cause}"));
    }
    if let Some(feedback) = row.feedback {
        said.push_str(&format!(", said: {feedback}"));
    }
    if let Some(note) = row.note.as_deref().filter(|note| !note.is_empty()) {
        said.push_str(&format!(" ({note})"));
    }
    said
}

fn csv(found: &[StoredEpisode]) -> io::Result<()> {
    let mut csv = csv::Writer::from_writer(io::stdout().lock());
    csv.write_record(EPISODE_COLUMNS)?;
    for row in found {
        csv.write_record(EPISODE_COLUMNS.map(|column| cell(row, column)))?;
    }
    csv.into_inner().map_err(csv::IntoInnerError::into_error)?.flush()
}

/// Numbers in the fewest digits that read back as the same number.
fn cell(row: &StoredEpisode, column: &str) -> String {
    let episode = &row.episode;
    let flag = |flag: bool| u8::from(flag).to_string();
    let number = |number: Option<f64>| number.map(|number| number.to_string()).unwrap_or_default();
    let at = |at: Option<Datetime>| at.map(|at| at.to_string()).unwrap_or_default();
    match column {
        "id" => row.id.to_string(),
        "variable" => episode.variable.to_string(),
        "kind" => episode.kind.to_string(),
        "begin_at" => episode.begin.to_string(),
        "end_at" => episode.end.to_string(),
        "closed_at" => at(episode.closed_at),
        "is_open" => flag(episode.is_open()),
        "peak_score" => number(episode.peak_score),
        "worst_ds" => at(episode.worst.map(|worst| worst.ds)),
        "worst_y" => number(episode.worst.map(|worst| worst.y)),
        "worst_yhat" => number(episode.worst.and_then(|worst| worst.yhat)),
        "direction" => episode.direction.map(|side| side.to_string()).unwrap_or_default(),
        "readings" => episode.readings.to_string(),
        "flagged" => episode.flagged.to_string(),
        "cause" => episode.cause.clone().unwrap_or_default(),
        "priority" => episode.priority.to_string(),
        "told" => episode.told.to_string(),
        "shelved" => flag(episode.shelved),
        "feedback" => row.feedback.map(|said| said.to_string()).unwrap_or_default(),
        "note" => row.note.clone().unwrap_or_default(),
        "feedback_at" => at(row.feedback_at),
        "worker" => row.worker.to_string(),
        "version" => row.version.to_string(),
        "created_at" => row.created_at.to_string(),
        _ => row.updated_at.to_string(),
    }
}
