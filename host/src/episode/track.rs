//! What is remembered of one variable from reading to reading: the state of its episodes, the usual
//! time between readings, and for how long its value stays the same.
//!
//! It follows from the readings in the order of their datetimes alone, and not from how they were
//! divided into batches.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::machine::{Machine, priority};
use super::mend::Mended;
use super::past_states::CurrentRun;
use super::point::Point;
use super::settings::{StateDelay, VariableSettings};
use super::state_limits::{StateLimits, StuckLimit, extend_stuck, value_key};
use super::{Episode, EpisodeKind, OpenRow};
use crate::datetime::Datetime;

/// A variable is silent after this many times its usual spacing without a reading.
const SILENT_SPACINGS: i64 = 10;

/// Silence is recognised only after this many spacings.
const SPACINGS_LEARNT: u32 = 20;

/// A value is stuck if it stays for longer than this many times the longest run before.
const STUCK_STRETCHES: i64 = 2;

/// A stuck value is recognised only after this many runs of equal values, and this many readings of
/// the current one.
const STRETCHES_LEARNT: u32 = 20;
const STUCK_READINGS: u64 = 10;

/// One variable.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Track {
    /// The last reading that was judged in its order.
    #[serde(rename = "l", with = "micros")]
    pub(super) last: Datetime,
    /// The last reading of all, judged or not.
    #[serde(rename = "h", with = "micros")]
    pub(super) heard: Datetime,
    #[serde(rename = "m", default, skip_serializing_if = "Machine::is_new")]
    pub(super) machine: Machine,
    /// The bits of the last value, the first reading with it, and the number of readings with it.
    #[serde(rename = "v")]
    value: u64,
    #[serde(rename = "s", with = "micros")]
    since: Datetime,
    #[serde(rename = "n")]
    same: u64,
    /// The longest run of equal values, in microseconds, and the number of runs.
    #[serde(rename = "x")]
    longest: i64,
    #[serde(rename = "r")]
    stretches: u32,
    /// When that longest run was over, and the longest before it.
    #[serde(rename = "e", with = "micros", default = "never", skip_serializing_if = "is_never")]
    longest_at: Datetime,
    #[serde(rename = "o", default, skip_serializing_if = "is_zero")]
    longest_before: i64,
    /// The usual time between two readings, in microseconds, and how many were seen.
    #[serde(rename = "g")]
    spacing: i64,
    #[serde(rename = "k")]
    spacings: u32,
    /// Whether its value is stuck now.
    #[serde(rename = "t", default, skip_serializing_if = "Option::is_none")]
    pub(super) stuck: Option<Episode>,
    /// Whether it is silent now.
    #[serde(rename = "q", default, skip_serializing_if = "Option::is_none")]
    pub(super) silent: Option<Episode>,
}

impl Track {
    /// Begins before its first reading, which `step` takes.
    pub(super) fn begin(first: &Point) -> Self {
        Self {
            last: Datetime::from_micros(i64::MIN),
            heard: first.ds,
            machine: Machine::default(),
            value: value_key(first.y),
            since: first.ds,
            same: 0,
            longest: 0,
            stretches: 0,
            longest_at: never(),
            longest_before: 0,
            spacing: 0,
            spacings: 0,
            stuck: None,
            silent: None,
        }
    }

    /// Continues after readings that another process has judged, of which `last` is the last.
    pub(super) fn after(last: Datetime) -> Self {
        let point = Point { ds: last, y: f64::NAN, yhat: 0.0, score: 0.0, anomaly: false, cause: None };
        Self { last, ..Self::begin(&point) }
    }

    /// Continues an open episode whose variable is not remembered.
    pub(super) fn resume(open: Episode) -> Self {
        let mut track = Self::after(open.end);
        match open.kind {
            EpisodeKind::Silent => track.silent = Some(open),
            EpisodeKind::Stuck => track.stuck = Some(open),
            _ => track.machine = Machine::resume(Some(open), [None; 2]),
        }
        track
    }

