//! What a variable is expected to read next, and how far off that usually is.
//!
//! Three bases: nothing, the profile of the day, and a model's prediction where there is one. To
//! each belongs an offset, the mean of what the last readings were beside it (a thirty-second of a
//! span), and its usual error. The base that errs least is used; a model as long as it fits: its
//! own prediction, without an offset, must not be further off than a level of the last half
//! span, or the profile, which know nothing of it.

use serde::{Deserialize, Serialize};

use crate::average::Average;
use crate::profile::Profile;

/// What an expectation rests on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Basis {
    /// The last readings.
    Level,
    /// The last readings, and what the variable does by the hour of the day.
    Profile,
    /// The model.
    Model,
}

/// The profile must be so much better than the level alone.
const PROFILE_GAIN: f64 = 0.95;

/// A model that errs so much more than what is known without it is aged, and fits again when it
/// errs less.
const AGED: f64 = 1.25;

/// Everything that is learnt of one variable's expectation.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Expectation {
    span: u32,
    profile: Profile,
    /// By [`Basis`].
    bases: [Base; 3],
    basis: Basis,
    aged: bool,
    /// Readings with a model's prediction.
    with_model: u32,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Base {
    offset: Average,
    error: Average,
    /// A slower offset, and the error with that one: what the base is worth without the last
    /// readings.
    slow: Average,
    slow_error: Average,
}

/// What is expected of one reading.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Outlook {
    pub(crate) basis: Basis,
    /// Without the offset.
    pub(crate) base: f64,
    pub(crate) expected: f64,
    /// The usual error.
    pub(crate) scale: f64,
    bases: [Option<f64>; 3],
}

impl Expectation {
    pub(crate) fn new(span: u32) -> Self {
        let base = Base {
            offset: Average::new((span / 32).max(2)),
            error: Average::new(span.saturating_mul(2)),
            slow: Average::new(span / 2),
            slow_error: Average::new(span),
        };
        Self {
            span,
            profile: Profile::new((span / 8).max(8)),
            bases: [base.clone(), base.clone(), base],
            basis: Basis::Level,
            aged: false,
            with_model: 0,
        }
    }

    /// Of the reading at `time`, for which the model says `model`.
    pub(crate) fn at(&self, time: i64, model: Option<f64>) -> Outlook {
        let bases = [Some(0.0), self.profile.at(time), model];
        let basis = [self.basis, Basis::Profile, Basis::Level]
            .into_iter()
            .find(|basis| bases[*basis as usize].is_some());
        let basis = basis.unwrap_or(Basis::Level);
        let (base, of) = (bases[basis as usize].unwrap_or(0.0), &self.bases[basis as usize]);
        let expected = base + of.offset.mean();
        // What is lost in the digits of a reading is no error.
        let scale = of.error.mean().max(1e-12 * expected.abs()).max(f64::MIN_POSITIVE);
        Outlook { basis, base, expected, scale, bases }
    }

    /// Takes in a reading; `outlook` is what was expected of it. Where the basis is another from
    /// now on: how much more readings are beside the new one than beside the old.
    pub(crate) fn learn(&mut self, time: i64, x: f64, outlook: &Outlook) -> Option<f64> {
        for (basis, (of, base)) in self.bases.iter_mut().zip(outlook.bases).enumerate() {
            let Some(base) = base else { continue };
            let beside = x - base;
            if !of.offset.is_empty() {
                of.error.push((beside - of.offset.mean()).abs());
                of.slow_error.push((beside - of.slow.mean()).abs());
            }
            of.offset.push(beside);
            // A model is held against its own prediction.
            if basis != Basis::Model as usize {
                of.slow.push(beside);
            }
        }
        self.profile.push(time, x);
        self.weigh_model(outlook.bases);
        let basis = self.best(outlook.bases);
        let offset = |basis: Basis| self.bases[basis as usize].offset.mean();
        let more = offset(basis) - offset(self.basis);
        (std::mem::replace(&mut self.basis, basis) != basis).then_some(more)
    }

    /// Takes what the last readings are beside what was expected for the usual from now on.
    pub(crate) fn shift(&mut self, by: f64) {
        for of in &mut self.bases {
            of.offset.set(of.offset.mean() + by);
        }
        for of in &mut self.bases[..Basis::Model as usize] {
            of.slow.set(of.slow.mean() + by);
        }
    }

    /// Takes another error for the usual one.
    pub(crate) fn rescale(&mut self, scale: f64) {
        self.bases[self.basis as usize].error.set(scale);
    }

    /// Whether each of so many readings had a model's prediction, and the model is not aged.
    pub(crate) fn fits_since(&self, readings: u32) -> bool {
        !self.aged && readings > 0 && self.with_model >= readings.saturating_sub(1)
    }

    /// A model's predictions came, and were worse than what is known without them.
    pub(crate) fn is_aged(&self) -> bool {
        self.aged
    }

    fn weigh_model(&mut self, bases: [Option<f64>; 3]) {
        if bases[Basis::Model as usize].is_none() {
            return;
        }
        self.with_model = self.with_model.saturating_add(1);
        if self.with_model < self.span / 4 {
            return;
        }
        let [level, profile, model] = [0, 1, 2].map(|basis| self.bases[basis].slow_error.mean());
        // A mean of few errors may be small by chance.
        let is_known = self.bases[Basis::Profile as usize].slow_error.count() >= self.span / 4;
        let without = if is_known { level.min(profile) } else { level };
        self.aged = model > without * if self.aged { 1.0 } else { AGED };
    }

    fn best(&self, bases: [Option<f64>; 3]) -> Basis {
        let [level, profile, _] = &self.bases;
        let is_known = profile.error.count() >= self.span / 4;
        let better = is_known && profile.error.mean() < PROFILE_GAIN * level.error.mean();
        match bases {
            [_, _, Some(_)] if !self.aged => Basis::Model,
            [_, Some(_), _] if better => Basis::Profile,
            _ => Basis::Level,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const DAY: i64 = 24 * 3_600_000_000;

    #[test]
    fn the_base_that_errs_least_is_used() {
        type Curve = fn(i64) -> f64;
        let daily: Curve = |row| if row % 24 < 12 { 0.0 } else { 10.0 };
        let shifted: Curve = |row| if row % 24 < 12 { 10.0 } else { 0.0 };
        let steady: Curve = |row| if row % 2 == 0 { 0.0 } else { 1.0 };
        for (name, y, model, basis, aged) in [
            ("a level", steady, None, Basis::Level, false),
            ("a daily profile", daily, None, Basis::Profile, false),
            ("a model that fits", daily, Some(daily), Basis::Model, false),
            ("a model of something else", daily, Some(shifted), Basis::Profile, true),
        ] {
            let mut expectation = Expectation::new(240);
            for row in 0..960 {
                let time = row * DAY / 24;
                let outlook = expectation.at(time, model.map(|model| model(row)));
                expectation.learn(time, y(row), &outlook);
            }
            let outlook = expectation.at(40 * DAY, model.map(|model| model(0)));
            assert_eq!((outlook.basis, expectation.is_aged()), (basis, aged), "{name}");
        }
    }

    #[test]
    fn a_level_can_be_taken_for_the_usual_one_at_once() {
        let mut expectation = Expectation::new(64);
        for row in 0..100 {
            let outlook = expectation.at(row, None);
            expectation.learn(row, 5.0, &outlook);
        }
        expectation.shift(7.0);
        assert_eq!(expectation.at(100, None).expected, 12.0);
    }
}
