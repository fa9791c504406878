//! Backfill: judges a range of readings as the cycle does, and may run beside a worker.
//!
//! Its progress is in a state row of its own, whose name identifies range and options. The same
//! backfill, started again, therefore continues after its last transaction, however it ended. The
//! row is deleted when the range is done, and is started anew when another set judges. The worker's
//! own row is not changed, except for the variables that are no longer set aside ([`set_aside`]).

mod plan;
mod set_aside;

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::sync::Arc;
use std::time::Duration;

pub use plan::BackfillPlan;
pub use set_aside::SetAsideOutcome;

use self::plan::MICROSECOND;
use super::batch::{self, Care, JudgedBatch};
use super::cycle_context::{CycleContext, Scope};
use super::error::CycleError;
use super::patience::{self, Patience};
use super::report::NamedOnce;
use super::scan::{RangeScan, ScanPage};
use super::search::Learnt;
use super::session::Session;
use super::warm_up;
use super::{canary, mend, report};
use crate::batch::Batch;
use crate::counts::Counts;
use crate::datetime::Datetime;
use crate::detector::Detector;
use crate::episode::{EpisodeTracker, Point};
use crate::position::{Ahead, Position, TimePosition};
use crate::reading::Page;
use crate::reconciliation::Reconciliation;
use crate::state::State;
use crate::store::{Commit, Connector, ErrorKind, Output, Replaced, StoreError};
use crate::verdict::VerdictRow;

/// A backfill in progress. A call that fails ends it; the same backfill, started again, continues.
pub struct Backfill {
    plan: BackfillPlan,
    name: String,
    session: Session,
    scan: RangeScan,
    /// Read while the batch before it was stored.
    ahead: Option<Result<Page, StoreError>>,
    context: CycleContext,
    canary: Option<Arc<Batch>>,
    learnt: Learnt,
    /// What the worker has stored about its variables.
    tracker: EpisodeTracker,
    known: mend::KnownEpisodes,
    progress: BackfillProgress,
    resumed: bool,
    named: NamedOnce,
    /// How many more rows may be logged one by one.
    to_name: usize,
    /// Variables that were asked for and have not occurred yet.
    unseen: BTreeSet<Arc<str>>,
}

/// A person waits for a backfill and can end it, so the search for the variables at fault has a
/// long limit.
const PATIENCE: Duration = Duration::from_secs(3600);

fn patience() -> Patience<'static> {
    Patience::new(PATIENCE, &patience::system, &|| false, &|| false)
}

/// Progress since the backfill was started, or continued.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct BackfillProgress {
    /// Rows in the range at that time, from where it continues.
    pub of: u64,
    /// Rows that were read since, whatever their outcome.
    pub rows: u64,
    /// All readings up to and including this datetime are dealt with.
    pub through: Option<Datetime>,
    /// Of the whole backfill, including what was done before an interruption.
    pub counts: Counts,
    /// Verdicts that were replaced.
    pub replaced: u64,
    pub judging: Duration,
}

