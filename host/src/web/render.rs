//! The templates, and the values that all pages share.

use std::collections::BTreeMap;

use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE};
use axum::http::{HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use minijinja::{Environment, UndefinedBehavior, Value, context};

use super::error::WebError;
use super::view::View;
use super::{App, assets, words};

macro_rules! templates {
    ($($name:literal),*) => {
        [$(($name, include_str!(concat!("templates/", $name)))),*]
    };
}

const TEMPLATES: [(&str, &str); 10] = templates![
    "base.html",
    "overview.html",
    "variable.html",
    "anomalies.html",
    "detector.html",
    "episode.html",
    "episodes.html",
    "login.html",
    "failure.html",
    "ranges.html"
];

pub(super) struct Templates(Environment<'static>);

impl Templates {
    /// # Errors
    /// A template has a syntax error.
    pub(super) fn new() -> Result<Self, minijinja::Error> {
        let mut environment = Environment::new();
        // A value that a page does not give is an error, not an empty text.
        environment.set_undefined_behavior(UndefinedBehavior::Strict);
        for (name, text) in TEMPLATES {
            environment.add_template(name, text)?;
        }
        Ok(Self(environment))
    }
}

impl App {
    /// The page, or the page of its error.
    pub(super) fn answer(&self, view: &View, page: Result<PageContent, WebError>) -> Response {
        match page.and_then(|page| self.html(view, page.template, page.context)) {
            Ok(html) => html_response(StatusCode::OK, html),
            Err(failure) => self.failed(view, &failure),
        }
    }

    pub(super) fn failed(&self, view: &View, failure: &WebError) -> Response {
        tracing::debug!("`{}` cannot be shown: {failure}", view.path);
        let words = words::Words::of(view.labels);
        let said = match failure {
            WebError::Store(_) | WebError::NoDatabase(_) => crate::text::escaped(&failure.to_string()),
            _ => String::new(),
        };
        let context = context! { title => words.get(failure.word()), detail => said };
        match self.html(view, "failure.html", context) {
            Ok(html) => html_response(failure.status(), html),
            Err(error) => {
                tracing::error!("the page of a failure cannot be shown: {error}");
                failure.status().into_response()
            }
        }
    }

    pub(super) fn html(&self, view: &View, template: &str, context: Value) -> Result<String, WebError> {
        let words = words::Words::of(view.labels);
        let all = context! {
            t => words.table(),
            lang => view.labels.language,
            path => &view.path,
            worker => crate::text::escaped(&self.worker),
            style => assets::STYLE.link(),
            script => assets::SCRIPT.link(),
            form_word => self.form_word.as_deref(),
            ..context
        };
        Ok(self.templates.0.get_template(template)?.render(all)?)
    }
}

/// A template and its values.
pub(super) struct PageContent {
    pub(super) template: &'static str,
    pub(super) context: Value,
}

pub(super) fn html_response(status: StatusCode, html: String) -> Response {
    let headers = [
        (CONTENT_TYPE, HeaderValue::from_static("text/html; charset=utf-8")),
        (CACHE_CONTROL, HeaderValue::from_static("no-store")),
    ];
    (status, headers, html).into_response()
}

/// Pairs as a map for a template.
pub(super) fn map(pairs: impl IntoIterator<Item = (&'static str, Value)>) -> Value {
    Value::from_object(pairs.into_iter().collect::<BTreeMap<&'static str, Value>>())
}
