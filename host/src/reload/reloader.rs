//! One look at the files, and what follows from it: nothing, a new detector ready to be swapped in,
//! or a reason why not.
//!
//! It lives beside the worker and shares two things with it: the canary (the last committed batch),
//! and the slot where a detector that passed waits for the worker to take it between two batches.

use std::collections::HashSet;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime};

use super::file_stamp::Fingerprint;
use super::pulse::{Left, Pulse};
use super::retry::{self, Retry, RetryClock};
use super::set_source::{SetRead, SetSource, patience};
use crate::batch::Batch;
use crate::detector::{Detector, DetectorError, Engine, JudgeError, Judged, Set, short_digest};
use crate::state::Checkpoint;

/// The last committed batch: what a new set is tried on before it is used.
#[derive(Clone)]
pub struct Canary {
    pub batch: Arc<Batch>,
    /// As it was stored with the batch.
    pub checkpoint: Option<Checkpoint>,
}

/// What the worker and the reloader hand each other.
#[derive(Clone, Default)]
pub struct ReloadSlots(Arc<Mutex<Slots>>);

#[derive(Default)]
struct Slots {
    canary: Option<Canary>,
    ready: Option<Detector>,
    withdrawn: Option<Withdrawn>,
}

/// A set that passed its canary and then failed: the worker went back to the one before.
struct Withdrawn {
    digest: String,
    back_to: InUse,
}

/// What the reloader knows of a detector that the worker has, or will have at its next batch.
struct InUse {
    digest: String,
    /// Variables with a model.
    variables: HashSet<Arc<str>>,
}

impl InUse {
    fn of(detector: &Detector) -> Self {
        let variables = detector.summary().loaded().map(|model| Arc::clone(&model.variable)).collect();
        Self { digest: detector.set().digest.clone(), variables }
    }
}

impl ReloadSlots {
    fn slots(&self) -> MutexGuard<'_, Slots> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The worker has committed this batch.
    pub fn set_canary(&self, canary: Canary) {
        self.slots().canary = Some(canary);
    }

    /// The last committed batch; None before the first.
    pub fn canary(&self) -> Option<Canary> {
        self.slots().canary.clone()
    }

    /// The worker went back to an older set: this one is not tried again until its files change.
    pub fn withdraw(&self, digest: &str, back_to: &Detector) {
        self.slots().withdrawn = Some(Withdrawn { digest: digest.into(), back_to: InUse::of(back_to) });
    }

    /// A detector waits to be used.
    pub fn set_ready(&self, detector: Detector) {
        self.slots().ready = Some(detector);
    }

    /// Whether a detector waits to be used.
    pub fn has_ready(&self) -> bool {
        self.slots().ready.is_some()
    }

    /// Takes the detector that waits to be used, if there is one.
    pub fn take_ready(&self) -> Option<Detector> {
        self.slots().ready.take()
    }
}

/// What one look came to.
#[derive(Debug)]
pub enum ReloadOutcome {
    /// Nothing changed, or nothing that matters: the same bytes, or bytes that were refused before.
    Same,
    /// A new detector waits for the worker; its set's digest.
    Ready(String),
    /// The files changed to something that cannot be used. Said once.
    Refused(DetectorError),
    /// A file is being written. The next look decides.
    Unsettled(DetectorError),
    /// Reading has made no step for so long and is left behind.
    Hangs(Duration),
}

/// Looks at the files of a source.
pub struct Reloader {
    engine: Engine,
    source: SetSource,
    shared: ReloadSlots,
    /// What the bytes that were read last belong to; None if they may have changed without a trace.
    seen: Option<Fingerprint>,
    /// The set in use, or waiting to be.
    current: InUse,
    /// What was read when a set was last dealt with, see [`Set::read`].
    dealt_with: String,
    /// The digest, or the reason, that was refused last.
    refused: Option<String>,
    patience: Duration,
    left: Left,
    retry: Retry,
}

impl Reloader {
    /// A reloader beside a worker that uses this detector.
    pub fn new(engine: Engine, source: SetSource, shared: ReloadSlots, in_use: &Detector) -> Self {
        let dealt_with = in_use.set().read.clone();
        let patience = patience(&engine);
        let (current, left) = (InUse::of(in_use), Left::default());
        let retry = Retry::by(retry::system());
        Self { engine, source, shared, seen: None, current, dealt_with, refused: None, patience, left, retry }
    }

    /// Leaves reading behind that makes no step for so long.
    #[must_use]
    pub fn patient_for(self, patience: Duration) -> Self {
        Self { patience, ..self }
    }

    /// Tells the time before what was refused is tried again by this clock.
    #[must_use]
    pub fn by_clock(self, clock: RetryClock) -> Self {
        Self { retry: Retry::by(clock), ..self }
    }

    pub(super) fn patience(&self) -> Duration {
        self.patience
    }

