//! One variable in a time range: its chart, the errors of its model, and its worst anomalies.

use std::fmt::Write;
use std::sync::Arc;

use axum::extract::State as Given;
use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE};
use axum::response::{IntoResponse, Response};
use minijinja::{Value, context};

use super::chart_series::{ChartSeries, MOST_FLAGGED};
use super::episode::{spans, within};
use super::why::why;
use super::{PageResult, WorkerStatus, decimals, ranges, said_cause, second};
use crate::chart::{ChartData, ChartPoint, ChartSize, Dress, ErrorMeasures, Labels, chart, number};
use crate::episode::{EpisodeKind, StoredEpisode};
use crate::store::{ErrorKind, PageReader, StoreError, StoredVerdict};
use crate::text::escaped;
use crate::web::error::WebError;
use crate::web::render::{PageContent, map};
use crate::web::view::{TimeRange, View, encoded};
use crate::web::words::Words;
use crate::web::{App, SharedApp};

/// The most anomalies that are listed under the chart.
const LISTED: usize = 25;

pub(in crate::web) async fn variable(Given(app): Given<SharedApp>, view: View) -> Response {
    let page = page(&app, &view).await;
    app.answer(&view, page)
}

/// The chart as a file.
pub(in crate::web) async fn picture(Given(app): Given<SharedApp>, view: View) -> Response {
    let drawn = async {
        let found = find(&app, &view).await?;
        Ok(chart(&found.data(), view.labels, ChartSize::WIDE, Dress::File)?)
    };
    match drawn.await {
        Ok(svg) => ([(CONTENT_TYPE, "image/svg+xml"), (CACHE_CONTROL, "no-store")], svg).into_response(),
        Err(failure) => app.failed(&view, &failure),
    }
}

struct VariableView {
    variable: Arc<str>,
    window: TimeRange,
    standing: WorkerStatus,
    series: ChartSeries,
    episodes: Vec<StoredEpisode>,
    /// Of this variable.
    shelved: Vec<StoredEpisode>,
}

impl VariableView {
    fn data(&self) -> ChartData {
        let TimeRange { from, to, .. } = self.window;
        ChartData {
            variable: self.variable.to_string(),
            from,
            to,
            points: self.series.drawn(from, to),
            episodes: spans(&self.episodes, self.standing.until),
        }
    }
}

async fn find(app: &App, view: &View) -> PageResult<VariableView> {
    let variable: Arc<str> = view.text("name").ok_or(WebError::NotFound)?.into();
    let mut reader = app.readers.lend().await?;
    let found = read(app, view, variable, &mut *reader).await;
    reader.after(found)
}

async fn read(
    app: &App,
    view: &View,
    variable: Arc<str>,
    reader: &mut dyn PageReader,
) -> Result<VariableView, StoreError> {
    let standing = WorkerStatus::read(app, reader).await?;
    let window = view.window(standing.until, "24h");
    let series = ChartSeries::read(reader, &variable, (window.from, window.to), MOST_FLAGGED).await?;
    let episodes = within(reader, Some(&variable), window.from, window.to).await?;
    let mut shelved = match reader.shelved().await {
        Err(error) if error.kind == ErrorKind::Schema => Vec::new(),
        found => found?,
    };
    shelved.retain(|stored| stored.episode.variable == variable);
    Ok(VariableView { variable, window, standing, series, episodes, shelved })
}

