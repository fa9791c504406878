//! The loop that runs reloads.
//!
//! It wakes on any event that is not an access, on a watcher's error and on a timer; waits until no
//! hint came for a while; then looks at the files. A look that is requested ([`Asker`]) is made at
//! once, and its result is returned. The task lives as long as the [`Watch`]; dropping that stops
//! it. Nothing here can stop the service: without events the timer remains, reading that hangs is
//! abandoned and tried again, and if the loop itself ends, it is restarted.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use notify::{RecommendedWatcher, RecursiveMode, Watcher};
use tokio::sync::{Mutex, Notify, mpsc, oneshot};
use tokio::task::{JoinHandle, JoinSet};

use super::answer::Answer;
use super::reloader::{ReloadOutcome, Reloader};
use super::set_source::SetSource;
use crate::detector::short_digest;

/// The times of the loop.
#[derive(Clone, Copy, Debug)]
pub struct Timing {
    /// After this time without a hint, a copy of many files is over. The first event comes while
    /// the first file is still being written.
    pub quiet: Duration,
    /// The time between looks without any hint. Network shares send no events, and event queues
    /// overflow without notice.
    pub period: Duration,
}

impl Default for Timing {
    fn default() -> Self {
        Self { quiet: Duration::from_millis(500), period: Duration::from_secs(30) }
    }
}

/// The longest pause between two tries to read, if reading hangs.
const LONGEST_PAUSE: Duration = Duration::from_secs(3600);

/// The running loop.
pub struct Watch {
    hint: Arc<Notify>,
    asker: Asker,
    task: JoinHandle<()>,
}

/// Requests looks from the loop.
#[derive(Clone)]
pub struct Asker(mpsc::UnboundedSender<oneshot::Sender<Answer>>);

impl Asker {
    /// Looks at once, and returns the result; while a file is being written, that of a later look.
    /// None if the loop has ended.
    pub async fn look(&self) -> Option<Answer> {
        let (answer, answered) = oneshot::channel();
        self.0.send(answer).ok()?;
        answered.await.ok()
    }
}

impl Watch {
    /// Starts to watch.
    pub fn start(reloader: Reloader, pace: Timing) -> Self {
        let hint = Arc::new(Notify::new());
        let (asks, asked) = mpsc::unbounded_channel();
        let looks = Looks { reloader, asked, askers: Vec::new() };
        let (looks, hinted) = (Arc::new(Mutex::new(looks)), Arc::clone(&hint));
        let looks = move || run(Arc::clone(&looks), pace, Arc::clone(&hinted));
        let task = tokio::spawn(kept_alive(looks, pace.period));
        Self { hint, asker: Asker(asks), task }
    }

    /// Requests looks, as long as this lives.
    pub fn asker(&self) -> Asker {
        self.asker.clone()
    }

    /// Something may have changed, as after an event of a file.
    pub fn hint(&self) {
        self.hint.notify_one();
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// Runs a task that is not meant to end; if it ends, that is logged and it is started again.
async fn kept_alive<F: Future<Output = ()> + Send + 'static>(mut start: impl FnMut() -> F, pause: Duration) {
    loop {
        // Ends with this one.
        let mut task = JoinSet::new();
        task.spawn(start());
        let why = match task.join_next().await {
            Some(Err(error)) => error.to_string(),
            Some(Ok(())) | None => "it returned".to_owned(),
        };
        tracing::error!(
            "the watch on module and models ended and is started anew, the detector in use goes on: {why}"
        );
        tokio::time::sleep(pause).await;
    }
}

/// The reloader, and the requests for looks.
struct Looks {
    reloader: Reloader,
    asked: mpsc::UnboundedReceiver<oneshot::Sender<Answer>>,
    /// The requests that the next look answers.
    askers: Vec<oneshot::Sender<Answer>>,
}

impl Looks {
    /// Waits until the next look is due. Returns whether it was requested.
    async fn due(&mut self, hint: &Notify, period: Duration, pace: Timing) -> bool {
        // A hint, or the timer: either way the next thing is a look.
        tokio::select! {
            biased;
            Some(asker) = self.asked.recv() => return self.is_asked(asker),
            hinted = tokio::time::timeout(period, hint.notified()) => if hinted.is_err() {
                return false;
            },
        }
        let hints_end = tokio::time::Instant::now() + pace.period;
        while tokio::time::Instant::now() < hints_end {
            tokio::select! {
                biased;
                Some(asker) = self.asked.recv() => return self.is_asked(asker),
                hinted = tokio::time::timeout(pace.quiet, hint.notified()) => if hinted.is_err() {
                    return false;
                },
            }
        }
        false
    }

    fn is_asked(&mut self, asker: oneshot::Sender<Answer>) -> bool {
        self.askers.push(asker);
        while let Ok(another) = self.asked.try_recv() {
            self.askers.push(another);
        }
        true
    }

