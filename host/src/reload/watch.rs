//! The loop that owns reloads.
//!
//! It wakes on any event that is not an access, on a watcher's error, on a timer and on a hangup signal; waits until no hint came for a
//! while; then looks. The task lives as long as the [`Watch`]; dropping that stops it. Nothing in here can stop the service: without
//! events the timer is left.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use notify::{RecommendedWatcher, RecursiveMode, Watcher};
use tokio::sync::Notify;
use tokio::task::JoinHandle;

use super::reloader::{Look, Reloader};
use super::source::Source;

/// How the loop paces itself.
#[derive(Clone, Copy, Debug)]
pub struct Pace {
    /// No hint for so long: a copy of many files is over. The first event comes while the first file is still being written.
    pub quiet: Duration,
    /// A look without any hint. Network shares send no events, and queues overflow without a word.
    pub period: Duration,
}

impl Default for Pace {
    fn default() -> Self {
        Self { quiet: Duration::from_millis(500), period: Duration::from_secs(30) }
    }
}

/// The running loop.
pub struct Watch {
    hint: Arc<Notify>,
    task: JoinHandle<()>,
}

impl Watch {
    /// Starts to watch.
    pub fn start(reloader: Reloader, pace: Pace) -> Self {
        let hint = Arc::new(Notify::new());
        let task = tokio::spawn(run(reloader, pace, Arc::clone(&hint)));
        Self { hint, task }
    }

    /// Asks for a look: a signal or a service control.
    pub fn hint(&self) {
        self.hint.notify_one();
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn run(mut reloader: Reloader, pace: Pace, hint: Arc<Notify>) {
    let mut watching = Watching::default();
    loop {
        watching.renew(reloader.source(), &hint);
        // A hint, or the timer: either way the next thing is a look.
        let hinted = tokio::time::timeout(pace.period, hint.notified()).await.is_ok();
        let hints_end = tokio::time::Instant::now() + pace.period;
        while hinted
            && tokio::time::Instant::now() < hints_end
            && tokio::time::timeout(pace.quiet, hint.notified()).await.is_ok()
        {}
        // A directory made again is watched before it is read: what is written to it later is a hint.
        watching.renew(reloader.source(), &hint);
        match reloader.look().await {
            Look::Same => {}
            Look::Ready(digest) => {
                tracing::info!("a new detector is ready and judges the next batch (set {})", short(&digest));
            }
            Look::Refused(error) => {
                tracing::error!("the files changed and cannot be used, the detector in use stays: {error}");
            }
            Look::Unsettled(error) => {
                tracing::debug!("{error}");
                hint.notify_one();
            }
        }
    }
}

/// A digest as people read it.
pub fn short(digest: &str) -> &str {
    digest.get(..12).unwrap_or(digest)
}

/// The watcher and what it watches. A directory that was deleted and made again is silent for ever, so the watches are renewed when
/// the list or what stands behind it changed.
#[derive(Default)]
struct Watching {
    watcher: Option<RecommendedWatcher>,
    directories: Vec<(PathBuf, Option<file_id::FileId>)>,
    complained: bool,
}

impl Watching {
    fn renew(&mut self, source: &Source, hint: &Arc<Notify>) {
        let directories: Vec<_> = source
            .directories()
            .into_iter()
            .map(|path| {
                let id = file_id::get_file_id(&path).ok();
                (path, id)
            })
            .collect();
        if self.watcher.is_some() && directories == self.directories {
            return;
        }
        match watch(&directories, Interest::of(source), hint) {
            Ok(watcher) => self.watcher = Some(watcher),
            Err(error) if !self.complained => {
                self.complained = true;
                tracing::warn!("no file events, changed models are found by the timer alone: {error}");
            }
            Err(_) => {}
        }
        self.directories = directories;
    }
}

fn watch(
    directories: &[(PathBuf, Option<file_id::FileId>)],
    interest: Interest,
    hint: &Arc<Notify>,
) -> notify::Result<RecommendedWatcher> {
    let hint = Arc::clone(hint);
    let mut watcher = notify::recommended_watcher(move |event: notify::Result<notify::Event>| {
        // Our own reading is an event too.
        if event.map_or(true, |event| !event.kind.is_access() && interest.is_in(&event.paths)) {
            hint.notify_one();
        }
    })?;
    for (directory, _) in directories {
        watcher.watch(directory, RecursiveMode::NonRecursive)?;
    }
    Ok(watcher)
}

/// Which events matter. The directories that hold module and models often hold the log and the database as well, and a watch
/// must not be kept awake by the service's own writing.
struct Interest {
    source: Source,
    models: PathBuf,
    names: Vec<std::ffi::OsString>,
}

impl Interest {
    fn of(source: &Source) -> Self {
        let paths = source.module.iter().chain([&source.models]);
        let names = paths.filter_map(|path| path.file_name()).map(ToOwned::to_owned).collect();
        Self { source: source.clone(), models: real(&source.models), names }
    }

    fn is_in(&self, paths: &[PathBuf]) -> bool {
        let matters = |path: &PathBuf| {
            let name = path.file_name().unwrap_or_default();
            // `..data` and its like are how a mounted ConfigMap swaps all its files at once.
            (path.starts_with(&self.models) && !self.source.is_own(path))
                || self.names.iter().any(|known| known == name)
                || name.as_encoded_bytes().starts_with(b"..")
        };
        paths.is_empty() || paths.iter().any(matters)
    }
}

fn real(path: &Path) -> PathBuf {
    path.canonicalize().unwrap_or_else(|_| path.to_owned())
}
