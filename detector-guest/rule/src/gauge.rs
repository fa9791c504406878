//! One scale for all signals: how much rarer a number is than the budget of false alarms allows.
//!
//! Time is cut into epochs of about a twelfth of a span. Of each signal a [`Tail`] learns how
//! large it becomes in an epoch; each has a share of the budget. With the rate `a` of alarms in an
//! epoch and the share `w`, a number whose epochs are that large at the rate `q` scores
//!
//! ```text
//! 50 + 10 log10(w a / q)
//! ```
//!
//! so 50 is the budget, 60 what comes a tenth as often, 40 what comes ten times as often. The
//! variable's score is the largest. Novelty is much the same for all variables, so the pattern
//! starts from what was found on other data, and its own past counts more and more. An alarm raises
//! the pattern's threshold for a while. How often alarms may come is a [`Pace`]'s affair.

use serde::{Deserialize, Serialize};

use crate::pace::Pace;
use crate::signals::{DRIFT, JUMP, PATTERN, SHIFT, SIGNALS, SPIKE, STUCK, VARIANCE};
use crate::tail::{Scope, Tail};

/// An alarm's score.
pub(crate) const ALARM: f64 = 50.0;

/// What an alarm multiplies the pattern's threshold by, and the spans in which half of that is
/// gone.
const RAISE: f64 = 1.2;
const RELAX: f64 = 2.0;

/// To begin with the pattern's threshold is higher by this: little is known.
const FIRST_RAISE: f64 = 1.2;

/// And the logarithm of it by this, of which an e-fold is gone in so many epochs: what follows the
/// warm-up is new to a memory that is as short.
const YOUNG_RAISE: f64 = 1.2;
const YOUNG_EPOCHS: f64 = 8.0;

/// What one alarm takes from the rate that is allowed, in decades.
const CORRECTION: f64 = 0.03;

/// How much of the budget a signal has.
const SHARES: [f64; SIGNALS] = {
    let mut shares = [0.0; SIGNALS];
    shares[PATTERN] = 0.75;
    shares[SPIKE] = 0.05;
    shares[SHIFT] = 0.1;
    shares[DRIFT] = 0.02;
    shares[VARIANCE] = 0.01;
    shares[STUCK] = 0.02;
    shares[JUMP] = 0.05;
    shares
};

/// A tail narrower than this is not believed: the signals are logarithms, and a variable that was
/// the same always may change a little.
const LEAST_MEANS: [f64; SIGNALS] = {
    let mut means = [0.05; SIGNALS];
    means[PATTERN] = 0.1;
    means[STUCK] = 0.35;
    means
};

/// The pattern before anything is known of the variable: its threshold was this novelty at one
/// alarm in so many readings, with a span of so many. Were a longer span nothing but slower
/// time, the readings would be proportional to it; on the benchmark they are not, and this is
/// between.
const PRIOR_THRESHOLD: f64 = 0.05;
const PRIOR_READINGS: f64 = 2000.0;
const PRIOR_SPAN: f64 = 800.0;
const PRIOR_POWER: f64 = 0.75;

/// A novelty below this is nothing, whatever is typical.
const LEAST_NOVELTY: f64 = 0.025;

/// Nothing is newer than this: what no box covers, and all records at their most.
const MOST_NOVELTY: f64 = 2.0;

/// The logarithm of the threshold rises so much for each e-fold of the rate. All of this counts as
/// much as so many epochs.
const PRIOR_SLOPE: f64 = 0.6;
const PRIOR_EPOCHS: f64 = 96.0;

/// How far a rate may be from the prior's, in e-folds, and how much faster the prior fades beyond
/// that.
const PRIOR_REACH: f64 = 1.2;
const PRIOR_FADES: f64 = 16.0;

/// What alarms are measured with, for one variable.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Gauge {
    span: u32,
    prior_readings: f64,
    tails: [Tail; SIGNALS],
    pace: Pace,
    /// The logarithm of what the pattern's threshold is raised by.
    raised: f64,
}

impl Gauge {
    pub(crate) fn new(span: u32) -> Self {
        Self {
            span,
            prior_readings: PRIOR_READINGS * libm::pow(f64::from(span) / PRIOR_SPAN, PRIOR_POWER),
            tails: [(); SIGNALS].map(|()| Tail::new()),
            pace: Pace::new(span),
            raised: libm::log(FIRST_RAISE),
        }
    }