impl Backfill {
    /// Connects, and starts or continues. The detector is shown its lookback, if it wants one.
    ///
    /// # Errors
    /// [`CycleError`]: nothing was written, except tables that were missing.
    pub async fn begin(
        plan: &BackfillPlan,
        connector: &dyn Connector,
        detector: &mut Detector,
    ) -> Result<Self, CycleError> {
        let (mut input, mut output) = connector.open().await?;
        input.layout().await?;
        let changes = output.ensure_tables().await?;
        changes.warnings.iter().for_each(|warning| tracing::warn!("{warning}"));
        let (name, now) = (plan.name(), input.now().await?);
        let taken = output.claim(&name).await?;
        let digest = detector.set().digest.clone();
        let found = taken.state;
        let judged_by = found.as_ref().and_then(|state| state.set_digest.as_ref());
        if judged_by.is_some_and(|found| *found != digest) {
            tracing::info!("module, models or settings are not those of the last try: it begins anew");
        }
        let kept = found.filter(|state| state.set_digest.as_ref() == Some(&digest));
        let resumed = kept.is_some();
        let before = plan.from.earlier(MICROSECOND);
        let state = kept.unwrap_or(State {
            epoch: taken.epoch,
            position: Position::Time(TimePosition::start(plan.from)),
            watermark: Some(before),
            ahead: Ahead::default(),
            reconciliation: Reconciliation::default(),
            checkpoint: None,
            memory: Default::default(),
            set_digest: Some(digest),
            models: None,
            set_aside: BTreeMap::new(),
            counts: Counts::default(),
            updated_at: now,
        });
        let watermark = state.watermark.unwrap_or(before);
        let begin = watermark.later(MICROSECOND).min(plan.to);
        let counts = state.counts;
        let mut session = Session::new(input, output, Duration::ZERO, state);
        detector.committed(session.state.checkpoint.clone());
        detector.discard();
        let canary = canary::newest_judged(&mut session, detector).await?.map(Arc::new);
        warm_up::warm_up(&mut session, detector, plan.batch_rows, &mut patience()).await?;
        let of = match session.input.count_range(begin, plan.to).await {
            Ok(rows) => rows,
            // It is only for the progress bar. A call that took too long has cost its connection.
            Err(error)
                if matches!(error.kind, ErrorKind::Busy | ErrorKind::Connection | ErrorKind::Other) =>
            {
                tracing::warn!("how many readings the range holds is not known: {error}");
                (session.input, _) = connector.open().await?;
                0
            }
            Err(error) => return Err(error.into()),
        };
        let memory = session.output.peek(&plan.worker).await?.map(|state| state.memory).unwrap_or_default();
        let tracker = EpisodeTracker::load(Arc::clone(&plan.rules), &plan.worker, None, &memory, Vec::new());
        let scope = Scope {
            shard: plan.shard,
            variables: plan.variables.as_ref().map(|names| names.iter().cloned().collect()),
            again: plan.replace,
        };
        Ok(Self {
            name,
            scan: RangeScan::new(begin, plan.to, plan.batch_rows),
            ahead: None,
            context: CycleContext {
                now,
                until: plan.to,
                oldest_allowed: begin,
                watermark: Some(watermark),
                ahead: Ahead::default(),
                batch_rows: plan.batch_rows,
                scope,
                looked_for: false,
            },
            canary,
            learnt: Learnt::default(),
            tracker,
            known: mend::KnownEpisodes::default(),
            progress: BackfillProgress {
                of,
                through: resumed.then_some(watermark),
                counts,
                ..BackfillProgress::default()
            },
            resumed,
            session,
            plan: plan.clone(),
            named: NamedOnce::default(),
            to_name: report::NAMED,
            unseen: if resumed { BTreeSet::new() } else { plan.variables.clone().unwrap_or_default() },
        })
    }

    /// Whether it continues an earlier run.
    pub fn resumed(&self) -> bool {
        self.resumed
    }

    /// The progress so far.
    pub fn progress(&self) -> BackfillProgress {
        self.progress
    }

    /// Reads, judges and stores one batch. False after the last.
    ///
    /// # Errors
    /// [`CycleError`]: nothing of this batch is stored; the batches before it are.
    pub async fn step(&mut self, detector: &mut Detector) -> Result<bool, CycleError> {
        let page = match self.ahead.take() {
            Some(page) => page?,
            None => self.scan.next(self.session.input.as_mut()).await?,
        };
        let more = page.full;
        if page.readings.is_empty() && page.malformed.is_empty() {
            return Ok(more);
        }
        if !self.unseen.is_empty() {
            for reading in &page.readings {
                self.unseen.remove(&reading.variable);
            }
        }
        let rows = (page.readings.len() + page.malformed.len()) as u64;
        self.context.now = self.session.input.now().await?;
        let step = ScanPage { page, position: self.session.state.position.clone(), too_late: 0 };
        let mut care = Care { learnt: &mut self.learnt, patience: &mut patience() };
        let judged_batch = batch::judge_page(
            &mut self.session,
            detector,
            &mut care,
            self.canary.clone(),
            &self.context,
            step,
        )
        .await?;
        self.learnt.clear();
        self.commit(judged_batch, detector, more).await?;
        self.progress.rows += rows;
        self.progress.through = self.session.state.watermark;
        Ok(more)
    }

