//! Tells open pages that there is something new: by server-sent events, and by a plain request for
//! clients whose proxy does not pass events.
//!
//! One task polls for all viewers, and only while there are any.

use std::convert::Infallible;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use axum::extract::State;
use axum::http::StatusCode;
use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE};
use axum::response::sse::{Event, KeepAlive, Sse};
use axum::response::{IntoResponse, Response};
use futures_util::stream;
use serde_json::json;
use tokio::sync::watch;

use super::{App, SharedApp};

/// How often the state row is read.
const EVERY: Duration = Duration::from_secs(5);

/// How often a comment is sent while nothing is new: proxies close idle connections.
const ALIVE: Duration = Duration::from_secs(15);

/// The most viewers with events at a time. Others poll.
const MOST: usize = 64;

/// The last change, and the number of viewers.
#[derive(Default)]
pub(super) struct LiveUpdates {
    watching: Arc<AtomicUsize>,
    told: Mutex<Option<watch::Receiver<String>>>,
}

/// Counts one viewer until it is dropped.
struct Viewer(Arc<AtomicUsize>);

impl Drop for Viewer {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

/// The time of the last commit, as a text.
async fn standing(app: &App) -> Option<String> {
    let mut reader = app.readers.lend().await.ok()?;
    let outline = reader.outline(&app.worker).await;
    let found = reader.after(outline).ok()??;
    Some(found.state.updated_at.to_string())
}

/// Ends when there are no more viewers.
async fn look(app: SharedApp, tell: watch::Sender<String>) {
    loop {
        if let Some(now) = standing(&app).await {
            tell.send_if_modified(|last| {
                let is_new = *last != now;
                if is_new {
                    last.clone_from(&now);
                }
                is_new
            });
        }
        tokio::select! {
            () = tell.closed() => return,
            () = tokio::time::sleep(EVERY) => {}
        }
        // The receiver that is kept for the next viewer does not count.
        if app.news.watching.load(Ordering::Relaxed) == 0 {
            *app.news.told.lock().unwrap_or_else(PoisonError::into_inner) = None;
            return;
        }
    }
}

fn subscribe(app: &SharedApp) -> watch::Receiver<String> {
    let mut told = app.news.told.lock().unwrap_or_else(PoisonError::into_inner);
    let receiver = told.get_or_insert_with(|| {
        let (tell, receiver) = watch::channel(String::new());
        tokio::spawn(look(Arc::clone(app), tell));
        receiver
    });
    receiver.clone()
}

/// Sends an event at each commit.
pub(super) async fn events(State(app): State<SharedApp>) -> Response {
    if app.news.watching.fetch_add(1, Ordering::Relaxed) >= MOST {
        app.news.watching.fetch_sub(1, Ordering::Relaxed);
        return StatusCode::SERVICE_UNAVAILABLE.into_response();
    }
    let watching = Viewer(Arc::clone(&app.news.watching));
    let receiver = subscribe(&app);
    let events = stream::unfold((receiver, watching), |(mut receiver, watching)| async move {
        receiver.changed().await.ok()?;
        let text = receiver.borrow_and_update().clone();
        Some((Ok::<_, Infallible>(Event::default().data(text)), (receiver, watching)))
    });
    Sse::new(events).keep_alive(KeepAlive::new().interval(ALIVE)).into_response()
}

/// The same as a plain answer.
pub(super) async fn state(State(app): State<SharedApp>) -> Response {
    let told = json!({ "updated_at": standing(&app).await }).to_string();
    ([(CONTENT_TYPE, "application/json"), (CACHE_CONTROL, "no-store")], told).into_response()
}
