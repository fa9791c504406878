//! A set, opened: what the worker talks to.
//!
//! A detector outlives its instances. When a call fails its instance is gone, and the next call opens a fresh one from the same
//! bytes with the last *committed* checkpoint, so that a batch whose commit failed is judged again from the same state.

use std::sync::Arc;

use tracing::instrument::WithSubscriber;

use super::bindings::DetectorPre;
use super::engine::Engine;
use super::error::{DetectorError, JudgeError};
use super::inspect;
use super::instance::Instance;
use super::said::{Description, Judged, Summary};
use super::sandbox::Sandbox;
use super::set::Set;
use crate::batch::Batch;
use crate::state::Checkpoint;

/// A set in use.
pub struct Detector {
    engine: Engine,
    pre: DetectorPre<Sandbox>,
    set: Arc<Set>,
    description: Description,
    summary: Summary,
    committed: Option<Checkpoint>,
    live: Option<Instance>,
}

impl Detector {
    /// Compiles, describes and opens a set. A checkpoint of another schema, or one that the detector cannot read, is left out and the
    /// log says so.
    ///
    /// # Errors
    /// [`DetectorError`]: the set cannot be used; nothing else is affected.
    pub async fn open(
        engine: &Engine,
        set: Arc<Set>,
        resume: Option<Checkpoint>,
    ) -> Result<Self, DetectorError> {
        let engine = engine.clone();
        on_a_thread(async move || {
            let pre = inspect::compiled(&engine, &set.module)?;
            let description = Instance::describe(&engine, &pre, &set.module).await?;
            let resume = resume.filter(|kept| same_schema(kept, &description));
            let (opened, committed) = match Instance::open(&engine, &pre, &set, resume.as_ref()).await {
                Err(DetectorError::Checkpoint(why)) if resume.is_some() => {
                    tracing::warn!("the detector starts without its checkpoint: {why}");
                    (Instance::open(&engine, &pre, &set, None).await?, None)
                }
                opened => (opened?, resume),
            };
            let (live, summary) = opened;
            let set = Arc::new(Arc::unwrap_or_clone(set).without(&summary.passed_over));
            Ok(Self { engine, pre, set, description, summary, committed, live: Some(live) })
        })
        .await
        .unwrap_or_else(|why| Err(DetectorError::Engine(why)))
    }

    /// What it was opened from.
    pub fn set(&self) -> &Arc<Set> {
        &self.set
    }

    /// What the module says of itself.
    pub fn description(&self) -> &Description {
        &self.description
    }

    /// What it made of the model files.
    pub fn summary(&self) -> &Summary {
        &self.summary
    }

    /// Judges a batch: on the instance at hand, or on a fresh one if there is none.
    ///
    /// # Errors
    /// [`JudgeError`]; the instance is gone and the next call gets a fresh one.
    pub async fn judge(&mut self, batch: Arc<Batch>) -> Result<Judged, JudgeError> {
        let keeps_state = self.description.checkpoint_schema != 0;
        let live = self.live.take();
        let (engine, pre, set) = (self.engine.clone(), self.pre.clone(), Arc::clone(&self.set));
        let resume = self.committed.clone();
        let (instance, judged) = on_a_thread(async move || {
            let mut instance = match live {
                Some(instance) => instance,
                None => {
                    let opened = Instance::open(&engine, &pre, &set, resume.as_ref()).await;
                    opened.map_err(|error| JudgeError::Reopen(error.to_string()))?.0
                }
            };
            let judged = instance.judge(&batch, keeps_state).await?;
            Ok((instance, judged))
        })
        .await
        .unwrap_or_else(|why| Err(JudgeError::Trap(why)))?;
        self.live = Some(instance);
        Ok(judged)
    }

    /// The verdicts of the last batch are stored, and this checkpoint with them: later instances resume from it.
    pub fn committed(&mut self, checkpoint: Option<Checkpoint>) {
        self.committed = checkpoint;
    }

    /// The last batch was judged and not stored: an instance with state has seen too much and is thrown away.
    pub fn discard(&mut self) {
        if self.description.checkpoint_schema != 0 {
            self.live = None;
        }
    }
}

fn same_schema(kept: &Checkpoint, description: &Description) -> bool {
    let same = kept.schema == description.checkpoint_schema;
    if !same {
        tracing::warn!(
            "the detector starts without its checkpoint: that one has schema {}, and detector `{}` {} writes schema {}",
            kept.schema,
            description.name,
            description.version,
            description.checkpoint_schema
        );
    }
    same
}

/// Runs guest code on a thread of its own kind, because it may compute for as long as its deadline.
async fn on_a_thread<T: Send + 'static>(work: impl AsyncFnOnce() -> T + Send + 'static) -> Result<T, String> {
    let runtime = tokio::runtime::Handle::current();
    let log = tracing::dispatcher::get_default(tracing::Dispatch::clone);
    tokio::task::spawn_blocking(move || runtime.block_on(work().with_subscriber(log)))
        .await
        .map_err(|error| format!("its thread ended: {error}"))
}
