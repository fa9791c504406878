//! The position on a table without a key: the watermark, and the allowed lateness behind it that is
//! read again in every cycle.
//!
//! Readings that were read before are recognised by the verdicts in the output. A row without a
//! verdict (NULL, a duplicate, no model) looks the same each time; it is counted when it is first
//! read ahead of the watermark, and never again. So the watermark must advance to the last datetime
//! that was *read*, whether or not anything could be judged there.
//!
//! Rows that arrive before the oldest allowed datetime are not read, but they are counted: each
//! cycle stores how many rows a range before the oldest allowed datetime holds, and the next
//! compares.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::{Ahead, PageOutcome};
use crate::datetime::Datetime;
use crate::reading::Page;

/// How far before the oldest allowed datetime late rows are counted: counting costs an index range
/// a cycle, and a plant knows of an outage that is buffered for longer than a day.
const NOTICED: Duration = Duration::from_secs(24 * 3600);

/// A position without a key.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct TimePosition {
    /// As in [`super::KeyPosition::since`].
    pub since: Datetime,
    /// How many rows the input held in a range that is no longer read: rows that are added to it
    /// later came too late.
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

/// One scan from the oldest allowed datetime to the newest row.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TimeScan {
    oldest: Datetime,
    from: Datetime,
    /// What the position has to remember once the whole range was read a last time, and the number
    /// of rows found before the last oldest allowed datetime.
    remember: Option<(Passed, u64)>,
}

impl TimePosition {
    /// The position of a worker that starts at `since`.
    pub fn start(since: Datetime) -> Self {
        Self { since, passed: None }
    }

    /// The range before the oldest allowed datetime: `from` inclusive, `to` exclusive.
    pub fn stretch(oldest_allowed: Datetime) -> (Datetime, Datetime) {
        (oldest_allowed.earlier(NOTICED), oldest_allowed)
    }

    /// Starts a cycle's scan. `in_passed` is the number of rows in the range of `self.passed` now,
    /// `in_stretch` the number in the [`Self::stretch`] of this oldest allowed datetime; both are
    /// counted before anything is read. What has become too old since the last cycle is read one
    /// last time after it was counted, so that a row which arrives in between is found by one of
    /// the two. Deleted rows do not count.
    pub fn pass(&self, oldest_allowed: Datetime, in_passed: u64, in_stretch: u64) -> TimeScan {
        let last_oldest = self.passed.map_or(oldest_allowed, |passed| passed.to);
        // After a long backlog the range would be all of it.
        let oldest = last_oldest.max(oldest_allowed.earlier(NOTICED)).min(oldest_allowed).max(self.since);
        let (from, to) = Self::stretch(oldest_allowed);
        let too_late = self.passed.map_or(0, |passed| in_passed.saturating_sub(passed.rows));
        TimeScan { oldest, from: oldest, remember: Some((Passed { from, to, rows: in_stretch }, too_late)) }
    }

    /// Takes in a page that was read from [`TimeScan::from`], by datetime. Of a full page the last
    /// datetime is left for the next, because it may not be complete.
    pub fn advance(&mut self, pass: &mut TimeScan, mut page: Page) -> PageOutcome {
        if page.full {
            let Some(last) = page.readings.last().map(|reading| reading.datetime) else {
                return PageOutcome::TooSmall;
            };
            let whole = page.readings.partition_point(|reading| reading.datetime < last);
            if whole == 0 {
                return PageOutcome::TooSmall;
            }
            page.readings.truncate(whole);
            pass.from = last;
        }
        let mut too_late = 0;
        // Not before the range was read completely: a scan that ends early is started again from
        // the last oldest allowed datetime.
        if let Some((passed, late)) =
            pass.remember.take_if(|(passed, _)| !page.full || pass.from >= passed.to)
        {
            self.passed = Some(passed);
            too_late = late;
        }
        PageOutcome::Accepted { page, too_late }
    }

    /// Whether this cycle is the first to see a row at this datetime, as far as that can be known:
    /// the datetime is later than the watermark at the begin of the cycle, and is not one of those
    /// that were known to be ahead of the clock. A late row without a verdict is not counted; none
    /// is counted twice.
    pub fn first_seen(at: Datetime, watermark: Option<Datetime>, ahead: &Ahead) -> bool {
        watermark.is_none_or(|watermark| at > watermark) && !ahead.holds(at)
    }
}

impl TimeScan {
    /// Where the next page starts, inclusive.
    pub fn from(&self) -> Datetime {
        self.from
    }

