//! The position on an identity key: one greatest id, and the ids below it that were not there.
//!
//! Ids are assigned before their rows are committed, so a row may appear below ids that were read
//! already. It can only appear in a gap. Each gap is read in every pass until it is older than the
//! settle time, and then once more; an insert that stays open for longer is found by the
//! reconciliation. A gap that is wider than a transaction can make it separates two ranges of ids,
//! each with a writer of its own: it stays open. So does one that is being filled.
//!
//! Nor does the position assume that ids continue where they were: the last rows read are
//! remembered ([`super::ReadMark`]), and each pass reads the last of them again.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::PageOutcome;
use super::mark::{self, ReadMark};
use crate::datetime::Datetime;
use crate::reading::Page;

/// How many gaps are kept apart. More would make the statement that reads them long and the state
/// row large. Beyond this the nearest are merged: the rows between them are read again, and nothing
/// is lost. Plants that roll back some inserts have a few gaps; only keys that count in steps have
/// this many.
const MOST_GAPS: usize = 64;

/// A gap of at least this many ids is neither a transaction in flight nor what a server skips when
/// it restarts (10,000 at most): another writer may have a range of ids there.
const WIDE: u64 = 100_000;

/// How many wide gaps stay open. If there are more, the ids are not divided into ranges but have
/// gaps everywhere.
const MOST_RANGES: usize = 16;

/// How many ids below the first that a new worker is to read may belong to inserts still in flight:
/// one reading each of 10,000 variables, the largest plant that we know of, in one transaction.
pub const IN_FLIGHT: i64 = 10_000;

/// From this many rows on a page is taken as it is, even in the middle of a datetime: memory
/// matters more than seeing all its variables together.
const LARGEST_PAGE: usize = 100_000;

/// A position on the identity key.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct KeyPosition {
    /// Readings older than this are from before this worker's time: `backfill` judges them.
    pub since: Datetime,
    /// Every id up to this one was read, except those in `gaps`.
    pub scanned: i64,
    /// Ids at or below `scanned` that were not there, ascending, apart from each other.
    pub gaps: Vec<Gap>,
    /// Some of the last readings read, ascending.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub marks: Vec<ReadMark>,
    /// The greatest id that this worker did not read because it is from before its time.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub began: Option<i64>,
    /// Gaps that were given up, the last of them: a row that appears there came too late to be read
    /// by its id.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub given_up: Vec<Gap>,
}

/// Ids that were not there when their neighbours were.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Gap {
    pub first: i64,
    /// Inclusive.
    pub last: i64,
    /// The server's time when the gap was first seen.
    pub seen: Datetime,
}

/// One scan over the gaps and then the new ids. It looks at each gap once, so that a cycle ends
/// however many rows lie between merged gaps.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct KeyScan {
    /// Gaps up to this id were read in this pass.
    looked_to: i64,
    /// Whether the last mark was found where it was, or need not be.
    certain: bool,
}

impl Default for KeyScan {
    fn default() -> Self {
        Self { looked_to: i64::MIN, certain: false }
    }
}

impl KeyPosition {
    /// The ids just below a new worker's first that may belong to inserts still in flight, both
    /// ends inclusive: to be read (at most [`IN_FLIGHT`] rows) and given to [`Self::start`].
    /// `first` is the lowest id of a reading at or after `since`, `last` the table's greatest.
    pub fn before_start(first: Option<i64>, last: Option<i64>) -> Option<(i64, i64)> {
        let edge = edge(first, last)?;
        Some((edge.saturating_sub(IN_FLIGHT - 1), edge))
    }

