//! One episode: why it was flagged, in sentences with numbers; its chart, and the charts of a day
//! and a week before; and the other episodes of that time.

use std::sync::Arc;
use std::time::Duration;

use axum::extract::State as Given;
use axum::response::Response;
use minijinja::{Value, context};

use super::chart_series::chart_data;
use super::{PageResult, WorkerStatus, decimals, said_cause, second};
use crate::chart::{ChartData, ChartSize, Dress, Labels, chart, number};
use crate::datetime::Datetime;
use crate::episode::{Direction, Episode, EpisodeKind, EpisodeRange, Priority, StoredEpisode};
use crate::store::{ErrorKind, PageReader, StoreError};
use crate::text::escaped;
use crate::web::error::WebError;
use crate::web::render::{PageContent, map};
use crate::web::view::{TimeRange, View, duration, encoded};
use crate::web::words::Words;
use crate::web::{App, SharedApp};

/// The most other episodes that are listed.
const LISTED: usize = 50;

/// The least time that the chart shows before and after it.
const MARGIN: Duration = Duration::from_secs(3600);

const DAY: Duration = Duration::from_secs(86_400);

pub(in crate::web) async fn episode(Given(app): Given<SharedApp>, view: View) -> Response {
    let page = page(&app, &view).await;
    app.answer(&view, page)
}

struct EpisodeView {
    standing: WorkerStatus,
    stored: StoredEpisode,
    charts: Vec<ChartData>,
    others: Vec<StoredEpisode>,
}

async fn page(app: &App, view: &View) -> PageResult<PageContent> {
    let id = view.text("id").and_then(|id| id.parse().ok()).ok_or(WebError::NotFound)?;
    let mut reader = app.readers.lend().await?;
    let found = read(app, id, &mut *reader).await;
    let found = reader.after(found)?.ok_or(WebError::NotFound)?;
    fill(view, &found)
}

async fn read(app: &App, id: i64, reader: &mut dyn PageReader) -> Result<Option<EpisodeView>, StoreError> {
    let standing = WorkerStatus::read(app, reader).await?;
    let stored = match reader.episode(id).await {
        Ok(Some(stored)) => stored,
        Ok(None) => return Ok(None),
        Err(error) if error.kind == ErrorKind::Schema => return Ok(None),
        Err(error) => return Err(error),
    };
    let Episode { variable, begin, .. } = &stored.episode;
    let end = reached(&stored.episode, standing.until);
    let margin = MARGIN.max(end.since(*begin) / 3);
    let (from, to) = (begin.earlier(margin), end.later(margin));
    let mut charts = Vec::new();
    for before in [Duration::ZERO, DAY, DAY * 7] {
        let (from, to) = (from.earlier(before), to.earlier(before));
        let (mut data, _) = chart_data(reader, variable, from, to).await?;
        data.episodes = spans(&within(reader, Some(variable), from, to).await?, standing.until);
        charts.push(data);
    }
    let mut others = within(reader, None, *begin, end.later(Duration::from_secs(1))).await?;
    others.retain(|other| other.id != stored.id && other.episode.kind != EpisodeKind::Shelved);
    Ok(Some(EpisodeView { standing, stored, charts, others }))
}

/// The episodes of a time range; none if there is no such table yet.
pub(super) async fn within(
    reader: &mut dyn PageReader,
    variable: Option<&Arc<str>>,
    from: Datetime,
    to: Datetime,
) -> Result<Vec<StoredEpisode>, StoreError> {
    let wanted = EpisodeRange { variable: variable.cloned(), from, to, limit: LISTED };
    match reader.episodes(&wanted).await {
        Err(error) if error.kind == ErrorKind::Schema => Ok(Vec::new()),
        found => found,
    }
}

/// Its end; for an open episode the end of what is shown.
fn reached(episode: &Episode, until: Datetime) -> Datetime {
    if episode.is_open() { episode.end.max(until) } else { episode.end }
}

/// As a chart shows them, without shelvings.
pub(super) fn spans(episodes: &[StoredEpisode], until: Datetime) -> Vec<(Datetime, Datetime)> {
    let shown =
        episodes.iter().map(|stored| &stored.episode).filter(|found| found.kind != EpisodeKind::Shelved);
    shown.map(|found| (found.begin, reached(found, until))).collect()
}

