//! The latest anomalies, by score or by time, with a filter; also as CSV.

use std::collections::HashMap;
use std::sync::Arc;

use axum::extract::State as Given;
use axum::http::header::{CACHE_CONTROL, CONTENT_DISPOSITION, CONTENT_TYPE};
use axum::response::{IntoResponse, Response};
use minijinja::{Value, context};

use super::variable::anomaly;
use super::{PageResult, WorkerStatus, ranges, second};
use crate::episode::{Episode, EpisodeKind, EpisodeRange, StoredEpisode};
use crate::store::{AnomalyQuery, ErrorKind, FirstOf, PageReader, StoreError, StoredVerdict};
use crate::web::render::PageContent;
use crate::web::view::{TimeRange, View, encoded};
use crate::web::words::Words;
use crate::web::{App, SharedApp};

/// Rows of one view.
const MOST: usize = 200;

/// Episodes of its time that are looked through for their causes, the newest first.
const MOST_EPISODES: usize = 1000;

pub(in crate::web) async fn anomalies(Given(app): Given<SharedApp>, view: View) -> Response {
    let page = page(&app, &view).await;
    app.answer(&view, page)
}

struct AnomaliesView {
    standing: WorkerStatus,
    window: TimeRange,
    least: f64,
    first: FirstOf,
    variable: Option<Arc<str>>,
    verdicts: Vec<StoredVerdict>,
    episodes: Vec<StoredEpisode>,
}

async fn find(app: &App, view: &View) -> PageResult<AnomaliesView> {
    let mut reader = app.readers.lend().await?;
    let found = read(app, view, &mut *reader).await;
    reader.after(found)
}

async fn read(app: &App, view: &View, reader: &mut dyn PageReader) -> Result<AnomaliesView, StoreError> {
    let standing = WorkerStatus::read(app, reader).await?;
    let window = view.window(standing.until, "24h");
    let least = view.number("score").unwrap_or(0.0).min(100.0);
    let first = if view.text("order") == Some("time") { FirstOf::Newest } else { FirstOf::Worst };
    let variable: Option<Arc<str>> = view.text("variable").map(Into::into);
    let query = AnomalyQuery {
        variable: variable.clone(),
        from: window.from,
        to: window.to,
        least_score: least,
        first,
        limit: MOST,
    };
    let verdicts = reader.anomalies(&query).await?;
    let wanted =
        EpisodeRange { variable: variable.clone(), from: window.from, to: window.to, limit: MOST_EPISODES };
    let episodes = match reader.episodes(&wanted).await {
        Err(error) if error.kind == ErrorKind::Schema => Vec::new(),
        found => found?,
    };
    Ok(AnomaliesView { standing, window, least, first, variable, verdicts, episodes })
}

impl AnomaliesView {
    /// Each with the cause of the episode that it lies in, where that is known.
    fn rows(&self) -> impl Iterator<Item = (&StoredVerdict, Option<&str>)> {
        let mut of: HashMap<&str, Vec<&Episode>> = HashMap::new();
        let episodes = self.episodes.iter().map(|stored| &stored.episode);
        for episode in episodes.filter(|episode| episode.kind == EpisodeKind::Anomaly) {
            of.entry(&episode.variable).or_default().push(episode);
        }
        self.verdicts.iter().map(move |verdict| {
            let holds = |episode: &&&Episode| episode.begin <= verdict.ds && verdict.ds <= episode.end;
            let held = of.get(&*verdict.variable).and_then(|of| of.iter().find(holds));
            (verdict, held.and_then(|episode| episode.cause.as_deref()))
        })
    }

    /// The filter as it stands in a link, but for the time.
    fn filter(&self) -> String {
        let order = if self.first == FirstOf::Newest { "time" } else { "score" };
        let mut filter = format!("order={order}");
        if self.least > 0.0 {
            filter.push_str(&format!("&score={}", self.least));
        }
        if let Some(variable) = &self.variable {
            filter.push_str(&format!("&variable={}", encoded(variable)));
        }
        filter
    }
}

async fn page(app: &App, view: &View) -> PageResult<PageContent> {
    let found = find(app, view).await?;
    let filter = found.filter();
    let context = context! {
        title => Words::of(view.labels).get("anomalies"),
        now => second(found.standing.now),
        ranges => ranges(view, &found.window, |query| format!("/anomalies?{filter}&{query}")),
        range => found.window.range,
        least => found.least.to_string(),
        by_time => found.first == FirstOf::Newest,
        variable => found.variable.as_deref().unwrap_or_default(),
        rows => found.rows().map(|(verdict, cause)| anomaly(verdict, cause, view.labels)).collect::<Value>(),
        count => found.verdicts.len(),
        is_cut => found.verdicts.len() == MOST,
        csv => format!("/anomalies.csv?{filter}&{}", found.window.query()),
    };
    Ok(PageContent { template: "anomalies.html", context })
}

/// The same rows, for a spreadsheet.
pub(in crate::web) async fn csv(Given(app): Given<SharedApp>, view: View) -> Response {
    match find(&app, &view).await {
        Ok(found) => {
            let headers = [
                (CONTENT_TYPE, "text/csv; charset=utf-8"),
                (CONTENT_DISPOSITION, "attachment; filename=\"anomalies.csv\""),
                (CACHE_CONTROL, "no-store"),
            ];
            (headers, table(found.rows())).into_response()
        }
        Err(failure) => app.failed(&view, &failure),
    }
}

fn table<'f>(rows: impl Iterator<Item = (&'f StoredVerdict, Option<&'f str>)>) -> String {
    let number = |value: Option<f64>| value.map(|value| value.to_string()).unwrap_or_default();
    let mut text = String::from("ds,variable,y,yhat,yhat_lower,yhat_upper,anomaly_score,episode_cause\r\n");
    for (verdict, cause) in rows {
        let cells = [
            verdict.ds.to_string(),
            cell(&verdict.variable),
            number(verdict.y),
            number(verdict.yhat),
            number(verdict.yhat_lower),
            number(verdict.yhat_upper),
            number(verdict.anomaly_score),
            cause.map(cell).unwrap_or_default(),
        ];
        text.push_str(&cells.join(","));
        text.push_str("\r\n");
    }
    text
}

/// A quoted text. One that a spreadsheet would take for a formula gets an apostrophe in front.
fn cell(text: &str) -> String {
    let mark = if text.starts_with(['=', '+', '-', '@', '\t', '\r']) { "'" } else { "" };
    format!("\"{mark}{}\"", text.replace('"', "\"\""))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_in_a_spreadsheet_is_no_formula() {
        for (name, expected) in [
            ("TEMP-03", "\"TEMP-03\""),
            ("a\"b,c\nd", "\"a\"\"b,c\nd\""),
            ("=HYPERLINK(\"x\")", "\"'=HYPERLINK(\"\"x\"\")\""),
            ("@x", "\"'@x\""),
        ] {
            assert_eq!(cell(name), expected);
        }
    }
}