async fn page(app: &App, view: &View) -> PageResult<PageContent> {
    let found = find(app, view).await?;
    let (labels, words) = (view.labels, Words::of(view.labels));
    let data = found.data();
    let name = encoded(&found.variable);
    let query = found.window.query();
    let link = |query: &str| format!("/variable?name={name}&{query}");
    let context = context! {
        title => escaped(&found.variable),
        name => escaped(&found.variable),
        raw_name => &*found.variable,
        now => second(found.standing.now),
        ranges => ranges(view, &found.window, link),
        wide => Value::from_safe_string(chart(&data, labels, ChartSize::WIDE, Dress::Page { id: "wide" })?),
        narrow => Value::from_safe_string(chart(&data, labels, ChartSize::NARROW, Dress::Page { id: "narrow" })?),
        points => points(&data.points),
        from_micros => found.window.from.micros().to_string(),
        to_micros => found.window.to.micros().to_string(),
        is_exact => found.series.is_exact,
        is_all => found.series.is_all,
        measures => measures(&found.series.measured, labels, words),
        worst => found.series.flagged.iter().take(LISTED).map(|verdict| anomaly(verdict, None, labels)).collect::<Value>(),
        shelved => shelved(&found),
        picture => format!("/chart.svg?name={name}&{query}"),
        csv => format!("/anomalies.csv?variable={name}&{query}"),
    };
    Ok(PageContent { template: "variable.html", context })
}

/// Until when it is shelved, and why.
fn shelved(found: &VariableView) -> Value {
    let is_it = |stored: &&StoredEpisode| {
        let episode = &stored.episode;
        episode.kind == EpisodeKind::Shelved && episode.is_open() && episode.end > found.standing.now
    };
    match found.shelved.iter().find(is_it) {
        Some(stored) => map([
            ("until", second(stored.episode.end).into()),
            ("note", stored.note.as_deref().map(escaped).into()),
        ]),
        None => Value::from(()),
    }
}

/// A row of a list of anomalies, with the cause of the episode that it lies in.
pub(super) fn anomaly(verdict: &StoredVerdict, cause: Option<&str>, labels: &Labels) -> Value {
    let said =
        |value: Option<f64>| value.map(|value| number(value, decimals(value), labels)).unwrap_or_default();
    // An hour before and an hour after.
    let hour = std::time::Duration::from_secs(3600);
    let around = TimeRange { from: verdict.ds.earlier(hour), to: verdict.ds.later(hour), range: None };
    map([
        ("when", second(verdict.ds).into()),
        ("link", format!("/variable?name={}&{}", encoded(&verdict.variable), around.query()).into()),
        ("variable", escaped(&verdict.variable).into()),
        ("reading", said(verdict.y).into()),
        ("expected", said(verdict.yhat).into()),
        ("score", verdict.anomaly_score.map(|score| number(score, 1, labels)).unwrap_or_default().into()),
        ("why", why(verdict, labels).into()),
        ("cause", cause.map(|cause| said_cause(cause, labels)).into()),
    ])
}

/// What the script needs to show the numbers at the pointer: seconds since the first point,
/// reading, expectation, bounds and flag of each.
fn points(points: &[ChartPoint]) -> String {
    let mut text = String::new();
    let short =
        |value: Option<f64>| value.map(|value| number(value, decimals(value), &crate::chart::ENGLISH));
    let short = |value| short(value).unwrap_or_default().replace('−', "-");
    for point in points {
        // Writing to a String cannot fail.
        let _ = write!(
            text,
            "{},{},{},{},{},{};",
            point.at.micros() / 1_000_000,
            short(Some(point.y)),
            short(point.expected),
            short(point.lower),
            short(point.upper),
            u8::from(point.is_anomaly)
        );
    }
    text
}

fn measures(points: &[ChartPoint], labels: &Labels, words: Words) -> Value {
    let Some(measures) = ErrorMeasures::over(points) else { return Value::from(()) };
    let said = |value: f64| number(value, decimals(value).max(2), labels);
    let percent = |share: f64| format!("{} %", number(100.0 * share, 1, labels));
    let rows = [
        ("readings", Some(measures.readings.to_string())),
        ("mae", Some(said(measures.mae))),
        ("rmse", Some(said(measures.rmse))),
        ("r2", measures.r2.map(|r2| number(r2, 3, labels))),
        ("share_flagged", Some(percent(measures.share_flagged()))),
        ("coverage", measures.coverage.map(percent)),
    ];
    let row = |(key, value): (&'static str, Option<String>)| {
        map([("word", words.get(key).into()), ("value", value.unwrap_or_else(|| "–".to_owned()).into())])
    };
    rows.into_iter().map(row).collect()
}
