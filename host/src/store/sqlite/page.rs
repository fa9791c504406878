//! A page by datetime, while it is collected: the earliest readings so far, never more than a few
//! times the limit.

use crate::reading::{Malformed, Page, Reading, ScannedRow};

pub(super) struct Gathering {
    limit: usize,
    readings: Vec<Reading>,
    malformed: Vec<Malformed>,
    /// Malformed rows beyond the limit, which are counted but not listed.
    unlisted: u64,
}

impl Gathering {
    pub(super) fn new(limit: usize) -> Self {
        Self { limit, readings: Vec::new(), malformed: Vec::new(), unlisted: 0 }
    }

    pub(super) fn push(&mut self, found: ScannedRow) {
        match found {
            ScannedRow::Reading(reading) => self.readings.push(reading),
            ScannedRow::Malformed(malformed) if self.malformed.len() < self.limit => {
                self.malformed.push(malformed);
            }
            ScannedRow::Malformed(_) => self.unlisted += 1,
        }
    }

    /// How many readings there are.
    pub(super) fn len(&self) -> usize {
        self.readings.len()
    }

    /// Whether there are more than fit the page.
    pub(super) fn is_over(&self) -> bool {
        self.readings.len() > self.limit
    }

    /// Sorts the readings and drops those that cannot be on the page any more: all but one more
    /// than the limit, which shows that there are more.
    pub(super) fn settle(&mut self) {
        self.readings.sort_by_key(|reading| (reading.datetime, reading.id));
        self.readings.truncate(self.limit.saturating_add(1));
    }

    pub(super) fn finish(mut self) -> Page {
        self.settle();
        let full = self.is_over();
        self.readings.truncate(self.limit);
        if let (true, Some(last)) = (full, self.readings.last()) {
            // The reader continues from the last datetime, and then reads again what is malformed
            // there or later.
            self.malformed.retain(|row| row.datetime.is_none_or(|at| at < last.datetime));
        }
        let mut malformed = self.malformed;
        if self.unlisted > 0 {
            malformed.push(Malformed {
                id: None,
                datetime: None,
                why: format!("and {} more rows that are no readings", self.unlisted),
            });
        }
        Page { readings: self.readings, malformed, full }
    }
}
