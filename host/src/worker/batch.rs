//! One batch: from a page of rows to the verdicts and the state that one transaction stores.
//!
//! Nothing here writes. The result is committed whole or not at all; if it is not committed, the
//! same readings are judged again from the same state.

mod sift;
mod unwritten;

use std::collections::HashSet;
use std::sync::Arc;

pub(super) use unwritten::written_elsewhere;

use super::again;
use super::batch_report::BatchReport;
use super::cycle_context::CycleContext;
use super::error::CycleError;
use super::patience::Patience;
use super::recover;
use super::recovered::{CheckpointAfter, Recovered, Unjudged};
use super::scan::ScanPage;
use super::search::Learnt;
use super::session::Session;
use crate::batch::{Batch, Outcome};
use crate::datetime::Datetime;
use crate::detector::Detector;
use crate::pivot::{self, Pivoted};
use crate::position::{Position, TimePosition};
use crate::reading::Reading;
use crate::state::{Again, ModelsInUse, SetAside, State};
use crate::verdict::{self, VerdictRow};
use sift::{dated_ahead, news, sift, with_companions};

/// The most cells of one pivoted batch, as a multiple of the rows read: where each variable has its
/// own timestamps, a batch is mostly NaN.
pub(crate) const CELLS_PER_ROW: usize = 16;

/// The result of a page.
pub(super) struct JudgedBatch {
    pub(super) verdicts: Vec<VerdictRow>,
    /// The state once `verdicts` are stored.
    pub(super) state: State,
    pub(super) report: BatchReport,
    /// The last part that was judged: the next canary.
    pub(super) canary: Option<Arc<Batch>>,
}

/// What a failing detector may cost, and what is known of its faults.
pub(super) struct Care<'a, 'b> {
    pub(super) learnt: &'a mut Learnt,
    pub(super) patience: &'a mut Patience<'b>,
}

/// Judges a page: sifts its rows, pivots and judges the new ones, and advances the state. Each row
/// is counted once.
pub(super) async fn judge_page(
    session: &mut Session,
    detector: &mut Detector,
    care: &mut Care<'_, '_>,
    canary: Option<Arc<Batch>>,
    context: &CycleContext,
    page: ScanPage,
) -> Result<JudgedBatch, CycleError> {
    let ScanPage { page, position, too_late } = page;
    let (with_key, is_last) = (matches!(position, Position::Key(_)), !page.full);
    let malformed = if with_key { page.malformed } else { news(session, context, page.malformed) };
    let datetimes = page.readings.iter().map(|reading| reading.datetime);
    let datetimes: Vec<Datetime> = datetimes.chain(malformed.iter().filter_map(|row| row.datetime)).collect();

    let (mut rows, companions) = with_companions(session, detector, context, page.readings).await?;
    rows.all.retain(|reading| context.scope.holds(reading));
    // Rows that are read only as companions were counted when they arrived.
    let in_page: Option<HashSet<Option<i64>>> =
        (!companions.is_empty()).then(|| rows.page.iter().copied().collect());
    let first_seen = |reading: &Reading| {
        in_page.as_ref().is_none_or(|page| page.contains(&reading.id))
            && (with_key
                || context.looked_for
                || TimePosition::first_seen(reading.datetime, context.watermark, &context.ahead))
    };

    let mut report = BatchReport::of(malformed, too_late);
    let new = sift(session, detector, context, rows.all, first_seen, &mut report).await?;
    report.describe(&new, detector);
    report.ahead = dated_ahead(&new, context, first_seen);

    let mut state = session.state.clone();
    state.advance(position, &datetimes, context.until, is_last);
    state.updated_at = context.now;
    take_up(&mut state, detector);
    again::ask(detector, &mut state.set_aside, &new, &companions, context.now, care.patience).await;
    let new = without_quarantined(new, &mut state, first_seen, &mut report);

    let mut judged = JudgedBatch { verdicts: Vec::new(), state, report, canary };
    for part in pivot::split(new, context.batch_rows.saturating_mul(CELLS_PER_ROW)) {
        judged.judge(detector, care, &part, &companions, first_seen).await?;
    }
    let counts = judged.report.counts;
    judged.state.counts += counts;
    judged.state.shorten_reasons();
    Ok(judged)
}

/// From now on the state is that of the detector in use.
fn take_up(state: &mut State, detector: &Detector) {
    let digest = detector.set().digest.clone();
    for aside in state.set_aside.values_mut() {
        aside.quarantined &= aside.set_digest == digest;
    }
    if !detector.keeps_state() && state.checkpoint.take().is_some() {
        let said = detector.description();
        tracing::info!(
            "the checkpoint that is stored is cleared: detector `{}` {} keeps no state",
            said.name,
            said.version
        );
    }
    state.set_digest = Some(digest);
    let aged = state.models.take().map(|models| models.aged).unwrap_or_default();
    state.models = Some(ModelsInUse {
        count: detector.summary().loaded().count() as u64,
        directory: detector.set().models_dir.clone(),
        refused: None,
        aged,
    });
}

