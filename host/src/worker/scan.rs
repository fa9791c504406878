//! Scans over the input table, page by page: over what may be new, whichever way the table is read,
//! and over a range of datetimes.

use std::time::Duration;

use super::doubt::{self, Settled};
use super::session::Session;
use crate::datetime::Datetime;
use crate::position::{KeyScan, PageOutcome, Position, TimePosition, TimeScan};
use crate::reading::Page;
use crate::shard::Shard;
use crate::store::{Input, StoreError};

/// Where a cycle's scan stands.
pub(super) enum Scan {
    /// With the server's time, if it was asked for just now: each page needs a time from before it
    /// was read; and with the oldest datetime that is judged.
    Key(KeyScan, Option<Datetime>, Datetime),
    Time(TimeScan),
}

/// A page, and the position that holds once it is committed.
#[derive(Clone)]
pub(super) struct ScanPage {
    pub(super) page: Page,
    pub(super) position: Position,
    /// Rows that were found before the oldest allowed datetime: they are counted and not read.
    pub(super) too_late: u64,
}

impl ScanPage {
    /// Drops the rows of other shares. Rows without a variable belong to the first share.
    pub(super) fn keep(&mut self, shard: Shard) {
        self.page.readings.retain(|reading| shard.holds(&reading.variable));
        if !shard.is_first() {
            self.page.malformed.clear();
            self.too_late = 0;
        }
    }
}

impl Scan {
    /// Starts a scan at `now`. Without a key this counts the rows before the oldest allowed
    /// datetime.
    pub(super) async fn begin(
        session: &mut Session,
        now: Datetime,
        oldest_allowed: Datetime,
    ) -> Result<Self, StoreError> {
        let Session { input, state, .. } = session;
        match &state.position {
            Position::Key(_) => Ok(Self::Key(KeyScan::default(), Some(now), oldest_allowed)),
            Position::Time(position) => {
                let in_passed = match position.passed {
                    Some(passed) => input.count_range(passed.from, passed.to).await?,
                    None => 0,
                };
                let (from, to) = TimePosition::stretch(oldest_allowed);
                let in_stretch = input.count_range(from, to).await?;
                Ok(Self::Time(position.pass(oldest_allowed, in_passed, in_stretch)))
            }
        }
    }

    /// The oldest datetime that this scan judges.
    pub(super) fn oldest(&self) -> Datetime {
        match self {
            Self::Key(.., oldest_allowed) => *oldest_allowed,
            Self::Time(pass) => pass.oldest(),
        }
    }

    /// Reads the next page in whole datetimes.
    pub(super) async fn next(
        &mut self,
        session: &mut Session,
        rows: usize,
        settle: Duration,
    ) -> Result<ScanPage, StoreError> {
        let mut limit = rows;
        loop {
            let input = &mut session.input;
            let mut position = session.state.position.clone();
            let taken = match (&mut position, &mut *self) {
                (Position::Key(position), Self::Key(pass, now, _)) => {
                    let asked = match now.take() {
                        Some(now) => now,
                        None => input.now().await?,
                    };
                    let page = input.read_keys(&position.spans(pass), limit).await?;
                    position.advance(pass, page, asked, settle)
                }
                (Position::Time(position), Self::Time(pass)) => {
                    let page = input.read_range(pass.from(), None, limit).await?;
                    position.advance(pass, page)
                }
                // A scan starts from the same position with which it continues.
                (Position::Key(_), Self::Time(_)) | (Position::Time(_), Self::Key(..)) => {
                    PageOutcome::Accepted { page: Page::default(), too_late: 0 }
                }
            };
            match taken {
                PageOutcome::Accepted { page, too_late } => return Ok(ScanPage { page, position, too_late }),
                PageOutcome::TooSmall => limit = limit.saturating_mul(2),
                PageOutcome::Doubtful => match doubt::settle(session, self.oldest()).await? {
                    Settled::GoOn => {}
                    Settled::Anew => *self = Self::Key(KeyScan::default(), None, self.oldest()),
                    Settled::Nothing => {
                        let position = session.state.position.clone();
                        return Ok(ScanPage { page: Page::default(), position, too_late: 0 });
                    }
                },
            }
        }
    }
}

/// A scan over a range of datetimes, whether its rows are new or not.
pub(crate) struct RangeScan {
    position: TimePosition,
    pass: TimeScan,
    to: Datetime,
    rows: usize,
}

impl RangeScan {
    /// From `from`, inclusive, to `to`, exclusive, in pages of about this many rows.
    pub(crate) fn new(from: Datetime, to: Datetime, rows: usize) -> Self {
        let position = TimePosition::start(from);
        let pass = position.pass(from, 0, 0);
        Self { position, pass, to, rows }
    }

    /// Reads the next page in whole datetimes. The scan is over after the first that is not full.
    pub(crate) async fn next(&mut self, input: &mut dyn Input) -> Result<Page, StoreError> {
        let mut limit = self.rows;
        loop {
            let page = input.read_range(self.pass.from(), Some(self.to), limit).await?;
            match self.position.advance(&mut self.pass, page) {
                PageOutcome::Accepted { page, .. } => return Ok(page),
                PageOutcome::TooSmall | PageOutcome::Doubtful => limit = limit.saturating_mul(2),
            }
        }
    }
}
