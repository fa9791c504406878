//! One look at the files, and what follows from it: nothing, a new detector ready to be swapped in,
//! or a reason why not.
//!
//! It lives beside the worker and shares two things with it: the canary (the last committed batch),
//! and the slot in which a detector that passed its trial waits until the worker takes it between
//! two batches.

use std::collections::{BTreeMap, HashSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime};

use super::answer::{Answer, Found};
use super::canary::Canary;
use super::file_stamp::{FileClock, Fingerprint};
use super::last_good::LastGood;
use super::overview::SetOverview;
use super::retry::{self, Retry, RetryClock};
use super::set_source::{SetRead, SetSource, patience};
use super::start::RefusedFiles;
use super::step_counter::{Left, StepCounter};
use super::trial;
use crate::aged::Aged;
use crate::detector::{Detector, DetectorError, Engine, Set};

/// The data that the worker and the reloader exchange.
#[derive(Clone, Default)]
pub struct ReloadSlots(Arc<Mutex<Slots>>);

#[derive(Default)]
struct Slots {
    canary: Option<Canary>,
    ready: Option<Detector>,
    withdrawn: Option<Withdrawn>,
    /// Why the files on disk are not the set in use.
    refused: Option<String>,
    last_good: Option<LastGood>,
    in_use: Option<InUse>,
    /// The number of sets that passed their trial, and of those that were refused.
    looks: (u64, u64),
    /// None: not known yet.
    aged: Option<BTreeMap<String, Aged>>,
}

/// A set that passed its canary and then failed: the worker returned to the previous one.
struct Withdrawn {
    digest: String,
    back_to: InUse,
}

/// What the reloader knows of a detector that the worker uses, or will use from its next batch on.
#[derive(Clone)]
struct InUse {
    set: Arc<Set>,
    /// Variables with a model.
    variables: HashSet<Arc<str>>,
}

impl InUse {
    fn of(detector: &Detector) -> Self {
        Self { set: Arc::clone(detector.set()), variables: trial::variables(detector) }
    }
}

impl ReloadSlots {
    fn slots(&self) -> MutexGuard<'_, Slots> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Keeps on disk the sets that judge.
    pub fn keeping(last_good: LastGood) -> Self {
        let slots = Self::default();
        slots.slots().last_good = Some(last_good);
        slots
    }

    /// The worker has committed this batch.
    pub fn set_canary(&self, canary: Canary) {
        self.slots().canary = Some(canary);
    }

    /// The verdicts of this set on a batch are committed.
    pub(crate) fn judged(&self, set: &Arc<Set>) {
        let last_good = self.slots().last_good.clone();
        if let Some(last_good) = last_good {
            last_good.judged(set);
        }
    }

    /// The set in use, or waiting to be; None before there is a reloader.
    pub fn in_use(&self) -> Option<SetOverview> {
        let in_use = self.slots().in_use.clone();
        in_use.map(|in_use| SetOverview::of_set(&in_use.set, &in_use.variables))
    }

    /// Why the files on disk are not used; None if they are.
    pub fn refused(&self) -> Option<String> {
        self.slots().refused.clone()
    }

    /// The models that are aged, by variable; None while that is not known.
    pub fn aged(&self) -> Option<BTreeMap<String, Aged>> {
        self.slots().aged.clone()
    }

    /// These models are aged.
    pub(crate) fn set_aged(&self, aged: BTreeMap<String, Aged>) {
        self.slots().aged = Some(aged);
    }

    /// These models were aged when the worker stopped.
    pub(crate) fn were_aged(&self, aged: &BTreeMap<String, Aged>) {
        self.slots().aged.get_or_insert_with(|| aged.clone());
    }

    fn set_refused(&self, why: Option<String>) {
        let mut slots = self.slots();
        // A refusal that continues is counted once.
        if why.is_some() && slots.refused != why {
            slots.looks.1 += 1;
        }
        slots.refused = why;
    }

    /// The number of sets that passed their trial, and of those that were refused.
    pub fn looks(&self) -> (u64, u64) {
        self.slots().looks
    }

    /// The last committed batch; None before the first.
    pub fn canary(&self) -> Option<Canary> {
        self.slots().canary.clone()
    }