    /// The position of a worker that starts at `since`. `before` holds the rows of
    /// [`Self::before_start`]: those older than `since` were there before this worker and are not
    /// new to it; the ids that are missing may still appear.
    pub fn start(
        since: Datetime,
        first: Option<i64>,
        last: Option<i64>,
        before: &Page,
        now: Datetime,
    ) -> Self {
        let Some((from, scanned)) = Self::before_start(first, last) else {
            return Self::at(since, i64::MIN);
        };
        let old = before
            .readings
            .iter()
            .filter(|reading| reading.datetime < since)
            .filter_map(|reading| reading.id);
        let mut ids: Vec<i64> = old.chain(before.malformed.iter().filter_map(|row| row.id)).collect();
        ids.sort_unstable();
        let mut gaps =
            absent(from, scanned, &ids).map(|(first, last)| Gap { first, last, seen: now }).collect();
        merge_nearest(&mut gaps);
        let mut marks = Vec::new();
        mark::remember(&mut marks, before.readings.iter().filter(|reading| reading.datetime < since));
        Self { gaps, marks, began: Some(scanned), ..Self::at(since, scanned) }
    }

    /// Every id up to this one was read.
    pub fn at(since: Datetime, scanned: i64) -> Self {
        Self { since, scanned, gaps: Vec::new(), marks: Vec::new(), began: None, given_up: Vec::new() }
    }

    /// What the next page of this pass has to read: gaps that were not read yet, then every new id,
    /// and before them the last mark until it was found. Both ends inclusive; ascending and
    /// disjoint.
    pub fn spans(&self, pass: &KeyScan) -> Vec<(i64, i64)> {
        let left = self.gaps.iter().filter(|gap| gap.last > pass.looked_to);
        let gaps = left.map(|gap| (gap.first.max(pass.looked_to.saturating_add(1)), gap.last));
        let new = match self.looked_for(pass) {
            Some(_) => Some((self.scanned, i64::MAX)),
            None => self.scanned.checked_add(1).map(|first| (first, i64::MAX)),
        };
        gaps.chain(new).collect()
    }

    /// The mark that the pass still has to find: only one at `scanned`, which costs no seek of its
    /// own.
    fn looked_for(&self, pass: &KeyScan) -> Option<&ReadMark> {
        self.marks.last().filter(|mark| mark.id == self.scanned && !pass.certain)
    }

    /// Removes the mark from the page, as it is not new. False: it should be there and is not, so
    /// that the ids tell nothing about the rows.
    fn find_mark(&self, pass: &mut KeyScan, page: &mut Page) -> bool {
        let Some(mark) = self.looked_for(pass) else { return true };
        let past = |id: Option<i64>| id.is_some_and(|id| id > mark.id);
        let reached = !page.full
            || past(page.readings.last().and_then(|reading| reading.id))
            || past(page.malformed.last().and_then(|row| row.id));
        let at = page.readings.iter().position(|reading| reading.id == Some(mark.id));
        match at {
            Some(at) if mark.is(&page.readings[at]) => {
                page.readings.remove(at);
                pass.certain = true;
                true
            }
            Some(_) => false,
            None => !reached && page.malformed.iter().all(|row| row.id != Some(mark.id)),
        }
    }