    /// Stores a batch and reads the next page at the same time: one uses the output, the other the
    /// input.
    async fn commit(
        &mut self,
        judged_batch: JudgedBatch,
        detector: &mut Detector,
        more: bool,
    ) -> Result<(), CycleError> {
        let JudgedBatch { verdicts, mut state, report: mut said, canary } = judged_batch;
        let Session { input, output, .. } = &mut self.session;
        let (scan, plan) = (&mut self.scan, &self.plan);
        let written = BatchToStore { name: &self.name.as_str().into(), verdicts: &verdicts, state: &state };
        let store = written.store(plan, &mut self.tracker, &mut self.known, output.as_mut());
        let read = async { if more { Some(scan.next(input.as_mut()).await) } else { None } };
        let (written, ahead) = tokio::join!(store, read);
        let written = match written {
            Err(error) if error.kind == ErrorKind::Refused => {
                let judged_batch = JudgedBatch { verdicts, state, report: said, canary };
                let left = judged_batch.without_refused(&mut self.session, error).await?;
                self.ahead = ahead;
                return Box::pin(self.commit(left, detector, false)).await;
            }
            written => written?,
        };
        // An error of the next page is reported with that page.
        if ahead.is_some() {
            self.ahead = ahead;
        }
        self.progress.replaced += written.removed;
        // The next commit stores it.
        batch::written_elsewhere(&verdicts, written.inserted, &mut said, &mut state);
        self.session.state = state;
        self.progress.counts = self.session.state.counts;
        self.progress.judging += said.judging;
        detector.committed(self.session.state.checkpoint.clone());
        self.canary = canary;
        self.to_name = report::backfill(&mut said, self.to_name, &mut self.named);
        Ok(())
    }

    /// After the last batch: removes from the worker's row the variables that are no longer set
    /// aside, and deletes the backfill's own row.
    ///
    /// # Errors
    /// [`CycleError`]: the range is judged; the same backfill, started again, only repeats this
    /// step.
    pub async fn finish(mut self) -> Result<SetAsideOutcome, CycleError> {
        for variable in &self.unseen {
            tracing::warn!("no reading of `{variable}` in this range");
        }
        let NamedOnce { without_model, equal_names } = &self.named;
        let unjudged = without_model.iter().chain(equal_names.iter().map(|(name, _)| name));
        let failed = self.session.state.set_aside.keys().chain(unjudged).cloned();
        let failed: HashSet<Arc<str>> = failed.collect();
        let mut asides = set_aside::release(self.session.output.as_mut(), &self.plan, &failed).await?;
        asides.failed = std::mem::take(&mut self.session.state.set_aside).into_iter().collect();
        self.clear_up().await?;
        self.session.output.close().await?;
        Ok(asides)
    }

    /// Deletes its row. If the login may not, the row is emptied instead, so that the same backfill
    /// starts anew.
    async fn clear_up(&mut self) -> Result<(), StoreError> {
        let (output, state) = (&mut self.session.output, &self.session.state);
        match output.forget(&self.name, state.epoch).await {
            Err(error) if error.kind == ErrorKind::Permission => {
                tracing::warn!(
                    "{error}; the row of worker `{}` stays in the table and has no effect",
                    self.name
                );
                let state = State { set_digest: None, checkpoint: None, ..state.clone() };
                output.commit(&self.name, &Commit::of(&[], &state)).await.map(drop)
            }
            forgotten => forgotten,
        }
    }
}

/// A batch that is stored, with the changes that it makes to episodes.
struct BatchToStore<'a> {
    name: &'a Arc<str>,
    verdicts: &'a [VerdictRow],
    state: &'a State,
}

/// For readings later than this before now a worker may change the episodes meanwhile: they are
/// read again.
const LIVE: Duration = Duration::from_secs(24 * 3600);

impl BatchToStore<'_> {
    async fn store(
        &self,
        plan: &BackfillPlan,
        tracker: &mut EpisodeTracker,
        known: &mut mend::KnownEpisodes,
        output: &mut dyn Output,
    ) -> Result<Replaced, StoreError> {
        let Self { name, verdicts, state } = *self;
        let now = state.updated_at;
        let last = verdicts.iter().map(|row| row.ds).max();
        if last.is_some_and(|last| last >= now.earlier(LIVE)) {
            known.forget();
        }
        let mut left = mend::TRIES;
        loop {
            left -= 1;
            let mut news = mend::News::new();
            for row in verdicts {
                news.entry(Arc::clone(&row.variable)).or_default().push(Point::of(row));
            }
            let how = (plan.replace, (plan.from, plan.to));
            let draft = mend::rejudged(tracker, known, news, how, output, now).await?;
            let (episodes, messages) = (&draft.changes, &draft.messages);
            let commit = Commit { episodes, messages, ..Commit::of(verdicts, state) };
            let stored = if plan.replace {
                output.replace(name, &commit).await
            } else {
                output.commit(name, &commit).await.map(|inserted| Replaced { removed: 0, inserted })
            };
            match stored {
                // The worker has changed the episodes meanwhile: they are read again.
                Err(error) if error.kind == ErrorKind::EpisodeChanged && left > 0 => known.forget(),
                stored => {
                    if stored.is_ok() {
                        known.changed(&draft.changes, name, now);
                    }
                    return stored;
                }
            }
        }
    }
}
