//! When a novelty is an alarm: once, and not again soon.
//!
//! Each alarm raises the threshold for a while, so that a variable which changes all the time alarms less and less.

use serde::{Deserialize, Serialize};

/// No two alarms within this many warm-ups.
const REFRACTORY: f64 = 0.16;

/// What an alarm multiplies the threshold by.
const RAISE: f64 = 1.2;

/// Warm-ups in which half of the raise is gone.
const RELAX: f64 = 2.0;

/// The threshold of one variable.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Alarm {
    warm_up: u32,
    threshold: f64,
    /// The logarithm of what the threshold is raised by.
    raised: f64,
    /// Readings since the last alarm; None before the first.
    since: Option<u32>,
}

/// What is said of one reading.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Verdict {
    pub alarm: bool,
    /// The novelty in thresholds: from 1 on it is an alarm, unless one was just given.
    pub ratio: f64,
}

impl Alarm {
    /// `warm_up` as for [`crate::Novelty::new`].
    pub fn new(warm_up: u32, threshold: f64) -> Self {
        Self { warm_up, threshold, raised: 0.0, since: None }
    }

    /// Judges the next reading's novelty.
    pub fn judge(&mut self, novelty: f64) -> Verdict {
        let warm_up = f64::from(self.warm_up);
        self.raised *= libm::pow(0.5, 1.0 / (RELAX * warm_up));
        self.since = self.since.map(|since| since.saturating_add(1));
        let ratio = novelty / (self.threshold * libm::exp(self.raised));
        let free = self.since.is_none_or(|since| f64::from(since) > REFRACTORY * warm_up);
        let alarm = ratio >= 1.0 && free;
        if alarm {
            self.since = Some(0);
            self.raised += libm::log(RAISE);
        }
        Verdict { alarm, ratio }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_alarm_is_given_once_and_raises_the_threshold() {
        let mut alarm = Alarm::new(100, 0.05);
        let alarms = |alarm: &mut Alarm, novelty: f64, times: usize| -> Vec<usize> {
            (0..times).filter(|_| alarm.judge(novelty).alarm).collect()
        };
        assert_eq!(alarms(&mut alarm, 0.049, 50), []);
        assert_eq!(alarms(&mut alarm, 0.055, 40), [0]);
        assert_eq!(alarms(&mut alarm, 0.2, 40), [0, 17, 34]);
    }
}
