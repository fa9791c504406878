//! The server: a thread of its own with a runtime of its own, so that no request takes a thread of
//! the worker's.

use std::io;
use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

use tokio::sync::oneshot;

use super::bounded::{Bounded, Peer};
use super::{App, WebSettings, actions, live, readers, render, routes};

/// Threads for calls that block: the connections to a file.
const BLOCKING_THREADS: usize = 6;

/// How long requests in hand may take after a stop.
const GRACE: Duration = Duration::from_millis(500);

/// A page that is served, until this is dropped.
pub struct WebServer {
    address: SocketAddr,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl WebServer {
    /// Begins to serve.
    ///
    /// # Errors
    /// The address is taken or not this machine's; a template of ours is wrong; there is no thread.
    pub fn start(settings: WebSettings) -> anyhow::Result<Self> {
        settings.access.fits(settings.listen)?;
        let told = |error: io::Error| {
            anyhow::anyhow!("the page cannot be served at `{}` (`web.listen`): {error}", settings.listen)
        };
        let listener = TcpListener::bind(settings.listen).map_err(told)?;
        listener.set_nonblocking(true)?;
        let address = listener.local_addr()?;
        let app = Arc::new(App {
            access: settings.access,
            worker: settings.worker,
            interval: settings.interval,
            live: settings.live,
            metrics: settings.metrics,
            readers: readers::Readers::new(settings.store),
            names: readers::VariableList::default(),
            templates: render::Templates::new()?,
            news: live::LiveUpdates::default(),
            form_word: if settings.actions { Some(actions::form_word()?) } else { None },
        });
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(2)
            .max_blocking_threads(BLOCKING_THREADS)
            .thread_name("page")
            .enable_all()
            .build()?;
        let (stop, stopped) = oneshot::channel();
        let work = move || {
            runtime.block_on(async move {
                let stopped = async move { drop(stopped.await) };
                if let Err(error) = serve(app, listener, stopped).await {
                    tracing::error!("the page is served no longer: {error}");
                }
            });
            runtime.shutdown_timeout(GRACE);
        };
        let thread = std::thread::Builder::new().name("page".to_owned()).spawn(work)?;
        Ok(Self { address, stop: Some(stop), thread: Some(thread) })
    }

    /// Where it is served.
    pub fn address(&self) -> SocketAddr {
        self.address
    }
}

impl Drop for WebServer {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take() {
            // A page that panicked was told by its hook.
            let _ = thread.join();
        }
    }
}

async fn serve(
    app: Arc<App>,
    listener: TcpListener,
    stopped: impl Future<Output = ()> + Send,
) -> io::Result<()> {
    let listener = Bounded::new(tokio::net::TcpListener::from_std(listener)?);
    let service = routes::routes(app).into_make_service_with_connect_info::<Peer>();
    // A view that is live never ends by itself, so that nobody is waited for.
    tokio::select! {
        served = axum::serve(listener, service) => served,
        () = stopped => Ok(()),
    }
}
