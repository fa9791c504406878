//! Datetimes that were read and are ahead of the server's clock, because a device's clock or the
//! server's own is wrong.
//!
//! Their readings are judged like any other, but the watermark does not reach them before the clock
//! does: one row of 2099 would hide for ever how far the worker is behind. They are kept so that a
//! row is reported as ahead only once, and so that the watermark still advances at a plant whose
//! rows are all ahead.

use serde::{Deserialize, Serialize};

use crate::datetime::Datetime;

/// How many are kept. If there are more, every other one is dropped: the watermark then advances in
/// larger steps.
const MOST: usize = 64;

/// Ascending, each once.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Ahead(Vec<Datetime>);

impl Ahead {
    /// Whether rows at this datetime were seen before.
    pub fn holds(&self, at: Datetime) -> bool {
        self.0.binary_search(&at).is_ok()
    }

    /// The latest that the clock has reached.
    pub fn reached(&self, now: Datetime) -> Option<Datetime> {
        let reached = self.0.partition_point(|at| *at <= now);
        self.0[..reached].last().copied()
    }

    /// Drops those that the clock has reached.
    pub fn forget(&mut self, now: Datetime) {
        self.0.retain(|at| *at > now);
    }

    /// Adds those of the datetimes that are ahead of `now`.
    pub fn take_in(&mut self, datetimes: impl Iterator<Item = Datetime>, now: Datetime) {
        self.0.extend(datetimes.filter(|at| *at > now));
        self.0.sort_unstable();
        self.0.dedup();
        while self.0.len() > MOST {
            let mut nth = 0;
            self.0.retain(|_| {
                nth += 1;
                nth % 2 == 1
            });
        }
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: i64) -> Datetime {
        Datetime::from_micros(seconds * 1_000_000)
    }

    #[test]
    fn what_lies_ahead_is_kept_until_the_clock_comes_to_it() {
        let mut ahead = Ahead::default();
        ahead.take_in([at(12), at(9), at(11), at(12)].into_iter(), at(10));
        assert_eq!(ahead, Ahead(vec![at(11), at(12)]));
        for (now, reached) in [(10, None), (11, Some(11)), (99, Some(12))] {
            assert_eq!(ahead.reached(at(now)), reached.map(at));
        }
        ahead.forget(at(11));
        assert_eq!((ahead.holds(at(11)), ahead.holds(at(12))), (false, true));
    }

    #[test]
    fn of_many_some_are_kept_near_and_far() {
        let mut ahead = Ahead::default();
        ahead.take_in((1..=1_000).map(at), at(0));
        assert!(ahead.0.len() <= MOST && ahead.holds(at(1)), "{ahead:?}");
        let widest = ahead.0.windows(2).map(|pair| pair[1].since(pair[0]).as_secs()).max();
        assert_eq!((widest, ahead.0.last() >= Some(&at(980))), (Some(16), true), "{ahead:?}");
    }
}
