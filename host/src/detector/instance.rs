//! One instance in its sandbox, and the calls into it.
//!
//! It lives until its first failure. Every call has a deadline: epochs end a guest that computes, a
//! timer ends one that sleeps in a host call.

use wasmtime::component::ResourceAny;
use wasmtime::{Store, Trap};

use super::bindings::{self, DetectorPre, judging, types};
use super::check;
use super::description::{Description, Judged, ModelStatus, Summary};
use super::engine::Engine;
use super::error::{DetectorError, JudgeError};
use super::guest_text;
use super::limits::{Limits, MODEL_BYTES};
use super::sandbox::Sandbox;
use super::set::{Module, Set};
use super::ticker::{TICK, Ticker};
use crate::batch::{Batch, Outcome, Verdicts, Withheld};
use crate::checkpoint::{Checkpoint, Parts};
use crate::unit_limit::explained_of_code;

/// An opened detector in a store of its own.
pub(super) struct Instance {
    calls: Calls,
    guest: bindings::Detector,
    detector: ResourceAny,
    /// The state that is in its memory now: the changes that it returns are relative to it.
    parts: Parts,
    of: CheckpointWriter,
}

/// The writer of a checkpoint.
struct CheckpointWriter {
    schema: u32,
    detector: String,
    set_digest: String,
}

/// A store, and the deadline of a call into it.
pub(super) struct Calls {
    store: Store<Sandbox>,
    limits: Limits,
}

impl Calls {
    /// `held`: bytes that the host holds for it as long as it lives.
    pub(super) fn new(engine: &Engine, module: &Module, held: usize) -> Self {
        Self::limited(engine, module, held, *engine.limits())
    }

    /// With other limits.
    pub(super) fn limited(engine: &Engine, module: &Module, held: usize, limits: Limits) -> Self {
        let taken = engine.weight(module).saturating_add(held);
        let store = Sandbox::store(engine.wasm(), &limits, taken);
        Self { store, limits }
    }

    /// See [`Sandbox::keep`].
    fn keep(&mut self, before: usize, bytes: usize) -> bool {
        self.store.data_mut().keep(before, bytes)
    }

    /// Runs one call under the deadline.
    pub(super) async fn run<T>(
        &mut self,
        call: impl AsyncFnOnce(&mut Store<Sandbox>) -> wasmtime::Result<T>,
    ) -> Result<T, JudgeError> {
        let deadline = self.limits.deadline;
        self.store.set_epoch_deadline(Ticker::ticks(deadline));
        let returned = self.store.data_mut().set_by(&self.limits);
        self.store.set_hostcall_fuel(returned);
        // The epoch comes first for a guest that computes; the timer only ends one that waits.
        let ended = tokio::time::timeout(deadline + 2 * TICK, call(&mut self.store)).await;
        self.store.data_mut().give_back();
        self.store.data().log.end_of_call();
        match ended {
            Ok(Ok(answer)) => Ok(answer),
            Ok(Err(error)) if error.downcast_ref() == Some(&Trap::Interrupt) => {
                Err(JudgeError::Deadline(deadline))
            }
            Ok(Err(error)) => Err(JudgeError::Trap(sentence(&error))),
            Err(_) => Err(JudgeError::Deadline(deadline)),
        }
    }
}

impl Instance {
    /// Asks a module for its description, in a sandbox that is dropped afterwards.
    pub(super) async fn describe(
        engine: &Engine,
        pre: &DetectorPre<Sandbox>,
        module: &Module,
    ) -> Result<Description, DetectorError> {
        let failed = |cause| DetectorError::Open { module: module.name.clone(), cause };
        let mut calls = Calls::new(engine, module, 0);
        let guest = calls.run(async |store| pre.instantiate_async(store).await).await.map_err(failed)?;
        let said =
            calls.run(async |store| guest.anomaly_worker_detector_judging().call_describe(store).await).await;
        engine.has_run();
        let said = said.map_err(failed)?;
        Ok(Description {
            name: guest_text::short(&said.name),
            version: guest_text::short(&said.version),
            checkpoint_schema: said.checkpoint_schema,
        })
    }