    /// Where the scan began: the oldest allowed datetime, by which [`crate::new_readings::sift`]
    /// decides what is too late.
    pub fn oldest(&self) -> Datetime {
        self.oldest
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::reading::Reading;

    fn at(seconds: i64) -> Datetime {
        Datetime::from_micros(seconds * 1_000_000)
    }

    fn reading(seconds: i64) -> Reading {
        Reading { id: None, datetime: at(seconds), variable: "T1".into(), value: None, source_file: None }
    }

    #[test]
    fn a_full_page_keeps_whole_datetimes() {
        for (why, datetimes, full, kept, next) in [
            ("all was read", vec![1, 2, 2], false, Some(3), 0),
            ("the last datetime is left", vec![1, 2, 2], true, Some(1), 2),
            ("one datetime", vec![2, 2], true, None, 0),
            ("nothing but malformed rows", vec![], true, None, 0),
            ("nothing", vec![], false, Some(0), 0),
        ] {
            let readings: Vec<Reading> = datetimes.into_iter().map(reading).collect();
            let mut position = TimePosition::start(at(0));
            let mut pass = position.pass(at(0), 0, 0);
            let expected = kept.map_or(PageOutcome::TooSmall, |kept| PageOutcome::Accepted {
                page: Page { readings: readings[..kept].to_vec(), malformed: vec![], full },
                too_late: 0,
            });
            let taken = position.advance(&mut pass, Page { readings, malformed: vec![], full });
            assert_eq!((taken, pass.from()), (expected, at(next)), "{why}");
        }
    }

    #[test]
    fn a_walk_begins_where_the_last_one_could_still_reach() {
        const DAY: i64 = 24 * 3600;
        for (why, since, passed_to, oldest_allowed, from) in [
            ("the first cycle", 10, None, 50, 50),
            ("what fell out of reach is read a last time", 10, Some(40), 50, 40),
            ("but not all of a long backlog", 10, Some(40), 90 * DAY, 89 * DAY),
            ("a reach that went back", 10, Some(60), 50, 50),
            ("never before the worker's own time", 45, Some(40), 50, 45),
        ] {
            let passed = passed_to.map(|to| Passed { from: at(0), to: at(to), rows: 0 });
            let pass = TimePosition { since: at(since), passed }.pass(at(oldest_allowed), 0, 0);
            assert_eq!((pass.oldest(), pass.from()), (at(from), at(from)), "{why}");
        }
    }

    #[test]
    fn rows_behind_the_reach_are_noticed_once_the_walk_is_past_it() {
        let last = Passed { from: at(0), to: at(99_000), rows: 30 };
        let next = Passed { from: at(100_000 - 86_400), to: at(100_000), rows: 70 };
        for (why, passed, now, datetimes, full, after, too_late) in [
            ("nothing was counted before", None, 0, vec![], false, next, 0),
            ("none came", Some(last), 30, vec![], false, next, 0),
            ("two came", Some(last), 32, vec![], false, next, 2),
            ("old rows were deleted", Some(last), 4, vec![], false, next, 0),
            ("the scan is not there yet", Some(last), 32, vec![99_000, 99_999], true, last, 0),
            ("the scan is past it", Some(last), 32, vec![99_000, 100_000], true, next, 2),
        ] {
            let mut position = TimePosition { since: at(0), passed };
            let mut pass = position.pass(at(100_000), now, 70);
            let page =
                Page { readings: datetimes.into_iter().map(reading).collect(), malformed: vec![], full };
            let PageOutcome::Accepted { too_late: found, .. } = position.advance(&mut pass, page) else {
                unreachable!("{why}")
            };
            assert_eq!((position.passed, found), (Some(after), too_late), "{why}");
            let rest = position.advance(&mut pass, Page::default());
            let left = if after == next { 0 } else { 2 };
            assert_eq!(rest, PageOutcome::Accepted { page: Page::default(), too_late: left }, "{why}");
            assert_eq!(position.passed, Some(next), "{why}");
        }
    }

    #[test]
    fn what_lies_ahead_of_the_watermark_is_news() {
        let mut met = Ahead::default();
        met.take_in([at(7)].into_iter(), at(6));
        for (second, watermark, news) in [
            (5, None, true),
            (5, Some(4), true),
            (5, Some(5), false),
            (5, Some(6), false),
            (7, Some(4), false),
        ] {
            assert_eq!(TimePosition::first_seen(at(second), watermark.map(at), &met), news);
        }
    }
}
