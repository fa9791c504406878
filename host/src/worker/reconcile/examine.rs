//! Compares a page of a look with the output: which rows are accounted for, and by what.

use std::collections::HashSet;

use crate::counts::Counts;
use crate::datetime::Datetime;
use crate::new_readings;
use crate::position::{Passing, Position};
use crate::reading::{Page, Reading, ReadingKey};
use crate::row_reason::RowReason;
use crate::shard::Shard;
use crate::state::State;
use crate::store::StoreError;
use crate::worker::Worker;
use crate::worker::cycle_context::CycleContext;
use crate::worker::session::Session;

/// A page, compared with the output.
#[derive(Default)]
pub(super) struct Examined {
    pub(super) rows: Counts,
    pub(super) awaited: u64,
    /// With neither a verdict nor a known reason.
    pub(super) unjudged: Vec<Reading>,
}

impl Worker {
    /// Compares the rows of this worker's share with the output.
    pub(super) async fn examine(
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
            } else if let Some(reason) = RowReason::of(&row, |name| session.names.of(name)) {
                examined.rows += reason.counted();
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
}

fn awaits(position: &Position, row: &Reading) -> bool {
    match (position, row.id) {
        (Position::Key(position), Some(id)) => position.awaits(id),
        _ => false,
    }
}

/// Whether no cycle has read this row, judging by its id.
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
