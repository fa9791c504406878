//! An opened set, which judges for the worker.
//!
//! A detector outlives its instances. When a call fails its instance is gone, and the next call
//! opens a fresh one from the same bytes with the last *committed* checkpoint, so that a batch
//! whose commit failed is judged again from the same state.

use std::sync::Arc;

use tracing::instrument::WithSubscriber;

use super::bindings::DetectorPre;
use super::description::{Description, Judged, Summary};
use super::engine::Engine;
use super::error::{DetectorError, JudgeError};
use super::inspect;
use super::instance::Instance;
use super::opening;
use super::sandbox::Sandbox;
use super::set::{Digest, Set};
use crate::batch::Batch;
use crate::checkpoint::{Checkpoint, Size};

/// A set in use.
pub struct Detector {
    engine: Engine,
    pre: DetectorPre<Sandbox>,
    set: Arc<Set>,
    description: Description,
    summary: Summary,
    committed: Option<Checkpoint>,
    /// A checkpoint from which it cannot continue: it is not tried again, and this is logged once.
    unusable: Option<(Size, Digest)>,
    /// Whether it was logged that a checkpoint of this set is not kept.
    said_not_kept: bool,
    live: Option<Instance>,
}

impl Detector {
    /// Compiles, describes and opens a set. A checkpoint from which it cannot continue is left out,
    /// and this is logged.
    ///
    /// # Errors
    /// [`DetectorError`]: the set cannot be used; nothing else is affected.
    pub async fn open(
        engine: &Engine,
        set: Arc<Set>,
        resume: Option<Checkpoint>,
    ) -> Result<Self, DetectorError> {
        let engine = engine.clone();
        let pre = inspect::compiled(&engine, &set.module).await?;
        on_a_thread(async move || {
            let description = Instance::describe(&engine, &pre, &set.module).await?;
            let opened = opening::open(&engine, &pre, &set, &description, resume.as_ref()).await?;
            let unusable = resume.as_ref().filter(|_| !opened.resumed).map(marks);
            let set = Arc::new(Arc::unwrap_or_clone(set).without(&opened.summary.passed_over));
            Ok(Self {
                engine,
                pre,
                set,
                description,
                summary: opened.summary,
                committed: resume.filter(|_| opened.resumed),
                unusable,
                said_not_kept: false,
                live: Some(opened.instance),
            })
        })
        .await
        .unwrap_or_else(|why| Err(DetectorError::Engine(why)))
    }

    /// What it was opened from.
    pub fn set(&self) -> &Arc<Set> {
        &self.set
    }

    /// The module's description of itself.
    pub fn description(&self) -> &Description {
        &self.description
    }

    /// What it made of the model files.
    pub fn summary(&self) -> &Summary {
        &self.summary
    }

    /// Whether it keeps a state from batch to batch.
    pub fn keeps_state(&self) -> bool {
        self.description.checkpoint_schema != 0
    }

    /// Judges a batch: on the current instance, or on a fresh one if there is none.
    ///
    /// # Errors
    /// [`JudgeError`]; the instance is gone and the next call gets a fresh one.
    pub async fn judge(&mut self, batch: Arc<Batch>) -> Result<Judged, JudgeError> {
        self.be_ready().await?;
        let Some(instance) = self.live.take() else {
            return Err(JudgeError::Reopen("there is none".into()));
        };
        let judging = on_a_thread(async move || instance.judge(&batch).await);
        let (judged, live) = judging.await.unwrap_or_else(|why| Err(JudgeError::Trap(why)))?;
        self.live = live;
        if let Some(why) = judged.not_kept.as_ref().filter(|_| !self.said_not_kept) {
            self.said_not_kept = true;
            tracing::warn!(
                "the state of detector `{}` is not kept, the verdicts are; a fresh instance starts from what was kept before: {why}",
                self.description.name
            );
        }
        Ok(judged)
    }

    /// Makes sure that there is an instance, so that it is known whether it resumes from the
    /// checkpoint.
    ///
    /// # Errors
    /// [`JudgeError::Reopen`].
    pub async fn be_ready(&mut self) -> Result<(), JudgeError> {
        if self.live.is_some() {
            return Ok(());
        }
        let (engine, pre, set) = (self.engine.clone(), self.pre.clone(), Arc::clone(&self.set));
        let (description, resume) = (self.description.clone(), self.committed.clone());
        let opening = on_a_thread(async move || {
            opening::open(&engine, &pre, &set, &description, resume.as_ref()).await
        });
        let opened = opening
            .await
            .map_err(JudgeError::Reopen)?
            .map_err(|error| JudgeError::Reopen(error.to_string()))?;
        if !opened.resumed {
            self.put_by();
        }
        self.live = Some(opened.instance);
        Ok(())
    }

    /// Whether a fresh instance resumes from a checkpoint.
    pub fn has_checkpoint(&self) -> bool {
        self.committed.is_some()
    }

    /// The verdicts of the last batch are stored, and this checkpoint with them: later instances
    /// resume from it.
    pub fn committed(&mut self, checkpoint: Option<Checkpoint>) {
        // The digest of a large one is computed only if the size is the same.
        let is_unusable = |kept: &Checkpoint| {
            self.unusable.is_some_and(|(size, digest)| size == kept.parts.size() && digest == kept.digest())
        };
        self.committed = checkpoint.filter(|kept| !is_unusable(kept));
    }

    /// It can be opened with its checkpoint and then judges nothing: fresh instances start without.
    /// False if it has none.
    pub fn give_up_checkpoint(&mut self) -> bool {
        let had_one = self.committed.is_some();
        self.put_by();
        self.live = None;
        had_one
    }

    fn put_by(&mut self) {
        if let Some(unusable) = self.committed.take() {
            self.unusable = Some(marks(&unusable));
        }
    }

    /// The last batch was judged and not stored: an instance with state contains that batch and is
    /// dropped.
    pub fn discard(&mut self) {
        if self.keeps_state() {
            self.live = None;
        }
    }
}

/// Identifies a checkpoint.
fn marks(checkpoint: &Checkpoint) -> (Size, Digest) {
    (checkpoint.parts.size(), checkpoint.digest())
}

/// Runs guest code on a blocking thread, because it may compute for as long as its deadline.
async fn on_a_thread<T: Send + 'static>(work: impl AsyncFnOnce() -> T + Send + 'static) -> Result<T, String> {
    let runtime = tokio::runtime::Handle::current();
    let log = tracing::dispatcher::get_default(tracing::Dispatch::clone);
    tokio::task::spawn_blocking(move || runtime.block_on(work().with_subscriber(log)))
        .await
        .map_err(|error| format!("its thread ended: {error}"))
}