    /// Takes in the page that [`Self::spans`] asked for, by id. `asked` is the server's time from
    /// before the read: what was committed by then is in the page. A gap that is still empty and at
    /// least `settle` old at that time is given up; so a gap is always read once more after its
    /// time is over. Malformed rows count as read.
    pub fn advance(
        &mut self,
        pass: &mut KeyScan,
        mut page: Page,
        asked: Datetime,
        settle: Duration,
    ) -> PageOutcome {
        if !self.find_mark(pass, &mut page) {
            return PageOutcome::Doubtful;
        }
        let Some(read_to) = self.cut(&mut page) else { return PageOutcome::TooSmall };
        let ids = ids(&page);

        let wide = |first: i64, last: i64| first.abs_diff(last) >= WIDE;
        let ranges = self.gaps.iter().filter(|gap| wide(gap.first, gap.last)).count() <= MOST_RANGES;
        let mut gaps = Vec::new();
        for gap in &self.gaps {
            // A clock that was set back would keep a gap open until it has caught up.
            let seen = gap.seen.min(asked);
            let looked_at = |last: i64| pass.looked_to < last && last <= read_to;
            for (first, last) in absent(gap.first, gap.last, &ids) {
                // In a wide gap, the next row of a writer follows its last one. A narrow gap may
                // have been merged over rows that were read before, which tell nothing about a
                // writer.
                let followed = wide(gap.first, gap.last) && first > gap.first && last == gap.last;
                let seen = if followed { asked } else { seen };
                let over = looked_at(last) && asked.since(seen) >= settle;
                let gap = Gap { first, last, seen };
                if !over || (ranges && wide(first, last)) {
                    gaps.push(gap);
                } else {
                    self.given_up.push(gap);
                }
            }
        }
        self.given_up.drain(..self.given_up.len().saturating_sub(MOST_GAPS));
        if let Some((&greatest, next)) = ids.last().zip(self.scanned.checked_add(1))
            && greatest >= next
        {
            gaps.extend(absent(next, greatest, &ids).map(|(first, last)| Gap { first, last, seen: asked }));
            self.scanned = greatest;
        }
        merge_nearest(&mut gaps);
        self.gaps = gaps;
        mark::remember(&mut self.marks, page.readings.iter());
        pass.looked_to = pass.looked_to.max(read_to);
        // The rest of this pass was read together with the row of the mark.
        pass.certain |= pass.looked_to >= self.scanned;
        PageOutcome::Accepted { page, too_late: 0 }
    }

    /// Remembers the last reading of a page that was already read.
    pub fn remember(&mut self, page: &Page) {
        mark::remember(&mut self.marks, page.readings.iter());
    }

    /// Whether a cycle has still to read this id.
    pub fn awaits(&self, id: i64) -> bool {
        id > self.scanned || self.gaps.iter().any(|gap| (gap.first..=gap.last).contains(&id))
    }

    /// Why no cycle reads this id any more. Only for ids that no cycle awaits.
    pub fn passed(&self, id: i64) -> Passing {
        if self.given_up.iter().any(|gap| (gap.first..=gap.last).contains(&id)) {
            Passing::Late
        } else if self.began.is_some_and(|began| id <= began) {
            Passing::Below
        } else {
            Passing::Read
        }
    }

    /// Opens a range of ids that this position did not know, so that the next cycles read its
    /// writer's rows. Its existing rows were not read.
    pub fn open(&mut self, first: i64, last: i64, now: Datetime) {
        if first > last || last > self.scanned {
            return;
        }
        self.gaps.retain(|gap| gap.last < first || gap.first > last);
        let at = self.gaps.partition_point(|gap| gap.first < first);
        self.gaps.insert(at, Gap { first, last, seen: now });
        merge_nearest(&mut self.gaps);
    }

    /// What follows from a last mark that was not found. `found` holds the rows at the ids of all
    /// marks, `last` is the table's greatest id.
    pub fn resolve(&mut self, found: &Page, last: Option<i64>) -> Doubt {
        let stands = |mark: &ReadMark| found.readings.iter().any(|reading| mark.is(reading));
        let other = |mark: &ReadMark| {
            found.readings.iter().any(|reading| reading.id == Some(mark.id) && !mark.is(reading))
        };
        if last.is_none() {
            // Emptied. The first row shows whether ids continue or start again.
            return Doubt::Empty;
        }
        let known: Vec<ReadMark> = self.marks.iter().filter(|mark| stands(mark)).cloned().collect();
        if known.is_empty() || self.marks.iter().any(other) {
            return Doubt::StartedAgain;
        }
        // The last rows were deleted. Some tables assign their ids again.
        if let Some(last) = last.filter(|last| *last < self.scanned) {
            self.scanned = last;
            self.gaps.retain(|gap| gap.first <= last);
            if let Some(gap) = self.gaps.last_mut() {
                gap.last = gap.last.min(last);
            }
        }
        self.marks = known;
        Doubt::Deleted
    }
}

