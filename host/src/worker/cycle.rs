//! One cycle: reads what may be new, page by page, judges it and stores the verdicts, until nothing
//! is left.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Instant;

use super::batch::{self, Care, JudgedBatch};
use super::cycle_context::{CycleContext, Scope};
use super::error::CycleError;
use super::patience::{self, Ended, Patience};
use super::report::{self, CycleReport};
use super::scan::{Scan, ScanPage};
use super::session::Session;
use super::{Worker, WorkerSettings, canary, correct, doubt, mend, warm_up};
use crate::episode::Draft;
use crate::reload::Canary;
use crate::state::ModelsInUse;
use crate::store::{Commit, ErrorKind, StoreError};

impl Worker {
    /// Runs one cycle. `stop` is asked between batches.
    ///
    /// # Errors
    /// [`CycleError`]: what was committed before stays, and the next cycle continues from there.
    pub async fn cycle(&mut self, stop: impl Fn() -> bool + Sync) -> Result<CycleReport, CycleError> {
        self.in_hand.store(false, Ordering::Relaxed);
        self.ensure_leader().await?;
        self.cycles += 1;
        let begun = Instant::now();
        let mut report = CycleReport::default();
        let ended = self.run(stop, &mut report).await;
        if let Err(error) = &ended {
            // The session is closed: after a failure only the database knows the state.
            self.detector.discard();
            if error.is_connection() || error.is_fenced() {
                (self.leader_lock, self.is_leader) = (None, false);
            }
        }
        self.totals += report.counts;
        if ended.is_ok() {
            self.beats.send_replace(self.session.as_ref().map(|session| session.now));
        }
        if ended.is_ok() || report.batches > 0 {
            report::cycle(&report, begun.elapsed());
        }
        ended.map(|()| report)
    }

    /// Makes sure that this is the one active worker of its name. It asks each time, because the
    /// connection that holds the lock may have been cut while it was idle, and another worker may
    /// lead since. A change is logged.
    pub(super) async fn ensure_leader(&mut self) -> Result<(), CycleError> {
        self.is_leader = self.try_acquire().await?;
        if !self.is_leader {
            // The other worker continues from the database, so what this one knew is out of date.
            self.session = None;
            self.beats.send_replace(None);
        }
        let name = &self.settings.name;
        match (self.is_leader, self.is_standby) {
            (true, true) => {
                tracing::info!("no other worker named `{name}` is active any more; this one goes on");
            }
            (false, false) => {
                tracing::info!(
                    "another worker named `{name}` is active; this one stands by until that one ends"
                );
            }
            (true, false) | (false, true) => {}
        }
        self.is_standby = !self.is_leader;
        if self.is_standby { Err(CycleError::Standby { name: name.clone() }) } else { Ok(()) }
    }

    async fn try_acquire(&mut self) -> Result<bool, StoreError> {
        if let Some(mut kept) = self.leader_lock.take() {
            match kept.try_acquire().await {
                // The connection was kept open for long; if it is gone, that does not mean that the
                // server is.
                Err(error) if error.kind == ErrorKind::Connection => {}
                asked => {
                    self.leader_lock = Some(kept);
                    return asked;
                }
            }
        }
        let lead = self.leader_lock.insert(self.connector.leader_lock(&self.settings.name).await?);
        lead.try_acquire().await
    }

    async fn run(
        &mut self,
        stop: impl Fn() -> bool + Sync,
        report: &mut CycleReport,
    ) -> Result<(), CycleError> {
        let mut session = self.awake().await?;
        tracing::info!("[cycle {}] checking for new data", self.cycles);
        let shared = self.shared.clone();
        let ready = || shared.has_ready();
        let budget = self.settings.patience;
        let mut patience = Patience::new(budget, &patience::system, &stop, &ready);
        loop {
            // Nothing is lost by a lookback that is not shown completely: a stop need not wait for
            // the current call.
            self.in_hand.store(false, Ordering::Relaxed);
            let mut warming = Patience::new(budget, &patience::system, &stop, &ready);
            let ended = match self.make_ready(&mut session, &mut warming).await? {
                Some(ended) => Err(CycleError::Ended(ended)),
                None => {
                    self.in_hand.store(true, Ordering::Relaxed);
                    self.scan(&mut session, &mut patience, &stop, report).await
                }
            };
            match ended {
                Err(CycleError::Ended(why)) => {
                    // The current batch counts as not read.
                    self.detector.committed(session.state.checkpoint.clone());
                    self.detector.discard();
                    if why == Ended::Ready {
                        continue;
                    }
                    report.stopped = true;
                }
                ended => ended?,
            }
            break;
        }
        self.tell_models(&mut session).await?;
        self.session = Some(session);
        Ok(())
    }

