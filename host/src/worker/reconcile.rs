//! The look for unjudged readings: everything within the allowed lateness, whatever the position
//! believes of it.
//!
//! It goes by datetime, page by page, between cycles and never beside one. A row that has a
//! verdict, that the next cycle reads, or that has a reason for having none is accounted for. What
//! is left is judged and stored as a cycle does it: the same transaction, the same fence. The
//! reasons are found out anew in each look, and only what had neither verdict nor reason goes into
//! the worker's counts, so that nothing is counted twice. What a detector had to be asked for is
//! remembered while its set is in use.
//!
//! Without an index on the datetime each page would read the table: then nothing is looked at, and
//! that is said.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

use super::batch::{CycleContext, JudgedBatch};
use super::error::CycleError;
use super::patience::{self, Patience};
use super::report::CycleReport;
use super::scan::{RangeScan, ScanPage};
use super::session::Session;
use super::{Worker, tell};
use crate::counts::Counts;
use crate::datetime::Datetime;
use crate::new_readings::{self, Name};
use crate::position::{Passing, Position, TimePosition};
use crate::reading::{Page, Reading, ReadingKey};
use crate::reconciliation::{Causes, Failed, Look};
use crate::shard::Shard;
use crate::state::State;
use crate::store::StoreError;

/// How many readings without a verdict are remembered with their reason: some ten megabytes. Those
/// beyond are asked for again.
const MOST_REASONS: usize = 200_000;

/// Of a worker that did not look for longer than this, a backfill has more to judge than a look
/// has.
const LONGEST_REST: Duration = Duration::from_secs(24 * 3600);

/// Ids that lie further apart are two ranges.
const APART: u64 = 100_000;

/// What a slice of a look came to.
#[derive(Clone, Debug, PartialEq)]
pub enum Slice {
    /// There is more of it.
    More,
    /// It has come to its end.
    Done(Look),
    /// None is made: the input has no index on its datetime.
    NoIndex,
}

/// What the detector in use has said on readings without a verdict.
#[derive(Default)]
pub(super) struct Reasons {
    set_digest: String,
    without_model: HashSet<Arc<str>>,
    /// Whether it withheld the verdict; else the verdict did not fit.
    withheld: HashMap<ReadingKey, bool>,
    /// Whether the log was told that there is no index.
    told: bool,
}

impl Reasons {
    fn begin(&mut self, set_digest: &str, from: Datetime) {
        if self.set_digest != set_digest {
            *self = Self { set_digest: set_digest.to_owned(), told: self.told, ..Self::default() };
        }
        self.withheld.retain(|(_, at), _| *at >= from);
    }

    /// Takes in what a batch left without a verdict.
    fn learn(&mut self, asked: &[Reading], judged_batch: &JudgedBatch) {
        self.without_model.extend(judged_batch.report.without_model.iter().cloned());
        let judged: HashSet<(&Arc<str>, Datetime)> =
            judged_batch.verdicts.iter().map(|row| (&row.variable, row.ds)).collect();
        let withheld: HashSet<&Arc<str>> =
            judged_batch.report.withheld.iter().map(|(name, ..)| name).collect();
        for reading in asked {
            let known = judged.contains(&(&reading.variable, reading.datetime))
                || self.without_model.contains(&reading.variable)
                || judged_batch.state.set_aside.contains_key(&reading.variable);
            if !known && self.withheld.len() < MOST_REASONS {
                self.withheld.insert(reading.key(), withheld.contains(&reading.variable));
            }
        }
    }
}

/// A page, held against the output.
#[derive(Default)]
struct Examined {
    rows: Counts,
    awaited: u64,
    /// With neither a verdict nor a known reason.
    unjudged: Vec<Reading>,
}

impl Worker {
    /// Whether a look is due, or under way. Only after a cycle.
    pub fn looks(&self) -> bool {
        let Some(session) = &self.session else { return false };
        let Some(every) = self.settings.reconcile else { return false };
        if !session.has_datetime_index && self.reasons.told {
            return false;
        }
        let looks = &session.state.reconciliation;
        let now = session.now;
        let rested = |last: &Look| last.looked_at <= now && now.since(last.looked_at) < every;
        looks.under_way.is_some() || !looks.last.as_ref().is_some_and(rested)
    }