    /// Takes over what the rows of the table say is open.
    pub(super) fn adopt(
        &mut self,
        anomaly: Option<Episode>,
        silent: Option<Episode>,
        stuck: Option<Episode>,
    ) {
        match (self.machine.open_mut(), anomaly) {
            (Some(open), Some(row)) if open.begin == row.begin => *open = row,
            (None, None) => {}
            (_, row) => self.machine = Machine::resume(row, self.machine.before()),
        }
        (self.silent, self.stuck) = (silent, stuck);
    }

    /// Takes over a silence or a stuck value.
    pub(super) fn adopt_state(&mut self, kind: EpisodeKind, open: Option<Episode>) {
        match kind {
            EpisodeKind::Silent => self.silent = open,
            EpisodeKind::Stuck => self.stuck = open,
            EpisodeKind::Anomaly | EpisodeKind::Service | EpisodeKind::Shelved => {}
        }
    }

    /// The open episode of this kind.
    pub(super) fn open(&self, kind: EpisodeKind) -> Option<&Episode> {
        match kind {
            EpisodeKind::Anomaly => self.machine.open(),
            EpisodeKind::Silent => self.silent.as_ref(),
            EpisodeKind::Stuck => self.stuck.as_ref(),
            EpisodeKind::Service | EpisodeKind::Shelved => None,
        }
    }

    pub(super) fn open_mut(&mut self, kind: EpisodeKind) -> Option<&mut Episode> {
        match kind {
            EpisodeKind::Anomaly => self.machine.open_mut(),
            EpisodeKind::Silent => self.silent.as_mut(),
            EpisodeKind::Stuck => self.stuck.as_mut(),
            EpisodeKind::Service | EpisodeKind::Shelved => None,
        }
    }

    /// After how long without a reading it is silent; None if that is not known yet, or never. A
    /// learnt time is not shorter than `least`.
    pub(super) fn silent_after(&self, settings: &VariableSettings, least: Duration) -> Option<Duration> {
        match settings.silent_after {
            StateDelay::Never => None,
            StateDelay::Set(after) => Some(after),
            StateDelay::Learnt if self.spacings < SPACINGS_LEARNT => None,
            StateDelay::Learnt => {
                let learnt = self.spacing.saturating_mul(SILENT_SPACINGS);
                Some(Duration::from_micros(learnt.unsigned_abs()).max(least))
            }
        }
    }

    /// For how long its value may stay the same.
    fn stuck_limit(&self, settings: &VariableSettings) -> Option<StuckLimit> {
        let learnt =
            |longest: i64| Duration::from_micros(longest.saturating_mul(STUCK_STRETCHES).unsigned_abs());
        match settings.stuck_after {
            StateDelay::Never => None,
            StateDelay::Set(after) => Some(StuckLimit { after, readings: 0, before: (never(), after) }),
            StateDelay::Learnt if self.stretches < STRETCHES_LEARNT => None,
            StateDelay::Learnt => Some(StuckLimit {
                after: learnt(self.longest),
                readings: STUCK_READINGS,
                before: (self.longest_at, learnt(self.longest_before)),
            }),
        }
    }

    /// After how long it is silent or stuck.
    pub(super) fn limits(&self, settings: &VariableSettings, least: Duration) -> StateLimits {
        StateLimits { silent: self.silent_after(settings, least), stuck: self.stuck_limit(settings) }
    }

