//! The server has a thread and a runtime of its own, so that no request uses a thread of the
//! worker.

use std::io;
use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

use tokio::sync::oneshot;

use super::bounded::{Bounded, Peer};
use super::{App, WebSettings, actions, live, readers, render, routes};

/// Threads for blocking calls: connections to an SQLite file.
const BLOCKING_THREADS: usize = 6;

/// How long requests in hand may take after a stop.
const GRACE: Duration = Duration::from_millis(500);

/// Serves the page until it is dropped.
pub struct WebServer {
    address: SocketAddr,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl WebServer {
    /// Starts to serve.
    ///
    /// # Errors
    /// The address is in use or not of this machine; a template is wrong; no thread can be started.
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
            variables: readers::VariableList::default(),
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

    /// The address it listens on.
    pub fn address(&self) -> SocketAddr {
        self.address
    }
}

impl Drop for WebServer {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take() {
            // A panic was already logged by its hook.
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
    // Live views never end by themselves, so they are not waited for.
    tokio::select! {
        served = axum::serve(listener, service) => served,
        () = stopped => Ok(()),
    }
}