    /// Opens the detector of a set and asks what it made of the models.
    pub(super) async fn open(
        engine: &Engine,
        pre: &DetectorPre<Sandbox>,
        set: &Set,
        description: &Description,
        parts: Parts,
    ) -> Result<(Self, Summary), DetectorError> {
        let failed = |cause| DetectorError::Open { module: set.module.name.clone(), cause };
        let mut calls = Calls::new(engine, &set.module, set.made);
        let kept = check::held(&parts);
        if !calls.keep(0, kept) {
            return Err(DetectorError::Checkpoint(no_room(kept)));
        }
        let guest = calls.run(async |store| pre.instantiate_async(store).await).await.map_err(failed)?;
        let read = set.files.iter().map(|file| types::ModelFile {
            path: &file.path,
            bytes: &file.bytes,
            unreadable: None,
        });
        let unread = set.unread.iter().map(|file| types::ModelFile {
            path: &file.path,
            bytes: &[],
            unreadable: Some(&file.why),
        });
        let files: Vec<_> = read.chain(unread).collect();
        let resume: Vec<_> = parts.iter().map(|(name, bytes)| types::Part { name, bytes }).collect();
        let judging = guest.anomaly_worker_detector_judging();
        let detector = calls
            .run(async |store| judging.detector().call_open(store, &files, &set.settings, &resume).await)
            .await
            .map_err(failed)?
            .map_err(|refusal| refused(set, refusal))?;
        let said = calls
            .run(async |store| judging.detector().call_summary(store, detector).await)
            .await
            .map_err(failed)?;
        let bytes = size(&said);
        if !calls.keep(0, bytes) {
            let why = format!(
                "what it says of its models takes {bytes} bytes, and `memory_mib` has no room for it"
            );
            return Err(failed(JudgeError::Contract(why)));
        }
        let summary = Summary {
            models: said
                .models
                .into_iter()
                .map(|model| ModelStatus {
                    path: guest_text::name(&model.path),
                    variable: guest_text::name(&model.variable).into(),
                    refused: model.refused.map(|why| guest_text::line(&why)),
                })
                .collect(),
            whole_instants: said.scope == types::InstantScope::WholeInstants,
            passed_over: said.passed_over.into_iter().collect(),
            lookback: std::time::Duration::from_micros(said.lookback),
        };
        let of = CheckpointWriter {
            schema: description.checkpoint_schema,
            detector: description.name.clone(),
            set_digest: set.digest.clone(),
        };
        Ok((Self { calls, guest, detector, parts, of }, summary))
    }

    /// Judges a batch and, if the detector keeps state (a schema above 0), asks for the changes of
    /// that state. The results are checked. The instance is returned unless reading its state
    /// failed: then it is dropped, because only it knows what has changed; the verdicts are valid
    /// all the same.
    pub(super) async fn judge(mut self, batch: &Batch) -> Result<(Judged, Option<Self>), JudgeError> {
        let outcomes = self.detect(batch).await?;
        if self.of.schema == 0 {
            return Ok((Judged { outcomes, checkpoint: None, not_kept: None }, Some(self)));
        }
        Ok(match self.checkpoint().await {
            Ok(checkpoint) => (Judged { outcomes, checkpoint, not_kept: None }, Some(self)),
            Err(why) => (Judged { outcomes, checkpoint: None, not_kept: Some(why) }, None),
        })
    }

    /// The state after the last batch: None if there is none, an error text if it cannot be kept.
    async fn checkpoint(&mut self) -> Result<Option<Checkpoint>, String> {
        let Self { calls, guest, detector, parts, of } = self;
        let judging = guest.anomaly_worker_detector_judging().detector();
        let before = check::held(parts);
        let most = calls.limits.checkpoint;
        let changes = calls
            .run(async |store| judging.call_checkpoint(store, *detector).await)
            .await
            .map_err(|error| error.to_string())?;
        let changes = changes.into_iter().map(|change| (change.name, change.bytes)).collect();
        *parts = std::mem::take(parts).after(check::changes(changes)?);
        let held = check::parts(parts, most)?;
        if !calls.keep(before, held) {
            return Err(no_room(held));
        }
        let CheckpointWriter { schema, detector, set_digest } = of;
        Ok((!parts.is_empty()).then(|| Checkpoint {
            schema: *schema,
            detector: Some(detector.clone()),
            set_digest: set_digest.clone(),
            parts: parts.clone(),
        }))
    }

