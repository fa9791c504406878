//! Keeps the set that judged last, and opens it when the files on disk cannot be used.
//!
//! A set is kept after the commit of the first batch that it has judged without a fault, once for
//! each set. A thread of its own writes it, so that judging does not wait for a disk. A set that
//! cannot be kept is logged once and has no other effect.

use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime};

use tokio::task::JoinHandle;

use super::kept_set::{KeptFile, KeptSet};
use super::set_source::SetSource;
use crate::detector::{Detector, DetectorError, Engine, Set, short_digest};
use crate::unit_limit::explained;

/// How long the end of the process waits for what is being written.
const GRACE: Duration = Duration::from_secs(10);

/// The kept set of one worker. Cheap to clone.
#[derive(Clone)]
pub struct LastGood(Arc<LastGoodInner>);

struct LastGoodInner {
    file: KeptFile,
    newest: Mutex<Newest>,
    /// One writes at a time.
    writing: Mutex<()>,
    said: AtomicBool,
}

#[derive(Default)]
struct Newest {
    /// The digest of the set that judged last.
    digest: String,
    keeping: Option<JoinHandle<()>>,
}

/// The kept set, opened.
pub(super) struct OpenedKept {
    pub(super) detector: Detector,
    pub(super) kept_at: SystemTime,
    /// Whether its settings are other ones now than those that it judged with.
    pub(super) other_settings: bool,
}

impl LastGood {
    /// In this directory, for this worker's sets made of these files.
    pub fn new(directory: &Path, worker: &str, source: &SetSource) -> Self {
        let directory = std::path::absolute(directory).unwrap_or_else(|_| directory.to_owned());
        Self(Arc::new(LastGoodInner {
            file: KeptFile::new(&directory, worker, source),
            newest: Mutex::default(),
            writing: Mutex::default(),
            said: AtomicBool::new(false),
        }))
    }

    /// Where it is kept.
    pub fn path(&self) -> &Path {
        self.0.file.path()
    }

    /// This set has judged, and its verdicts are committed. Needs a runtime.
    pub(crate) fn judged(&self, set: &Arc<Set>) {
        let mut newest = self.newest();
        if newest.digest == set.digest {
            return;
        }
        newest.digest.clone_from(&set.digest);
        let (last_good, set) = (self.clone(), Arc::clone(set));
        let log = tracing::dispatcher::get_default(tracing::Dispatch::clone);
        newest.keeping = Some(tokio::task::spawn_blocking(move || {
            tracing::dispatcher::with_default(&log, || last_good.keep(&set));
        }));
    }

    /// Waits until the set that judged last is kept, up to a limit.
    pub async fn finish(&self) {
        let keeping = self.newest().keeping.take();
        if let Some(keeping) = keeping {
            // What is being written has a temporary name.
            let _ = tokio::time::timeout(GRACE, keeping).await;
        }
    }

    fn newest(&self) -> MutexGuard<'_, Newest> {
        self.0.newest.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn keep(&self, set: &Set) {
        let _one = self.0.writing.lock().unwrap_or_else(PoisonError::into_inner);
        // Another set has judged meanwhile, and is kept next.
        if self.newest().digest != set.digest || self.0.file.holds(&set.digest).is_ok_and(|holds| holds) {
            return;
        }
        match self.0.file.write(set) {
            Ok(()) => tracing::debug!("set {} is kept", short_digest(&set.digest)),
            Err(error) => {
                if !self.0.said.swap(true, Ordering::Relaxed) {
                    tracing::warn!(
                        "the set that judges cannot be kept in `{}`, so that a start with broken files has no set to use: {}",
                        self.0.file.path().display(),
                        explained(&error)
                    );
                }
            }
        }
    }

    /// Whether a kept set may exist.
    pub(super) fn is_there(&self) -> bool {
        self.0.file.path().exists()
    }

    /// The kept set, with the settings of the source; None, and a line in the log, if it cannot be
    /// read.
    pub(super) async fn read(&self, engine: &Engine, source: &SetSource) -> Option<KeptSet> {
        let (last_good, limits) = (self.clone(), *engine.limits());
        let (models_dir, settings) = (source.models.display().to_string(), source.settings.clone());
        // Names and lengths of files are added to the files themselves.
        let most = (limits.module_file + limits.model_files).saturating_mul(2);
        let read = tokio::task::spawn_blocking(move || last_good.0.file.read(models_dir, settings, most));
        match read.await {
            Ok(Ok(kept)) => kept,
            Ok(Err(error)) => {
                tracing::warn!(
                    "the set that is kept in `{}` is not used: {error}",
                    self.0.file.path().display()
                );
                None
            }
            Err(_) => None,
        }
    }

    /// Opens the kept set.
    pub(super) async fn open(engine: &Engine, kept: KeptSet) -> Result<OpenedKept, DetectorError> {
        let KeptSet { set, digest, kept_at, .. } = kept;
        let other_settings = set.digest != digest;
        let detector = Detector::open(engine, Arc::new(set), None).await?;
        Ok(OpenedKept { detector, kept_at, other_settings })
    }
}
