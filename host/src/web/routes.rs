//! The URLs, and what is checked before them: limits, timeouts, headers and access.

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::error_handling::HandleErrorLayer;
use axum::extract::{ConnectInfo, DefaultBodyLimit, Form, Request, State};
use axum::http::header::{
    CONTENT_SECURITY_POLICY, HeaderName, LOCATION, REFERRER_POLICY, RETRY_AFTER, SET_COOKIE,
    X_CONTENT_TYPE_OPTIONS, X_FRAME_OPTIONS,
};
use axum::http::{HeaderMap, HeaderValue, StatusCode};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use minijinja::context;
use serde::Deserialize;
use tokio::sync::Semaphore;
use tower::limit::GlobalConcurrencyLimitLayer;
use tower::{BoxError, ServiceBuilder};
use tower_http::catch_panic::CatchPanicLayer;

use super::assets::{self, Asset};
use super::bounded::Peer;
use super::error::WebError;
use super::guard::Verdict;
use super::render::html_response;
use super::view::View;
use super::{App, SharedApp, actions, live, pages, words};

/// Requests for pages at a time; more are refused as busy.
const MOST: usize = 32;

/// The time limit of a request.
const LONGEST: Duration = Duration::from_secs(15);

/// The most bytes of a form.
const BODY: usize = 16 << 10;

/// Nothing is loaded from elsewhere, no inline script runs, and no other page may frame this one.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; \
                      form-action 'self'; frame-ancestors 'none'; base-uri 'none'";

pub(super) fn routes(app: SharedApp) -> Router {
    let bounded = ServiceBuilder::new()
        .layer(HandleErrorLayer::new(overloaded))
        .load_shed()
        .layer(GlobalConcurrencyLimitLayer::with_semaphore(Arc::new(Semaphore::new(MOST))))
        .timeout(LONGEST);
    let pages = Router::new()
        .route("/", get(pages::overview))
        .route("/variable", get(pages::variable))
        .route("/chart.svg", get(pages::picture))
        .route("/anomalies", get(pages::anomalies))
        .route("/anomalies.csv", get(pages::csv))
        .route("/detector", get(pages::detector))
        .route("/episode", get(pages::episode))
        .route("/state", get(live::state))
        .route("/shelve", post(actions::shelve))
        .route("/feedback", post(actions::feedback))
        .layer(bounded)
        .route("/events", get(live::events))
        .route("/metrics", get(metrics))
        .fallback(nothing)
        .layer(middleware::from_fn_with_state(Arc::clone(&app), guard));
    Router::new()
        .merge(pages)
        .route("/health", get(health))
        .route("/ready", get(ready))
        .route("/login", get(login).post(sign_in))
        .route("/static/page.css", get(|headers: HeaderMap| asset(&assets::STYLE, headers)))
        .route("/static/page.js", get(|headers: HeaderMap| asset(&assets::SCRIPT, headers)))
        .route("/static/icon.svg", get(|headers: HeaderMap| asset(&assets::ICON, headers)))
        .route("/favicon.ico", get(|headers: HeaderMap| asset(&assets::ICON, headers)))
        .layer(DefaultBodyLimit::max(BODY))
        .layer(CatchPanicLayer::new())
        .layer(middleware::map_response(headers))
        .with_state(app)
}

async fn asset(asset: &'static Asset, headers: HeaderMap) -> Response {
    asset.answer(&headers)
}

async fn overloaded(error: BoxError) -> Response {
    let said = if error.is::<tower::timeout::error::Elapsed>() {
        "this took too long and was given up"
    } else {
        "too many requests at once; come again in a second"
    };
    (StatusCode::SERVICE_UNAVAILABLE, [(RETRY_AFTER, "1")], said).into_response()
}