    /// Sets the rate of alarms; see [`Pace::allow`].
    pub(crate) fn allow(&mut self, rate: f64, seen: u32, possible: bool) {
        self.pace.allow(rate, seen, possible.then_some(CORRECTION));
    }

    /// The score of each signal's number; 0 while too little is known of it.
    pub(crate) fn scores(&self, numbers: &[f64; SIGNALS]) -> [f64; SIGNALS] {
        let mut scores = [0.0; SIGNALS];
        let more = self.more();
        let age = f64::from(self.tails[PATTERN].known()) / YOUNG_EPOCHS;
        let raised = self.raised + YOUNG_RAISE * libm::exp(-age);
        for signal in 0..SIGNALS {
            let number = numbers[signal] - if signal == PATTERN { raised } else { 0.0 };
            let own = self.tails[signal].log_rate(number);
            let log_rate = match own {
                _ if signal == PATTERN => self.with_prior(number, own),
                Some(own) => own,
                None => continue,
            };
            let share = SHARES[signal] * if signal == PATTERN { 1.0 } else { more };
            scores[signal] = score(libm::log10(self.pace.rate() * share) - log_rate);
        }
        scores
    }

    /// What the other signals' shares are multiplied by: where nothing is as new as the pattern's
    /// threshold, its share is theirs.
    fn more(&self) -> f64 {
        let most = libm::log(MOST_NOVELTY);
        let at_most = self.with_prior(most, self.tails[PATTERN].log_rate(most));
        let beyond_reach = at_most - libm::log10(self.pace.rate() * SHARES[PATTERN]);
        let spare = beyond_reach.clamp(0.0, 1.0);
        1.0 + spare * SHARES[PATTERN] / (1.0 - SHARES[PATTERN])
    }

    /// The pattern's rate: what was found on other data, and more and more what was found here. For
    /// a rate that is far from those that the other data could tell, it tells less.
    fn with_prior(&self, novelty: f64, own: Option<f64>) -> f64 {
        let epochs = self.pace.epoch() / self.prior_readings;
        let falls = (novelty - libm::log(PRIOR_THRESHOLD)) / PRIOR_SLOPE;
        let prior = (libm::log10(epochs) - falls * std::f64::consts::LOG10_E).min(0.0);
        let Some(own) = own else { return prior };
        let far = (libm::log(self.pace.rate() * SHARES[PATTERN] / epochs).abs() - PRIOR_REACH).max(0.0);
        let known = f64::from(self.tails[PATTERN].known()) * (1.0 + PRIOR_FADES * far * far) / PRIOR_EPOCHS;
        let weight = known * known;
        (prior + weight * own) / (1.0 + weight)
    }

    /// What a signal reaches at the budget's rate, while nothing was raised.
    pub(crate) fn threshold(&self, signal: usize) -> Option<f64> {
        let more = if signal == PATTERN { 1.0 } else { self.more() };
        self.tails[signal].threshold(self.pace.rate() * SHARES[signal] * more)
    }

    /// What each signal stays below in an ordinary epoch; None while that is not known.
    pub(crate) fn usual(&self) -> [Option<f64>; SIGNALS] {
        self.tails.each_ref().map(Tail::usual)
    }

    /// Each number beside what it reaches in an epoch on the mean; None while that is not known of all.
    pub(crate) fn beyond(&self, numbers: &[f64; SIGNALS]) -> Option<[f32; SIGNALS]> {
        let mut beyond = [0.0; SIGNALS];
        for (signal, tail) in self.tails.iter().enumerate() {
            let (raised, least) = match signal {
                PATTERN => (self.raised, libm::log(LEAST_NOVELTY)),
                _ => (0.0, f64::MIN),
            };
            beyond[signal] = (numbers[signal] - raised - tail.typical()?.max(least)) as f32;
        }
        Some(beyond)
    }

    /// Takes in the numbers of a reading; those that what is wrong now distorts are passed over.
    pub(crate) fn learn(&mut self, numbers: &[f64; SIGNALS], is_usual: impl Fn(usize) -> bool) {
        for (signal, tail) in self.tails.iter_mut().enumerate() {
            if is_usual(signal) {
                tail.push(numbers[signal] - if signal == PATTERN { self.raised } else { 0.0 });
            }
        }
        if self.pace.ends_epoch() {
            let rate = self.pace.rate();
            for (signal, tail) in self.tails.iter_mut().enumerate() {
                tail.end_epoch(Scope::Variable, rate * SHARES[signal], LEAST_MEANS[signal]);
            }
        }
    }

