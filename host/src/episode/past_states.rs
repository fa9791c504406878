//! Silences and stuck values of the past of one variable, evaluated again after late or new
//! verdicts.
//!
//! Pure. Only what a new reading touches is decided again: the times between it and its neighbours,
//! and the runs of equal values that it extends, divides or ends. Everything else stays as it was
//! found at its time, because what was learnt by then is not known any more.

use std::sync::Arc;
use std::time::Duration;

use super::point::Point;
use super::settings::VariableSettings;
use super::state_limits::{StateLimits, extend_stuck, value_key};
use super::{Episode, EpisodeKind, StoredEpisode, machine};
use crate::datetime::Datetime;

/// Where the evaluation begins.
#[derive(Clone, Copy, Debug)]
pub struct RunStart {
    pub from: Datetime,
    /// Whether the run of equal values at this datetime begins there. If not, it is left alone.
    pub is_known: bool,
}

/// A range all of whose readings were looked at. Elsewhere there may be readings that were never
/// judged, so that their absence means nothing.
pub type LookedAt = (Datetime, Datetime);

/// A run of equal values that has not ended.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct CurrentRun {
    pub(super) value: u64,
    pub(super) since: Datetime,
    pub(super) readings: u64,
}

/// The evaluation.
#[derive(Debug)]
pub(super) struct PastStates {
    variable: Arc<str>,
    settings: Arc<VariableSettings>,
    limits: StateLimits,
    start: RunStart,
    /// A silence where there was none is only found within one of these ranges.
    looked_at: [LookedAt; 2],
    /// The last reading, and whether it is new.
    last: Option<(Datetime, bool)>,
    /// Whether the last reading or the one before it is new.
    is_pair_new: bool,
    run: Option<Run>,
    old: Vec<StoredEpisode>,
    /// From one reading to the next, where one of them is new.
    new_gaps: Vec<(Datetime, Datetime)>,
    /// From the first to the last reading of runs that are not as they were.
    new_runs: Vec<(Datetime, Datetime)>,
    found: Vec<Episode>,
    is_done: bool,
}

#[derive(Debug)]
struct Run {
    value: u64,
    y: f64,
    since: Datetime,
    end: Datetime,
    readings: u64,
    is_known: bool,
    is_new: bool,
}

/// The result, for each kind the rows that may have changed and what there is in their place.
pub(super) struct StatesFound {
    pub(super) silent_rows: Vec<StoredEpisode>,
    pub(super) silent: Vec<Episode>,
    pub(super) stuck_rows: Vec<StoredEpisode>,
    pub(super) stuck: Vec<Episode>,
    /// The value that is stuck now. None: the current run is as it was, or was not evaluated.
    pub(super) stuck_now: Option<Option<Episode>>,
    /// None: it is as it was, or not known.
    pub(super) run: Option<CurrentRun>,
}

impl PastStates {
    pub(super) fn new(
        variable: Arc<str>,
        settings: Arc<VariableSettings>,
        limits: StateLimits,
        old: Vec<StoredEpisode>,
        start: RunStart,
        looked_at: [LookedAt; 2],
    ) -> Self {
        Self {
            variable,
            settings,
            limits,
            start,
            looked_at,
            last: None,
            is_pair_new: false,
            run: None,
            old,
            new_gaps: Vec::new(),
            new_runs: Vec::new(),
            found: Vec::new(),
            is_done: limits.are_unknown(),
        }
    }

    /// Goes on after the last reading of an earlier evaluation, with the run that it was in.
    pub(super) fn after(mut self, last: Datetime, run: CurrentRun) -> Self {
        let CurrentRun { value, since, readings } = run;
        self.start = RunStart { from: last.later(Duration::from_micros(1)), is_known: true };
        self.last = Some((last, false));
        let y = f64::from_bits(value);
        self.run = Some(Run { value, y, since, end: last, readings, is_known: true, is_new: false });
        self
    }

    /// The first datetime whose verdicts are needed; None if none are.
    pub(super) fn from(&self) -> Option<Datetime> {
        (!self.limits.are_unknown()).then_some(self.start.from)
    }

    pub(super) fn is_done(&self) -> bool {
        self.is_done
    }

    /// Whether everything after this stored reading is as it was, if no later one is new.
    pub(super) fn settle(&mut self) {
        let is_run_new = self.run.as_ref().is_some_and(|run| run.is_new) && self.limits.stuck.is_some();
        self.is_done |= self.last.is_some() && !self.is_pair_new && !is_run_new;
    }