/// Why an id is read by no cycle any more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Passing {
    /// It was awaited, and given up.
    Late,
    /// It is from before this worker's time.
    Below,
    /// It was read, as far as the position knows.
    Read,
}

/// What happened to the rows that were read last.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Doubt {
    /// The table is empty.
    Empty,
    /// They were deleted, and those before them are there: the position stays.
    Deleted,
    /// Other rows have their ids, or none of them is left: ids do not tell what was read.
    StartedAgain,
}

impl KeyPosition {
    /// Leaves only complete datetimes in a full page: new rows at the last one's datetime are
    /// removed, to be read together with the others of it. Returns the id up to which the spans
    /// count as read; None if nothing is left.
    fn cut(&self, page: &mut Page) -> Option<i64> {
        if !page.full {
            return Some(i64::MAX);
        }
        let rows = page.readings.len() + page.malformed.len();
        let is_new = |id: Option<i64>| id.is_some_and(|id| id > self.scanned);
        let last = page.readings.last().filter(|reading| is_new(reading.id)).map(|reading| reading.datetime);
        if let Some(last) = last.filter(|_| rows < LARGEST_PAGE) {
            let kept =
                page.readings.iter().rposition(|reading| !is_new(reading.id) || reading.datetime != last);
            let cut = page.readings.split_off(kept.map_or(0, |at| at + 1));
            let cut_from = cut.first().and_then(|reading| reading.id)?;
            page.malformed.retain(|row| row.id.is_none_or(|id| id < cut_from));
            let left = !(page.readings.is_empty() && page.malformed.is_empty());
            return left.then(|| cut_from.saturating_sub(1));
        }
        ids(page).last().copied()
    }
}

fn edge(first: Option<i64>, last: Option<i64>) -> Option<i64> {
    first.map(|first| first.saturating_sub(1)).or(last)
}

fn ids(page: &Page) -> Vec<i64> {
    let readings = page.readings.iter().filter_map(|reading| reading.id);
    let mut ids: Vec<i64> = readings.chain(page.malformed.iter().filter_map(|row| row.id)).collect();
    ids.sort_unstable();
    ids
}

/// The parts of `first..=last` that hold none of the `ids`, which ascend.
fn absent(first: i64, last: i64, ids: &[i64]) -> impl Iterator<Item = (i64, i64)> {
    let from = ids.partition_point(|&id| id < first);
    let to = ids.partition_point(|&id| id <= last).max(from);
    let inside = &ids[from..to];
    // Each id ends a stretch and starts the next; the ends of i64 have no neighbour.
    let firsts = std::iter::once(Some(first)).chain(inside.iter().map(|id| id.checked_add(1)));
    let lasts = inside.iter().map(|id| id.checked_sub(1)).chain(std::iter::once(Some(last)));
    firsts.zip(lasts).filter_map(|(first, last)| first.zip(last)).filter(|(first, last)| first <= last)
}

/// Reduces the gaps to [`MOST_GAPS`] by merging those with the fewest ids between them. A merged
/// gap is as old as its younger part.
fn merge_nearest(gaps: &mut Vec<Gap>) {
    let surplus = gaps.len().saturating_sub(MOST_GAPS);
    if surplus == 0 {
        return;
    }
    let mut joints: Vec<usize> = (1..gaps.len()).collect();
    joints.sort_by_key(|&at| gaps[at].first.abs_diff(gaps[at - 1].last));
    joints.truncate(surplus);
    joints.sort_unstable();
    let mut joints = joints.into_iter().peekable();
    let mut merged: Vec<Gap> = Vec::with_capacity(MOST_GAPS);
    for (at, gap) in gaps.iter().enumerate() {
        match merged.last_mut() {
            Some(before) if joints.next_if_eq(&at).is_some() => {
                before.last = gap.last;
                before.seen = before.seen.max(gap.seen);
            }
            _ => merged.push(*gap),
        }
    }
    *gaps = merged;
}

#[cfg(test)]
mod tests;
