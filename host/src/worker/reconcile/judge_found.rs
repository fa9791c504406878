//! Judges the readings that a look has found, and counts them.

use std::collections::HashSet;
use std::sync::Arc;

use crate::counts::Counts;
use crate::datetime::Datetime;
use crate::position::{Passing, Position, TimePosition};
use crate::reading::{Page, Reading, ReadingKey};
use crate::reconciliation::{Causes, Look};
use crate::state::State;
use crate::store::StoreError;
use crate::worker::Worker;
use crate::worker::batch::JudgedBatch;
use crate::worker::cycle_context::CycleContext;
use crate::worker::error::CycleError;
use crate::worker::patience::{self, Patience};
use crate::worker::report::CycleReport;
use crate::worker::scan::ScanPage;
use crate::worker::session::Session;

/// Ids that are further apart than this are two ranges.
const APART: u64 = 100_000;

/// Readings with neither a verdict nor a reason, and the position at which they were found.
struct FoundReadings<'a> {
    asked: &'a [Reading],
    position: Position,
    context: &'a CycleContext,
}

impl Worker {
    /// Judges what has neither a verdict nor a reason, and stores it with the look. Then it reads
    /// from the output which verdicts are there.
    pub(super) async fn judge_found(
        &mut self,
        session: &mut Session,
        context: &CycleContext,
        asked: &[Reading],
        mut look: Look,
        is_last: bool,
    ) -> Result<(), CycleError> {
        let never = || false;
        // A look has the budget of a cycle; a stop and a new set wait for the end of its page.
        let budget = self.settings.patience;
        let mut warming = Patience::new(budget, &patience::system, &never, &never);
        self.make_ready(session, &mut warming).await?;
        self.reasons.begin(&self.detector.set().digest, look.from);
        follow(session, asked, context.now).await?;
        let page = Page { readings: asked.to_vec(), ..Page::default() };
        let found = FoundReadings { asked, position: session.state.position.clone(), context };
        let step = ScanPage { page, position: found.position.clone(), too_late: 0 };
        let before = session.state.clone();
        let mut patience = Patience::new(budget, &patience::system, &never, &never);
        let mut judged_batch = self.judge_page(session, context, step, &mut patience).await?;
        self.reasons.learn(asked, &judged_batch);

        let keys: HashSet<ReadingKey> =
            judged_batch.verdicts.iter().map(|row| (Arc::clone(&row.variable), row.ds)).collect();
        let (found_before, look_found) = (before.reconciliation.found, look.found);
        let modelled = found.account(&mut judged_batch, before, &keys, &mut look);
        self.totals.no_model = self.totals.no_model.saturating_sub(modelled);
        judged_batch.state.reconciliation.put(look, is_last, context.now);
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
        let missing: Vec<&ReadingKey> = asked_for.iter().filter(|key| !there.contains(*key)).collect();
        if !missing.is_empty() {
            let refused = missing.iter().filter(|(variable, _)| session.refuses(variable)).count() as u64;
            let unjudged = missing.len() as u64 - refused;
            let causes = found.causes(&there);
            let looks = &mut session.state.reconciliation;
            looks.found = found_before;
            looks.found += causes;
            let look = if is_last { &mut looks.last } else { &mut looks.under_way };
            if let Some(look) = look {
                look.rows.judged -= refused + unjudged;
                look.rows.unfit += refused;
                look.unjudged += unjudged;
                look.found = look_found;
                look.found += causes;
            }
        }
        Ok(())
    }
}

impl FoundReadings<'_> {
    /// Adds what was judged to the look, and to the worker's counts where it was not counted
    /// before. Returns how many of them were counted as having no model.
    fn account(
        &self,
        judged_batch: &mut JudgedBatch,
        before: State,
        keys: &HashSet<ReadingKey>,
        look: &mut Look,
    ) -> u64 {
        let said = judged_batch.report.counts;
        look.rows += said;
        // Anomalies are counted as judged.
        look.rows.anomalies -= said.anomalies;
        let causes = self.causes(keys);
        look.found += causes;
        let state = &mut judged_batch.state;
        state.counts = before.counts;
        state.counts += Counts { judged: said.judged, anomalies: said.anomalies, ..Counts::default() };
        state.reconciliation = before.reconciliation;
        state.reconciliation.found += causes;
        let mut modelled = 0;
        for reading in self.asked.iter().filter(|reading| keys.contains(&reading.key())) {
            let was_counted = self.was_counted(reading);
            modelled += u64::from(was_counted && state.reconciliation.has_model_now(&reading.variable));
        }
        state.counts.no_model = state.counts.no_model.saturating_sub(modelled);
        modelled
    }

    /// Whether a cycle has seen this reading.
    fn was_counted(&self, reading: &Reading) -> bool {
        let context = self.context;
        match (&self.position, reading.id) {
            (Position::Key(position), Some(id)) => position.passed(id) == Passing::Read,
            _ => !TimePosition::first_seen(reading.datetime, context.watermark, &context.ahead),
        }
    }

    /// Why those of the readings that now have a verdict had none.
    fn causes(&self, judged: &HashSet<ReadingKey>) -> Causes {
        let mut met = HashSet::new();
        let mut causes = Causes::default();
        for reading in self.asked {
            let key = reading.key();
            if !judged.contains(&key) || !met.insert(key) {
                continue;
            }
            match (&self.position, reading.id) {
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
}

/// If rows have appeared in a range of ids that no cycle reads, the ids after them are opened, so
/// that cycles read the next ones.
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
        // The next existing row. In a dense table it is found at once.
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