    /// Goes on after its past was evaluated again. `rows`: of the kinds that were evaluated up to
    /// the last reading, the row that is open, if any.
    pub(super) fn resume_after(&mut self, mended: Mended, rows: &mut BTreeMap<EpisodeKind, Option<OpenRow>>) {
        let Mended { live, stuck, run, is_heard, last, .. } = mended;
        if let Some((machine, row)) = live {
            self.machine = machine;
            rows.insert(EpisodeKind::Anomaly, row);
        }
        if let Some(stuck) = stuck {
            rows.insert(EpisodeKind::Stuck, stuck.as_ref().and_then(|(_, row)| *row));
            self.stuck = stuck.map(|(episode, _)| episode);
        }
        if let Some(run) = run {
            self.resume_run(run);
        }
        if is_heard {
            self.silent = None;
        }
        // Another process may have judged readings since.
        self.last = self.last.max(last.unwrap_or(self.last));
    }

    pub(super) fn resume_run(&mut self, run: CurrentRun) {
        let CurrentRun { value, since, readings } = run;
        (self.value, self.since, self.same) = (value, since, readings);
    }

    /// Takes the next reading, which is later than the last. Returns the episodes that it closes.
    pub(super) fn step(
        &mut self,
        variable: &Arc<str>,
        point: &Point,
        settings: &VariableSettings,
        least: Duration,
    ) -> Vec<Episode> {
        let mut closed = Vec::new();
        let is_first = self.same == 0;
        let gap = if is_first { Duration::ZERO } else { point.ds.since(self.last) };
        let limit = self.silent_after(settings, least).filter(|_| !is_first);
        let was_silent = limit.is_some_and(|limit| gap > limit);
        if was_silent {
            let at = self.last.later(limit.unwrap_or_default());
            closed.extend(self.machine.silence(at));
            closed.extend(self.unstick(at));
            let silent = self.silent.take();
            let found = || Episode::at(Arc::clone(variable), EpisodeKind::Silent, self.last);
            closed.push(spoken(silent.unwrap_or_else(found), point.ds, settings));
            (self.since, self.same, self.value) = (point.ds, 0, value_key(point.y));
        } else if let Some(silent) = self.silent.take() {
            // Its readings only came late: by the plant's clock it was never silent.
            closed.push(spoken(silent, point.ds, settings));
        }
        if !was_silent && !is_first {
            self.learn_spacing(i64::try_from(gap.as_micros()).unwrap_or(i64::MAX));
        }
        closed.extend(self.take_value(variable, point, settings));
        closed.extend(self.machine.step(variable, point, settings));
        self.last = point.ds;
        self.heard = self.heard.max(point.ds);
        closed
    }

    /// Begins or extends a silence, which dates from the last reading. Returns the episodes that it
    /// closes.
    pub(super) fn fall_silent(
        &mut self,
        variable: &Arc<str>,
        limit: Duration,
        now: Datetime,
        settings: &VariableSettings,
    ) -> Vec<Episode> {
        let closed = self.end_in_silence(limit);
        let mut silent = Episode::at(Arc::clone(variable), EpisodeKind::Silent, self.heard);
        silent.end = now;
        silent.priority = priority(&silent, false, settings);
        self.silent = Some(silent);
        closed
    }

    /// Ends what is open, unless there are readings that are not judged.
    pub(super) fn end_in_silence(&mut self, limit: Duration) -> Vec<Episode> {
        if self.heard > self.last {
            return Vec::new();
        }
        let at = self.last.later(limit);
        self.machine.silence(at).into_iter().chain(self.unstick(at)).collect()
    }

    /// An approximation of the median: it moves by an eighth towards each spacing.
    fn learn_spacing(&mut self, gap: i64) {
        self.spacing = match self.spacings {
            0 => gap,
            _ if gap > self.spacing => gap.min(self.spacing + self.spacing / 8 + 1),
            _ => gap.max(self.spacing - self.spacing / 8 - 1),
        };
        self.spacings = self.spacings.saturating_add(1).min(1000);
    }

