//! Opens and closes the episodes of anomalous readings of one variable. An episode opens after a
//! number of anomalous readings in a row (the on-delay). It closes after a number of normal ones
//! (the off-delay), or when the variable falls silent.
//!
//! It takes verdicts in the order of their datetimes. Its state follows from the verdicts alone,
//! and not from how they were divided into batches.

use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::point::{Point, cause_word};
use super::settings::VariableSettings;
use super::{Episode, EpisodeKind, Priority};
use crate::datetime::Datetime;

/// An episode that lasts this long has high priority, unless another is set. It is also when people
/// are told that it is still open.
pub(super) const LONG: Duration = Duration::from_secs(3600);

/// An episode has medium priority if two others began within this time before it.
const RECENT: Duration = Duration::from_secs(24 * 3600);

/// The state of one variable.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Machine {
    #[serde(rename = "p", default, skip_serializing_if = "Option::is_none")]
    phase: Option<Phase>,
    /// The begins of the last two episodes, the older one first.
    #[serde(rename = "b", default)]
    before: [Option<Datetime>; 2],
}

/// Not at rest.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
enum Phase {
    /// Anomalous readings in a row, fewer than the on-delay.
    #[serde(rename = "w")]
    Waiting(Episode, u32),
    /// An open episode, and the normal readings in a row since its last anomalous one.
    #[serde(rename = "o")]
    Open(Episode, u32),
}

impl Machine {
    /// Continues an open episode, or begins after those that began then.
    pub fn resume(open: Option<Episode>, before: [Option<Datetime>; 2]) -> Self {
        Self { phase: open.map(|episode| Phase::Open(episode, 0)), before }
    }

    /// The episode that is open.
    pub fn open(&self) -> Option<&Episode> {
        match &self.phase {
            Some(Phase::Open(episode, _)) => Some(episode),
            _ => None,
        }
    }

    pub fn open_mut(&mut self) -> Option<&mut Episode> {
        match &mut self.phase {
            Some(Phase::Open(episode, _)) => Some(episode),
            _ => None,
        }
    }

    /// Whether the readings so far have no influence on the next ones.
    pub fn is_at_rest(&self) -> bool {
        self.phase.is_none()
    }

    /// Whether there was no episode yet.
    pub fn is_new(&self) -> bool {
        *self == Self::default()
    }

    /// The begins of the last two episodes.
    pub fn before(&self) -> [Option<Datetime>; 2] {
        self.before
    }

    /// Takes the next reading, and returns the episode that it closes.
    pub fn step(
        &mut self,
        variable: &Arc<str>,
        point: &Point,
        settings: &VariableSettings,
    ) -> Option<Episode> {
        let counts = point.counts(settings);
        match (self.phase.take(), counts) {
            (None, false) | (Some(Phase::Waiting(..)), false) => None,
            (None, true) => {
                let mut episode = Episode::at(Arc::clone(variable), EpisodeKind::Anomaly, point.ds);
                absorb(&mut episode, point, 0);
                self.wait(episode, 1, settings);
                None
            }
            (Some(Phase::Waiting(mut episode, run)), true) => {
                absorb(&mut episode, point, 0);
                self.wait(episode, run.saturating_add(1), settings);
                None
            }
            (Some(Phase::Open(mut episode, normal)), true) => {
                absorb(&mut episode, point, normal);
                self.rank(&mut episode, settings);
                self.phase = Some(Phase::Open(episode, 0));
                None
            }
            (Some(Phase::Open(mut episode, normal)), false) => {
                if normal + 1 < settings.off_delay {
                    self.phase = Some(Phase::Open(episode, normal + 1));
                    return None;
                }
                episode.closed_at = Some(point.ds);
                Some(episode)
            }
        }
    }

    /// The variable has fallen silent. An open episode ends at this moment; one that has not opened
    /// yet is dropped.
    pub fn silence(&mut self, at: Datetime) -> Option<Episode> {
        match self.phase.take() {
            Some(Phase::Open(mut episode, _)) => {
                episode.closed_at = Some(at.max(episode.end));
                Some(episode)
            }
            _ => None,
        }
    }

    fn wait(&mut self, mut episode: Episode, run: u32, settings: &VariableSettings) {
        if run < settings.on_delay {
            self.phase = Some(Phase::Waiting(episode, run));
            return;
        }
        self.rank(&mut episode, settings);
        // It counts among those before from the next episode on.
        let begin = episode.begin;
        self.phase = Some(Phase::Open(episode, 0));
        self.before = [self.before[1], Some(begin)];
    }

    fn rank(&self, episode: &mut Episode, settings: &VariableSettings) {
        let older: Vec<Datetime> =
            self.before.iter().flatten().copied().filter(|begin| *begin < episode.begin).collect();
        let several = older.len() == 2 && older.iter().all(|begin| episode.begin.since(*begin) <= RECENT);
        // An episode that was ranked when it opened had both of them before it.
        let several = several || episode.priority == Priority::Medium;
        episode.priority = priority(episode, several, settings);
    }
}

/// How soon somebody should look at an episode.
pub(super) fn priority(episode: &Episode, several: bool, settings: &VariableSettings) -> Priority {
    match settings.priority {
        Some(set) => set,
        None if episode.end.since(episode.begin) >= LONG => Priority::High,
        None if several => Priority::Medium,
        None => Priority::Low,
    }
}