    /// Writes to the row whether the files on disk are refused and which models are aged, also
    /// while there is nothing to judge.
    async fn tell_models(&self, session: &mut Session) -> Result<(), CycleError> {
        let Some(models) = session.state.models.as_mut() else { return Ok(()) };
        let before = models.clone();
        self.describe(models);
        if *models != before {
            session.output.commit(&self.settings.name, &Commit::of(&[], &session.state)).await?;
        }
        Ok(())
    }

    /// What is found out about the models beside the cycle.
    fn describe(&self, models: &mut ModelsInUse) {
        models.refused = self.shared.refused();
        if let Some(aged) = self.shared.aged() {
            models.aged = aged;
        }
    }

    /// Reads, judges and stores until nothing is left.
    async fn scan(
        &mut self,
        session: &mut Session,
        patience: &mut Patience<'_>,
        stop: &(impl Fn() -> bool + Sync),
        report: &mut CycleReport,
    ) -> Result<(), CycleError> {
        let mut context = self.context(session).await?;
        self.learn_open(session).await?;
        let mut scan = Scan::begin(session, context.now, context.oldest_allowed).await?;
        context.oldest_allowed = scan.oldest();
        loop {
            let mut step = scan.next(session, context.batch_rows, self.settings.settle).await?;
            if let Some(shard) = context.scope.shard {
                step.keep(shard);
            }
            let more = step.page.full;
            if step.page.readings.is_empty() && step.page.malformed.is_empty() {
                // Gaps that were given up are not worth a write; the next commit stores them.
                session.state.position = step.position;
                session.state.counts.too_late += step.too_late;
                report.counts.too_late += step.too_late;
            } else {
                let judged_batch = self.judge_page(session, &context, step, patience).await?;
                self.commit(session, judged_batch, report).await?;
            }
            if !more {
                return Ok(self.listen(session, context.now).await?);
            }
            if stop() {
                report.stopped = true;
                return Ok(());
            }
            if self.shared.has_ready() {
                return Err(CycleError::Ended(Ended::Ready));
            }
        }
    }

    /// The session, or a new one if one of its connections was cut while it was idle.
    pub(super) async fn awake(&mut self) -> Result<Session, CycleError> {
        if let Some(mut session) = self.session.take()
            && session.is_alive().await?
        {
            return Ok(session);
        }
        self.begin().await
    }

    pub(super) async fn begin(&mut self) -> Result<Session, CycleError> {
        let mut session = Session::begin(&self.settings, self.connector.as_ref()).await?;
        let oldest_allowed = session.oldest_allowed(session.now);
        doubt::adopt(&mut session, oldest_allowed).await?;
        self.watermark = session.state.watermark;
        if let Some(models) = &session.state.models {
            self.shared.were_aged(&models.aged);
        }
        if self.shared.canary().is_none()
            && let Some(batch) =
                canary::last_judged(session.input.as_mut(), session.output.as_mut(), &session.state).await?
        {
            let checkpoint = session.state.checkpoint.clone();
            self.shared.set_canary(Canary { batch: Arc::new(batch), checkpoint });
        }
        self.detector.committed(session.state.checkpoint.clone());
        self.detector.discard();
        self.warm = false;
        Ok(session)
    }

    /// Puts the newest set in use, and shows it its lookback. Returns what ended that early, if it
    /// was a stop.
    pub(super) async fn make_ready(
        &mut self,
        session: &mut Session,
        patience: &mut Patience<'_>,
    ) -> Result<Option<Ended>, CycleError> {
        loop {
            self.swap(&session.state);
            if self.warm {
                return Ok(None);
            }
            let rows = self.settings.batch_rows;
            match warm_up::warm_up(session, &mut self.detector, rows, patience).await? {
                Some(Ended::Ready) => {}
                Some(ended) => return Ok(Some(ended)),
                None => self.warm = true,
            }
        }
    }