    /// One more reading.
    pub(crate) fn step(&mut self) {
        self.raised *= libm::pow(0.5, 1.0 / (RELAX * f64::from(self.span)));
        self.pace.step();
    }

    /// Whether the last alarm is long enough ago.
    pub(crate) fn is_free(&self) -> bool {
        self.pace.is_free()
    }

    pub(crate) fn alarm(&mut self) {
        self.pace.alarm(CORRECTION);
        self.raised += libm::log(RAISE);
    }

    pub(crate) fn is_sound(&self) -> bool {
        self.tails.iter().all(Tail::is_sound)
            && self.pace.is_sound()
            && self.raised.is_finite()
            && self.prior_readings.is_finite()
    }
}

/// Of what is so many decades rarer than the budget allows.
pub(crate) fn score(decades: f64) -> f64 {
    (ALARM + 10.0 * decades).clamp(0.0, 100.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    const RATE: f64 = 0.001;

    /// After a span of 1,000 and so many readings whose spikes have exponential logarithms.
    fn learnt(readings: u32) -> Gauge {
        let mut gauge = Gauge::new(1000);
        for n in 0..readings {
            gauge.allow(RATE, u32::MAX, false);
            let mut numbers = [0.0; SIGNALS];
            let share = (f64::from(n * 7919 % 10_007) + 0.5) / 10_007.0;
            numbers[SPIKE] = -libm::log(share);
            numbers[PATTERN] = -10.0;
            gauge.learn(&numbers, |_| true);
            gauge.step();
        }
        gauge
    }

    #[test]
    fn ten_points_are_a_tenth_of_the_rate() {
        let gauge = learnt(20_000);
        let score = |number: f64| {
            let mut numbers = [f64::MIN; SIGNALS];
            numbers[SPIKE] = number;
            gauge.scores(&numbers)[SPIKE]
        };
        let at_budget = gauge.threshold(SPIKE).unwrap_or(f64::NAN);
        assert!((score(at_budget) - 50.0).abs() < 1e-9, "{}", score(at_budget));
        // A share of the readings is beyond its own logarithm; a twelfth of them are an epoch's.
        let truth = -libm::log(RATE * SHARES[SPIKE]);
        assert!((at_budget - truth).abs() < 1.0, "{at_budget}, truth {truth}");
        let rarer = score(truth + std::f64::consts::LN_10) - score(truth);
        assert!((7.0..13.0).contains(&rarer), "{rarer}");
    }

    #[test]
    fn an_alarm_raises_the_patterns_threshold() {
        let mut gauge = learnt(2000);
        let mut numbers = [0.0; SIGNALS];
        numbers[PATTERN] = libm::log(0.2);
        let before = gauge.scores(&numbers)[PATTERN];
        assert!(gauge.is_free());
        gauge.alarm();
        assert!(!gauge.is_free() && gauge.scores(&numbers)[PATTERN] < before);
    }

    /// Of the whole share a quarter is theirs from the first day on.
    #[test]
    fn a_share_that_the_pattern_cannot_use_goes_to_the_others() {
        let mut gauge = learnt(50_000);
        assert!(gauge.more() < 1.001, "{}: nothing new is well within its reach", gauge.more());
        for _ in 0..200 {
            gauge.tails[PATTERN].push(3.0 + f64::from(gauge.tails[PATTERN].known() % 7));
            gauge.tails[PATTERN].end_epoch(Scope::Variable, 1e-9, 1.0);
        }
        assert!((gauge.more() - 4.0).abs() < 0.1, "{}", gauge.more());
    }

    #[test]
    fn nothing_is_said_of_a_signal_without_a_past_but_of_the_pattern() {
        let mut gauge = Gauge::new(PRIOR_SPAN as u32);
        gauge.allow(1.0 / PRIOR_READINGS / SHARES[PATTERN], u32::MAX, false);
        let mut numbers = [9.0; SIGNALS];
        numbers[PATTERN] = libm::log(PRIOR_THRESHOLD) + YOUNG_RAISE;
        gauge.raised = 0.0;
        let scores = gauge.scores(&numbers);
        assert!((scores[PATTERN] - 50.0).abs() < 1e-9, "{}", scores[PATTERN]);
        assert_eq!(scores[SPIKE..].to_vec(), [0.0; SIGNALS - 1]);
    }
}