fn fill(view: &View, found: &EpisodeView) -> PageResult<PageContent> {
    let (labels, words) = (view.labels, Words::of(view.labels));
    let episode = &found.stored.episode;
    let [at, day, week] = found.charts.as_slice() else { return Err(WebError::NotFound) };
    let drawn = |data: &ChartData, size, id| -> PageResult<Value> {
        Ok(Value::from_safe_string(chart(data, labels, size, Dress::Page { id })?))
    };
    let window = TimeRange { from: at.from, to: at.to, range: None };
    let context = context! {
        id => found.stored.id,
        can_be_said => episode.kind != EpisodeKind::Shelved,
        title => format!("{}: {}", escaped(&episode.variable), words.get(kind(episode.kind))),
        name => escaped(&episode.variable),
        kind => words.get(kind(episode.kind)),
        link => format!("/variable?name={}&{}", encoded(&episode.variable), window.query()),
        now => second(found.standing.now),
        is_open => episode.is_open(),
        sentences => sentences(episode, found.standing.until, labels).into_iter().collect::<Value>(),
        feedback => found.stored.feedback.map(|feedback| words.get(said(feedback))),
        note => found.stored.note.as_deref().map(escaped),
        wide => drawn(at, ChartSize::WIDE, "wide")?,
        narrow => drawn(at, ChartSize::NARROW, "narrow")?,
        day => drawn(day, ChartSize::NARROW, "day")?,
        week => drawn(week, ChartSize::NARROW, "week")?,
        others => found.others.iter().map(|other| row(other, found.standing.until, words, labels)).collect::<Value>(),
    };
    Ok(PageContent { template: "episode.html", context })
}

fn said(feedback: crate::episode::Feedback) -> &'static str {
    use crate::episode::Feedback;
    match feedback {
        Feedback::Expected => "feedback_expected",
        Feedback::Real => "feedback_real",
        Feedback::Sensor => "feedback_sensor",
    }
}

pub(super) fn kind(kind: EpisodeKind) -> &'static str {
    match kind {
        EpisodeKind::Anomaly => "kind_anomaly",
        EpisodeKind::Silent => "kind_silent",
        EpisodeKind::Stuck => "kind_stuck",
        EpisodeKind::Service => "kind_service",
        EpisodeKind::Shelved => "kind_shelved",
    }
}

pub(super) fn priority(priority: Priority) -> (&'static str, &'static str) {
    match priority {
        Priority::High => ("high", "▲"),
        Priority::Medium => ("medium", "◆"),
        Priority::Low => ("low", "●"),
    }
}

/// A row of a list of episodes.
pub(super) fn row(stored: &StoredEpisode, until: Datetime, words: Words, labels: &Labels) -> Value {
    let episode = &stored.episode;
    let (word, mark) = priority(episode.priority);
    let lasts = reached(episode, until).since(episode.begin);
    map([
        ("link", format!("/episode?id={}", stored.id).into()),
        ("name", escaped(&episode.variable).into()),
        ("kind", words.get(kind(episode.kind)).into()),
        ("priority", word.into()),
        ("priority_word", words.get(word).into()),
        ("mark", mark.into()),
        ("begin", second(episode.begin).into()),
        ("lasts", duration(lasts).into()),
        ("is_open", episode.is_open().into()),
        ("flagged", episode.flagged.into()),
        ("score", episode.peak_score.map(|score| number(score, 1, labels)).into()),
        ("shelved", episode.shelved.into()),
        ("feedback", stored.feedback.map(|feedback| words.get(said(feedback))).into()),
    ])
}

