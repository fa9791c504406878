//! Compacts model files: the module turns them into the form that it opens fastest.
//!
//! In instances of their own: the memory of an instance never shrinks, and the one that judges for
//! months should not have the size of the largest training history. An instance compacts one file
//! after the other and lives until its first failure; the next file gets a fresh one.

use super::bindings::{self, DetectorPre, types};
use super::engine::Engine;
use super::error::{DetectorError, JudgeError};
use super::inspect;
use super::instance::Calls;
use super::sandbox::Sandbox;
use super::set::Module;

/// A compacted form is kept as long as its set. It may be larger than its file by up to this, so
/// that the host never holds much more than the user's own files.
const SMALL: usize = 4096;

/// A module to compact files with.
pub(crate) struct Compactor {
    engine: Engine,
    module: Module,
    pre: DetectorPre<Sandbox>,
}

/// Compacts files one at a time.
pub(crate) struct Compacting<'a> {
    by: &'a Compactor,
    live: Option<(Calls, bindings::Detector)>,
}

impl Compactor {
    /// # Errors
    /// The module cannot be used.
    pub(crate) async fn new(engine: &Engine, module: &Module) -> Result<Self, DetectorError> {
        Ok(Self {
            engine: engine.clone(),
            module: module.clone(),
            pre: inspect::compiled(engine, module).await?,
        })
    }

    /// For one thread. The instance is made with the first file.
    pub(crate) fn start(&self) -> Compacting<'_> {
        Compacting { by: self, live: None }
    }
}

impl Compacting<'_> {
    /// The form that `open` takes instead of the file. None: the file is to be used as it is.
    ///
    /// # Errors
    /// The module trapped, did not answer in time, or returned a form that is too large.
    pub(crate) async fn compact(&mut self, path: &str, bytes: &[u8]) -> Result<Option<Vec<u8>>, JudgeError> {
        let (mut calls, guest) = match self.live.take() {
            Some(live) => live,
            None => {
                let mut calls = Calls::new(&self.by.engine, &self.by.module, 0);
                let guest = calls.run(async |store| self.by.pre.instantiate_async(store).await).await?;
                (calls, guest)
            }
        };
        let file = types::ModelFile { path, bytes, unreadable: None };
        let judging = guest.anomaly_worker_detector_judging();
        let compacted = calls.run(async |store| judging.call_compact(store, file).await).await;
        self.by.engine.has_run();
        let compacted = compacted?;
        self.live = Some((calls, guest));
        // What is wrong with a file is reported when it is opened.
        let compacted = compacted.unwrap_or(None);
        match compacted.as_ref().map(Vec::len) {
            Some(length) if length > bytes.len().max(SMALL) => Err(JudgeError::Contract(format!(
                "the compacted form has {length} bytes and the file {}; it must not be larger",
                bytes.len()
            ))),
            _ => Ok(compacted),
        }
    }
}
