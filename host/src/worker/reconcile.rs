//! The look for unjudged readings: it checks everything within the allowed lateness, whatever the
//! position says.
//!
//! It reads by datetime, page by page, between cycles and never during one. A row is accounted for
//! if it has a verdict, if the next cycle reads it, or if there is a reason why it has no verdict.
//! Any other row is judged and stored as in a cycle: with the same transaction and the same fence.
//! The reasons are determined again in each look, and only rows that had neither verdict nor reason
//! are added to the worker's counts, so that nothing is counted twice. What the detector was asked
//! and left without a verdict is remembered while its set is in use.
//!
//! Without an index on the datetime each page would read the whole table: then there is no look,
//! and this is logged.

mod examine;
mod judge_found;
mod reasons;

use std::collections::HashSet;
use std::time::Duration;

pub(super) use reasons::Reasons;

use super::error::CycleError;
use super::scan::RangeScan;
use super::session::Session;
use super::{Worker, tell};
use crate::datetime::Datetime;
use crate::reading::{Page, Reading};
use crate::reconciliation::{Failed, Look};
use crate::store::{Commit, StoreError};

/// By how much a look is extended at most for the time since the last one. What a longer pause
/// has left is for a backfill.
const LONGEST_REST: Duration = Duration::from_secs(24 * 3600);

/// The result of a slice of a look.
#[derive(Clone, Debug, PartialEq)]
pub enum Slice {
    /// The look is not finished.
    More,
    /// The look is finished.
    Done(Look),
    /// There is no look: the input has no index on its datetime.
    NoIndex,
}

impl Worker {
    /// Whether a look is due, or in progress. Only after a cycle.
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
    /// [`CycleError`]: what was committed before stays, and the look continues from there.
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

    /// Connects and makes sure that a complete look begins, for `host reconcile`.
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
            session.state.reconciliation.put(look, !more, context.now);
        } else {
            let readings = asked.iter().map(Reading::key).collect::<HashSet<_>>().len() as u64;
            if let Err(error) = self.judge_found(session, &context, &asked, look, !more).await {
                self.stand_still(session, before, readings, &error).await?;
                return Err(error);
            }
        }
        if more {
            return Ok(Slice::More);
        }
        // A page with unjudged readings was stored with their verdicts; the last page is stored in
        // any case.
        session.state.updated_at = context.now;
        session.output.commit(&self.settings.name, &Commit::of(&[], &session.state)).await?;
        let look = session.state.reconciliation.last.clone();
        Ok(look.map_or(Slice::More, |look| {
            tell::looked(&look);
            Slice::Done(look)
        }))
    }

    /// The detector judges nothing of what was found: that is stored, and the look continues from
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
        session.output.commit(&self.settings.name, &Commit::of(&[], state)).await?;
        Ok(())
    }
}

/// The look in progress, or a new one. One that was left long ago is of no use. A new one starts
/// before the end of the last one by the allowed lateness.
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
