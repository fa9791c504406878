//! What a person may change on the page: shelve a variable, and give feedback on an episode. Off
//! unless `actions` of `[web]` is set.
//!
//! A form is accepted only from one of our own pages: the browser says that it has the same origin,
//! and the form holds a token that is new at each start. Each change opens a connection that may
//! write, and closes it.

use std::time::Duration;

use axum::extract::{Form, State};
use axum::http::header::{HOST, LOCATION, ORIGIN};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use serde::Deserialize;
use subtle::ConstantTimeEq;

use super::error::WebError;
use super::view::{View, encoded};
use super::{App, SharedApp};
use crate::datetime::Datetime;
use crate::episode::{Feedback, Shelving};
use crate::store::Output;

/// The longest that a variable is shelved from here.
const LONGEST: Duration = Duration::from_secs(30 * 86_400);

/// The most characters of a reason or a note.
const MOST_WORDS: usize = 500;

/// What the table holds as the author of a change.
const BY: &str = "the page";

/// The token of the forms; new at each start.
pub(super) fn form_word() -> Result<String, getrandom::Error> {
    let mut bytes = [0; 16];
    getrandom::fill(&mut bytes)?;
    Ok(bytes.iter().map(|byte| format!("{byte:02x}")).collect())
}

/// Whether the browser says that a form has the same origin. Older browsers send the Origin header
/// alone.
fn is_from_here(headers: &HeaderMap) -> bool {
    let said = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
    match said("sec-fetch-site") {
        Some(site) => site == "same-origin",
        None => {
            let host = said(HOST.as_str()).unwrap_or_default();
            let origin = said(ORIGIN.as_str()).and_then(|origin| origin.split_once("://"));
            origin.is_some_and(|(_, origin)| origin.eq_ignore_ascii_case(host))
        }
    }
}

impl App {
    /// Whether a form is one of ours.
    fn takes(&self, headers: &HeaderMap, word: &str) -> bool {
        let ours = self.form_word.as_ref().is_some_and(|ours| ours.as_bytes().ct_eq(word.as_bytes()).into());
        ours && is_from_here(headers)
    }

    /// A connection that may write, and the plant's time.
    async fn to_change(&self) -> Result<(Box<dyn Output>, Datetime), WebError> {
        let mut reader = self.readers.lend().await?;
        let now = reader.clock().await;
        let now = reader.after(now)?;
        Ok((self.readers.writer().await?, now))
    }

    fn changed(&self, view: &View, changed: NextView) -> Response {
        match changed {
            Ok(to) => (StatusCode::SEE_OTHER, [(LOCATION, to)]).into_response(),
            Err(failure) => self.failed(view, &failure),
        }
    }
}

/// The view that is shown next.
type NextView = Result<String, WebError>;

/// A text that a person wrote; what is too long is cut.
fn words(text: &str) -> String {
    text.trim().chars().take(MOST_WORDS).collect()
}

#[derive(Deserialize)]
pub(super) struct ShelveForm {
    word: String,
    name: String,
    /// 0 ends it.
    hours: u32,
    #[serde(default)]
    reason: String,
}

pub(super) async fn shelve(
    State(app): State<SharedApp>,
    headers: HeaderMap,
    view: View,
    Form(form): Form<ShelveForm>,
) -> Response {
    if !app.takes(&headers, &form.word) {
        return app.failed(&view, &WebError::NotOurs);
    }
    let changed = shelve_it(&app, &form).await;
    app.changed(&view, changed)
}

async fn shelve_it(app: &App, form: &ShelveForm) -> NextView {
    let (mut output, now) = app.to_change().await?;
    if form.hours == 0 {
        output.unshelve(&form.name, now).await?;
    } else {
        let long = Duration::from_secs(u64::from(form.hours) * 3600).min(LONGEST);
        let shelving = Shelving {
            variable: form.name.as_str().into(),
            from: now,
            until: now.later(long),
            reason: words(&form.reason),
            by: BY.to_owned(),
        };
        output.shelve(&shelving).await?;
    }
    output.close().await?;
    Ok(format!("/variable?name={}", encoded(&form.name)))
}

#[derive(Deserialize)]
pub(super) struct FeedbackForm {
    word: String,
    id: i64,
    feedback: String,
    #[serde(default)]
    note: String,
}

pub(super) async fn feedback(
    State(app): State<SharedApp>,
    headers: HeaderMap,
    view: View,
    Form(form): Form<FeedbackForm>,
) -> Response {
    if !app.takes(&headers, &form.word) {
        return app.failed(&view, &WebError::NotOurs);
    }
    let changed = say_it(&app, &form).await;
    app.changed(&view, changed)
}

async fn say_it(app: &App, form: &FeedbackForm) -> NextView {
    let feedback = match form.feedback.as_str() {
        "expected" => Feedback::Expected,
        "real" => Feedback::Real,
        "sensor" => Feedback::Sensor,
        _ => return Err(WebError::NotFound),
    };
    let note = words(&form.note);
    let note = Some(note.as_str()).filter(|note| !note.is_empty());
    let (mut output, now) = app.to_change().await?;
    let is_there = output.say(form.id, feedback, note, now).await?;
    output.close().await?;
    if is_there { Ok(format!("/episode?id={}", form.id)) } else { Err(WebError::NotFound) }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

    use super::*;

    #[test]
    fn a_form_comes_from_a_page_of_ours() {
        for (given, ours) in [
            (vec![("sec-fetch-site", "same-origin")], true),
            (
                vec![
                    ("sec-fetch-site", "cross-site"),
                    ("origin", "http://localhost:8686"),
                    ("host", "localhost:8686"),
                ],
                false,
            ),
            (vec![("sec-fetch-site", "none")], false),
            (vec![("origin", "http://localhost:8686"), ("host", "localhost:8686")], true),
            (vec![("origin", "http://evil.example"), ("host", "localhost:8686")], false),
            (vec![("origin", "null"), ("host", "localhost:8686")], false),
            (vec![("host", "localhost:8686")], false),
        ] {
            let headers: HeaderMap = given
                .iter()
                .map(|(name, value)| {
                    (name.parse::<axum::http::HeaderName>().unwrap(), value.parse().unwrap())
                })
                .collect();
            assert_eq!(is_from_here(&headers), ours, "{given:?}");
        }
    }
}
