//! The overview: the state of the plant and of the worker, what needs looking at, and every
//! variable with its last two hours.

use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use axum::extract::State as Given;
use axum::response::Response;
use minijinja::{Value, context};

use super::episode::{row, within};
use super::{PageResult, WorkerStatus, decimals, grouped, second};
use crate::chart::{ChartData, ChartPoint, Labels, decimate, number, strip};
use crate::datetime::Datetime;
use crate::detector::short_digest;
use crate::episode::{self, Episode, EpisodeKind, StoredEpisode};
use crate::store::{AnomalyTally, ErrorKind, PageReader, ReadFrom, StoreError, StoredVerdict, Stretch};
use crate::text::escaped;
use crate::web::render::{PageContent, map};
use crate::web::view::{View, duration, encoded};
use crate::web::words::Words;
use crate::web::{App, SharedApp};

/// The time range of a row.
const RECENT: Duration = Duration::from_secs(2 * 3600);

/// The time range of the counts.
const DAY: Duration = Duration::from_secs(24 * 3600);

/// The most rows of the page. Of more variables the worst are shown; the others can be found by
/// name.
const MOST_ROWS: usize = 60;

/// The most verdicts of a row.
const OF_A_ROW: usize = 400;

/// A variable that is anomalous for this long has high priority.
const LONG: Duration = Duration::from_secs(3600);

/// So many anomalies within two hours are of medium priority.
const SEVERAL: usize = 3;

/// A variable without a reading for this long is silent, if others have some.
const SILENCE: Duration = Duration::from_secs(3600);

/// The priority of a variable, worst first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Priority {
    High,
    Silent,
    Medium,
    Low,
    Normal,
}

impl Priority {
    /// Also the class of its mark.
    fn word(self) -> &'static str {
        match self {
            Self::High => "high",
            Self::Silent => "silent",
            Self::Medium => "medium",
            Self::Low => "low",
            Self::Normal => "normal",
        }
    }

    /// Its symbol, which differs in shape and not only in colour.
    fn mark(self) -> &'static str {
        match self {
            Self::High => "▲",
            Self::Silent => "◌",
            Self::Medium => "◆",
            Self::Low => "●",
            Self::Normal => "–",
        }
    }

    /// By an open episode.
    fn said(episode: &Episode) -> Self {
        match (episode.kind, episode.priority) {
            (EpisodeKind::Shelved, _) => Self::Normal,
            (EpisodeKind::Silent | EpisodeKind::Service, _) => Self::Silent,
            (_, episode::Priority::High) => Self::High,
            (_, episode::Priority::Medium) => Self::Medium,
            (_, episode::Priority::Low) => Self::Low,
        }
    }

    /// By the verdicts; `recent` are the last ones, by time. Silence is decided here only if there
    /// are no episodes that tell it.
    fn of(
        recent: &[StoredVerdict],
        newest: Option<Datetime>,
        anomalies: u64,
        until: Datetime,
        silence_is_known: bool,
    ) -> Self {
        let is_anomaly = |verdict: &&StoredVerdict| verdict.is_anomaly == Some(true);
        let streak = recent.iter().rev().take_while(is_anomaly);
        let begun = streak.last().map(|first| first.ds);
        let last = recent.last().map(|last| last.ds);
        let lasts = begun.zip(last).map(|(begun, last)| last.since(begun)).unwrap_or_default();
        if lasts >= LONG {
            return Self::High;
        }
        if !silence_is_known && newest.is_none_or(|newest| until.since(newest) > SILENCE) {
            return Self::Silent;
        }
        if recent.iter().filter(is_anomaly).count() >= SEVERAL {
            return Self::Medium;
        }
        if anomalies > 0 { Self::Low } else { Self::Normal }
    }
}

pub(in crate::web) async fn overview(Given(app): Given<SharedApp>, view: View) -> Response {
    let page = page(&app, &view).await;
    app.answer(&view, page)
}

