//! Variables of one machine, judged together.
//!
//! What is wrong with a machine shows in several of its variables at once, in each of them perhaps
//! too little to be told from chance. At an instant each member says how far each of its signals is
//! beyond what it usually reaches ([`Member`]). Of each signal the group looks at the root of
//! the mean of the squares over its members, and holds that against its own past ([`Tail`]), as a
//! variable holds its signals. The group has the budget of one variable. Its alarm is told by the
//! members that contribute: those with a reading at this instant whose signal is at least half as
//! far beyond as the furthest.
//!
//! Lives as long as its members; cannot fail.

use serde::{Deserialize, Serialize};

use crate::average::Average;
use crate::gauge::{ALARM, score};
use crate::novelty::SPANS;
use crate::pace::Pace;
use crate::settings::{Budget, RuleSettings};
use crate::signals::{DRIFT, JUMP, PATTERN, SHIFT, SIGNALS, SPIKE, STUCK, VARIANCE};
use crate::tail::{Scope, Tail};

/// How much of the budget a signal has. For none of them there is a prior.
const SHARES: [f64; SIGNALS] = {
    let mut shares = [0.0; SIGNALS];
    shares[PATTERN] = 0.3;
    shares[SHIFT] = 0.2;
    shares[JUMP] = 0.15;
    shares[SPIKE] = 0.1;
    shares[DRIFT] = 0.1;
    shares[VARIANCE] = 0.1;
    shares[STUCK] = 0.05;
    shares
};

/// What one alarm takes from the rate that is allowed, in decades. More than of a variable: there
/// is no prior, and how the members hang together differs from machine to machine.
const CORRECTION: f64 = 0.1;

/// A tail narrower than this is not believed.
const LEAST_MEAN: f64 = 0.05;

/// What a member says at an instant.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Member {
    /// By signal, logarithms: 0 is what it reaches in an epoch on the mean.
    pub(crate) beyond: [f64; SIGNALS],
    /// Whether it has a reading at this instant; else it is the one before that speaks.
    pub(crate) is_new: bool,
}

/// What a group says of a reading of a member.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub enum Call {
    Quiet,
    /// Something new begins here.
    Alarm(GroupAlarm),
}

/// An alarm of a group.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct GroupAlarm {
    pub(crate) score: f64,
    /// In which it shows.
    pub(crate) signal: u32,
}

/// What is known of a group.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Group {
    false_alarms: Budget,
    warm_up: u32,
    instants: u32,
    last_time: Option<i64>,
    /// Microseconds from an instant to the next.
    interval: Average,
    tails: [Tail; SIGNALS],
    pace: Pace,
}

impl Group {
    /// Knows nothing yet. Its unit of time is that of its members, and the budget is the group's.
    pub fn new(settings: RuleSettings) -> Self {
        let RuleSettings { warm_up, false_alarms, .. } = settings;
        Self {
            false_alarms,
            warm_up,
            instants: 0,
            last_time: None,
            interval: Average::new(500),
            tails: [(); SIGNALS].map(|()| Tail::new()),
            pace: Pace::new(warm_up.saturating_mul(SPANS)),
        }
    }

    /// Goes on under another budget, for which thresholds are learnt anew.
    #[must_use]
    pub fn under(self, false_alarms: Budget) -> Self {
        if false_alarms == self.false_alarms {
            return self;
        }
        Self::new(RuleSettings { false_alarms, ..RuleSettings::new(self.warm_up) })
    }

    /// Whether it can be gone on from.
    pub fn is_sound(&self) -> bool {
        self.warm_up > 0 && self.tails.iter().all(Tail::is_sound) && self.pace.is_sound()
    }

    /// What is said of each of these members at the instant `time`. None: the group has learnt too
    /// little, and they are judged alone. An instant that is not later than the last one changes
    /// nothing.
    pub fn judge(&mut self, time: i64, members: &[Member]) -> Option<Vec<Call>> {
        let quiet = (!self.is_learning()).then(|| vec![Call::Quiet; members.len()]);
        let is_late = self.last_time.is_some_and(|last| time <= last);
        if members.is_empty() || is_late || !self.pass(time) {
            return quiet;
        }
        let numbers = together(members);
        let (signal, score) = self.score(&numbers);
        let of = |member: &Member| member.beyond[signal];
        let furthest = members.iter().map(of).fold(f64::MIN, f64::max);
        let contributes = |member: &Member| member.is_new && of(member) >= furthest - std::f64::consts::LN_2;
        let may = quiet.is_some() && self.pace.is_free() && members.iter().any(contributes);
        self.learn(&numbers);
        if score < ALARM || !may {
            return quiet;
        }
        self.pace.alarm(CORRECTION);
        let alarm = Call::Alarm(GroupAlarm { score, signal: signal as u32 });
        Some(members.iter().map(|member| if contributes(member) { alarm } else { Call::Quiet }).collect())
    }

