//! How often one number of a variable comes to be as large as it is, from its own past.
//!
//! The past is a ring of the greatest values of each epoch. The `k` largest of `n` maxima, less the
//! least of them (`x_k`), are taken for exponentially distributed with mean `b` (peaks over a
//! threshold), and a next maximum exceeds `x` with the probability
//!
//! ```text
//! k/n · (1 + (x - x_k) / (k b))^-k
//! ```
//!
//! which is the exact predictive law of an exponential tail whose mean is not known but estimated
//! from `k` values: while little is known it is heavy and the threshold is high, so that the rate
//! is right from the first day on and not only in the long run. A maximum that alarmed is taken in
//! as no more than what an alarm is expected to be: a fault does not move the threshold much.
//!
//! Numbers of groups are means over members, whose tails are lighter than exponential by about as
//! much as an estimated mean makes the law heavier: of them the estimate is taken for `SURE` times
//! as many maxima, which is nearly the exponential law itself.
//!
//! Sources: Pickands, "Statistical inference using extreme order statistics", Annals of Statistics
//! 3, 1975; Siffer and others, "Anomaly detection in streams with extreme value theory", KDD 2017;
//! the predictive law is that of Lomax (gamma mixture of exponentials).

use serde::{Deserialize, Serialize};

/// Maxima that are remembered.
pub(crate) const MEMORY: usize = 96;

/// With fewer maxima nothing is said.
const FEWEST: usize = 4;

/// For how many times as many maxima those of a group are taken.
const SURE: f64 = 100.0;

/// What a number is computed over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Scope {
    Variable,
    Group,
}

/// The maxima of one number, and what follows from them.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Tail {
    /// A ring once it is full: `next` is the oldest.
    maxima: Vec<Kept>,
    next: u32,
    /// Maxima there have been.
    count: u32,
    /// Of the epoch that has begun.
    greatest: f32,
    fit: Option<Fit>,
}

#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
struct Fit {
    /// `k` and `n`, or as many times both.
    excesses: f64,
    maxima: f64,
    from: f64,
    /// The `b` above.
    mean: f64,
    /// The mean of all of them, which is about the same however many there are.
    typical: f64,
}

/// A maximum in two bytes: these are logarithms of -20 to 40, and a 512th tells them apart.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
struct Kept([u8; 2]);

impl Kept {
    const STEPS: f64 = 512.0;

    fn of(x: f64) -> Self {
        // A number beyond the range becomes its end.
        Self(((x * Self::STEPS).round() as i16).to_le_bytes())
    }

    fn value(self) -> f64 {
        f64::from(i16::from_le_bytes(self.0)) / Self::STEPS
    }
}

impl Tail {
    pub(crate) fn new() -> Self {
        Self { maxima: Vec::new(), next: 0, count: 0, greatest: f32::MIN, fit: None }
    }

    pub(crate) fn push(&mut self, x: f64) {
        self.greatest = self.greatest.max(x as f32);
    }

    /// Ends an epoch; one without a number is passed over. `rate` is that of alarms in an epoch; no
    /// spread of the tail below `least_mean` is believed.
    pub(crate) fn end_epoch(&mut self, scope: Scope, rate: f64, least_mean: f64) {
        if self.greatest == f32::MIN {
            return;
        }
        let most = self.fit.map_or(f64::MAX, |fit| fit.threshold(rate) + fit.mean);
        let x = Kept::of(f64::from(self.greatest).min(most));
        self.greatest = f32::MIN;
        self.count = self.count.saturating_add(1);
        if self.maxima.len() < MEMORY {
            self.maxima.push(x);
        } else if let Some(oldest) = self.maxima.get_mut(self.next as usize) {
            *oldest = x;
            self.next = (self.next + 1) % MEMORY as u32;
        }
        let n = self.maxima.len();
        if n < FEWEST {
            return;
        }
        let mut sorted: Vec<f64> = self.maxima.iter().map(|kept| kept.value()).collect();
        sorted.sort_unstable_by(|a, b| b.total_cmp(a));
        let k = (n / 8).clamp(3, 12);
        let from = sorted[k];
        let mean = sorted[..k].iter().map(|x| x - from).sum::<f64>() / k as f64;
        let mean = mean.max(least_mean);
        let typical = sorted.iter().sum::<f64>() / n as f64;
        let times = if scope == Scope::Group { SURE } else { 1.0 };
        self.fit = Some(Fit { excesses: k as f64 * times, maxima: n as f64 * times, from, mean, typical });
    }

