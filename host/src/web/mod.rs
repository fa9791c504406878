//! The page: what the service knows, for people with a browser.
//!
//! It reads what is committed and, unless a person may change something here ([`actions`]), nothing
//! else, over connections and threads of its own, each of which it has a
//! few of: whatever is asked of it, a cycle does not wait. Every view is a URL. Pages are made at
//! the server; what comes from outside (names, reasons, paths) is only ever text in them. It lives
//! as long as its [`WebServer`]; dropping that ends it.

mod actions;
mod assets;
mod bounded;
mod error;
mod guard;
mod live;
mod pages;
mod readers;
mod render;
mod routes;
mod server;
mod view;
mod words;

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

pub use guard::{AccessRules, Refusal};
pub use pages::chart_data;
pub use server::WebServer;

use crate::metrics::Metrics;
use crate::reload::ReloadSlots;
use crate::store::Store;

/// What the page is told.
pub struct WebSettings {
    pub listen: SocketAddr,
    pub access: AccessRules,
    /// The row of the state table that the page shows.
    pub worker: String,
    /// Between two cycles.
    pub interval: Duration,
    /// What judges in this process, where a worker runs in it.
    pub live: Option<ReloadSlots>,
    pub metrics: Metrics,
    /// Whether a person may shelve and say something of episodes here.
    pub actions: bool,
    pub store: Box<dyn Store>,
}

/// What all requests share.
struct App {
    access: AccessRules,
    worker: String,
    interval: Duration,
    live: Option<ReloadSlots>,
    metrics: Metrics,
    readers: readers::Readers,
    variables: readers::VariableList,
    templates: render::Templates,
    news: live::LiveUpdates,
    /// What a form of ours holds; None where nothing may be changed.
    form_word: Option<String>,
}

type SharedApp = Arc<App>;