struct OverviewView {
    standing: WorkerStatus,
    variables: usize,
    rows: Vec<Row>,
    tallies: Vec<AnomalyTally>,
    /// None if there is no table of episodes yet.
    open: Option<Vec<StoredEpisode>>,
    /// Episodes of the day that are closed.
    day: Vec<StoredEpisode>,
}

struct Row {
    variable: Arc<str>,
    priority: Priority,
    recent: Vec<StoredVerdict>,
    newest: Option<StoredVerdict>,
    anomalies: u64,
    worst: Option<f64>,
}

async fn page(app: &App, view: &View) -> PageResult<PageContent> {
    let mut reader = app.readers.lend().await?;
    let found = read(app, view, &mut *reader).await;
    let found = reader.after(found)?;
    fill(app, view, &found)
}

async fn read(app: &App, view: &View, reader: &mut dyn PageReader) -> Result<OverviewView, StoreError> {
    let standing = WorkerStatus::read(app, reader).await?;
    let until = standing.until;
    let names = app.variables.get(reader).await?;
    let tallies = reader.tally(until.earlier(DAY), until).await?;
    let by_name: BTreeMap<&str, &AnomalyTally> =
        tallies.iter().map(|tally| (&*tally.variable, tally)).collect();
    let wanted = view.text("find").map(str::to_lowercase);
    let mut chosen: Vec<&Arc<str>> = names
        .iter()
        .filter(|name| wanted.as_ref().is_none_or(|wanted| name.to_lowercase().contains(wanted)))
        .collect();
    // Of too many, those with anomalies first, then by name.
    if chosen.len() > MOST_ROWS {
        let key = |name: &&Arc<str>| {
            let tally = by_name.get(&***name);
            let score = tally.and_then(|tally| tally.worst_score).unwrap_or_default();
            (
                tally.is_none(),
                f64::total_cmp(&0.0, &score),
                tally.map(|tally| std::cmp::Reverse(tally.anomalies)),
            )
        };
        chosen.sort_by_key(key);
        chosen.truncate(MOST_ROWS);
    }
    let stretch =
        |from: Datetime| move |name: &&Arc<str>| Stretch { variable: Arc::clone(name), from, to: until };
    let recent: Vec<Stretch> = chosen.iter().map(stretch(until.earlier(RECENT))).collect();
    let recent = reader.stretches(&recent, OF_A_ROW, ReadFrom::End).await?;
    // For variables without a recent reading, the newest one is read.
    let quiet: Vec<&Arc<str>> =
        chosen.iter().zip(&recent).filter(|(_, recent)| recent.is_empty()).map(|(name, _)| *name).collect();
    let before: Vec<Stretch> = quiet.iter().map(stretch(Datetime::from_micros(i64::MIN))).collect();
    let before = reader.stretches(&before, 1, ReadFrom::End).await?;
    let mut before = quiet.into_iter().zip(before).collect::<BTreeMap<_, _>>();
    let open = match reader.open_episodes().await {
        Ok(mut open) => {
            open.sort_by_key(|one| (Priority::said(&one.episode), Reverse(one.episode.begin)));
            Some(open)
        }
        Err(error) if error.kind == ErrorKind::Schema => None,
        Err(error) => return Err(error),
    };
    let mut day = within(reader, None, until.earlier(DAY), until).await?;
    day.retain(|stored| !stored.episode.is_open() && stored.episode.kind != EpisodeKind::Shelved);
    let said = |name: &Arc<str>| {
        let of = open.iter().flatten().filter(|stored| stored.episode.variable == *name);
        of.map(|stored| Priority::said(&stored.episode)).min().unwrap_or(Priority::Normal)
    };
    let mut rows: Vec<Row> = chosen
        .into_iter()
        .zip(recent)
        .map(|(name, recent)| {
            let newest = recent.last().cloned().or_else(|| before.get_mut(name)?.pop());
            let tally = by_name.get(&**name);
            let anomalies = tally.map_or(0, |tally| tally.anomalies);
            let newest_at = newest.as_ref().map(|newest| newest.ds);
            Row {
                variable: Arc::clone(name),
                priority: Priority::of(&recent, newest_at, anomalies, until, open.is_some()).min(said(name)),
                recent,
                newest,
                anomalies,
                worst: tally.and_then(|tally| tally.worst_score),
            }
        })
        .collect();
    rows.sort_by(|a, b| {
        let worst = |row: &Row| row.worst.unwrap_or_default();
        a.priority
            .cmp(&b.priority)
            .then_with(|| worst(b).total_cmp(&worst(a)))
            .then_with(|| b.anomalies.cmp(&a.anomalies))
            .then_with(|| a.variable.cmp(&b.variable))
    });
    Ok(OverviewView { standing, variables: names.len(), rows, tallies, open, day })
}