    /// For as long as a variable keeps its signals' past before its first alarm.
    fn is_learning(&self) -> bool {
        self.instants <= self.warm_up / 4 * 3
    }

    /// The clock; false while it is not known how far apart instants are.
    fn pass(&mut self, time: i64) -> bool {
        if let Some(last) = self.last_time {
            let gap = time.saturating_sub(last) as f64;
            // A pause is no interval.
            let most = if self.interval.is_empty() { gap } else { 4.0 * self.interval.mean() };
            self.interval.push(gap.min(most));
        }
        self.last_time = Some(time);
        self.instants = self.instants.saturating_add(1);
        let rate = self.false_alarms.for_a_reading(self.interval.mean());
        if rate > 0.0 {
            let correction = (!self.is_learning()).then_some(CORRECTION);
            self.pace.allow(rate, self.instants, correction);
            self.pace.step();
        }
        rate > 0.0
    }

    /// The signal with the largest score, and that.
    fn score(&self, numbers: &[f64; SIGNALS]) -> (usize, f64) {
        let scores = (0..SIGNALS).map(|signal| {
            let rate = self.tails[signal].log_rate(numbers[signal]);
            let allowed = libm::log10(self.pace.rate() * SHARES[signal]);
            (signal, rate.map_or(0.0, |rate| score(allowed - rate)))
        });
        scores.reduce(|best, next| if next.1 > best.1 { next } else { best }).unwrap_or_default()
    }

    fn learn(&mut self, numbers: &[f64; SIGNALS]) {
        for (tail, number) in self.tails.iter_mut().zip(numbers) {
            tail.push(*number);
        }
        if self.pace.ends_epoch() {
            for (tail, share) in self.tails.iter_mut().zip(SHARES) {
                tail.end_epoch(Scope::Group, self.pace.rate() * share, LEAST_MEAN);
            }
        }
    }
}

/// Of each signal the logarithm of the root of the mean of the squares.
fn together(members: &[Member]) -> [f64; SIGNALS] {
    let mut numbers = [0.0; SIGNALS];
    for (signal, number) in numbers.iter_mut().enumerate() {
        let squares = members.iter().map(|member| libm::exp(2.0 * member.beyond[signal]));
        *number = 0.5 * libm::log(squares.sum::<f64>() / members.len() as f64);
    }
    numbers
}

#[cfg(test)]
mod tests {
    use super::*;

    fn member(beyond: f64, is_new: bool) -> Member {
        Member { beyond: [beyond; SIGNALS], is_new }
    }

    #[test]
    fn what_is_known_together_is_the_root_of_the_mean_square() {
        let found = together(&[member(libm::log(3.0), true), member(libm::log(4.0), false)]);
        assert!(found.iter().all(|number| (number - 0.5 * libm::log(12.5)).abs() < 1e-12), "{found:?}");
    }

    /// A level far beyond all that was, of two of three members.
    #[test]
    fn those_that_contribute_are_told_and_an_instant_counts_once() {
        let mut group = Group::new(RuleSettings::new(64));
        let usual = |instant: i64| [member(-1.0 - (instant % 7) as f64 / 10.0, true); 3];
        for instant in 0..500 {
            let said = group.judge(instant * 60_000_000, &usual(instant));
            let learning = instant <= 48;
            assert_eq!(said, (!learning).then(|| vec![Call::Quiet; 3]), "{instant}");
        }
        let members = [member(3.0, true), member(2.6, true), member(1.0, true)];
        let time = 500 * 60_000_000;
        let before = group.clone();
        let late = group.judge(time - 60_000_000, &members);
        assert_eq!((late, &group), (Some(vec![Call::Quiet; 3]), &before));
        let said = group.judge(time, &members);
        let told: Vec<bool> = said.iter().flatten().map(|call| matches!(call, Call::Alarm(_))).collect();
        assert_eq!(told, [true, true, false]);
        let again = group.judge(time + 60_000_000, &members);
        assert_eq!(again, Some(vec![Call::Quiet; 3]), "an alarm is followed by silence");
        // Without a reading of its own nobody can tell.
        let mut group = before;
        let absent = [member(3.0, false), member(1.0, true), member(1.0, true)];
        assert_eq!(group.judge(time, &absent), Some(vec![Call::Quiet; 3]));
    }
}