    /// Takes the next reading.
    pub(super) fn step(&mut self, point: &Point, is_new: bool) {
        if self.is_done || point.ds < self.start.from {
            return;
        }
        let value = value_key(point.y);
        let last = self.last.replace((point.ds, is_new));
        self.is_pair_new = is_new || last.is_some_and(|(_, is_new)| is_new);
        let silence = last.and_then(|(last, _)| {
            let limit = self.limits.silent.filter(|limit| point.ds.since(last) > *limit)?;
            Some(last.later(limit))
        });
        if let Some((last, _)) = last
            && self.is_pair_new
            && self.limits.silent.is_some()
        {
            self.new_gaps.push((last, point.ds));
            self.look_for_silence(last, point.ds);
        }
        if let (Some(run), None) = (&mut self.run, silence)
            && run.value == value
        {
            (run.end, run.readings, run.is_new) = (point.ds, run.readings + 1, run.is_new || is_new);
            return;
        }
        let is_first = last.is_none();
        self.end_run(silence.unwrap_or(point.ds));
        self.run = Some(Run {
            value,
            y: point.y,
            since: point.ds,
            end: point.ds,
            readings: 1,
            is_known: !is_first || self.start.is_known,
            is_new: self.is_pair_new,
        });
    }

    /// Between two readings, of which one is new.
    fn look_for_silence(&mut self, last: Datetime, next: Datetime) {
        let Some(limit) = self.limits.silent else { return };
        let rows = || self.old.iter().filter(|row| is_silence_within(row, last, next));
        // A reading without a verdict was heard at the begin of the row.
        let begin = rows().map(|row| row.episode.begin).fold(last, Datetime::max);
        let was_looked_at = self.looked_at.iter().any(|(from, to)| *from <= last && next < *to);
        if next.since(begin) > limit && (was_looked_at || rows().next().is_some()) {
            let mut silent = Episode::at(Arc::clone(&self.variable), EpisodeKind::Silent, begin);
            (silent.end, silent.closed_at) = (next, Some(next));
            silent.priority = machine::priority(&silent, false, &self.settings);
            self.found.push(silent);
        }
    }

    fn end_run(&mut self, at: Datetime) {
        let Some(mut run) = self.run.take() else { return };
        run.is_new |= self.is_pair_new;
        if let Some(mut stuck) = self.evaluate(&run).flatten() {
            stuck.closed_at = Some(at.max(stuck.end));
            self.found.push(stuck);
        }
    }

    /// Whether a run is stuck. None: it is as it was, or its begin is not known.
    fn evaluate(&mut self, run: &Run) -> Option<Option<Episode>> {
        let limit = self.limits.stuck?;
        if !run.is_new || !run.is_known {
            return None;
        }
        self.new_runs.push((run.since, run.end));
        Some(limit.is_stuck(run.since, run.end, run.readings).then(|| {
            let mut stuck = Episode::at(Arc::clone(&self.variable), EpisodeKind::Stuck, run.since);
            extend_stuck(&mut stuck, run.end, run.y, run.readings, &self.settings);
            stuck
        }))
    }

    /// Whether the variable was found silent, and is since its last reading. `next`: the reading that
    /// comes after it.
    pub(super) fn is_silent(&self, next: Option<Datetime>, now: Datetime) -> bool {
        let Some((last, _)) = self.last else { return false };
        let is_open = |row: &&StoredEpisode| row.episode.kind == EpisodeKind::Silent && row.episode.is_open();
        let Some(row) = self.old.iter().find(is_open) else { return false };
        let is_still = || self.limits.silent.is_some_and(|limit| now.since(last) > limit);
        if row.episode.begin < last { next.is_none() && is_still() } else { !self.is_disproved(next) }
    }

    /// Whether the next reading came too soon after the last one for a silence.
    fn is_disproved(&self, next: Option<Datetime>) -> bool {
        let (Some((last, _)), Some(next), Some(limit)) = (self.last, next, self.limits.silent) else {
            return false;
        };
        next.since(last) <= limit
    }