    /// One page of a look that is due; see [`Self::looks`].
    ///
    /// # Errors
    /// [`CycleError`]: what was committed before stays, and the look goes on from there.
    pub async fn look(&mut self) -> Result<Slice, CycleError> {
        let Some(mut session) = self.session.take() else { return Ok(Slice::NoIndex) };
        let ended = self.slice(&mut session).await;
        match ended {
            Ok(slice) => {
                self.session = Some(session);
                Ok(slice)
            }
            Err(error) => {
                self.detector.discard();
                if error.is_connection() || error.is_fenced() {
                    (self.leader_lock, self.is_leader) = (None, false);
                }
                Err(error)
            }
        }
    }

    /// Connects and makes sure that a whole look begins, for `host reconcile`.
    ///
    /// # Errors
    /// [`CycleError`]; `Standby` where another worker of this name is active.
    pub async fn begin_look(&mut self) -> Result<(), CycleError> {
        self.ensure_leader().await?;
        let mut session = self.begin().await?;
        session.state.reconciliation.under_way = None;
        self.session = Some(session);
        Ok(())
    }

    async fn slice(&mut self, session: &mut Session) -> Result<Slice, CycleError> {
        if !session.has_datetime_index {
            if !std::mem::replace(&mut self.reasons.told, true) {
                tracing::warn!(
                    "unjudged readings are not looked for: the input table has no index on `datetime`, and each look would read it \
                     whole; ask for such an index"
                );
            }
            return Ok(Slice::NoIndex);
        }
        let mut context = self.context(session).await?;
        let mut look = begin(session, context.now);
        context.oldest_allowed = look.from;
        context.looked_for = true;
        self.reasons.begin(&self.detector.set().digest, look.from);

        let before = look.clone();
        let walk = RangeScan::new(look.through, look.to, context.batch_rows);
        let (page, more) = next(session, walk, &mut look).await?;
        let mut examined = self.examine(session, &context, look.to, page).await?;
        look.rows += examined.rows;
        look.awaited += examined.awaited;
        let asked = std::mem::take(&mut examined.unjudged);
        if asked.is_empty() {
            store_look(&mut session.state, look, !more, context.now);
        } else {
            let readings = asked.iter().map(Reading::key).collect::<HashSet<_>>().len() as u64;
            if let Err(error) = self.judge_found(session, &context, asked, look, !more).await {
                self.stand_still(session, before, readings, &error).await?;
                return Err(error);
            }
        }
        if more {
            return Ok(Slice::More);
        }
        // A page of them was stored with what was judged; the last is stored in any case.
        session.state.updated_at = context.now;
        session.output.commit(&self.settings.name, &[], &session.state).await?;
        let look = session.state.reconciliation.last.clone();
        Ok(look.map_or(Slice::More, |look| {
            tell::looked(&look);
            Slice::Done(look)
        }))
    }

    /// Holds the rows of this worker's share against the output.
    async fn examine(
        &mut self,
        session: &mut Session,
        context: &CycleContext,
        look_to: Datetime,
        page: Page,
    ) -> Result<Examined, StoreError> {
        let mut rows = page.readings;
        rows.retain(|row| context.scope.holds(row));
        session.learn_names(&rows, &self.detector).await?;
        let mut examined = Examined::default();
        if context.scope.shard.is_none_or(Shard::is_first) {
            examined.rows.malformed = page.malformed.len() as u64;
        }
        let keys = new_readings::keys_to_look_up(&rows, context.oldest_allowed);
        let judged =
            if keys.is_empty() { HashSet::new() } else { session.output.already_judged(&keys).await? };
        // What a cycle has read there was too late for it, or was judged.
        let edge = look_to.earlier(session.lateness);
        let mut met: HashSet<ReadingKey> = HashSet::new();
        for row in rows {
            let key = row.key();
            if awaits(&session.state.position, &row) {
                examined.awaited += 1;
            } else if row.value.is_none() {
                examined.rows.nulls += 1;
            } else if !new_readings::fits(&row) || session.names.of(&row.variable) == Name::Foreign {
                examined.rows.unfit += 1;
            } else if session.names.of(&row.variable) == Name::Equal {
                examined.rows.equal_names += 1;
            } else if judged.contains(&key) {
                let first = met.insert(key);
                examined.rows.judged += u64::from(first);
                examined.rows.duplicates += u64::from(!first);
            } else if row.datetime < edge && !was_never_read(&session.state.position, &row) {
                examined.rows.too_late += 1;
            } else if is_aside(&session.state, &row) {
                examined.rows.set_aside += 1;
            } else if self.reasons.without_model.contains(&row.variable) {
                examined.rows.no_model += 1;
            } else if let Some(withheld) = self.reasons.withheld.get(&key) {
                examined.rows.withheld += u64::from(*withheld);
                examined.rows.unfit += u64::from(!*withheld);
            } else {
                examined.unjudged.push(row);
            }
        }
        Ok(examined)
    }

