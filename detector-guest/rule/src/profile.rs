//! What a variable does by the hour of the day: 24 means, and straight lines between the middles of
//! the hours.

use serde::{Deserialize, Serialize};

use crate::average::Average;

const HOURS: usize = 24;

/// Microseconds.
const HOUR: i64 = 3_600_000_000;

/// Times that an hour was seen before its mean says something.
const FEWEST: u32 = 2;

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Profile {
    hours: [Average; HOURS],
    /// Hours of the day with a reading, each time that they come: a day of readings in one hour is
    /// no profile.
    visits: [u32; HOURS],
    last: u32,
}

impl Profile {
    /// Each hour follows the last `span` readings of it.
    pub(crate) fn new(span: u32) -> Self {
        Self { hours: [(); HOURS].map(|()| Average::new(span)), visits: [0; HOURS], last: u32::MAX }
    }

    /// None until every hour was seen on two days.
    pub(crate) fn at(&self, time: i64) -> Option<f64> {
        if self.visits.iter().any(|visits| *visits < FEWEST) {
            return None;
        }
        let since_middle =
            (time.rem_euclid(HOURS as i64 * HOUR) + HOURS as i64 * HOUR - HOUR / 2) % (HOURS as i64 * HOUR);
        let (hour, part) = ((since_middle / HOUR) as usize, (since_middle % HOUR) as f64 / HOUR as f64);
        let [before, after] = [hour, hour + 1].map(|hour| self.hours[hour % HOURS].mean());
        Some(before + part * (after - before))
    }

    pub(crate) fn push(&mut self, time: i64, x: f64) {
        let hour = time.rem_euclid(HOURS as i64 * HOUR) / HOUR;
        self.hours[hour as usize].push(x);
        if self.last != hour as u32 {
            let visits = &mut self.visits[hour as usize];
            *visits = visits.saturating_add(1).min(FEWEST);
            self.last = hour as u32;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_hour_is_known_after_two_days() {
        let mut profile = Profile::new(1000);
        for hour in 0..48 {
            assert_eq!(profile.at(hour * HOUR), None);
            for quarter in 0..4 {
                profile.push(hour * HOUR + quarter * HOUR / 4, (hour % 24) as f64);
            }
        }
        let at = |hours: f64| profile.at((hours * HOUR as f64) as i64);
        assert_eq!([at(7.5), at(7.75), at(-1.5), at(0.0)], [7.0, 7.25, 22.0, 11.5].map(Some));
    }
}