    pub(super) async fn context(&self, session: &mut Session) -> Result<CycleContext, CycleError> {
        let now = session.input.now().await?;
        session.now = now;
        let Session { input, output, state, lateness, .. } = session;
        correct::watermark(state, now, output.as_mut()).await?;
        if now < state.updated_at {
            correct::since(state, &self.settings, *lateness, now, input.as_mut(), output.as_mut()).await?;
            tracing::warn!(
                "the database's clock says {now}, and said {} at the last commit: it was set back, or another database's; \
                 readings go by their own datetimes",
                state.updated_at
            );
            // Logged once; the next commit stores the corrected datetime.
            state.updated_at = now;
        }
        let (watermark, ahead) = (state.watermark, state.ahead.clone());
        let oldest_allowed = session.oldest_allowed(now);
        let WorkerSettings { batch_rows, shard, .. } = self.settings;
        let scope = Scope { shard, ..Scope::default() };
        Ok(CycleContext {
            now,
            until: now,
            oldest_allowed,
            watermark,
            ahead,
            batch_rows,
            scope,
            looked_for: false,
        })
    }

    /// Judges a page; with the previous set, if the set in use is new and fails at everything.
    pub(super) async fn judge_page(
        &mut self,
        session: &mut Session,
        context: &CycleContext,
        step: ScanPage,
        patience: &mut Patience<'_>,
    ) -> Result<JudgedBatch, CycleError> {
        session.reload_set_aside(&self.settings.name).await?;
        let canary = self.shared.canary().map(|canary| canary.batch);
        let again = self.previous.is_some().then(|| step.clone());
        // A new set has judged the canary already, which proves little: if it fails at all of this
        // batch, it is at fault itself.
        let proof = if again.is_some() { None } else { canary.clone() };
        let mut care = Care { learnt: &mut self.learnt, patience };
        let judged_batch =
            batch::judge_page(session, &mut self.detector, &mut care, proof, context, step).await;
        match (judged_batch, again) {
            (Err(CycleError::Detector { .. } | CycleError::Searching { .. }), Some(again))
                if self.swap_back(&session.state) =>
            {
                let mut care = Care { learnt: &mut self.learnt, patience };
                batch::judge_page(session, &mut self.detector, &mut care, canary, context, again).await
            }
            (judged_batch, _) => judged_batch,
        }
    }

    /// One try at the transaction.
    async fn store(
        &self,
        session: &mut Session,
        judged_batch: &mut JudgedBatch,
        draft: &Draft,
    ) -> Result<u64, StoreError> {
        judged_batch.state.memory = draft.memory.clone();
        let commit = Commit {
            verdicts: &judged_batch.verdicts,
            state: &judged_batch.state,
            episodes: &draft.changes,
            messages: &draft.messages,
        };
        session.output.commit(&self.settings.name, &commit).await
    }

    pub(super) async fn commit(
        &mut self,
        session: &mut Session,
        judged_batch: JudgedBatch,
        report: &mut CycleReport,
    ) -> Result<(), CycleError> {
        let mut judged_batch = judged_batch;
        if let Some(models) = &mut judged_batch.state.models {
            self.describe(models);
        }
        let mut left = mend::TRIES;
        let (draft, written) = loop {
            left -= 1;
            let draft = session.episodes.draft(session.output.as_mut(), &judged_batch).await?;
            match self.store(session, &mut judged_batch, &draft).await {
                Ok(written) => break (draft, written),
                Err(error) if error.kind == ErrorKind::Refused && left > 0 => {
                    judged_batch = judged_batch.without_refused(session, error).await?;
                }
                // A backfill has changed the episodes meanwhile: they are read again.
                Err(error) if error.kind == ErrorKind::EpisodeChanged && left > 0 => {
                    self.learn_open(session).await?;
                }
                Err(error) => return Err(error.into()),
            }
        };
        session.episodes.accept(draft);
        let JudgedBatch { verdicts, state, report: mut said, canary } = judged_batch;
        session.state = state;
        self.watermark = session.state.watermark;
        self.detector.committed(session.state.checkpoint.clone());
        if let Some(batch) = canary {
            let checkpoint = session.state.checkpoint.clone();
            self.shared.set_canary(Canary { batch: Arc::clone(&batch), checkpoint });
            self.shared.judged(self.detector.set());
        }
        self.previous = None;
        self.learnt.clear();

        if batch::written_elsewhere(&verdicts, written, &mut said, &mut session.state) > 0 {
            session.output.commit(&self.settings.name, &Commit::of(&[], &session.state)).await?;
        }
        report.batches += 1;
        report.rows += said.rows;
        report.counts += said.counts;
        let anomalies = self.totals.anomalies + report.counts.anomalies;
        report::batch(&said, &self.detector, anomalies, report.batches, &mut self.named);
        Ok(())
    }
}
