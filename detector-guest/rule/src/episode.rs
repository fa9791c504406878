//! How long it lasts: from an alarm on until the variable is back, or until what lasts is normal.
//!
//! An alarm has a signal that explains it. A reading is flagged while that signal is above what it
//! stays below in an ordinary epoch, on the same side as at the alarm. The alarm's threshold lies
//! well above that, so an episode does not end and begin again by chance. What nothing explains but
//! the pattern is flagged while the pattern is that new, but for no longer than one window of it:
//! after that it was seen.

use serde::{Deserialize, Serialize};

use crate::signals::{DRIFT, Distances, JUMP, PATTERN, SHIFT, SIGNALS, SPIKE, STUCK, VARIANCE};
use crate::verdict::Cause;

/// A signal that scores less than this explains nothing: it comes thirty times as often as its
/// alarms may.
const EXPLAINS: f64 = 35.0;

/// What an alarm may be put down to. Of two that score the same the first is meant: a value that
/// does not change varies less too, and a shift begins as a spike.
const EXPLANATIONS: [usize; 6] = [STUCK, SPIKE, SHIFT, DRIFT, VARIANCE, JUMP];

/// And a pattern that goes on: a spike would end it sooner.
const LASTING: [usize; 4] = [STUCK, SHIFT, DRIFT, VARIANCE];

/// A spike has half of a shift's share of the budget; that is no reason to call it one.
const SPIKE_GAIN: f64 = 3.0;

/// A pattern's windows in a span.
const WINDOWS: u32 = 13;

/// While it is not known what is usual, a distance of this part of the alarm's is not back.
const PART: f64 = 0.5;

/// Of a shift that came suddenly, the last readings' part is more than this.
const SUDDEN: f64 = 0.5;

/// So many readings in a row as far off as a spike are a shift.
const SHIFTED: u32 = 4;

/// Below the alarm's number by at least this, a signal is back.
const LEAST_HYSTERESIS: f64 = 0.1;

/// An episode is over after so many readings that are not flagged.
const QUIET: u32 = 4;

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Episode {
    signal: u32,
    /// Whether it was a group that alarmed: what is usual of the variable alone says little then.
    called: bool,
    /// Number and distance at the alarm.
    number: f64,
    distance: f64,
    /// Readings that a pattern lasts at most.
    window: u32,
    readings: u32,
    /// In a row.
    flagged: u32,
    quiet: u32,
    shifted: bool,
    /// The level was reached slowly.
    slow: bool,
}

/// What a reading makes of an episode.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Course {
    Flagged(Cause),
    Quiet,
    /// The variable is back.
    Over,
    /// What lasts is normal from now on.
    Accepted(Cause),
}

impl Episode {
    /// Of an alarm with these scores.
    pub(crate) fn begin(
        scores: &[f64; SIGNALS],
        numbers: &[f64; SIGNALS],
        distances: &Distances,
        span: u32,
    ) -> Self {
        let signal = explanation(&EXPLANATIONS, scores, distances);
        Self { called: false, ..Self::called(signal, numbers, distances, span) }
    }

    /// Of an alarm of its group that shows in this signal.
    pub(crate) fn called(signal: usize, numbers: &[f64; SIGNALS], distances: &Distances, span: u32) -> Self {
        let distance = distance(signal, distances);
        Self {
            signal: signal as u32,
            called: true,
            number: numbers[signal],
            distance,
            window: span / WINDOWS,
            readings: 0,
            flagged: 0,
            quiet: 0,
            shifted: false,
            slow: is_slow(distances),
        }
    }