    /// For one more thread that may hang; None if too many do.
    pub(super) fn one_more(&self) -> Option<Left> {
        self.left.one_more()
    }

    /// Where it looks.
    pub fn source(&self) -> &SetSource {
        &self.source
    }

    /// Looks once.
    pub async fn look(&mut self) -> ReloadOutcome {
        let withdrawn = self.shared.slots().withdrawn.take();
        if let Some(withdrawn) = withdrawn {
            // Unless the files have changed again meanwhile, and the next set waits already.
            if self.current.digest == withdrawn.digest {
                self.current = withdrawn.back_to;
            }
            self.refused = Some(withdrawn.digest);
        }
        let Some(left) = self.left.one_more() else { return ReloadOutcome::Hangs(self.patience) };
        let reading = SetRead { pulse: Pulse::default(), left };
        let (source, left) = (self.source.clone(), reading.left.clone());
        let fingerprint = tokio::task::spawn_blocking(move || {
            let _left = left;
            source.fingerprint()
        });
        let fingerprint = match reading.pulse.patiently(self.patience, fingerprint).await {
            Some(Ok(fingerprint)) => fingerprint,
            Some(Err(error)) => return ReloadOutcome::Unsettled(DetectorError::Engine(error.to_string())),
            None => return ReloadOutcome::Hangs(self.patience),
        };
        let again = self.retry.is_due();
        if self.seen.as_ref() == Some(&fingerprint) && !again {
            return ReloadOutcome::Same;
        }
        let set = self.source.read_watched(&self.engine, &reading);
        let Some(set) = reading.pulse.patiently(self.patience, set).await else {
            return ReloadOutcome::Hangs(self.patience);
        };
        let seen = fingerprint.is_at_rest(SystemTime::now()).then_some(fingerprint);
        let set = match set {
            Ok(set) => set,
            Err(error @ DetectorError::Unsettled { .. }) => return ReloadOutcome::Unsettled(error),
            Err(error) => {
                self.seen = seen;
                self.dealt_with.clear();
                return self.refuse(error.to_string(), error, again);
            }
        };
        self.seen = seen;
        if set.read == self.dealt_with && !again {
            return ReloadOutcome::Same;
        }
        self.dealt_with.clone_from(&set.read);
        let read = set.read.clone();
        let detector = match self.build(Arc::new(set)).await {
            Ok(detector) => detector,
            Err(error) => return self.refuse(read, error, again),
        };
        self.retry.over();
        let digest = detector.set().digest.clone();
        // Only files that the detector passes over have changed, or all is as it was before.
        if digest == self.current.digest {
            self.refused = None;
            return ReloadOutcome::Same;
        }
        if self.refused.as_ref() == Some(&digest) && !again {
            return ReloadOutcome::Same;
        }
        self.current = InUse::of(&detector);
        self.shared.set_ready(detector);
        self.refused = None;
        ReloadOutcome::Ready(digest)
    }

    fn refuse(&mut self, what: String, error: DetectorError, again: bool) -> ReloadOutcome {
        match error.may_pass() {
            true => self.retry.failed(again),
            false => self.retry.over(),
        }
        if self.refused.replace(what.clone()) == Some(what) {
            ReloadOutcome::Same
        } else {
            ReloadOutcome::Refused(error)
        }
    }

    /// Opens the set beside the one in use and tries it on the canary.
    async fn build(&self, set: Arc<Set>) -> Result<Detector, DetectorError> {
        let canary = self.shared.canary();
        let resume = canary.as_ref().and_then(|canary| canary.checkpoint.clone());
        let (module, digest) = (set.module.name.clone(), set.digest.clone());
        let mut detector = Detector::open(&self.engine, set, resume).await?;
        // A file that is half copied or broken must not cost a variable the model that it has; one that was
        // removed is meant.
        for model in &detector.summary().models {
            if let Some(why) =
                model.refused.as_ref().filter(|_| self.current.variables.contains(&model.variable))
            {
                return Err(DetectorError::LosesModel {
                    path: model.path.clone(),
                    variable: model.variable.to_string(),
                    why: why.clone(),
                });
            }
        }
        if let Some(canary) = canary {
            let mut judged = detector.judge(Arc::clone(&canary.batch)).await;
            // The checkpoint is the other set's, which may have written anything under the same schema.
            if judged.is_err() && detector.give_up_checkpoint() {
                judged = detector.judge(Arc::clone(&canary.batch)).await;
                if judged.is_ok() {
                    tracing::warn!(
                        "set {} judges nothing with the checkpoint that is stored, and starts without",
                        short_digest(&digest)
                    );
                }
            }
            let broken =
                |judged: Judged| judged.not_kept.map_or(Ok(()), |why| Err(JudgeError::Contract(why)));
            judged.and_then(broken).map_err(|cause| DetectorError::Canary { module, cause })?;
            // What it learnt from a batch that it was only shown is forgotten.
            detector.discard();
        }
        Ok(detector)
    }
}