/// Leaves out the readings of quarantined variables, which are counted as set aside.
fn without_quarantined(
    new: Vec<Reading>,
    state: &mut State,
    first_seen: impl Fn(&Reading) -> bool,
    report: &mut BatchReport,
) -> Vec<Reading> {
    let is_quarantined =
        |reading: &Reading| state.set_aside.get(&reading.variable).is_some_and(|aside| aside.quarantined);
    let (quarantined, new): (Vec<_>, Vec<_>) = new.into_iter().partition(is_quarantined);
    for reading in &quarantined {
        if !first_seen(reading) {
            report.rows -= 1;
            continue;
        }
        report.counts.set_aside += 1;
        if let Some(aside) = state.set_aside.get_mut(&reading.variable) {
            aside.pass_over(reading.datetime);
        }
    }
    new
}

impl JudgedBatch {
    /// Judges one part of a page; the detector sees the parts in order.
    async fn judge(
        &mut self,
        detector: &mut Detector,
        care: &mut Care<'_, '_>,
        readings: &[Reading],
        companions: &[Reading],
        first_seen: impl Fn(&Reading) -> bool,
    ) -> Result<(), CycleError> {
        let Pivoted { batch, cells } = pivot::pivot(readings, companions);
        let batch = Arc::new(batch);
        let begun = std::time::Instant::now();
        let recovered = recover::judge(detector, &batch, self.canary.clone(), care.learnt, care.patience)
            .await
            .map_err(|unjudged| detector_error(&batch, unjudged))?;
        self.report.judging += begun.elapsed();

        let written = verdict::rows(readings, &cells, &recovered.outcomes, &first_seen);
        let judged: HashSet<(&str, Datetime)> =
            written.rows.iter().map(|row| (&*row.variable, row.ds)).collect();
        let counted_before = readings.iter().filter(|reading| {
            judged.contains(&(&*reading.variable, reading.datetime)) && !first_seen(reading)
        });
        for reading in counted_before {
            if self.state.reconciliation.has_model_now(&reading.variable) {
                self.state.counts.no_model = self.state.counts.no_model.saturating_sub(1);
            }
        }
        self.report.count_causes(&written.rows);
        self.verdicts.extend(written.rows);
        self.report.counts += written.counts;
        self.report.rows = self.report.rows.saturating_sub(written.seen_before);
        self.report.notes.append(written.notes);
        let set_digest = detector.set().digest.clone();
        self.account_for_columns(&batch, &recovered, readings, first_seen, &set_digest);
        if let CheckpointAfter::Checkpoint(checkpoint) = recovered.after {
            self.state.checkpoint = checkpoint;
            // The next part follows this one, whichever instance judges it.
            detector.committed(self.state.checkpoint.clone());
        }
        if recovered.at_fault.is_empty() {
            self.canary = Some(batch);
        }
        Ok(())
    }

    /// Reports the columns that have no verdicts, or not all, and sets aside those that failed.
    fn account_for_columns(
        &mut self,
        batch: &Batch,
        recovered: &Recovered,
        readings: &[Reading],
        first_seen: impl Fn(&Reading) -> bool,
        set_digest: &str,
    ) {
        for (at, (column, outcome)) in batch.columns.iter().zip(&recovered.outcomes).enumerate() {
            let fault = recovered.at_fault.iter().find(|(bad, _)| *bad == at);
            let of_column = || readings.iter().filter(|reading| reading.variable == column.variable);
            let is_news = || of_column().any(&first_seen);
            let reason = match (outcome, fault) {
                (Outcome::Judged(verdicts), _) => {
                    if !verdicts.withheld.is_empty() && is_news() {
                        self.report.withhold(column, &verdicts.withheld);
                    }
                    continue;
                }
                (Outcome::NoModel, _) => {
                    self.report.without_model.push(Arc::clone(&column.variable));
                    let news = of_column().filter(|reading| first_seen(reading)).count() as u64;
                    self.state.reconciliation.count_without_model(&column.variable, news);
                    continue;
                }
                (Outcome::Failed(_), Some((_, error))) => error.to_string(),
                // These are judged again in each cycle of the allowed lateness, and reported once.
                (Outcome::Failed(_), None) if !is_news() => continue,
                (Outcome::Failed(why), None) => why.clone(),
            };
            // A late reading was counted before and is not counted again, but it must not trap the
            // detector again either.
            let Some(oldest) = of_column().map(|reading| reading.datetime).min() else { continue };
            let aside = self.state.set_aside.entry(Arc::clone(&column.variable));
            let aside = aside.or_insert_with(|| SetAside::empty(oldest));
            aside.reason.clone_from(&reason);
            aside.quarantined |= fault.is_some();
            aside.again = fault
                .filter(|(_, error)| again::may_pass(error))
                .map(|_| Again::after(aside.again.as_ref(), self.state.updated_at));
            set_digest.clone_into(&mut aside.set_digest);
            of_column()
                .filter(|reading| first_seen(reading))
                .for_each(|reading| aside.pass_over(reading.datetime));
            self.report.set_aside.push((Arc::clone(&column.variable), reason));
        }
    }
}

fn detector_error(batch: &Batch, unjudged: Unjudged) -> CycleError {
    let variables = batch.columns.len();
    match unjudged {
        Unjudged::Failed(cause) => CycleError::Detector { variables, cause },
        Unjudged::Unfinished { left, cause } => CycleError::Searching { variables, left, cause },
        Unjudged::Ended(ended) => CycleError::Ended(ended),
    }
}