/// Adds an anomalous reading to the episode, and the normal ones between.
fn absorb(episode: &mut Episode, point: &Point, between: u32) {
    episode.readings += u64::from(between) + 1;
    episode.flagged += 1;
    episode.end = point.ds;
    if episode.peak_score.is_none_or(|peak| point.score > peak) {
        episode.peak_score = Some(point.score);
        episode.worst = Some(point.worst());
        episode.direction = Some(point.direction());
        episode.cause = point.cause.map(|cause| cause_word(cause).to_owned()).or(episode.cause.take());
    } else if episode.cause.is_none() {
        episode.cause = point.cause.map(|cause| cause_word(cause).to_owned());
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::episode::Direction;

    fn at(minute: i64) -> Datetime {
        Datetime::from_micros(minute * 60_000_000)
    }

    /// `.` is a normal reading, a digit an anomalous one of that score, a blank none; one a minute.
    fn run(readings: &str, settings: &VariableSettings) -> (Vec<Episode>, Machine) {
        let (mut machine, mut closed) = (Machine::default(), Vec::new());
        for (minute, reading) in readings.chars().enumerate().filter(|(_, c)| *c != ' ') {
            let score = reading.to_digit(10).map(f64::from);
            let point = Point {
                ds: at(minute as i64),
                y: 10.0 + score.unwrap_or(0.0),
                yhat: 10.0,
                score: score.unwrap_or(0.0),
                anomaly: score.is_some(),
                cause: None,
            };
            closed.extend(machine.step(&"T".into(), &point, settings));
        }
        (closed, machine)
    }

    type Seen = (i64, i64, Option<i64>, u64, u64, f64);

    fn seen(episode: &Episode) -> Seen {
        let minute = |at: Datetime| at.micros() / 60_000_000;
        let Episode { begin, end, closed_at, readings, flagged, peak_score, .. } = episode;
        (
            minute(*begin),
            minute(*end),
            closed_at.map(minute),
            *readings,
            *flagged,
            peak_score.unwrap_or_default(),
        )
    }

    #[test]
    fn episodes_open_and_close_after_their_delays() {
        for (on, off, readings, closed, open) in [
            (1, 2, "....", vec![], None),
            (1, 2, "..5..", vec![(2, 2, Some(4), 1, 1, 5.0)], None),
            (1, 2, "..5.", vec![], Some((2, 2, None, 1, 1, 5.0))),
            (1, 2, "3.7..2..", vec![(0, 2, Some(4), 3, 2, 7.0), (5, 5, Some(7), 1, 1, 2.0)], None),
            // Gaps are no readings, neither anomalous nor normal.
            (1, 2, "3  .  7 .  .", vec![(0, 6, Some(11), 3, 2, 7.0)], None),
            (1, 1, "3.7.", vec![(0, 0, Some(1), 1, 1, 3.0), (2, 2, Some(3), 1, 1, 7.0)], None),
            (3, 2, "33.33.", vec![], None),
            (3, 2, "33.345..", vec![(3, 5, Some(7), 3, 3, 5.0)], None),
            (3, 2, ".999", vec![], Some((1, 3, None, 3, 3, 9.0))),
            // The first of equals is the worst.
            (1, 2, "4949.", vec![], Some((0, 3, None, 4, 4, 9.0))),
        ] {
            let settings = VariableSettings { on_delay: on, off_delay: off, ..VariableSettings::default() };
            let (found, machine) = run(readings, &settings);
            assert_eq!(found.iter().map(seen).collect::<Vec<_>>(), closed, "{readings}");
            assert_eq!(machine.open().map(seen), open, "{readings}");
        }
        let (_, machine) = run("4949.", &VariableSettings::default());
        assert_eq!(machine.open().and_then(|open| open.worst).map(|worst| worst.ds), Some(at(1)));
    }

    #[test]
    fn what_does_not_count_is_normal() {
        let only = |direction, minimum_deviation| VariableSettings {
            direction,
            minimum_deviation,
            ..VariableSettings::default()
        };
        use crate::episode::settings::Side;
        for (settings, opened) in [
            (only(Side::Above, 0.0), true),
            (only(Side::Both, 5.0), true),
            (only(Side::Below, 0.0), false),
            (only(Side::Both, 5.1), false),
        ] {
            let (_, machine) = run("5", &settings);
            assert_eq!(machine.open().map(|open| open.direction), opened.then_some(Some(Direction::Above)));
        }
    }

    #[test]
    fn priorities_are_by_length_and_by_how_many_there_were() {
        let settings = VariableSettings::default();
        let ranks = |readings: &str, settings: &VariableSettings| {
            let (mut closed, machine) = run(readings, settings);
            closed.extend(machine.open().cloned());
            closed.iter().map(|episode| episode.priority).collect::<Vec<_>>()
        };
        use Priority::{High, Low, Medium};
        assert_eq!(ranks("5..5..5..5.5..", &settings), [Low, Low, Medium, Medium]);
        let day = " ".repeat(24 * 60);
        assert_eq!(ranks(&format!("5..5..{day}5.."), &settings), [Low, Low, Low]);
        assert_eq!(ranks(&"5".repeat(60), &settings), [Low]);
        assert_eq!(ranks(&"5".repeat(61), &settings), [High]);
        let set = VariableSettings { priority: Some(Medium), ..VariableSettings::default() };
        assert_eq!(ranks(&"5".repeat(61), &set), [Medium]);
    }

    #[test]
    fn silence_closes_what_is_open() {
        let (_, mut machine) = run("55", &VariableSettings::default());
        assert_eq!(machine.silence(at(30)).as_ref().map(seen), Some((0, 1, Some(30), 2, 2, 5.0)));
        assert!(machine.is_at_rest());
        let waits = VariableSettings { on_delay: 3, ..VariableSettings::default() };
        let (_, mut machine) = run("55", &waits);
        assert_eq!((machine.silence(at(30)), machine.is_at_rest()), (None, true));
    }
}