    /// Ends after the last verdict.
    pub(super) fn finish(mut self, next: Option<Datetime>, now: Datetime) -> StatesFound {
        let (mut stuck_now, mut current) = (None, None);
        if let (false, Some((last, _))) = (self.is_done, self.last) {
            if self.is_disproved(next) {
                self.new_gaps.push((last, Datetime::from_micros(i64::MAX)));
                // The silence may have ended the run, which goes on.
                self.run.iter_mut().for_each(|run| run.is_new = true);
            }
            let is_silent = self.is_silent(next, now);
            // What comes next is another's to evaluate.
            self.is_pair_new = false;
            if let Some(Run { value, since, readings, is_known: true, .. }) = self.run {
                current = Some(CurrentRun { value, since, readings });
            }
            if is_silent {
                let before = self.new_runs.len();
                self.end_run(last.later(self.limits.silent.unwrap_or(Duration::ZERO)));
                stuck_now = (self.new_runs.len() > before).then_some(None);
            } else if let Some(run) = self.run.take() {
                stuck_now = self.evaluate(&run);
            }
        }
        let Self { old, new_gaps, new_runs, found, .. } = self;
        let (silent_rows, stuck_rows): (Vec<_>, Vec<_>) =
            old.into_iter().partition(|row| row.episode.kind == EpisodeKind::Silent);
        let (silent, stuck) = found.into_iter().partition(|episode| episode.kind == EpisodeKind::Silent);
        let is_in_gap = |row: &StoredEpisode| new_gaps.iter().any(|gap| is_silence_within(row, gap.0, gap.1));
        let is_in_run = |row: &StoredEpisode| {
            let Episode { begin, end, .. } = row.episode;
            new_runs.iter().any(|run| begin <= run.1 && run.0 <= end)
        };
        StatesFound {
            silent_rows: silent_rows.into_iter().filter(is_in_gap).collect(),
            silent,
            stuck_rows: stuck_rows.into_iter().filter(is_in_run).collect(),
            stuck,
            stuck_now,
            run: current,
        }
    }
}

/// Whether this row is a silence of which a part lies between these readings.
fn is_silence_within(row: &StoredEpisode, last: Datetime, next: Datetime) -> bool {
    let Episode { kind, begin, closed_at, .. } = row.episode;
    kind == EpisodeKind::Silent && begin < next && closed_at.is_none_or(|closed_at| last < closed_at)
}

/// Where the run of equal values begins to which the reading before a change belongs, if a row says
/// so.
pub fn run_in_rows(rows: &[StoredEpisode], first: Datetime) -> Option<Datetime> {
    let stuck = rows.iter().map(|row| &row.episode).filter(|episode| episode.kind == EpisodeKind::Stuck);
    let holds = |episode: &&Episode| {
        episode.begin < first && episode.closed_at.is_none_or(|closed_at| first <= closed_at)
    };
    stuck.filter(holds).map(|episode| episode.begin).max()
}

