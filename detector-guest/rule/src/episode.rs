//! How long it lasts: from an alarm on until the variable is back, or until what lasts is normal.
//!
//! The alarm leaves a distance: how far the number that explains it stands from what is usual. A
//! reading is flagged while that distance is more than half of what it was. Where nothing explains
//! an alarm but the pattern, while the pattern would still come less often than ten times the
//! budget.

use serde::{Deserialize, Serialize};

use crate::signals::{DRIFT, Distances, PATTERN, SHIFT, SIGNALS, SPIKE, STUCK, VARIANCE};
use crate::verdict::Cause;

/// A signal that scores less than this explains nothing: it comes thirty times as often as its
/// alarms may.
const EXPLAINS: f64 = 35.0;

/// A pattern is still there while it would not come ten times as often as its alarms may.
const STILL_NEW: f64 = 40.0;

/// Of a shift that came suddenly, the last readings' part is more than this.
const SUDDEN: f64 = 0.5;

/// So many readings in a row as far off as a spike are a shift.
const SHIFTED: u32 = 4;

/// An episode is over after so many readings that are not flagged.
const QUIET: u32 = 4;

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Episode {
    signal: u32,
    /// The distance at the alarm.
    distance: f64,
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
    pub(crate) fn begin(scores: &[f64; SIGNALS], distances: &Distances) -> Self {
        // A value that does not change varies less too, and a shift begins as a spike.
        let order = [STUCK, SPIKE, SHIFT, DRIFT, VARIANCE];
        let best =
            order.into_iter().reduce(|best, next| if scores[next] > scores[best] { next } else { best });
        let stuck = scores[STUCK] >= EXPLAINS && distances.run > 1;
        let signal = match best {
            _ if stuck => STUCK,
            Some(best) if scores[best] >= EXPLAINS => best,
            _ => PATTERN,
        };
        let distance = distance(signal, distances);
        let slow = distances.recent.abs() < SUDDEN * distances.shift.abs();
        Self { signal: signal as u32, distance, readings: 0, flagged: 0, quiet: 0, shifted: false, slow }
    }

    /// The next reading, the alarm's own included.
    pub(crate) fn step(
        &mut self,
        scores: &[f64; SIGNALS],
        distances: &Distances,
        normal_after: u32,
    ) -> Course {
        let signal = self.signal as usize;
        let out = match signal {
            PATTERN => scores[PATTERN] >= STILL_NEW,
            STUCK => distances.run > 1,
            _ => distance(signal, distances) / self.distance > 0.5,
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

    fn cause(&self) -> Cause {
        match self.signal as usize {
            SPIKE if !self.shifted => Cause::Spike,
            SHIFT | DRIFT if self.slow => Cause::Drift,
            SPIKE | SHIFT | DRIFT => Cause::Shift,
            VARIANCE => Cause::Variance,
            STUCK => Cause::Stuck,
            _ => Cause::Pattern,
        }
    }

    pub(crate) fn is_sound(&self) -> bool {
        (self.signal as usize) < SIGNALS
    }
}

fn distance(signal: usize, distances: &Distances) -> f64 {
    match signal {
        SPIKE => distances.residual,
        SHIFT => distances.shift,
        DRIFT => distances.drift,
        VARIANCE => distances.spread,
        _ => 0.0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOTHING: Distances =
        Distances { residual: 0.0, recent: 0.0, shift: 0.0, drift: 0.0, spread: 0.0, run: 1 };

    /// The courses of readings with these distances; the first is the alarm's.
    fn courses(signal: usize, distances: &[Distances], normal_after: u32) -> Vec<Course> {
        let mut scores = [0.0; SIGNALS];
        scores[signal] = 60.0;
        let mut episode = Episode::begin(&scores, &distances[0]);
        distances.iter().map(|distances| episode.step(&scores, distances, normal_after)).collect()
    }

    #[test]
    fn a_spike_that_lasts_is_a_shift_and_then_normal() {
        use Course::{Accepted, Flagged, Over, Quiet};
        let off = |residual: f64| Distances { residual, recent: residual, ..NOTHING };
        let spike = [8.0, 3.9, -8.0, 1.0, 0.0].map(off);
        let over = [Flagged(Cause::Spike), Quiet, Quiet, Quiet, Over];
        assert_eq!(courses(SPIKE, &spike, 100), over);
        let shift = [8.0, 7.0, 9.0, 5.0, 8.0, 8.0].map(off);
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

    #[test]
    fn a_pattern_lasts_while_it_is_new() {
        let found = courses(PATTERN, &[NOTHING; 3], 100);
        assert_eq!(found, [Course::Flagged(Cause::Pattern); 3]);
    }
}