    /// The worker returned to an older set: this one is not tried again until its files change.
    pub fn withdraw(&self, digest: &str, back_to: &Detector) {
        let mut slots = self.slots();
        slots.in_use = Some(InUse::of(back_to));
        slots.withdrawn = Some(Withdrawn { digest: digest.into(), back_to: InUse::of(back_to) });
        slots.refused = Some("they could not judge the new readings".to_owned());
    }

    /// A detector is ready to be used.
    pub fn set_ready(&self, detector: Detector) {
        let mut slots = self.slots();
        slots.ready = Some(detector);
        slots.looks.0 += 1;
    }

    /// Whether a detector is ready to be used.
    pub fn has_ready(&self) -> bool {
        self.slots().ready.is_some()
    }

    /// Takes the detector that is ready to be used, if there is one.
    pub fn take_ready(&self) -> Option<Detector> {
        self.slots().ready.take()
    }
}

/// The result of one look.
#[derive(Debug)]
pub enum ReloadOutcome {
    /// Nothing changed, or nothing relevant: the same bytes, or bytes that were refused before.
    Same,
    /// A new detector is ready for the worker; its set's digest.
    Ready(String),
    /// The files changed, and cannot be used. Logged once.
    Refused(DetectorError),
    /// A file is being written. The next look decides.
    Unsettled(DetectorError),
    /// Reading made no progress for this time and is abandoned.
    Hangs(Duration),
}

/// Whether the look was delayed until no file was written for a while.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Haste {
    None,
    AtOnce,
}

/// Looks at the files of a source.
pub struct Reloader {
    engine: Engine,
    source: SetSource,
    shared: ReloadSlots,
    /// The fingerprint of the bytes that were read last; None if they may change without changing
    /// it.
    seen: Option<Fingerprint>,
    /// The set in use, or ready to be.
    current: InUse,
    /// What was read when a set was last handled, see [`Set::read`].
    dealt_with: String,
    /// The digest that was refused last, or the reason.
    refused: Option<String>,
    patience: Duration,
    left: Left,
    retry: Retry,
    file_clock: FileClock,
}

impl Reloader {
    /// A reloader beside a worker that uses this detector.
    pub fn new(engine: Engine, source: SetSource, shared: ReloadSlots, in_use: &Detector) -> Self {
        let dealt_with = in_use.set().read.clone();
        let patience = patience(&engine);
        let (current, left) = (InUse::of(in_use), Left::default());
        shared.slots().in_use = Some(current.clone());
        let retry = Retry::by(retry::system());
        let file_clock: FileClock = Arc::new(SystemTime::now);
        Self {
            engine,
            source,
            shared,
            seen: None,
            current,
            dealt_with,
            refused: None,
            patience,
            left,
            retry,
            file_clock,
        }
    }

    /// For a worker that refused the files at its start: they are not tried again until they
    /// change.
    #[must_use]
    pub fn refused_at_start(mut self, refused: Option<RefusedFiles>) -> Self {
        if let Some(RefusedFiles { error, key }) = refused {
            self.shared.set_refused(Some(error.to_string()));
            self.refused = Some(key);
        }
        self
    }

    /// Abandons reading that makes no progress for this time.
    #[must_use]
    pub fn patient_for(self, patience: Duration) -> Self {
        Self { patience, ..self }
    }

    /// Uses this clock to decide when a refused set is tried again.
    #[must_use]
    pub fn by_clock(self, clock: RetryClock) -> Self {
        Self { retry: Retry::by(clock), ..self }
    }

    /// Uses this clock to decide whether a file was written just now.
    #[must_use]
    pub fn by_file_clock(self, clock: FileClock) -> Self {
        Self { file_clock: clock, ..self }
    }

    pub(super) fn patience(&self) -> Duration {
        self.patience
    }

    /// For one more thread that may hang; None if too many hang.
    pub(super) fn one_more(&self) -> Option<Left> {
        self.left.one_more()
    }

    /// The source that it reads.
    pub fn source(&self) -> &SetSource {
        &self.source
    }