    /// The next reading, the alarm's own included; what each signal stays below is `usual`.
    pub(crate) fn step(
        &mut self,
        scores: &[f64; SIGNALS],
        numbers: &[f64; SIGNALS],
        usual: &[Option<f64>; SIGNALS],
        distances: &Distances,
        normal_after: u32,
    ) -> Course {
        if self.signal as usize == PATTERN && self.flagged > 0 {
            self.explain(scores, numbers, distances);
        }
        let signal = self.signal as usize;
        let usual = usual[signal].filter(|_| !self.called);
        // Numbers are logarithms; an alarm may be one of a signal that is hardly ever anything at all.
        let above = |known: f64| numbers[signal] > known.min(self.number - LEAST_HYSTERESIS);
        let out = match signal {
            PATTERN => {
                let half = self.number - std::f64::consts::LN_2;
                self.readings < self.window && above(usual.unwrap_or(half))
            }
            STUCK => distances.run > 1,
            // A jump is one reading; where it led to lasts.
            JUMP => distances.residual / self.distance > PART,
            // What is back is told by the last readings; the mean that drifted takes long to follow.
            DRIFT => {
                let part = distances.level / self.distance;
                part > 0.0
                    && usual.map_or(part > PART, |known| {
                        libm::log(part) > (known - self.number).min(-LEAST_HYSTERESIS)
                    })
            }
            _ => {
                let part = distance(signal, distances) / self.distance;
                part > 0.0 && usual.map_or(part > PART, above)
            }
        };
        let out = out || self.readings == 0;
        self.readings = self.readings.saturating_add(1);
        if !out {
            (self.flagged, self.quiet) = (0, self.quiet.saturating_add(1));
            return if self.quiet >= QUIET || signal == STUCK { Course::Over } else { Course::Quiet };
        }
        (self.flagged, self.quiet) = (self.flagged.saturating_add(1), 0);
        self.shifted |= self.flagged >= SHIFTED;
        if self.readings > normal_after {
            Course::Accepted(self.cause())
        } else {
            Course::Flagged(self.cause())
        }
    }

    /// A new pattern is often the first that is seen of something that lasts longer than patterns
    /// are flagged for.
    fn explain(&mut self, scores: &[f64; SIGNALS], numbers: &[f64; SIGNALS], distances: &Distances) {
        let signal = explanation(&LASTING, scores, distances);
        if signal != PATTERN {
            self.signal = signal as u32;
            self.number = numbers[signal];
            self.distance = distance(signal, distances);
            self.slow = is_slow(distances);
        }
    }

    fn cause(&self) -> Cause {
        match self.signal as usize {
            SPIKE | JUMP if !self.shifted => Cause::Spike,
            SHIFT | DRIFT if self.slow => Cause::Drift,
            SPIKE | SHIFT | DRIFT | JUMP => Cause::Shift,
            VARIANCE => Cause::Variance,
            STUCK => Cause::Stuck,
            _ => Cause::Pattern,
        }
    }

    pub(crate) fn is_sound(&self) -> bool {
        (self.signal as usize) < SIGNALS && !self.number.is_nan() && !self.distance.is_nan()
    }
}

/// The signal that an alarm, or a pattern that goes on, is put down to.
fn explanation(among: &[usize], scores: &[f64; SIGNALS], distances: &Distances) -> usize {
    let score = |signal: usize| scores[signal] + if signal == SPIKE { SPIKE_GAIN } else { 0.0 };
    let best = among.iter().copied().reduce(|best, next| if score(next) > score(best) { next } else { best });
    let stuck = scores[STUCK] >= EXPLAINS && distances.run > 1;
    match best {
        _ if stuck => STUCK,
        Some(best) if scores[best] >= EXPLAINS => best,
        _ => PATTERN,
    }
}

/// Whether a level that is another was reached slowly.
fn is_slow(distances: &Distances) -> bool {
    distances.recent.abs() < SUDDEN * distances.shift.abs()
}

