//! The page: what the service knows, for people with a browser.
//!
//! It only reads what is committed, unless [`actions`] are allowed. It has a few connections and
//! threads of its own, so that no request delays a cycle. Every view has a URL. Pages are rendered
//! on the server; what comes from outside (names, reasons, paths) is always escaped. It runs until
//! its [`WebServer`] is dropped.

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

/// The settings of the page.
pub struct WebSettings {
    pub listen: SocketAddr,
    pub access: AccessRules,
    /// The row of the state table that the page shows.
    pub worker: String,
    /// Between the starts of two cycles.
    pub interval: Duration,
    /// The set in use of a worker that runs in this process, if any.
    pub live: Option<ReloadSlots>,
    pub metrics: Metrics,
    /// Whether a person may shelve variables and give feedback here.
    pub actions: bool,
    pub store: Box<dyn Store>,
}

/// Shared by all requests.
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
    /// The token of our forms; None where nothing may be changed.
    form_word: Option<String>,
}

type SharedApp = Arc<App>;