async fn headers(mut response: Response) -> Response {
    let headers = response.headers_mut();
    for (name, value) in [
        (CONTENT_SECURITY_POLICY, POLICY),
        (X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (X_FRAME_OPTIONS, "DENY"),
        (REFERRER_POLICY, "no-referrer"),
        (HeaderName::from_static("cross-origin-opener-policy"), "same-origin"),
        (HeaderName::from_static("cross-origin-resource-policy"), "same-origin"),
    ] {
        headers.insert(name, HeaderValue::from_static(value));
    }
    response
}

/// Refuses requests that are not allowed.
async fn guard(
    State(app): State<SharedApp>,
    ConnectInfo(Peer(peer)): ConnectInfo<Peer>,
    view: View,
    request: Request,
    next: Next,
) -> Response {
    match app.access.judge(request.headers(), peer.ip()) {
        Verdict::Let => next.run(request).await,
        Verdict::WrongHost => {
            let said = words::Words::of(view.labels).get("wrong_host");
            (StatusCode::MISDIRECTED_REQUEST, format!("{said} (`web.hosts`)\n")).into_response()
        }
        Verdict::Unknown => app.ask_for_token(&view, "", StatusCode::UNAUTHORIZED),
    }
}

impl App {
    fn ask_for_token(&self, view: &View, said: &'static str, status: StatusCode) -> Response {
        let words = words::Words::of(view.labels);
        let context = context! {
            title => words.get("sign_in"),
            said => if said.is_empty() { said } else { words.get(said) },
            asks => self.access.token.is_some(),
        };
        match self.html(view, "login.html", context) {
            Ok(html) => html_response(status, html),
            Err(failure) => self.failed(view, &failure),
        }
    }
}

async fn nothing(State(app): State<SharedApp>, view: View) -> Response {
    app.failed(&view, &WebError::NotFound)
}

async fn login(State(app): State<SharedApp>, view: View) -> Response {
    app.ask_for_token(&view, "", StatusCode::OK)
}

#[derive(Deserialize)]
struct SignIn {
    token: String,
}

async fn sign_in(
    State(app): State<SharedApp>,
    headers: HeaderMap,
    view: View,
    Form(SignIn { token }): Form<SignIn>,
) -> Response {
    if app.access.is_our_host(&headers)
        && app.access.is_token(token.trim())
        && let Some(cookie) = app.access.cookie()
    {
        return (StatusCode::SEE_OTHER, [(SET_COOKIE, cookie), (LOCATION, "/".to_owned())]).into_response();
    }
    // Slows down guessing.
    tokio::time::sleep(Duration::from_millis(500)).await;
    app.ask_for_token(&view, "wrong_token", StatusCode::UNAUTHORIZED)
}

/// Whether the process makes progress.
async fn health(State(app): State<SharedApp>) -> Response {
    match app.metrics.stalled() {
        None => (StatusCode::OK, "ok\n").into_response(),
        Some(for_so_long) => {
            let said = format!("the schedule has made no progress for {} s\n", for_so_long.as_secs());
            (StatusCode::SERVICE_UNAVAILABLE, said).into_response()
        }
    }
}

/// Whether the store can be reached and a set is loaded.
async fn ready(State(app): State<SharedApp>) -> Response {
    let not = |said: &'static str| (StatusCode::SERVICE_UNAVAILABLE, said).into_response();
    if app.live.as_ref().is_some_and(|live| live.in_use().is_none()) {
        return not("no set is loaded\n");
    }
    // Details of a database error are shown only to those who may see the page.
    match app.readers.lend().await {
        Ok(reader) => {
            reader.give_back();
            (StatusCode::OK, "ready\n").into_response()
        }
        Err(_) => not("the database does not answer\n"),
    }
}

async fn metrics(State(app): State<SharedApp>) -> Response {
    let kind = "application/openmetrics-text; version=1.0.0; charset=utf-8";
    ([(axum::http::header::CONTENT_TYPE, kind)], app.metrics_now().await).into_response()
}

impl App {
    /// The counters of this process, and what the worker's row says.
    async fn metrics_now(&self) -> String {
        if let Ok(mut reader) = self.readers.lend().await {
            let stands = async {
                let now = reader.clock().await?;
                let outline = reader.outline(&self.worker).await?;
                // A database of an earlier version has no such table.
                let open = reader.open_episodes().await.ok();
                let undelivered = reader.undelivered().await.ok();
                Ok((now, outline, open, undelivered))
            };
            let answer = stands.await;
            if let Ok((now, outline, open, undelivered)) = reader.after(answer) {
                if let Some(outline) = outline {
                    self.metrics.stands(&outline.state, now);
                }
                if let Some(open) = open {
                    self.metrics.open_episodes(&open);
                }
                if let Some(undelivered) = undelivered {
                    self.metrics.undelivered(&undelivered);
                }
            }
        }
        self.metrics.text()
    }
}