fn distance(signal: usize, distances: &Distances) -> f64 {
    match signal {
        SPIKE | JUMP => distances.residual,
        SHIFT => distances.shift,
        DRIFT => distances.drift,
        VARIANCE => distances.spread,
        _ => 0.0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::signals::log;

    const NOTHING: Distances = Distances {
        residual: 0.0,
        before: 0.0,
        recent: 0.0,
        shift: 0.0,
        drift: 0.0,
        level: 0.0,
        spread: 0.0,
        run: 1,
    };

    /// The courses of readings with these distances; the first is the alarm's. A distance of 2 is
    /// usual.
    fn courses(signal: usize, distances: &[Distances], normal_after: u32) -> Vec<Course> {
        let mut scores = [0.0; SIGNALS];
        scores[signal] = 60.0;
        let numbers = |distances: &Distances| {
            let mut numbers = [0.0; SIGNALS];
            numbers[signal] =
                if signal == PATTERN { 3.0 } else { libm::log(distance(signal, distances).abs()) };
            numbers
        };
        let usual = [Some(libm::log(2.0)); SIGNALS];
        let mut episode = Episode::begin(&scores, &numbers(&distances[0]), &distances[0], 39);
        let mut step = |distances: &Distances| {
            episode.step(&scores, &numbers(distances), &usual, distances, normal_after)
        };
        distances.iter().map(&mut step).collect()
    }

    #[test]
    fn a_spike_that_lasts_is_a_shift_and_then_normal() {
        use Course::{Accepted, Flagged, Over, Quiet};
        let off = |residual: f64| Distances { residual, recent: residual, ..NOTHING };
        let spike = [8.0, 1.9, -8.0, 1.0, 0.1].map(off);
        let over = [Flagged(Cause::Spike), Quiet, Quiet, Quiet, Over];
        assert_eq!(courses(SPIKE, &spike, 100), over);
        let shift = [8.0, 7.0, 9.0, 2.5, 8.0, 8.0].map(off);
        let [spike, shifted] = [Cause::Spike, Cause::Shift].map(Flagged);
        let accepted = [spike, spike, spike, shifted, shifted, Accepted(Cause::Shift)];
        assert_eq!(courses(SPIKE, &shift, 5), accepted);
    }

    #[test]
    fn a_level_that_was_reached_slowly_is_a_drift() {
        for (recent, cause) in [(0.1, Cause::Drift), (2.0, Cause::Shift)] {
            let level = Distances { recent, shift: 3.0, ..NOTHING };
            assert_eq!(courses(SHIFT, &[level], 5), [Course::Flagged(cause)], "{recent}");
        }
    }

    #[test]
    fn a_stuck_value_is_over_when_it_changes() {
        let run = |run: u32| Distances { run, ..NOTHING };
        let found = courses(STUCK, &[run(30), run(31), run(1)], 100);
        let stuck = Course::Flagged(Cause::Stuck);
        assert_eq!(found, [stuck, stuck, Course::Over]);
    }

    /// The pattern comes first; the level scores as soon as it is far enough off.
    #[test]
    fn a_pattern_that_turns_out_to_be_a_level_lasts_as_long_as_that() {
        let at = |shift: f64| Distances { residual: shift, recent: shift, shift, ..NOTHING };
        let usual = [Some(libm::log(2.0)); SIGNALS];
        let mut episode = Episode::begin(&[0.0; SIGNALS], &[0.0; SIGNALS], &NOTHING, 39);
        let mut step = |shift: f64| {
            let (mut scores, mut numbers) = ([0.0; SIGNALS], [0.0; SIGNALS]);
            (scores[SPIKE], scores[SHIFT]) = (60.0, if shift > 3.0 { 58.0 } else { 20.0 });
            numbers[SHIFT] = log(shift);
            episode.step(&scores, &numbers, &usual, &at(shift), 100)
        };
        let [pattern, shift] = [Cause::Pattern, Cause::Shift].map(Course::Flagged);
        let found = [1.0, 2.0, 4.0, 4.0, 4.0, 4.0, 1.0].map(&mut step);
        assert_eq!(found, [pattern, pattern, shift, shift, shift, shift, Course::Quiet]);
    }

    #[test]
    fn a_pattern_lasts_for_a_window_at_most() {
        let [new, quiet] = [Course::Flagged(Cause::Pattern), Course::Quiet];
        let found = courses(PATTERN, &[NOTHING; 7], 100);
        assert_eq!(found, [new, new, new, quiet, quiet, quiet, Course::Over]);
    }
}