    async fn detect(&mut self, batch: &Batch) -> Result<Vec<Outcome>, JudgeError> {
        let Self { calls, guest, detector, .. } = self;
        let judging = guest.anomaly_worker_detector_judging().detector();
        let instants: Vec<i64> = batch.datetimes.iter().map(|at| at.micros()).collect();
        let columns: Vec<_> = batch
            .columns
            .iter()
            .map(|column| types::Column { variable: &column.variable, values: &column.values })
            .collect();
        let asked = types::Batch { instants: &instants, columns: &columns };
        let outcomes = calls
            .run(async |store| judging.call_detect(store, *detector, asked).await)
            .await?
            .map_err(|error| match error {
                types::DetectError::Batch(why) | types::DetectError::Other(why) => {
                    JudgeError::Refused(guest_text::line(&why))
                }
            })?;
        let outcomes: Vec<Outcome> = outcomes.into_iter().map(outcome).collect();
        check::answer(batch, &outcomes).map_err(JudgeError::Contract)?;
        Ok(outcomes)
    }
}

/// A checkpoint for which there is no memory.
fn no_room(bytes: usize) -> String {
    format!("it has {bytes} bytes, and `memory_mib` of `[detector]` leaves no room for it")
}

/// The bytes that the host needs for a summary.
fn size(said: &types::Summary) -> usize {
    let refused = |model: &types::Model| model.refused.as_ref().map_or(0, String::len);
    let model = |model: &types::Model| model.path.len() + model.variable.len() + refused(model) + MODEL_BYTES;
    let passed_over = said.passed_over.iter().map(|path| path.len() + MODEL_BYTES);
    said.models.iter().map(model).chain(passed_over).sum()
}

fn refused(set: &Set, refusal: judging::OpenError) -> DetectorError {
    let cut = |why: String| guest_text::line(&why);
    match refusal {
        types::OpenError::Settings(why) => DetectorError::Settings(cut(why)),
        types::OpenError::Models(why) => DetectorError::Models(cut(why)),
        types::OpenError::CheckpointUnreadable(why) => DetectorError::Checkpoint(cut(why)),
        types::OpenError::Other(why) => {
            DetectorError::Module { module: set.module.name.clone(), why: cut(why) }
        }
    }
}

fn outcome(said: types::Outcome) -> Outcome {
    match said {
        types::Outcome::NoModel => Outcome::NoModel,
        types::Outcome::Failed(why) => Outcome::Failed(guest_text::line(&why)),
        types::Outcome::Judged(said) => Outcome::Judged(Verdicts {
            expected: said.expected,
            lower: said.lower,
            upper: said.upper,
            score: said.score,
            flags: said.flags,
            withheld: said
                .withheld
                .into_iter()
                .map(|withheld| Withheld {
                    reason: guest_text::line(&withheld.reason),
                    rows: withheld.rows.into_iter().map(|row| row as usize).collect(),
                })
                .collect(),
        }),
    }
}

/// A trap in one line: its cause, then the innermost guest functions of the backtrace, if there are
/// any.
fn sentence(error: &wasmtime::Error) -> String {
    let cause = explained_of_code(guest_text::line(&error.root_cause().to_string()));
    let Some(trace) = error.downcast_ref::<wasmtime::WasmBacktrace>() else { return cause };
    let names = trace.frames().iter().filter_map(wasmtime::FrameInfo::func_name);
    let frames: Vec<_> = names.take(3).map(guest_text::short).collect();
    if frames.is_empty() { cause } else { format!("{cause}, in `{}`", frames.join("`, called by `")) }
}