    /// The answer for the process that asked for the look; None while a file is being written.
    pub(super) fn answer(&self, look: &ReloadOutcome) -> Option<Answer> {
        let found = match look {
            ReloadOutcome::Unsettled(_) => return None,
            ReloadOutcome::Hangs(time) => Found::Hangs(*time),
            ReloadOutcome::Ready(_) => Found::Ready,
            ReloadOutcome::Same | ReloadOutcome::Refused(_) => match self.shared.refused() {
                Some(why) => Found::Refused(why),
                None => Found::Same,
            },
        };
        Some(Answer { set: self.current.set.digest.clone(), found })
    }

    /// Looks once.
    pub async fn look(&mut self) -> ReloadOutcome {
        self.look_with(Haste::None).await
    }

    /// Looks once, possibly while files are being copied: files that were written just now are not
    /// refused before they are at rest.
    pub async fn look_at_once(&mut self) -> ReloadOutcome {
        self.look_with(Haste::AtOnce).await
    }

    async fn look_with(&mut self, haste: Haste) -> ReloadOutcome {
        let withdrawn = self.shared.slots().withdrawn.take();
        if let Some(withdrawn) = withdrawn {
            // Unless the files have changed again meanwhile, and the next set is ready already.
            if self.current.set.digest == withdrawn.digest {
                self.current = withdrawn.back_to;
            } else {
                let mut slots = self.shared.slots();
                (slots.in_use, slots.refused) = (Some(self.current.clone()), None);
            }
            self.refused = Some(withdrawn.digest);
        }
        let Some(left) = self.left.one_more() else { return ReloadOutcome::Hangs(self.patience) };
        let reading = SetRead { steps: StepCounter::default(), left };
        let (source, left) = (self.source.clone(), reading.left.clone());
        let fingerprint = tokio::task::spawn_blocking(move || {
            let _left = left;
            source.fingerprint()
        });
        let fingerprint = match reading.steps.patiently(self.patience, fingerprint).await {
            Some(Ok(fingerprint)) => fingerprint,
            Some(Err(error)) => return ReloadOutcome::Unsettled(DetectorError::Engine(error.to_string())),
            None => return ReloadOutcome::Hangs(self.patience),
        };
        let again = self.retry.is_due();
        if self.seen.as_ref() == Some(&fingerprint) && !again {
            return ReloadOutcome::Same;
        }
        let set = self.source.read_watched(&self.engine, &reading);
        let Some(set) = reading.steps.patiently(self.patience, set).await else {
            return ReloadOutcome::Hangs(self.patience);
        };
        let now = (self.file_clock)();
        let seen = fingerprint.is_at_rest(now).then_some(fingerprint);
        let may_be_half = haste == Haste::AtOnce && seen.is_none();
        let set = match set {
            Ok(set) => set,
            Err(error @ DetectorError::Unsettled { .. }) => return ReloadOutcome::Unsettled(error),
            Err(error) if may_be_half => return ReloadOutcome::Unsettled(error),
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
        let (had, canary) = (&self.current.variables, self.shared.canary());
        let detector = match trial::open(&self.engine, Arc::new(set), had, canary).await {
            Ok(detector) => detector,
            Err(error) if may_be_half => {
                self.dealt_with.clear();
                return ReloadOutcome::Unsettled(error);
            }
            Err(error) => return self.refuse(read, error, again),
        };
        self.retry.over();
        let digest = detector.set().digest.clone();
        // Only files that the detector does not use have changed, or all is as it was before.
        if digest == self.current.set.digest {
            self.accept();
            return ReloadOutcome::Same;
        }
        if self.refused.as_ref() == Some(&digest) && !again {
            return ReloadOutcome::Same;
        }
        self.current = InUse::of(&detector);
        self.shared.slots().in_use = Some(self.current.clone());
        self.shared.set_ready(detector);
        self.accept();
        ReloadOutcome::Ready(digest)
    }

    fn accept(&mut self) {
        self.refused = None;
        self.shared.set_refused(None);
    }

    fn refuse(&mut self, what: String, error: DetectorError, again: bool) -> ReloadOutcome {
        match error.may_pass() {
            true => self.retry.failed(again),
            false => self.retry.over(),
        }
        self.shared.set_refused(Some(error.to_string()));
        if self.refused.replace(what.clone()) == Some(what) {
            ReloadOutcome::Same
        } else {
            ReloadOutcome::Refused(error)
        }
    }
}
