//! `host status`: the state row, as text or as JSON.

use std::collections::BTreeMap;
use std::process::ExitCode;

use serde_json::json;

use super::say::{self, say};
use super::unjudged::{self, Looking};
use super::{ahead, wiring};
use crate::checkpoint::Size;
use crate::config::Config;
use crate::datetime::Datetime;
use crate::detector::short_digest;
use crate::state::{ModelsInUse, State};
use crate::store::{OutboxCounts, Outline, VerdictReader};
use crate::text::escaped;
use crate::worker::{self, report};

/// Prints the worker's state; fails if there is none yet.
pub(super) async fn status(config: &Config, as_json: bool) -> anyhow::Result<ExitCode> {
    let store = wiring::store(config)?;
    let name = &config.worker.row();
    let mut input = store.look_at_input().await?;
    let now = input.now().await?;
    // Without an output file no worker has run.
    let mut output = store.look_at_output().await?;
    let state = match &mut output {
        Some(output) => output.outline(name).await?,
        None => None,
    };
    let (state, checkpoint) = match state {
        Some(Outline { state, checkpoint }) => (Some(state), checkpoint),
        None => (None, None),
    };
    let ahead = match &state {
        Some(_) => {
            ahead::ahead(
                input.as_mut(),
                output.as_deref_mut().map(|output| output as &mut dyn VerdictReader),
                now,
            )
            .await?
        }
        None => Vec::new(),
    };
    let layout = input.layout().await?;
    let outbox = match &mut output {
        // A database of an earlier version has none.
        Some(output) => output.outbox_counts().await.ok(),
        None => None,
    };
    let looking = Looking {
        every: config.worker.reconcile.0,
        lateness: worker::lateness(config.worker.allowed_lateness, layout),
        has_datetime_index: layout.has_datetime_index,
    };
    if as_json {
        let mut object = as_object(name, state.as_ref(), checkpoint, now, &ahead, looking);
        if let (Some(object), Some(outbox)) = (object.as_object_mut(), outbox) {
            object.insert("alerts".to_owned(), alerts_object(outbox));
        }
        say::json(&object);
        return Ok(if state.is_some() { ExitCode::SUCCESS } else { ExitCode::FAILURE });
    }
    let Some(state) = state else {
        say!(
            "worker `{name}` has not run here yet: there is no row of it in `{}` of `{}`",
            config.output.state_table,
            store.output_place()
        );
        return Ok(ExitCode::FAILURE);
    };
    say::lines(&in_words(name, &state, checkpoint, now));
    say!("{}", unjudged::in_words(&state.reconciliation, looking, now));
    for sentence in ahead {
        say!("dated ahead   {sentence}");
    }
    if let Some(words) = outbox.and_then(alerts_in_words) {
        say!("alerts        {words}");
    }
    Ok(ExitCode::SUCCESS)
}

fn alerts_object(outbox: OutboxCounts) -> serde_json::Value {
    json!({ "undelivered": outbox.due, "dead_letters": outbox.dead, "oldest_undelivered": outbox.oldest_due })
}

/// None if all messages were delivered.
fn alerts_in_words(outbox: OutboxCounts) -> Option<String> {
    let mut words = Vec::new();
    if let (1.., Some(oldest)) = (outbox.due, outbox.oldest_due) {
        words.push(format!("{} not delivered yet, the oldest of {oldest}", outbox.due));
    }
    if outbox.dead > 0 {
        let dead = report::count(outbox.dead, "dead letter");
        words.push(format!("{dead}: mend the channel and run `host alerts retry`"));
    }
    (!words.is_empty()).then(|| words.join("; "))
}

/// In seconds; below zero if the watermark is ahead of the clock.
fn lag(state: &State, now: Datetime) -> Option<i64> {
    let micros = |watermark: Datetime| now.micros().saturating_sub(watermark.micros());
    state.watermark_at(now).map(|watermark| micros(watermark).div_euclid(1_000_000))
}

