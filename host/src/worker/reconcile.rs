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

/// Of a worker that did not look for longer than this, a backfill has more to judge than a look
/// has.
const LONGEST_REST: Duration = Duration::from_secs(24 * 3600);

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
        // A page of them was stored with what was judged; the last is stored in any case.
        session.state.updated_at = context.now;
        session.output.commit(&self.settings.name, &Commit::of(&[], &session.state)).await?;
        let look = session.state.reconciliation.last.clone();
        Ok(look.map_or(Slice::More, |look| {
            tell::looked(&look);
            Slice::Done(look)
        }))
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
        session.output.commit(&self.settings.name, &Commit::of(&[], state)).await?;
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