    /// The decimal logarithm of how often an epoch's maximum is at least `x`; None while too little
    /// is known.
    pub(crate) fn log_rate(&self, x: f64) -> Option<f64> {
        self.fit.map(|fit| fit.log_rate(x))
    }

    /// What is reached at this rate.
    pub(crate) fn threshold(&self, rate: f64) -> Option<f64> {
        self.fit.map(|fit| fit.threshold(rate))
    }

    /// What an ordinary epoch stays below: seven of eight do.
    pub(crate) fn usual(&self) -> Option<f64> {
        self.fit.map(|fit| fit.from)
    }

    /// What it reaches in an epoch, on the mean.
    pub(crate) fn typical(&self) -> Option<f64> {
        self.fit.map(|fit| fit.typical)
    }

    /// Maxima there have been.
    pub(crate) fn known(&self) -> u32 {
        self.count
    }

    pub(crate) fn is_sound(&self) -> bool {
        let fit = self.fit.is_none_or(|fit| {
            fit.excesses >= 1.0
                && fit.maxima >= 1.0
                && fit.mean > 0.0
                && fit.from.is_finite()
                && fit.mean.is_finite()
                && fit.typical.is_finite()
        });
        self.maxima.len() <= MEMORY && (self.next as usize) < MEMORY && fit && !self.greatest.is_nan()
    }
}

impl Fit {
    fn log_rate(self, x: f64) -> f64 {
        let (k, beyond) = (self.excesses, (x - self.from) / self.mean);
        let falls =
            if beyond > 0.0 { k * libm::log10(1.0 + beyond / k) } else { beyond * std::f64::consts::LOG10_E };
        (libm::log10(k / self.maxima) - falls).min(0.0)
    }

    fn threshold(self, rate: f64) -> f64 {
        let (k, times) = (self.excesses, self.excesses / self.maxima / rate);
        let beyond = if times > 1.0 { k * (libm::pow(times, 1.0 / k) - 1.0) } else { libm::log(times) };
        self.from + beyond * self.mean
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Exponential maxima by quantiles, shuffled.
    fn filled(scope: Scope) -> Tail {
        let mut tail = Tail::new();
        for n in 0..MEMORY {
            let share = ((n * 37 % MEMORY) as f64 + 0.5) / MEMORY as f64;
            tail.push(5.0 - 2.0 * libm::log(share));
            tail.end_epoch(scope, 1e-9, 1e-3);
        }
        tail
    }

    #[test]
    fn a_rate_is_extrapolated_and_read_back() {
        // Heavier than the tail itself where it counts that it is estimated.
        for (scope, heavier) in [(Scope::Variable, -1.0..5.0), (Scope::Group, -1.0..0.5)] {
            let tail = filled(scope);
            for rate in [0.3, 0.1, 0.01, 0.001] {
                let threshold = tail.threshold(rate).unwrap_or(f64::NAN);
                let truth = 5.0 - 2.0 * libm::log(rate);
                assert!(
                    heavier.contains(&(threshold - truth)),
                    "{scope:?}, {rate}: {threshold}, truth {truth}"
                );
                let back = tail.log_rate(threshold).unwrap_or(f64::NAN);
                assert!((back - libm::log10(rate)).abs() < 1e-9, "{scope:?}, {rate}: {back}");
            }
        }
    }

    #[test]
    fn a_fault_does_not_move_the_threshold_much() {
        let (mut tail, rate) = (filled(Scope::Variable), 0.01);
        let before = tail.threshold(rate).unwrap_or(f64::NAN);
        tail.push(1e6);
        tail.end_epoch(Scope::Variable, rate, 1e-3);
        let after = tail.threshold(rate).unwrap_or(f64::NAN);
        assert!(after > before && after < before + 3.0, "{before}, then {after}");
    }

    #[test]
    fn nothing_is_said_of_too_little() {
        let mut tail = Tail::new();
        for known in 1..=FEWEST {
            tail.push(1.0);
            tail.end_epoch(Scope::Variable, 0.1, 0.5);
            assert_eq!(tail.threshold(0.1).is_some(), known == FEWEST);
        }
        assert_eq!((tail.known(), tail.is_sound()), (FEWEST as u32, true));
    }
}