    /// Judges what has neither a verdict nor a reason, and stores it with the look. Then the output
    /// is asked what it holds of it.
    async fn judge_found(
        &mut self,
        session: &mut Session,
        context: &CycleContext,
        asked: Vec<Reading>,
        mut look: Look,
        is_last: bool,
    ) -> Result<(), CycleError> {
        let never = || false;
        // A look has the patience of a cycle; a stop and a new set wait for its page.
        let budget = self.settings.patience;
        let mut warming = Patience::new(budget, &patience::system, &never, &never);
        self.make_ready(session, &mut warming).await?;
        self.reasons.begin(&self.detector.set().digest, look.from);
        follow(session, &asked, context.now).await?;
        let page = Page { readings: asked.clone(), ..Page::default() };
        let position = session.state.position.clone();
        let step = ScanPage { page, position: position.clone(), too_late: 0 };
        let before = session.state.clone();
        let mut patience = Patience::new(budget, &patience::system, &never, &never);
        let mut judged_batch = self.judge_page(session, context, step, &mut patience).await?;
        self.reasons.learn(&asked, &judged_batch);
        let keys: HashSet<ReadingKey> =
            judged_batch.verdicts.iter().map(|row| (Arc::clone(&row.variable), row.ds)).collect();
        let found = causes(&position, &asked, &keys);
        let said = judged_batch.report.counts;
        let look_found = look.found;
        look.rows += said;
        // Anomalies are counted as judged.
        look.rows.anomalies -= said.anomalies;
        look.found += found;
        let state = &mut judged_batch.state;
        state.counts = before.counts;
        state.counts += Counts { judged: said.judged, anomalies: said.anomalies, ..Counts::default() };
        // What is news to a look is none to the counts.
        state.reconciliation = before.reconciliation;
        let mut modelled = 0;
        for reading in asked.iter().filter(|reading| keys.contains(&reading.key())) {
            let counted = match (&position, reading.id) {
                (Position::Key(position), Some(id)) => position.passed(id) == Passing::Read,
                _ => !TimePosition::first_seen(reading.datetime, context.watermark, &context.ahead),
            };
            modelled += u64::from(counted && state.reconciliation.has_model_now(&reading.variable));
        }
        state.counts.no_model = state.counts.no_model.saturating_sub(modelled);
        self.totals.no_model = self.totals.no_model.saturating_sub(modelled);
        let all_found = state.reconciliation.found;
        state.reconciliation.found += found;
        store_look(state, look, is_last, context.now);
        let mut report = CycleReport::default();
        self.commit(session, judged_batch, &mut report).await?;
        self.totals +=
            Counts { judged: report.counts.judged, anomalies: report.counts.anomalies, ..Counts::default() };

        let asked_for: Vec<ReadingKey> = keys.into_iter().collect();
        let there = if asked_for.is_empty() {
            HashSet::new()
        } else {
            session.output.already_judged(&asked_for).await?
        };
        if there.len() < asked_for.len() {
            let missing = asked_for.iter().filter(|key| !there.contains(*key));
            let (refused, unjudged): (Vec<&ReadingKey>, Vec<&ReadingKey>) =
                missing.partition(|(variable, _)| session.refuses(variable));
            let (refused, unjudged) = (refused.len() as u64, unjudged.len() as u64);
            let found = causes(&position, &asked, &there);
            let looks = &mut session.state.reconciliation;
            looks.found = all_found;
            looks.found += found;
            let look = if is_last { &mut looks.last } else { &mut looks.under_way };
            if let Some(look) = look {
                look.rows.judged -= refused + unjudged;
                look.rows.unfit += refused;
                look.unjudged += unjudged;
                look.found = look_found;
                look.found += found;
            }
        }
        Ok(())
    }

    /// The detector judges nothing of what was found: that is stored, and the look goes on from
    /// there when it is tried again.
    async fn stand_still(
        &self,
        session: &mut Session,
        before: Look,
        readings: u64,
        error: &CycleError,
    ) -> Result<(), CycleError> {
        if !matches!(error, CycleError::Detector { .. } | CycleError::Searching { .. }) {
            return Ok(());
        }
        let state = &mut session.state;
        state.reconciliation.under_way = Some(before);
        state.reconciliation.failed = Some(Failed { readings, at: session.now, why: error.to_string() });
        state.updated_at = session.now;
        session.output.commit(&self.settings.name, &[], state).await?;
        Ok(())
    }
}

