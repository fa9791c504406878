//! One cycle: read what may be new, page by page; judge; store; until nothing is left.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Instant;

use super::batch::{self, Frame, Prepared, Scope};
use super::error::CycleError;
use super::report::{self, Report};
use super::session::Session;
use super::walk::{Step, Walk};
use super::{Settings, Worker, recall, warm_up};
use crate::position;
use crate::reload::Canary;
use crate::store::{StoreError, Trouble};

impl Worker {
    /// Runs one cycle. `stop` is asked between batches.
    ///
    /// # Errors
    /// [`CycleError`]: what was committed before stays, and the next cycle goes on from there.
    pub async fn cycle(&mut self, stop: impl Fn() -> bool) -> Result<Report, CycleError> {
        self.in_hand.store(false, Ordering::Relaxed);
        self.lead().await?;
        self.cycles += 1;
        let begun = Instant::now();
        let mut report = Report::default();
        let ended = self.run(stop, &mut report).await;
        if let Err(error) = &ended {
            // The session is gone: what is known now is only what the database says.
            self.detector.discard();
            if error.is_connection() || error.is_fenced() {
                (self.lead, self.leads) = (None, false);
            }
        }
        self.totals += report.counts;
        if ended.is_ok() || report.batches > 0 {
            report::cycle(&report, begun.elapsed());
        }
        ended.map(|()| report)
    }

    /// Makes sure that this is the one active worker of its name. The log is told when that changes.
    async fn lead(&mut self) -> Result<(), CycleError> {
        self.leads = self.leads || self.ask().await?;
        let name = &self.settings.name;
        match (self.leads, self.stands_by) {
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
        self.stands_by = !self.leads;
        if self.stands_by { Err(CycleError::Standby { name: name.clone() }) } else { Ok(()) }
    }

    async fn ask(&mut self) -> Result<bool, StoreError> {
        if let Some(mut kept) = self.lead.take() {
            match kept.ask().await {
                // Its connection was kept open for long; that it is gone says nothing of the server.
                Err(error) if error.trouble == Trouble::Connection => {}
                asked => {
                    self.lead = Some(kept);
                    return asked;
                }
            }
        }
        let lead = self.lead.insert(self.connector.lead(&self.settings.name).await?);
        lead.ask().await
    }

    async fn run(&mut self, stop: impl Fn() -> bool, report: &mut Report) -> Result<(), CycleError> {
        let mut session = match self.session.take() {
            Some(session) => session,
            None => self.begin().await?,
        };
        self.in_hand.store(true, Ordering::Relaxed);
        tracing::info!("[cycle {}] checking for new data", self.cycles);
        self.swap(&session.state);
        let mut frame = self.frame(&mut session).await?;
        let mut walk = Walk::begin(&mut session, frame.now, frame.reach).await?;
        frame.reach = walk.oldest(frame.reach);
        loop {
            let mut step = walk.next(&mut session, frame.batch_rows, self.settings.settle).await?;
            if let Some(shard) = frame.scope.shard {
                step.keep(shard);
            }
            let more = step.page.full;
            if step.page.readings.is_empty() && step.page.malformed.is_empty() {
                // Gaps that were given up are not worth a write; the next commit carries them.
                session.state.position = step.position;
                session.state.counts.too_late += step.too_late;
                report.counts.too_late += step.too_late;
            } else {
                let prepared = self.prepare(&mut session, &frame, step).await?;
                self.commit(&mut session, prepared, report).await?;
            }
            if !more {
                break;
            }
            if stop() {
                report.stopped = true;
                break;
            }
            self.swap(&session.state);
        }
        self.session = Some(session);
        Ok(())
    }

    async fn begin(&mut self) -> Result<Session, CycleError> {
        let mut session = Session::begin(&self.settings, self.connector.as_ref()).await?;
        self.watermark = session.state.watermark;
        if self.shared.canary().is_none()
            && let Some(batch) = recall::last_batch(&mut session).await?
        {
            let checkpoint = session.state.checkpoint.clone();
            self.shared.set_canary(Canary { batch: Arc::new(batch), checkpoint });
        }
        self.detector.committed(session.state.checkpoint.clone());
        self.detector.discard();
        warm_up::warm_up(&mut session, &mut self.detector, self.settings.batch_rows).await?;
        Ok(session)
    }

    async fn frame(&self, session: &mut Session) -> Result<Frame, CycleError> {
        let now = session.input.now().await?;
        if now < session.state.updated_at {
            tracing::warn!(
                "the database's clock says {now}, and said {} at the last commit: it was set back, or another database's; \
                 readings go by their own datetimes and are judged all the same",
                session.state.updated_at
            );
            // Said once; the next commit stores what the clock says then.
            session.state.updated_at = now;
        }
        let watermark = session.state.watermark;
        let reach = position::reach(session.state.position.since(), watermark, now, session.lateness);
        let Settings { batch_rows, shard, .. } = self.settings;
        Ok(Frame { now, reach, watermark, batch_rows, scope: Scope { shard, ..Scope::default() } })
    }

    /// Has a page judged; by the set before, if the set in use is new and fails at everything.
    async fn prepare(
        &mut self,
        session: &mut Session,
        frame: &Frame,
        step: Step,
    ) -> Result<Prepared, CycleError> {
        session.hear_of_backfill(&self.settings.name).await?;
        let canary = self.shared.canary().map(|canary| canary.batch);
        let again = self.previous.is_some().then(|| step.clone());
        // That a new set judges the last batch is known and proves little: if it fails at all of this one, it is at fault itself.
        let proof = if again.is_some() { None } else { canary.clone() };
        let prepared = batch::prepare(session, &mut self.detector, proof, frame, step).await;
        match (prepared, again) {
            (Err(CycleError::Detector { .. }), Some(again)) if self.swap_back(&session.state) => {
                batch::prepare(session, &mut self.detector, canary, frame, again).await
            }
            (prepared, _) => prepared,
        }
    }

    async fn commit(
        &mut self,
        session: &mut Session,
        prepared: Prepared,
        report: &mut Report,
    ) -> Result<(), CycleError> {
        let Prepared { verdicts, state, mut said, canary } = prepared;
        let written = session.output.commit(&self.settings.name, &verdicts, &state).await?;
        session.state = state;
        self.watermark = session.state.watermark;
        self.detector.committed(session.state.checkpoint.clone());
        if let Some(batch) = canary {
            let checkpoint = session.state.checkpoint.clone();
            self.shared.set_canary(Canary { batch: Arc::clone(&batch), checkpoint });
        }
        self.previous = None;

        // Somebody else, the Python worker say, wrote a verdict between our look and our commit.
        let lost = (verdicts.len() as u64).saturating_sub(written).min(said.counts.judged);
        said.counts.judged -= lost;
        said.counts.already_judged += lost;
        report.batches += 1;
        report.rows += said.rows;
        report.counts += said.counts;
        let anomalies = self.totals.anomalies + report.counts.anomalies;
        report::batch(&said, &self.detector, anomalies, report.batches, &mut self.named);
        Ok(())
    }
}