    fn take_value(
        &mut self,
        variable: &Arc<str>,
        point: &Point,
        settings: &VariableSettings,
    ) -> Option<Episode> {
        let value = value_key(point.y);
        if self.same > 0 && self.value != value {
            let closed = self.unstick(point.ds);
            let length = self.last.micros().saturating_sub(self.since.micros());
            if length > self.longest {
                (self.longest_before, self.longest_at) = (self.longest, point.ds);
                self.longest = length;
            }
            self.stretches = self.stretches.saturating_add(1).min(1000);
            (self.value, self.since, self.same) = (value, point.ds, 1);
            return closed;
        }
        (self.value, self.same) = (value, self.same + 1);
        let limit = self.stuck_limit(settings);
        if self.stuck.is_none() && limit.is_some_and(|limit| limit.is_stuck(self.since, point.ds, self.same))
        {
            self.stuck = Some(Episode::at(Arc::clone(variable), EpisodeKind::Stuck, self.since));
        }
        if let Some(stuck) = &mut self.stuck {
            extend_stuck(stuck, point.ds, point.y, self.same, settings);
        }
        None
    }

    /// The value has changed, or the variable has fallen silent.
    fn unstick(&mut self, at: Datetime) -> Option<Episode> {
        let stuck = self.stuck.take()?;
        Some(Episode { closed_at: Some(at.max(stuck.end)), ..stuck })
    }
}

/// Before all readings.
fn never() -> Datetime {
    Datetime::from_micros(i64::MIN)
}

fn is_never(at: &Datetime) -> bool {
    *at == never()
}

fn is_zero(number: &i64) -> bool {
    *number == 0
}

/// Datetimes as plain numbers, which are short: there are three for each variable.
mod micros {
    use serde::{Deserialize, Deserializer, Serializer};

    use crate::datetime::Datetime;

    pub(super) fn serialize<S: Serializer>(at: &Datetime, to: S) -> Result<S::Ok, S::Error> {
        to.serialize_i64(at.micros())
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Datetime, D::Error> {
        i64::deserialize(from).map(Datetime::from_micros)
    }
}

/// A silence that has ended.
fn spoken(mut silent: Episode, at: Datetime, settings: &VariableSettings) -> Episode {
    silent.end = at.max(silent.begin);
    silent.closed_at = Some(silent.end);
    silent.priority = priority(&silent, false, settings);
    silent
}

#[cfg(test)]
mod tests {
    use super::*;

    const LEAST: Duration = Duration::from_secs(60);

    fn at(second: i64) -> Datetime {
        Datetime::from_micros(second * 1_000_000)
    }

    fn point(second: i64, y: f64) -> Point {
        Point { ds: at(second), y, yhat: y, score: 0.0, anomaly: false, cause: None }
    }

    type Seen = (EpisodeKind, i64, i64, Option<i64>, u64);

    fn seen(episode: &Episode) -> Seen {
        let second = |at: Datetime| at.micros() / 1_000_000;
        let Episode { kind, begin, end, closed_at, readings, .. } = episode;
        (*kind, second(*begin), second(*end), closed_at.map(second), *readings)
    }

    /// Readings at these seconds.
    fn run(points: impl IntoIterator<Item = Point>, settings: &VariableSettings) -> (Vec<Seen>, Track) {
        let mut points = points.into_iter().peekable();
        let mut track = Track::begin(points.peek().unwrap_or(&point(0, 0.0)));
        let mut closed = Vec::new();
        for point in points {
            closed.extend(track.step(&"T".into(), &point, settings, LEAST).iter().map(seen));
        }
        (closed, track)
    }

    /// A reading every ten seconds, each with another value.
    fn lively(from: i64, readings: i64) -> impl Iterator<Item = Point> {
        (0..readings).map(move |n| point(from + 10 * n, n as f64))
    }

