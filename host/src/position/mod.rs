//! The worker's position in the input table, and what it has to read next.
//!
//! Rows are committed neither in the order of time nor in that of the key: a worker that remembers
//! one greatest value loses rows. With an identity key, an id that was not seen and is below the
//! greatest one seen is a *gap*: an insert in flight, or one rolled back. Gaps are read again until
//! they are older than the settle time. Every id is read once, and an idle cycle costs one seek.
//! Without a key the whole allowed lateness is read again.
//!
//! Pure: the cycle asks what to read, passes in what it has read, and stores the result with the
//! verdicts. A position is kept in the state row; a *pass* is one scan over what may be new and
//! lives for a cycle. Nothing here can fail: a position that was never committed is dropped, and
//! the committed one reads the same rows again.

mod ahead;
#[cfg(test)]
mod exactly_once_tests;
mod key;
mod mark;
mod time;

use std::time::Duration;

use serde::{Deserialize, Serialize};

pub use ahead::Ahead;
pub use key::{Doubt, Gap, IN_FLIGHT, KeyPosition, KeyScan, Passing};
pub use mark::ReadMark;
pub use time::{Passed, TimePosition, TimeScan};

use crate::datetime::Datetime;
use crate::reading::Page;

/// The position, as the state row keeps it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "by", rename_all = "lowercase")]
pub enum Position {
    /// The input has an identity key.
    Key(KeyPosition),
    /// It has none: the position is the state's watermark.
    Time(TimePosition),
}

impl Position {
    /// Readings older than this are from before this worker's time.
    pub fn since(&self) -> Datetime {
        match self {
            Self::Key(position) => position.since,
            Self::Time(position) => position.since,
        }
    }

    /// From now on readings older than this are from before this worker's time.
    pub fn set_since(&mut self, since: Datetime) {
        match self {
            Self::Key(position) => position.since = since,
            Self::Time(position) => position.since = since,
        }
    }
}

/// The outcome of a page that was read.
#[derive(Clone, Debug, PartialEq)]
pub enum PageOutcome {
    /// The page is accepted: commit the position with the verdicts on these rows.
    Accepted {
        /// The rows to judge; those of a datetime that the limit cut in two were left for the next
        /// page. While `full` is set there may be more: read on.
        page: Page,
        /// Rows that came too late and were only counted, for the counts of this commit. Only
        /// without a key.
        too_late: u64,
    },
    /// The page is full and holds no complete datetime. Nothing was changed: read the same with
    /// twice the limit.
    TooSmall,
    /// The row that was read last is not where it was. Nothing was changed: find out why, see
    /// [`KeyPosition::resolve`].
    Doubtful,
}

/// The oldest datetime that is still judged: the allowed lateness before the watermark, never
/// before `since`.
///
/// A single row dated years ahead moves the watermark there. So that this does not make every later
/// reading too late, the oldest allowed datetime is counted from the server's clock if that is
/// behind the watermark. A clock that is set back only widens the range.
pub fn oldest_allowed(
    since: Datetime,
    watermark: Option<Datetime>,
    now: Datetime,
    lateness: Duration,
) -> Datetime {
    watermark.map_or(since, |watermark| watermark.min(now).earlier(lateness).max(since))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_reach_is_the_lateness_before_the_watermark() {
        const HOUR: Duration = Duration::from_secs(3600);
        let at = |hours: i64| Datetime::from_micros(hours * 3_600_000_000);
        for (why, since, watermark, now, expected) in [
            ("nothing was judged yet", 10, None, 99, 10),
            ("the watermark counts", 10, Some(50), 51, 49),
            ("not before the worker's own time", 10, Some(10), 11, 10),
            ("a row dated ahead does not pull the reach with it", 10, Some(9_000), 51, 50),
            ("a clock set back widens the reach", 10, Some(50), 20, 19),
        ] {
            assert_eq!(oldest_allowed(at(since), watermark.map(at), at(now), HOUR), at(expected), "{why}");
        }
    }
}