fn as_object(
    name: &str,
    state: Option<&State>,
    checkpoint: Option<Size>,
    now: Datetime,
    ahead: &[String],
    looking: Looking,
) -> serde_json::Value {
    let Some(state) = state else { return json!({ "worker": name, "watermark": null }) };
    json!({
        "worker": name,
        "watermark": state.watermark_at(now),
        "lag_seconds": lag(state, now),
        "unjudged": state.reconciliation.unjudged(),
        "looked_at": state.reconciliation.last.as_ref().map(|look| look.looked_at),
        "look_overdue": looking.is_overdue(&state.reconciliation, now),
        "reconciliation": state.reconciliation,
        "dated_ahead": ahead,
        "set": state.set_digest,
        "models": state.models,
        "checkpoint": checkpoint,
        "counts": state.counts,
        "set_aside": state.set_aside.iter().map(|(name, aside)| (&**name, aside)).collect::<BTreeMap<_, _>>(),
        "position": state.position,
        "epoch": state.epoch,
        "updated_at": state.updated_at,
    })
}

/// `25 models in `models/prophet`, set 3f2a9c41d07e`.
fn set_in_use(state: &State) -> String {
    let Some(digest) = &state.set_digest else { return "none yet".to_owned() };
    let digest = escaped(short_digest(digest));
    match &state.models {
        Some(ModelsInUse { count, directory, .. }) => {
            format!("{} in `{}`, set {digest}", report::count(*count, "model"), escaped(directory))
        }
        None => digest,
    }
}

/// In a unit that people can read.
fn size(bytes: u64) -> String {
    match bytes {
        0..=9_999 => report::count(bytes, "byte"),
        10_000..=9_999_999 => format!("{} KB", bytes / 1_000),
        _ => format!("{} MB", bytes / 1_000_000),
    }
}

fn in_words(name: &str, state: &State, checkpoint: Option<Size>, now: Datetime) -> String {
    use std::fmt::Write;
    let ago = |seconds: u64| humantime::format_duration(std::time::Duration::from_secs(seconds)).to_string();
    let counts = &state.counts;
    let mut text = format!("worker        {}\n", escaped(name));
    // Writing to a String cannot fail.
    let _ = match (state.watermark_at(now), lag(state, now)) {
        (Some(watermark), Some(lag)) if lag < 0 => writeln!(
            text,
            "watermark     {watermark}\nlag           none: the database's clock, which says {now}, is {} behind the watermark",
            ago(lag.unsigned_abs())
        ),
        (Some(watermark), Some(lag)) => {
            writeln!(text, "watermark     {watermark}\nlag           {}", ago(lag.unsigned_abs()))
        }
        _ => writeln!(text, "watermark     none: nothing was judged yet"),
    };
    let _ = writeln!(
        text,
        "last commit   {} ({} ago)",
        state.updated_at,
        ago(now.since(state.updated_at).as_secs())
    );
    let _ = writeln!(text, "set           {}", set_in_use(state));
    if let Some(why) = state.models.as_ref().and_then(|models| models.refused.as_ref()) {
        let _ = writeln!(text, "files         refused, the set goes on without them: {}", escaped(why));
    }
    for (variable, aged) in state.models.iter().flat_map(|models| &models.aged) {
        let _ = writeln!(text, "aged          {}", crate::aged::sentence(variable, aged));
    }
    if let Some(Size { parts, bytes }) = checkpoint {
        let _ = writeln!(text, "learnt        {} in {}", size(bytes), report::count(parts, "part"));
    }
    let _ = writeln!(
        text,
        "judged        {}, {} anomalies",
        report::count(counts.judged, "reading"),
        counts.anomalies
    );
    if let Some(reasons) = report::not_judged(counts) {
        let _ = writeln!(text, "not judged    {reasons}");
    }
    for (variable, aside) in &state.set_aside {
        let _ = writeln!(
            text,
            "set aside     `{}`: {} from {} to {} await `backfill`: {}",
            escaped(variable),
            report::count(aside.readings, "reading"),
            aside.first,
            aside.last,
            escaped(&aside.reason)
        );
    }
    text
}