    #[test]
    fn a_gap_of_ten_usual_spacings_is_silence_once_they_are_known() {
        let settings = VariableSettings::default();
        for (why, known, gap, silent) in [
            ("too few were seen", 15, 1000, false),
            ("as long as may be", 30, 100, false),
            ("longer", 30, 101, true),
        ] {
            let last = 10 * (known - 1);
            let (closed, _) = run(lively(0, known).chain([point(last + gap, 1.5)]), &settings);
            let expected = (EpisodeKind::Silent, last, last + gap, Some(last + gap), 0);
            assert_eq!(closed, if silent { vec![expected] } else { vec![] }, "{why}");
        }
        let set = |after| VariableSettings { silent_after: after, ..VariableSettings::default() };
        let gap = || [point(0, 1.0), point(31, 2.0)];
        let after = StateDelay::Set(Duration::from_secs(30));
        assert_eq!(run(gap(), &set(after)).0, [(EpisodeKind::Silent, 0, 31, Some(31), 0)]);
        assert_eq!(run(lively(0, 40).chain([point(9000, 0.5)]), &set(StateDelay::Never)).0, []);
        // Readings every second are no reason to call a minute silence.
        let fast = (0..40).map(|second| point(second, second as f64));
        let (_, track) = run(fast, &settings);
        assert_eq!(track.silent_after(&settings, LEAST), Some(LEAST));
    }

    #[test]
    fn by_the_clock_it_is_silent_until_a_reading_comes() {
        let settings = VariableSettings::default();
        let (_, mut track) = run(lively(0, 30), &settings);
        let limit = track.silent_after(&settings, LEAST).unwrap_or_default();
        assert_eq!(track.fall_silent(&"T".into(), limit, at(500), &settings), []);
        assert_eq!(track.silent.as_ref().map(seen), Some((EpisodeKind::Silent, 290, 500, None, 0)));
        let mut late = track.clone();
        let closed = track.step(&"T".into(), &point(600, 1.0), &settings, LEAST);
        assert_eq!(
            closed.iter().map(seen).collect::<Vec<_>>(),
            [(EpisodeKind::Silent, 290, 600, Some(600), 0)]
        );
        let closed = late.step(&"T".into(), &point(300, 1.0), &settings, LEAST);
        assert_eq!(
            closed.iter().map(seen).collect::<Vec<_>>(),
            [(EpisodeKind::Silent, 290, 300, Some(300), 0)]
        );
        assert_eq!(late.silent, None);
    }

    #[test]
    fn a_value_that_stays_twice_as_long_as_ever_is_stuck() {
        let settings = VariableSettings::default();
        // Stretches of three readings: twenty seconds each.
        let steps = |stretches: i64| (0..3 * stretches).map(|n| point(10 * n, (n / 3) as f64));
        let still = |from: i64, readings: i64| (0..readings).map(move |n| point(from + 10 * n, -1.0));
        for (why, stretches, readings, stuck) in [
            ("too few stretches", 15, 40, None),
            ("too few readings", 40, 9, None),
            ("longer than ever", 40, 10, Some((EpisodeKind::Stuck, 1200, 1290, None, 10))),
        ] {
            let from = 30 * stretches;
            let (closed, track) = run(steps(stretches).chain(still(from, readings)), &settings);
            assert_eq!((closed, track.stuck.as_ref().map(seen)), (vec![], stuck), "{why}");
        }
        let readings = steps(40).chain(still(1200, 12)).chain([point(1320, 5.0)]);
        assert_eq!(run(readings, &settings).0, [(EpisodeKind::Stuck, 1200, 1310, Some(1320), 12)]);
        // What never changes is not stuck; what is set is.
        assert_eq!(run(still(0, 500), &settings).1.stuck, None);
        let after = StateDelay::Set(Duration::from_secs(30));
        let set = VariableSettings { stuck_after: after, ..VariableSettings::default() };
        let (_, track) = run(still(0, 5), &set);
        assert_eq!(track.stuck.as_ref().map(seen), Some((EpisodeKind::Stuck, 0, 40, None, 5)));
        let never = VariableSettings { stuck_after: StateDelay::Never, ..VariableSettings::default() };
        assert_eq!(run(steps(40).chain(still(1200, 50)), &never).1.stuck, None);
    }
}