fn fill(app: &App, view: &View, found: &OverviewView) -> PageResult<PageContent> {
    let labels = view.labels;
    let words = Words::of(labels);
    let until = found.standing.until;
    let rows = found
        .rows
        .iter()
        .map(|row| Ok((row.priority, row_of(row, until, labels, words)?)))
        .collect::<PageResult<Vec<_>>>()?;
    let worst = rows.iter().filter(|(priority, _)| *priority != Priority::Normal);
    let in_trouble = worst.clone().count();
    let context = context! {
        title => words.get("overview"),
        state => standing(app, &found.standing, words),
        now => second(found.standing.now),
        until => second(until),
        variables => found.variables,
        in_trouble,
        worst => worst.map(|(_, row)| row.clone()).collect::<Value>(),
        rows => rows
            .iter()
            .filter(|(priority, _)| *priority == Priority::Normal)
            .map(|(_, row)| row.clone())
            .collect::<Value>(),
        more => found.variables.saturating_sub(found.rows.len()),
        find => view.text("find").unwrap_or_default(),
        open => found.open.iter().flatten().map(|open| row(open, until, words, labels)).collect::<Value>(),
        day => found.day.iter().map(|over| row(over, until, words, labels)).collect::<Value>(),
        severity => severity(&found.tallies, found.rows.iter().map(|row| (&row.variable, row.priority)), words),
    };
    Ok(PageContent { template: "overview.html", context })
}

fn row_of(row: &Row, until: Datetime, labels: &'static Labels, words: Words) -> PageResult<Value> {
    let from = until.earlier(RECENT);
    let points: Vec<ChartPoint> = row.recent.iter().filter_map(ChartPoint::of).collect();
    let data = ChartData {
        variable: row.variable.to_string(),
        from,
        to: until,
        points: decimate(&points, from, until, 100),
        episodes: Vec::new(),
    };
    let newest = row.newest.as_ref();
    let said =
        |value: Option<f64>| value.map(|value| number(value, decimals(value), labels)).unwrap_or_default();
    Ok(map([
        ("name", escaped(&row.variable).into()),
        ("link", format!("/variable?name={}", encoded(&row.variable)).into()),
        ("priority", row.priority.word().into()),
        ("priority_word", words.get(row.priority.word()).into()),
        ("means", meaning(row.priority, words).into()),
        ("mark", row.priority.mark().into()),
        ("reading", said(newest.and_then(|newest| newest.y)).into()),
        ("expected", said(newest.and_then(|newest| newest.yhat)).into()),
        ("newest", newest.map(|newest| second(newest.ds)).into()),
        ("ago", newest.map(|newest| duration(until.since(newest.ds))).into()),
        ("anomalies", row.anomalies.into()),
        ("worst", row.worst.map(|worst| number(worst, 1, labels)).into()),
        ("strip", Value::from_safe_string(strip(&data, labels)?)),
    ]))
}

fn meaning(priority: Priority, words: Words) -> &'static str {
    match priority {
        Priority::High => words.get("high_means"),
        Priority::Silent => words.get("silent_means"),
        Priority::Medium => words.get("medium_means"),
        Priority::Low => words.get("low_means"),
        Priority::Normal => "",
    }
}