/// The look that is under way, or a new one. One that was left long ago is of no more use. A new
/// one reaches as far back as what came since the last was allowed to.
fn begin(session: &Session, now: Datetime) -> Look {
    let looks = &session.state.reconciliation;
    let rested = looks.last.as_ref().map_or(Duration::ZERO, |last| now.since(last.to).min(LONGEST_REST));
    let from = now.earlier(session.lateness + rested).max(session.state.position.since()).min(now);
    match &looks.under_way {
        Some(look) if look.to <= now && look.to >= from => look.clone(),
        _ => Look::over(from, now),
    }
}

/// Reads a page in whole datetimes, and whether there is more.
async fn next(
    session: &mut Session,
    mut scan: RangeScan,
    look: &mut Look,
) -> Result<(Page, bool), StoreError> {
    let page = scan.next(session.input.as_mut()).await?;
    let last = page.readings.last().map(|reading| reading.datetime);
    let more = page.full && last.is_some();
    look.through = match last.filter(|_| more) {
        Some(last) => last.later(Duration::from_micros(1)),
        None => look.to,
    };
    Ok((page, more))
}

fn store_look(state: &mut State, mut look: Look, is_last: bool, now: Datetime) {
    state.reconciliation.failed = None;
    if is_last {
        look.looked_at = now;
        state.reconciliation.last = Some(look);
        state.reconciliation.under_way = None;
    } else {
        state.reconciliation.under_way = Some(look);
    }
}

fn awaits(position: &Position, row: &Reading) -> bool {
    match (position, row.id) {
        (Position::Key(position), Some(id)) => position.awaits(id),
        _ => false,
    }
}

/// Whether no cycle has read this row, as its id tells.
fn was_never_read(position: &Position, row: &Reading) -> bool {
    match (position, row.id) {
        (Position::Key(position), Some(id)) => position.passed(id) != Passing::Read,
        _ => false,
    }
}

/// Whether the reading is one of those that were set aside and await `backfill`.
fn is_aside(state: &State, row: &Reading) -> bool {
    state
        .set_aside
        .get(&row.variable)
        .is_some_and(|aside| aside.first <= row.datetime && row.datetime <= aside.last)
}

/// Why those of the readings that have a verdict now had none.
fn causes(position: &Position, asked: &[Reading], judged: &HashSet<ReadingKey>) -> Causes {
    let mut met = HashSet::new();
    let mut causes = Causes::default();
    for reading in asked {
        let key = reading.key();
        if !judged.contains(&key) || !met.insert(key) {
            continue;
        }
        match (position, reading.id) {
            (Position::Key(position), Some(id)) => match position.passed(id) {
                Passing::Late => causes.late += 1,
                Passing::Below => causes.below += 1,
                Passing::Read => causes.changed += 1,
            },
            _ => causes.behind += 1,
        }
    }
    causes
}

/// Where rows have shown up in a range of ids that no cycle reads, the ids after them are opened,
/// so that the next are read by it.
async fn follow(session: &mut Session, found: &[Reading], now: Datetime) -> Result<(), StoreError> {
    let Position::Key(position) = &session.state.position else { return Ok(()) };
    let passed = |id: &i64| position.passed(*id) != Passing::Read;
    let mut ids: Vec<i64> = found.iter().filter_map(|reading| reading.id).filter(passed).collect();
    ids.sort_unstable();
    let scanned = position.scanned;
    let mut opened = Vec::new();
    for (at, &id) in ids.iter().enumerate() {
        if ids.get(at + 1).is_some_and(|next| id.abs_diff(*next) < APART) || id >= scanned {
            continue;
        }
        // The next row that is there. A dense table has it at once.
        let page = session.input.read_keys(&[(id + 1, scanned)], 1).await?;
        let next = page.readings.first().and_then(|reading| reading.id);
        let next = next.or(page.malformed.first().and_then(|row| row.id));
        opened.push((id + 1, next.map_or(scanned, |next| next - 1)));
    }
    if let Position::Key(position) = &mut session.state.position {
        for (first, last) in opened {
            position.open(first, last, now);
        }
    }
    Ok(())
}