/// Where the run of equal values begins that ends with the last of these readings. None: before the
/// first of them.
pub fn run_start(readings: &[Point], limits: StateLimits) -> Option<Datetime> {
    let breaks = |pair: &[Point]| {
        let [one, next] = pair else { return false };
        value_key(one.y) != value_key(next.y)
            || limits.silent.is_some_and(|limit| next.ds.since(one.ds) > limit)
    };
    let at = readings.windows(2).rposition(breaks)?;
    readings.get(at + 1).map(|point| point.ds)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::episode::mend::{Changed, Past};
    use crate::episode::notifier::Notifier;
    use crate::episode::settings::StateDelay;
    use crate::episode::track::Track;
    use crate::episode::{Priority, Told};

    const ALWAYS: (Datetime, Datetime) = (Datetime::from_micros(i64::MIN), Datetime::from_micros(i64::MAX));

    fn at(minute: i64) -> Datetime {
        Datetime::from_micros(minute * 60_000_000)
    }

    fn point(minute: i64, y: u8) -> Point {
        // Two of five values are anomalies, which a silence ends.
        let (score, anomaly) = if y > 2 { (f64::from(y), true) } else { (0.0, false) };
        Point { ds: at(minute), y: f64::from(y), yhat: 0.0, score, anomaly, cause: None }
    }

    fn settings() -> Arc<VariableSettings> {
        let minutes = |minutes: u64| StateDelay::Set(Duration::from_secs(60 * minutes));
        let (silent_after, stuck_after) = (minutes(6), minutes(3));
        Arc::new(VariableSettings { silent_after, stuck_after, ..VariableSettings::default() })
    }

    /// As if they had come in this order.
    fn in_time(points: &[Point]) -> (Vec<Episode>, Option<Track>) {
        let (mut track, mut found) = (None, Vec::new());
        for point in points {
            let track = track.get_or_insert_with(|| Track::begin(point));
            found.extend(track.step(&"T".into(), point, &settings(), Duration::ZERO));
        }
        for kind in [EpisodeKind::Anomaly, EpisodeKind::Stuck] {
            found.extend(track.iter().filter_map(|track| track.open(kind).cloned()));
        }
        plain(&mut found);
        (found, track)
    }

    /// What was told, and the priority, which depends on the episodes before.
    fn plain(episodes: &mut [Episode]) {
        episodes.sort_by_key(|episode| (episode.kind, episode.begin));
        episodes
            .iter_mut()
            .for_each(|episode| (episode.told, episode.priority) = (Told::Nothing, Priority::Low));
    }

    fn stored(episodes: Vec<Episode>) -> Vec<StoredEpisode> {
        let row = |episode: Episode| StoredEpisode {
            id: 1,
            version: 1,
            created_at: episode.end,
            updated_at: episode.end,
            episode,
            worker: "a".into(),
            feedback: None,
            note: None,
            feedback_at: None,
        };
        episodes.into_iter().map(row).collect()
    }

    /// The rows after a mend, and what it says is current.
    fn mend(before: &[Point], late: &[Point], replaces: bool) -> (Vec<Episode>, Option<CurrentRun>) {
        let (rows, _) = in_time(before);
        let (first, last) = (late[0].ds, late[late.len() - 1].ds);
        let limits = Track::begin(&late[0]).limits(&settings(), Duration::ZERO);
        let rows = stored(rows);
        let earlier: Vec<Point> = before.iter().filter(|point| point.ds < first).copied().collect();
        let begin = run_start(&earlier, limits).or(earlier.first().map(|point| point.ds)).unwrap_or(first);
        let from = run_in_rows(&rows, first).unwrap_or(begin);
        let changed = Changed {
            first,
            last,
            context: first,
            run: RunStart { from, is_known: true },
            after: None,
            late: late.to_vec(),
            known_to: ALWAYS.1,
            looked_at: [ALWAYS; 2],
            replaces,
        };
        let mut past = Past::new("T".into(), settings(), limits, rows.clone(), changed);
        let from = past.from();
        before.iter().filter(|point| from <= point.ds).for_each(|point| past.take(point));
        let mended = past.finish(None, last, &Notifier::of_the_past());
        assert_eq!(mended.messages, []);
        let mut rows: Vec<Episode> = rows.into_iter().map(|row| row.episode).collect();
        let mut replace = |row: Option<(Datetime, i32)>, kind, new: Option<Episode>| {
            if let Some((begin, version)) = row {
                assert_eq!(version, 1, "a row is changed once");
                let count = rows.len();
                rows.retain(|row| (row.kind, row.begin) != (kind, begin));
                assert_eq!(rows.len() + 1, count);
            }
            rows.extend(new);
        };
        for change in mended.changes {
            replace(change.before, change.episode.kind, (!change.gone).then_some(change.episode));
        }
        if let Some((machine, row)) = mended.live {
            replace(row, EpisodeKind::Anomaly, machine.open().cloned());
        }
        if let Some((stuck, row)) = mended.stuck.flatten() {
            replace(row, EpisodeKind::Stuck, Some(stuck));
        }
        plain(&mut rows);
        (rows, mended.run)
    }

    /// What happens to a reading: its value before and after.
    type Fate = (Option<u8>, Option<u8>);

    fn fates() -> impl Strategy<Value = Fate> {
        let value = || 0..5u8;
        prop_oneof![
            4 => value().prop_map(|y| (Some(y), None)),
            2 => value().prop_map(|y| (None, Some(y))),
            1 => (value(), value()).prop_map(|(before, after)| (Some(before), Some(after))),
            1 => value().prop_map(|y| (Some(y), Some(y))),
        ]
    }

    proptest! {
        /// Whatever comes late and whatever is judged again, silences, stuck values and the episodes
        /// that a silence ends are the same as if everything had come in time.
        #[test]
        fn what_is_mended_is_what_would_have_been_found_in_time(
            // A reading, how often its value comes again, and the minutes before it.
            readings in prop::collection::vec((fates(), 1..4usize, prop_oneof![5 => 1..3i64, 1 => 5..12i64]), 1..30),
            replaces in any::<bool>(),
        ) {
            let (mut before, mut late, mut after) = (Vec::new(), Vec::new(), Vec::new());
            let mut minute = 0;
            for ((stored, new), times, pause) in readings {
                minute += pause;
                for _ in 0..times {
                    minute += 1;
                    let as_point = |y| point(minute, y);
                    before.extend(stored.map(as_point));
                    late.extend(new.map(as_point));
                    let stands = if replaces { new.or(stored) } else { stored.or(new) };
                    after.extend(stands.map(as_point));
                }
            }
            let Some(end) = before.last().map(|point| point.ds) else { return Ok(()) };
            late.retain(|point| point.ds <= end);
            after.retain(|point| point.ds <= end);
            prop_assume!(!late.is_empty());
            let (rows, run) = mend(&before, &late, replaces);
            let (expected, track) = in_time(&after);
            prop_assert_eq!(rows, expected);
            if let (Some(run), Some(mut track)) = (run, track) {
                let as_it_is = track.clone();
                track.resume_run(run);
                prop_assert_eq!(track, as_it_is);
            }
        }
    }
}
