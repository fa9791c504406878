//! One batch: from a page of rows to the verdicts and the state that one transaction stores.
//!
//! Nothing here writes. What it returns is committed whole or not at all, and judged again from the
//! same state if it was not.

use std::collections::{BTreeMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

use super::again;
use super::error::CycleError;
use super::patience::Patience;
use super::recover::{self, After, Unjudged};
use super::refused;
use super::scan::ScanPage;
use super::search::Learnt;
use super::session::Session;
use crate::batch::{Batch, Column, Outcome, Withheld};
use crate::counts::Counts;
use crate::datetime::Datetime;
use crate::detector::{Detector, as_said};
use crate::form::nfc;
use crate::new_readings;
use crate::notes::{Notes, UnfitReason};
use crate::pivot::{self, Pivoted};
use crate::position::{Ahead, Position, TimePosition};
use crate::reading::{Malformed, Reading};
use crate::shard::Shard;
use crate::state::{Again, ModelsInUse, SetAside, State};
use crate::store::StoreError;
use crate::verdict::{self, VerdictRow};

/// Cells of one pivoted batch, as a multiple of the rows read: where each variable has a clock of
/// its own, a batch is mostly NaN.
pub(super) const CELLS_PER_ROW: usize = 16;

/// What a page came to.
pub(super) struct JudgedBatch {
    pub(super) verdicts: Vec<VerdictRow>,
    /// As it is once `verdicts` are stored.
    pub(super) state: State,
    pub(super) report: BatchReport,
    /// The last part that was judged: the next canary.
    pub(super) canary: Option<Arc<Batch>>,
}

/// What the log is told of a page.
#[derive(Default)]
pub(super) struct BatchReport {
    /// Rows that no earlier cycle has seen, whatever became of them.
    pub(super) rows: u64,
    /// Of what is judged.
    pub(super) datetimes: usize,
    pub(super) variables: usize,
    /// Models that are for one of these variables.
    pub(super) models: usize,
    pub(super) counts: Counts,
    pub(super) notes: Notes,
    pub(super) malformed: Vec<Malformed>,
    /// Variables without a model.
    pub(super) without_model: Vec<Arc<str>>,
    /// Names that the output takes for another's, each with the one that is judged.
    pub(super) equal_names: Vec<(Arc<str>, Arc<str>)>,
    /// Variables that were set aside by this page, and why.
    pub(super) set_aside: Vec<(Arc<str>, String)>,
    /// Readings that are dated ahead of the database's clock, and are news.
    pub(super) ahead: Vec<(Arc<str>, Datetime)>,
    /// Datetimes withheld, by variable and reason.
    pub(super) withheld: Vec<(Arc<str>, String, usize)>,
    pub(super) judging: Duration,
}

/// What a cycle knows from its beginning.
pub(super) struct CycleContext {
    pub(super) now: Datetime,
    pub(super) oldest_allowed: Datetime,
    /// The watermark goes no further than this: in a cycle no further than the clock.
    pub(super) until: Datetime,
    /// The watermark when the cycle began.
    pub(super) watermark: Option<Datetime>,
    /// What was met ahead of the clock by then.
    pub(super) ahead: Ahead,
    pub(super) batch_rows: usize,
    pub(super) scope: Scope,
    /// Whether the rows were looked for because they lack a verdict: then all of them are news.
    pub(super) looked_for: bool,
}

/// Devices whose clocks are ahead by no more than this are no news.
const AHEAD: Duration = Duration::from_secs(5 * 60);

/// Which of the readings within the allowed lateness are judged: in a cycle all of the worker's
/// share that have no verdict.
#[derive(Clone, Default)]
pub(super) struct Scope {
    pub(super) shard: Option<Shard>,
    /// None: every variable.
    pub(super) variables: Option<HashSet<Arc<str>>>,
    /// Whether a verdict that is there is made anew.
    pub(super) again: bool,
}

impl Scope {
    pub(super) fn holds(&self, reading: &Reading) -> bool {
        let variable = &reading.variable;
        self.shard.is_none_or(|shard| shard.holds(variable))
            && self.variables.as_ref().is_none_or(|variables| variables.contains(variable))
    }
}

/// What a detector that fails may cost, and what is known of its faults.
pub(super) struct Care<'a, 'b> {
    pub(super) learnt: &'a mut Learnt,
    pub(super) patience: &'a mut Patience<'b>,
}

/// Judges a page: its rows are sifted, those that are new are pivoted and judged, and the state
/// moves on. Each row is counted once.
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
    // Of rows that are only read for company, those without a verdict were counted when they came.
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

/// Without a key the allowed lateness is read in each cycle, and what is wrong in it is news once.
fn news(session: &mut Session, context: &CycleContext, mut malformed: Vec<Malformed>) -> Vec<Malformed> {
    malformed.retain(|row| match row.datetime {
        Some(at) => TimePosition::first_seen(at, context.watermark, &context.ahead),
        None => session.timeless.first_seen(&row.why),
    });
    malformed
}

/// Those of the rows that are to be judged. The others are counted in `report`, each under the
/// first rule that holds for it.
async fn sift(
    session: &mut Session,
    detector: &Detector,
    context: &CycleContext,
    rows: Vec<Reading>,
    first_seen: impl Fn(&Reading) -> bool + Copy,
    report: &mut BatchReport,
) -> Result<Vec<Reading>, StoreError> {
    let read = (rows.len() + report.malformed.len()) as u64;
    session.learn_names(&rows, detector).await?;
    let (names, met) = (&session.names, rows.iter().map(|reading| &reading.variable));
    let met: HashSet<&Arc<str>> = met.filter(|name| names.of(name) == new_readings::Name::Equal).collect();
    let pair = |name: &Arc<str>| Some((Arc::clone(name), names.judged_for(name)?));
    report.equal_names = met.into_iter().filter_map(pair).collect();
    report.equal_names.sort_unstable();

    let holds = |row: &Reading| session.holds_datetime(row.datetime);
    let (rows, outside) = new_readings::sift_out(rows, UnfitReason::Datetime, holds, first_seen);
    let takes = |row: &Reading| !session.refuses(&row.variable);
    let (rows, refused) = new_readings::sift_out(rows, UnfitReason::Refused, takes, first_seen);
    let (rows, mut passed) = new_readings::sift_names(rows, |name| session.names.of(name), first_seen);
    passed.add(outside);
    passed.add(refused);
    let keys = if context.scope.again {
        Vec::new()
    } else {
        new_readings::keys_to_look_up(&rows, context.oldest_allowed)
    };
    let judged = if keys.is_empty() { HashSet::new() } else { session.output.already_judged(&keys).await? };
    let mut sifted = new_readings::sift(rows, &judged, context.oldest_allowed, first_seen);
    let new = std::mem::take(&mut sifted.new);
    passed.add(sifted);

    report.rows = read - passed.seen_before;
    report.counts += passed.counts;
    report.notes = passed.notes;
    Ok(new)
}

/// The detector in use is the state's from now on.
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
    state.models = Some(ModelsInUse {
        count: detector.summary().loaded().count() as u64,
        directory: detector.set().models_dir.clone(),
        refused: None,
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

/// Takes verdicts out of the counts that were not written: between our look and our commit somebody
/// else wrote one, the Python worker say, or one stands there under a name that is taken for the
/// same. How many there are.
pub(super) fn written_elsewhere(
    verdicts: &[VerdictRow],
    inserted: u64,
    report: &mut BatchReport,
    state: &mut State,
) -> u64 {
    let lost = (verdicts.len() as u64).saturating_sub(inserted).min(report.counts.judged);
    for counts in [&mut report.counts, &mut state.counts] {
        counts.judged -= lost;
        counts.already_judged += lost;
    }
    lost
}

/// Those of the readings that are news and dated ahead of the clock, each variable once, with its
/// furthest.
fn dated_ahead(
    new: &[Reading],
    context: &CycleContext,
    first_seen: impl Fn(&Reading) -> bool,
) -> Vec<(Arc<str>, Datetime)> {
    let edge = context.until.later(AHEAD);
    let mut ahead: BTreeMap<&Arc<str>, Datetime> = BTreeMap::new();
    for reading in new.iter().filter(|reading| reading.datetime > edge && first_seen(reading)) {
        let furthest = ahead.entry(&reading.variable).or_insert(reading.datetime);
        *furthest = (*furthest).max(reading.datetime);
    }
    ahead.into_iter().map(|(variable, at)| (Arc::clone(variable), at)).collect()
}

/// The rows of a page, and which ids they have.
struct PageRows {
    all: Vec<Reading>,
    page: Vec<Option<i64>>,
}

/// For a detector that wants whole instants: every row at the datetimes of the page.
async fn with_companions(
    session: &mut Session,
    detector: &Detector,
    context: &CycleContext,
    readings: Vec<Reading>,
) -> Result<(PageRows, Vec<Reading>), StoreError> {
    let page: Vec<Option<i64>> = readings.iter().map(|reading| reading.id).collect();
    if !detector.summary().whole_instants {
        return Ok((PageRows { all: readings, page }, Vec::new()));
    }
    let mut datetimes: Vec<_> =
        readings.iter().map(|reading| reading.datetime).filter(|&at| at >= context.oldest_allowed).collect();
    datetimes.sort_unstable();
    datetimes.dedup();
    let companions = session.input.read_at(&datetimes).await?.readings;
    let mut all = readings;
    let known: HashSet<_> = all.iter().map(|reading| (reading.id, reading.key())).collect();
    let ours = |reading: &&Reading| context.scope.holds(reading);
    let unknown = |reading: &&Reading| !known.contains(&(reading.id, reading.key()));
    all.extend(companions.iter().filter(ours).filter(unknown).cloned());
    Ok((PageRows { all, page }, companions))
}

impl JudgedBatch {
    /// What is left of it once the variables are taken out that a constraint of the output refuses:
    /// they are counted as unfit and named, and left out for as long as the session lasts.
    /// `error` is what the whole of it was refused with.
    pub(super) async fn without_refused(
        mut self,
        session: &mut Session,
        error: StoreError,
    ) -> Result<Self, StoreError> {
        let refused = refused::find(session.output.as_mut(), &self.verdicts).await?;
        let Some(kept) = refused::without(&self.verdicts, &refused) else { return Err(error) };
        for (variable, why) in &refused {
            tracing::warn!("the output refuses `{variable}`: {why}");
        }
        for verdict in self.verdicts.iter().filter(|verdict| refused.contains_key(&verdict.variable)) {
            let anomalies = u64::from(verdict.flags.anomaly);
            for counts in [&mut self.report.counts, &mut self.state.counts] {
                counts.judged = counts.judged.saturating_sub(1);
                counts.anomalies = counts.anomalies.saturating_sub(anomalies);
                counts.unfit += 1;
            }
        }
        self.verdicts = kept;
        session.refuse(refused);
        Ok(self)
    }

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
        self.verdicts.extend(written.rows);
        self.report.counts += written.counts;
        self.report.rows = self.report.rows.saturating_sub(written.seen_before);
        self.report.notes.append(written.notes);
        let set_digest = detector.set().digest.clone();
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
                // Asked again in each cycle of the allowed lateness, and said once.
                (Outcome::Failed(_), None) if !is_news() => continue,
                (Outcome::Failed(why), None) => why.clone(),
            };
            // A late reading is no news and counted nowhere, but it must not trap the detector again either.
            let Some(oldest) = of_column().map(|reading| reading.datetime).min() else { continue };
            let aside = self.state.set_aside.entry(Arc::clone(&column.variable));
            let aside = aside.or_insert_with(|| SetAside::empty(oldest));
            aside.reason.clone_from(&reason);
            aside.quarantined |= fault.is_some();
            aside.again = fault
                .filter(|(_, error)| again::may_pass(error))
                .map(|_| Again::after(aside.again.as_ref(), self.state.updated_at));
            aside.set_digest.clone_from(&set_digest);
            of_column()
                .filter(|reading| first_seen(reading))
                .for_each(|reading| aside.pass_over(reading.datetime));
            self.report.set_aside.push((Arc::clone(&column.variable), reason));
        }
        if let After::Checkpoint(checkpoint) = recovered.after {
            self.state.checkpoint = checkpoint;
            // The next part of the page comes after this one, on whatever instance.
            detector.committed(self.state.checkpoint.clone());
        }
        if recovered.at_fault.is_empty() {
            self.canary = Some(batch);
        }
        Ok(())
    }
}

impl BatchReport {
    /// Of rows that are no readings.
    fn of(malformed: Vec<Malformed>, too_late: u64) -> Self {
        let counts = Counts { malformed: malformed.len() as u64, too_late, ..Counts::default() };
        Self { malformed, counts, ..Self::default() }
    }

    /// What is about to be judged, in numbers.
    fn describe(&mut self, new: &[Reading], detector: &Detector) {
        self.datetimes = new.iter().map(|reading| reading.datetime).collect::<HashSet<_>>().len();
        let variables: HashSet<_> = new.iter().map(|reading| &*reading.variable).collect();
        self.variables = variables.len();
        let said = |name: &str| nfc(&as_said(name)).into_owned();
        let variables: HashSet<_> = variables.into_iter().map(said).collect();
        self.models =
            detector.summary().loaded().filter(|model| variables.contains(&said(&model.variable))).count();
    }

    fn withhold(&mut self, column: &Column, withheld: &[Withheld]) {
        for withheld in withheld {
            self.withheld.push((Arc::clone(&column.variable), withheld.reason.clone(), withheld.rows.len()));
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