/// How many anomalies of the day belong to variables of each priority.
fn severity<'a>(
    tallies: &[AnomalyTally],
    priorities: impl Iterator<Item = (&'a Arc<str>, Priority)>,
    words: Words,
) -> Value {
    let by_name: BTreeMap<&Arc<str>, Priority> = priorities.collect();
    let total: u64 = tallies.iter().map(|tally| tally.anomalies).sum();
    let share = |priority: Priority| {
        let of = |tally: &&AnomalyTally| {
            by_name.get(&tally.variable).copied().unwrap_or(Priority::Low) == priority
        };
        let count: u64 = tallies.iter().filter(of).map(|tally| tally.anomalies).sum();
        let percent = if total > 0 { 100.0 * count as f64 / total as f64 } else { 0.0 };
        map([
            ("word", words.get(priority.word()).into()),
            ("priority", priority.word().into()),
            ("mark", priority.mark().into()),
            ("count", count.into()),
            ("percent", format!("{percent:.0}").into()),
        ])
    };
    [Priority::High, Priority::Silent, Priority::Medium, Priority::Low].into_iter().map(share).collect()
}

fn standing(app: &App, standing: &WorkerStatus, words: Words) -> Value {
    let Some(state) = &standing.state else { return Value::from(()) };
    let now = standing.now;
    let lag = state.watermark_at(now).map(|watermark| now.since(watermark));
    let idle = now.since(state.updated_at);
    let models = state.models.as_ref();
    map([
        ("lag", lag.map_or_else(|| words.get("not_late").to_owned(), duration).into()),
        ("watermark", state.watermark_at(now).map(second).into()),
        ("updated_at", second(state.updated_at).into()),
        ("idle", duration(idle).into()),
        ("is_late", (idle > app.interval * 3).into()),
        ("set", state.set_digest.as_deref().map(|digest| short_digest(digest).to_owned()).into()),
        ("models", models.map(|models| models.count).into()),
        ("refused", models.and_then(|models| models.refused.as_deref()).map(escaped).into()),
        ("judged", grouped(state.counts.judged).into()),
        ("anomalies", grouped(state.counts.anomalies).into()),
        ("set_aside", state.set_aside.len().into()),
    ])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn verdicts(minutes: &[(i64, bool)]) -> Vec<StoredVerdict> {
        let verdict = |&(minute, is_anomaly): &(i64, bool)| StoredVerdict {
            ds: Datetime::from_micros(minute * 60_000_000),
            variable: "T".into(),
            y: Some(1.0),
            yhat: None,
            yhat_lower: None,
            yhat_upper: None,
            residual: None,
            outside_interval: None,
            high_residual: None,
            is_anomaly: Some(is_anomaly),
            anomaly_score: None,
            prediction_error_pct: None,
            source_file: None,
            processed_at: None,
        };
        minutes.iter().map(verdict).collect()
    }

    #[test]
    fn priorities_are_as_the_users_have_them() {
        let hour: Vec<_> = (0..=12).map(|nth| (nth * 5, true)).collect();
        let broken: Vec<_> = hour.iter().map(|&(minute, _)| (minute, minute != 30)).collect();
        for (recent, newest, anomalies, expected) in [
            (hour, Some(60), 13, Priority::High),
            (broken, Some(60), 12, Priority::Medium),
            (vec![(50, true), (55, true), (60, true)], Some(60), 3, Priority::Medium),
            (vec![(55, true), (60, false)], Some(60), 1, Priority::Low),
            (vec![(60, false)], Some(60), 2, Priority::Low),
            (vec![(60, false)], Some(60), 0, Priority::Normal),
            (vec![], Some(-1), 0, Priority::Silent),
            (vec![], None, 0, Priority::Silent),
        ] {
            let newest = newest.map(|minute: i64| Datetime::from_micros(minute * 60_000_000));
            let until = Datetime::from_micros(60 * 60_000_000);
            assert_eq!(
                Priority::of(&verdicts(&recent), newest, anomalies, until, false),
                expected,
                "{recent:?}"
            );
        }
    }
}
