//! How often alarms may come: the budget for an epoch, the time without any after one, and what the
//! alarms themselves say of it.
//!
//! What tails get wrong shows in the alarms: each takes a little from the rate that is allowed, and
//! time gives it back (adaptive conformal inference: Gibbs and Candès, NeurIPS 2021), which keeps
//! the rate in the long run whatever the data are. Cannot fail.

use serde::{Deserialize, Serialize};

/// An epoch, and the time without alarms after one, in spans.
const EPOCH: f64 = 0.08;
const REFRACTORY: f64 = 0.16;

/// Of frequent alarms an epoch and that time are shorter: so many to an alarm.
const EPOCHS_OF_ALARM: f64 = 8.0;

/// Nothing is asked for more rarely than once in so many times the readings that there have been:
/// of what is much rarer than all that was seen nothing is known. Of readings that come every
/// second that is less than one alarm more, once; of those that come every five minutes hardly any.
const SEEN: f64 = 10.0;

/// The share of the budget that is aimed at: what is over is for faults that are real, which count
/// as well.
pub(crate) const AIM: f64 = 0.75;

/// The most that is taken or given, in decades.
const MOST_CORRECTION: f64 = 1.0;

/// The pace of alarms of one variable, or of one group.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Pace {
    span: u32,
    /// Readings of an epoch, of the one that has begun, and without alarms.
    epoch: u32,
    in_epoch: u32,
    refractory: u32,
    /// Alarms that the budget allows in an epoch.
    rate: f64,
    /// Readings since the last alarm; None before the first.
    since: Option<u32>,
    /// The decimal logarithm of what the rate is corrected by.
    correction: f64,
}

impl Pace {
    pub(crate) fn new(span: u32) -> Self {
        Self { span, epoch: 0, in_epoch: 0, refractory: 0, rate: 0.0, since: None, correction: 0.0 }
    }

    /// Sets the rate of alarms for a reading, of which there have been so many; the first time also
    /// what an epoch is. While alarms are possible their lack counts: in the time of one that was
    /// due it gives back `correction`.
    pub(crate) fn allow(&mut self, rate: f64, seen: u32, correction: Option<f64>) {
        let readings = |part: f64, parts_of_alarm: f64| {
            (part * f64::from(self.span)).min(1.0 / (rate * parts_of_alarm)).max(1.0) as u32
        };
        if self.epoch == 0 {
            self.epoch = readings(EPOCH, EPOCHS_OF_ALARM);
            self.refractory = readings(REFRACTORY, EPOCHS_OF_ALARM / 2.0);
        }
        if let Some(correction) = correction {
            self.correction = (self.correction + correction * AIM * rate).min(MOST_CORRECTION);
        }
        let rate = rate.max(1.0 / (SEEN * f64::from(seen.max(1))));
        self.rate = rate * f64::from(self.epoch) * libm::pow(10.0, self.correction);
    }

    /// Alarms that are allowed in an epoch.
    pub(crate) fn rate(&self) -> f64 {
        self.rate
    }

    /// Readings of an epoch.
    pub(crate) fn epoch(&self) -> f64 {
        f64::from(self.epoch)
    }

    /// One more reading of an epoch: whether it is the last.
    pub(crate) fn ends_epoch(&mut self) -> bool {
        self.in_epoch = self.in_epoch.saturating_add(1);
        let ends = self.in_epoch >= self.epoch;
        if ends {
            self.in_epoch = 0;
        }
        ends
    }

    /// One more reading.
    pub(crate) fn step(&mut self) {
        self.since = self.since.map(|since| since.saturating_add(1));
    }

    /// Whether the last alarm is long enough ago.
    pub(crate) fn is_free(&self) -> bool {
        self.since.is_none_or(|since| since > self.refractory)
    }

    /// Takes `correction` decades from the rate that is allowed.
    pub(crate) fn alarm(&mut self, correction: f64) {
        self.since = Some(0);
        self.correction = (self.correction - correction).max(-MOST_CORRECTION);
    }

    pub(crate) fn is_sound(&self) -> bool {
        self.rate.is_finite() && self.correction.is_finite()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_alarm_silences_and_lowers_the_rate_and_time_gives_it_back() {
        const RATE: f64 = 0.001;
        let mut pace = Pace::new(1000);
        pace.allow(RATE, u32::MAX, None);
        let (rate, epoch) = (pace.rate(), pace.epoch());
        assert_eq!((pace.is_free(), epoch, rate), (true, 80.0, 80.0 * RATE));
        pace.alarm(0.03);
        pace.allow(RATE, u32::MAX, Some(0.03));
        assert!(pace.rate() < rate);
        let silent = (0..1000).take_while(|_| {
            pace.step();
            !pace.is_free()
        });
        assert_eq!(silent.count(), 160);
        // In the time of an alarm that was aimed at the rate is as it was.
        let readings = (1.0 / RATE / AIM) as u32;
        (1..readings).for_each(|_| pace.allow(RATE, u32::MAX, Some(0.03)));
        assert!((pace.rate() / rate - 1.0).abs() < 1e-3, "{}", pace.rate() / rate);
    }

    #[test]
    fn an_epoch_is_shorter_where_alarms_are_frequent() {
        let mut pace = Pace::new(1000);
        pace.allow(0.0125, u32::MAX, None);
        let ends: Vec<usize> = (1..=30).filter(|_| pace.ends_epoch()).collect();
        assert_eq!(ends, [10, 20, 30]);
    }
}
