//! The position on a table without a key: the watermark, and the allowed lateness behind it that is read again in every cycle.
//!
//! What was read before is told apart by what the output holds. A row that holds no verdict (NULL, a duplicate, no model) looks
//! the same each time; it is counted when its datetime first lies ahead of the watermark, and never again. So that this
//! ends, the watermark must move to the last datetime that was *read*, whether or not anything could be judged there.
//!
//! Rows that come to datetimes behind the reach are not read, but they are not silent either: each cycle counts how many
//! rows a stretch behind the reach holds, and the next compares.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::Taken;
use crate::datetime::Datetime;
use crate::reading::{Page, Reading};

/// How far behind the reach rows that come too late are noticed: counting costs an index range a cycle, and an outage that is
/// buffered for longer than a day is known to the plant.
const NOTICED: Duration = Duration::from_secs(24 * 3600);

/// A position without a key.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct TimePosition {
    /// As in [`super::KeyPosition::since`].
    pub since: Datetime,
    /// How many rows the input held in a stretch that is already out of reach: what comes to it later came too late.
    pub passed: Option<Passed>,
}

/// A count of rows behind the allowed lateness.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Passed {
    pub from: Datetime,
    /// Exclusive.
    pub to: Datetime,
    pub rows: u64,
}

/// One walk from the reach to the newest row.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TimePass {
    from: Datetime,
}

impl TimePosition {
    /// The position of a worker that starts at `since`.
    pub fn start(since: Datetime) -> Self {
        Self { since, passed: None }
    }

    /// Starts a cycle's walk, in this order: count the rows of `self.passed` and of [`Self::stretch`], give both counts to
    /// [`Self::remember`], and read from what this returns. What fell out of reach since the last cycle is then counted first
    /// and read one last time: a row that comes in between is seen by one of the two.
    pub fn pass(&self, reach: Datetime) -> TimePass {
        let last_reach = self.passed.map_or(reach, |passed| passed.to);
        // After a long backlog that would be all of it.
        TimePass { from: last_reach.max(reach.earlier(NOTICED)).min(reach).max(self.since) }
    }

    /// The stretch behind the reach to be counted now: `from` inclusive, `to` exclusive.
    pub fn stretch(reach: Datetime) -> (Datetime, Datetime) {
        (reach.earlier(NOTICED), reach)
    }

    /// Takes in the two counts: how many rows the stretch in `passed` holds by now, and how many the [`Self::stretch`] of this
    /// reach holds. Returns how many came too late. Rows that were deleted from the table count as none.
    pub fn remember(&mut self, in_passed: u64, reach: Datetime, in_stretch: u64) -> u64 {
        let too_late = self.passed.map_or(0, |passed| in_passed.saturating_sub(passed.rows));
        let (from, to) = Self::stretch(reach);
        self.passed = Some(Passed { from, to, rows: in_stretch });
        too_late
    }

    /// Whether this cycle is the first to see the reading, as far as that can be known: whether it lies ahead of the watermark
    /// with which the cycle began. A late row without a verdict is not counted; none is counted twice.
    pub fn first_sight(reading: &Reading, watermark: Option<Datetime>) -> bool {
        watermark.is_none_or(|watermark| reading.datetime > watermark)
    }
}

impl TimePass {
    /// A walk over what is there from `from` on, for other reasons than to judge it.
    pub fn starting_at(from: Datetime) -> Self {
        Self { from }
    }

    /// Where the next page starts, inclusive.
    pub fn from(&self) -> Datetime {
        self.from
    }

    /// Takes in a page that was read from [`Self::from`], by datetime. Of a full page the last datetime is left for the next,
    /// because it may not be whole.
    pub fn advance(&mut self, mut page: Page) -> Taken {
        if !page.full {
            return Taken::Rows(page);
        }
        let Some(last) = page.readings.last().map(|reading| reading.datetime) else { return Taken::Larger };
        let whole = page.readings.partition_point(|reading| reading.datetime < last);
        if whole == 0 {
            return Taken::Larger;
        }
        page.readings.truncate(whole);
        self.from = last;
        Taken::Rows(page)
    }
}