    /// Answers the requests; if a file is being written, the next look does.
    fn answer(&mut self, look: &ReloadOutcome) {
        let Some(answer) = self.reloader.answer(look) else { return };
        // Whoever has stopped waiting gets no answer.
        self.askers.drain(..).for_each(|asker| drop(asker.send(answer.clone())));
    }
}

async fn run(looks: Arc<Mutex<Looks>>, pace: Timing, hint: Arc<Notify>) {
    let mut looks = looks.lock().await;
    let mut watching = WatchedPaths::default();
    let mut hanging = Hanging::default();
    // The first look finds what changed before the first watch was set.
    hint.notify_one();
    loop {
        watching = watching.renewed(&looks.reloader, &hint).await;
        let period = hanging.pause().unwrap_or(pace.period);
        let asked = looks.due(&hint, period, pace).await;
        // A new directory is watched before it is read: what is written to it later causes a hint.
        watching = watching.renewed(&looks.reloader, &hint).await;
        let look = if asked { looks.reloader.look_at_once().await } else { looks.reloader.look().await };
        looks.answer(&look);
        if let ReloadOutcome::Hangs(time) = look {
            hanging.again(time, pace.period);
            continue;
        }
        hanging.over();
        match look {
            ReloadOutcome::Same | ReloadOutcome::Hangs(_) => {}
            ReloadOutcome::Ready(digest) => {
                tracing::info!(
                    "a new detector is ready and judges the next batch (set {})",
                    short_digest(&digest)
                );
            }
            ReloadOutcome::Refused(error) => {
                let again = if error.may_pass() { "; it is tried again after a while" } else { "" };
                tracing::error!(
                    "the files changed and cannot be used, the detector in use stays: {error}{again}"
                );
            }
            ReloadOutcome::Unsettled(error) => {
                tracing::debug!("{error}");
                hint.notify_one();
            }
        }
    }
}

/// Reads that hang: logged when that begins and when it ends, and tried again with growing pauses.
#[derive(Default)]
struct Hanging {
    tries: u32,
    pause: Duration,
}

impl Hanging {
    fn pause(&self) -> Option<Duration> {
        (self.tries > 0).then_some(self.pause)
    }

    fn again(&mut self, time: Duration, period: Duration) {
        self.pause = (period * 2_u32.saturating_pow(self.tries)).min(LONGEST_PAUSE.max(period));
        self.tries = (self.tries + 1).min(16);
        if self.tries == 1 {
            tracing::error!(
                "reading the module and the models has made no step for {}: a share that does not answer? It is tried again; \
                 the detector in use goes on",
                humantime::format_duration(time)
            );
        }
    }

    fn over(&mut self) {
        if self.tries > 0 {
            tracing::info!("the module and the models can be read again");
        }
        *self = Self::default();
    }
}

/// The watcher and what it watches. A directory that was deleted and made again causes no more
/// events, so the watches are renewed when the list or the directories themselves have changed.
#[derive(Default)]
struct WatchedPaths {
    watcher: Option<RecommendedWatcher>,
    directories: Vec<(PathBuf, Option<file_id::FileId>)>,
    complained: bool,
}

impl WatchedPaths {
    /// On a thread of its own, as it uses the file system. If that hangs, there are no events until
    /// the watches are renewed.
    async fn renewed(mut self, reloader: &Reloader, hint: &Arc<Notify>) -> Self {
        let Some(left) = reloader.one_more() else { return self };
        let (source, hint) = (reloader.source().clone(), Arc::clone(hint));
        let log = tracing::dispatcher::get_default(tracing::Dispatch::clone);
        let renewing = tokio::task::spawn_blocking(move || {
            let _left = left;
            tracing::dispatcher::with_default(&log, || self.renew(&source, &hint));
            self
        });
        match tokio::time::timeout(reloader.patience(), renewing).await {
            Ok(Ok(watching)) => watching,
            Ok(Err(_)) | Err(_) => Self::default(),
        }
    }

    fn renew(&mut self, source: &SetSource, hint: &Arc<Notify>) {
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
        // Our own reading causes events too.
        if event.map_or(true, |event| !event.kind.is_access() && interest.is_in(&event.paths)) {
            hint.notify_one();
        }
    })?;
    for (directory, _) in directories {
        watcher.watch(directory, RecursiveMode::NonRecursive)?;
    }
    Ok(watcher)
}

/// Which events matter. The directories of module and models often also hold the log and the
/// database, and the service's own writing must not trigger looks.
struct Interest {
    source: SetSource,
    models: PathBuf,
    names: Vec<std::ffi::OsString>,
}

impl Interest {
    fn of(source: &SetSource) -> Self {
        let paths = source.module.iter().chain([&source.models]);
        let names = paths.filter_map(|path| path.file_name()).map(ToOwned::to_owned).collect();
        Self { source: source.clone(), models: real(&source.models), names }
    }

    fn is_in(&self, paths: &[PathBuf]) -> bool {
        let matters = |path: &PathBuf| {
            let name = path.file_name().unwrap_or_default();
            // A mounted ConfigMap replaces all its files at once through `..data` and similar
            // names.
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

#[cfg(test)]
mod tests {
    #![allow(clippy::panic, reason = "the harm that is mended")]

    use std::sync::atomic::{AtomicU32, Ordering};

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_loop_that_ends_is_started_anew() {
        let (starts, third) = (Arc::new(AtomicU32::new(0)), Arc::new(Notify::new()));
        let (counted, told) = (Arc::clone(&starts), Arc::clone(&third));
        let start = move || {
            let (start, told) = (counted.fetch_add(1, Ordering::Relaxed), Arc::clone(&told));
            async move {
                match start {
                    0 => panic!("told to panic"),
                    1 => {}
                    _ => {
                        told.notify_one();
                        std::future::pending::<()>().await;
                    }
                }
            }
        };
        let task = tokio::spawn(kept_alive(start, Duration::from_secs(30)));
        third.notified().await;
        assert_eq!(starts.load(Ordering::Relaxed), 3);
        task.abort();
    }

    #[test]
    fn pauses_grow_and_have_an_end() {
        let (mut hanging, period) = (Hanging::default(), Duration::from_secs(30));
        assert_eq!(hanging.pause(), None);
        let mut pauses = Vec::new();
        for _ in 0..20 {
            hanging.again(period, period);
            pauses.extend(hanging.pause().map(|pause| pause.as_secs()));
        }
        assert_eq!(pauses[..9], [30, 60, 120, 240, 480, 960, 1920, 3600, 3600]);
        assert_eq!(pauses[19], 3600);
        hanging.over();
        assert_eq!(hanging.pause(), None);
    }
}