/// Why it was flagged.
fn sentences(episode: &Episode, until: Datetime, labels: &Labels) -> Vec<String> {
    let words = Words::of(labels);
    let end = reached(episode, until);
    let lasts = duration(end.since(episode.begin));
    let span = match episode.is_open() {
        true => {
            format!("{} {} ({lasts}), {}", words.get("since"), second(episode.begin), words.get("still_open"))
        }
        false => format!(
            "{} {} {} {} ({lasts})",
            words.get("from"),
            second(episode.begin),
            words.get("up_to"),
            second(end)
        ),
    };
    let mut sentences = vec![format!("{span}.")];
    if episode.kind == EpisodeKind::Anomaly {
        sentences.push(format!(
            "{} {} {} {}.",
            episode.flagged,
            words.get("of"),
            episode.readings,
            words.get("were_flagged")
        ));
    } else {
        sentences.push(format!("{}.", words.get(meaning(episode.kind))));
    }
    if let Some(worst) = &episode.worst {
        let said = |value: f64| number(value, decimals(value), labels);
        let mut text = format!(
            "{}: {}, {} {}",
            words.get("worst_reading"),
            said(worst.y),
            words.get("at"),
            second(worst.ds)
        );
        if let Some(expected) = worst.yhat {
            let side = match episode.direction {
                Some(Direction::Below) => "below_expected",
                Some(Direction::Above) => "above_expected",
                None if worst.y < expected => "below_expected",
                None => "above_expected",
            };
            let apart = said((worst.y - expected).abs());
            text.push_str(&format!("; {apart} {} ({})", words.get(side), said(expected)));
        }
        if let Some(score) = episode.peak_score {
            text.push_str(&format!("; {} {}", words.get("score").to_lowercase(), number(score, 1, labels)));
        }
        sentences.push(format!("{text}."));
    }
    if let Some(cause) = &episode.cause {
        sentences.push(format!("{}: {}.", words.get("cause"), said_cause(cause, labels)));
    }
    if episode.shelved {
        sentences.push(format!("{}.", words.get("was_shelved")));
    }
    sentences
}

fn meaning(kind: EpisodeKind) -> &'static str {
    match kind {
        EpisodeKind::Anomaly => "were_flagged",
        EpisodeKind::Silent => "silent_says",
        EpisodeKind::Stuck => "stuck_says",
        EpisodeKind::Service => "service_says",
        EpisodeKind::Shelved => "shelved_says",
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

    use super::*;
    use crate::chart::{ENGLISH, SPANISH};
    use crate::episode::WorstReading;

    #[test]
    fn an_episode_is_told_in_sentences_with_numbers() {
        let at = |text: &str| Datetime::parse(text).unwrap();
        let begin = at("2025-01-15 10:00");
        let until = at("2025-01-15 12:30");
        let anomaly = Episode {
            end: at("2025-01-15 11:30"),
            closed_at: Some(at("2025-01-15 11:40")),
            peak_score: Some(88.25),
            worst: Some(WorstReading { ds: at("2025-01-15 10:40"), y: 29.5, yhat: Some(20.0) }),
            direction: Some(Direction::Above),
            readings: 19,
            flagged: 17,
            cause: Some("drift".to_owned()),
            ..Episode::at("T1".into(), EpisodeKind::Anomaly, begin)
        };
        let silent = Episode { shelved: true, ..Episode::at("T1".into(), EpisodeKind::Silent, begin) };
        for (episode, labels, expected) in [
            (
                &anomaly,
                &ENGLISH,
                "From 2025-01-15 10:00:00 to 2025-01-15 11:30:00 (1 h 30 min). 17 of 19 readings were flagged. The worst reading: \
                 29.50, at 2025-01-15 10:40:00; 9.50 above the expected value (20.00); score 88.2. Cause: slow drift.",
            ),
            (
                &anomaly,
                &SPANISH,
                "Desde 2025-01-15 10:00:00 hasta 2025-01-15 11:30:00 (1 h 30 min). 17 de 19 lecturas se marcaron. La peor lectura: \
                 29,50, a las 2025-01-15 10:40:00; 9,50 sobre el valor esperado (20,00); puntuación 88,2. Causa: deriva lenta.",
            ),
            (
                &silent,
                &ENGLISH,
                "Since 2025-01-15 10:00:00 (2 h 30 min), still open. No reading came for much longer than usual. The variable was \
                 shelved: nobody was told.",
            ),
        ] {
            assert_eq!(sentences(episode, until, labels).join(" "), expected);
        }
    }
}
