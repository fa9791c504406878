//! Corrects past episodes after late or new verdicts: the verdicts around them are read again, from
//! a moment at which the variable was at rest to the next such moment.
//!
//! Pure. No message is made of past episodes, except the end of one whose begin was told.

use std::sync::Arc;

use super::machine::Machine;
use super::notifier::Notifier;
use super::past_states::{CurrentRun, LookedAt, PastStates, RunStart};
use super::point::Point;
use super::rewrite::{Rewriting, Rewritten};
use super::settings::VariableSettings;
use super::state_limits::{StateLimits, value_key};
use super::{Episode, EpisodeChange, EpisodeKind, OpenEpisode, OpenRow, OutboxMessage, StoredEpisode};
use crate::datetime::Datetime;

/// The verdicts that may have changed.
#[derive(Debug)]
pub struct Changed {
    /// From the first up to the last of them.
    pub first: Datetime,
    pub last: Datetime,
    /// Where readings in a row are needed to open an episode, those before the first count too:
    /// the earliest of them.
    pub context: Datetime,
    /// Where the evaluation of silences and stuck values begins.
    pub run: RunStart,
    /// Where an evaluation ended that took everything before `first` in its order.
    pub after: Option<PastEnd>,
    /// Readings that are not stored yet.
    pub late: Vec<Point>,
    /// Stored readings after this datetime are new to the caller.
    pub known_to: Datetime,
    pub looked_at: [LookedAt; 2],
    /// Whether the late ones take the place of what is stored; else what is stored stays.
    pub replaces: bool,
}

/// Where an evaluation ended, from which the next one can go on: a backfill takes the readings of a
/// variable in their order, and an episode may last for all of them.
#[derive(Clone, Debug)]
pub struct PastEnd {
    pub last: Datetime,
    machine: Machine,
    /// None: it is not known.
    pub run: Option<CurrentRun>,
}

/// The past of one variable, evaluated again.
#[derive(Debug)]
pub struct Past {
    variable: Arc<str>,
    settings: Arc<VariableSettings>,
    limits: StateLimits,
    from: Datetime,
    /// Whether the first reading is the one after `from`.
    after_from: bool,
    /// Verdicts up to this datetime may have changed.
    changed_to: Datetime,
    known_to: Datetime,
    /// Readings that are not stored yet, the latest first.
    late: Vec<Point>,
    replaces: bool,
    old: Vec<StoredEpisode>,
    machine: Machine,
    states: PastStates,
    /// The last reading, and the last before which no episode had to be evaluated any more.
    last: Option<Datetime>,
    found: Vec<Episode>,
    /// Where it came to rest, after which no episode differs.
    done: Option<Datetime>,
}

/// The result.
#[derive(Debug, Default)]
pub struct Mended {
    pub changes: Vec<EpisodeChange>,
    pub messages: Vec<OutboxMessage>,
    /// If it was evaluated up to the last reading: the state of the variable now, and the open row
    /// of the table, if any.
    pub live: Option<(Machine, Option<OpenRow>)>,
    /// The same for a stuck value.
    pub stuck: Option<Option<OpenEpisode>>,
    /// The run of equal values now, if it was evaluated up to the last reading.
    pub run: Option<CurrentRun>,
    /// Whether a silence that was open is over.
    pub is_heard: bool,
    /// The row of a silence that was open, if the readings say that there was none.
    pub disproved: Option<StoredEpisode>,
    /// The last reading that was evaluated.
    pub last: Option<Datetime>,
    /// If it was evaluated up to the last reading.
    pub end: Option<PastEnd>,
}

impl Past {
    /// Of a variable with these episodes.
    pub fn new(
        variable: Arc<str>,
        settings: Arc<VariableSettings>,
        limits: StateLimits,
        old: Vec<StoredEpisode>,
        changed: Changed,
    ) -> Self {
        let Changed { first, last, context, run, after, mut late, known_to, looked_at, replaces } = changed;
        let (mut old, states): (Vec<_>, Vec<_>) =
            old.into_iter().partition(|row| row.episode.kind == EpisodeKind::Anomaly);
        let is_state =
            |row: &StoredEpisode| matches!(row.episode.kind, EpisodeKind::Silent | EpisodeKind::Stuck);
        let states = states.into_iter().filter(is_state).collect();
        let mut states =
            PastStates::new(Arc::clone(&variable), Arc::clone(&settings), limits, states, run, looked_at);
        old.sort_by_key(|row| row.episode.begin);
        let holds = |row: &&StoredEpisode| {
            let Episode { begin, closed_at, .. } = row.episode;
            begin <= first && closed_at.is_none_or(|closed_at| first <= closed_at)
        };
        let before = old.iter().filter_map(|row| row.episode.closed_at).filter(|at| *at < first).max();
        let (mut from, mut after_from) = match (old.iter().find(holds), before) {
            (Some(row), _) => (row.episode.begin, false),
            (None, Some(closed_at)) if closed_at >= context => (closed_at, true),
            (None, _) => (context, false),
        };
        let begins = old.iter().map(|row| row.episode.begin).filter(|begin| *begin < from);
        let mut last_two = [None; 2];
        begins.for_each(|begin| last_two = [last_two[1], Some(begin)]);
        let mut machine = Machine::resume(None, last_two);
        let mut last_before = None;
        if let Some(end) = after {
            (from, after_from, machine, last_before) = (end.last, true, end.machine, Some(end.last));
            if let Some(run) = end.run {
                states = states.after(end.last, run);
            }
        }
        let open = machine.open().map(|open| open.begin);
        old.retain(|row| row.episode.begin >= from || Some(row.episode.begin) == open);
        // Of a datetime that is given twice the first counts; the last of the list is taken next.
        late.sort_by_key(|point| point.ds);
        late.dedup_by_key(|point| point.ds);
        late.reverse();
        Self {
            variable,
            settings,
            limits,
            from,
            after_from,
            changed_to: last,
            known_to,
            late,
            replaces,
            old,
            machine,
            states,
            last: last_before,
            found: Vec::new(),
            done: None,
        }
    }

    /// The first datetime whose verdicts are needed.
    pub fn from(&self) -> Datetime {
        self.states.from().map_or(self.from, |from| from.min(self.from))
    }

    /// Whether no more of them are needed.
    pub fn is_done(&self) -> bool {
        self.done.is_some() && self.states.is_done()
    }

    /// Takes the next verdict that is stored.
    pub fn take(&mut self, point: &Point) {
        if self.is_done() {
            return;
        }
        while let Some(late) = self.late.pop_if(|late| late.ds <= point.ds) {
            if late.ds < point.ds {
                self.step(&late, true);
            } else if self.replaces {
                self.step(&late, value_key(late.y) != value_key(point.y));
            }
        }
        let gives_way = self.replaces && self.last == Some(point.ds);
        if !gives_way {
            self.step(point, point.ds > self.known_to);
        }
        if point.ds <= self.changed_to {
            return;
        }
        self.states.settle();
        let is_within = |row: &StoredEpisode| {
            let Episode { begin, closed_at, .. } = row.episode;
            begin <= point.ds && closed_at.is_none_or(|closed_at| point.ds < closed_at)
        };
        if self.machine.is_at_rest() && !self.old.iter().any(is_within) {
            self.done.get_or_insert(point.ds);
        }
    }

    /// The next reading, in the order of their datetimes.
    fn step(&mut self, point: &Point, is_new: bool) {
        self.states.step(point, is_new);
        let last = self.last.replace(point.ds);
        let begins = if self.after_from { point.ds > self.from } else { point.ds >= self.from };
        if self.done.is_some() || !begins {
            return;
        }
        if let (Some(last), Some(limit)) = (last, self.limits.silent)
            && point.ds.since(last) > limit
        {
            self.found.extend(self.machine.silence(last.later(limit)));
        }
        self.found.extend(self.machine.step(&self.variable, point, &self.settings));
    }

    /// Ends after the last verdict. `next`: the reading that comes after it, if there is one.
    pub fn finish(mut self, next: Option<Datetime>, now: Datetime, notifier: &Notifier) -> Mended {
        while let Some(late) = self.late.pop() {
            self.step(&late, true);
        }
        let is_at_end = !self.is_done();
        if let (true, None, Some(last), Some(limit)) =
            (self.states.is_silent(next, now), self.done, self.last, self.limits.silent)
        {
            self.found.extend(self.machine.silence(last.later(limit)));
        }
        let done = self.done;
        self.old.retain(|row| done.is_none_or(|done| row.episode.begin <= done));
        let rewriting = Rewriting { settings: &self.settings, notifier, now, replaces: self.replaces };
        let mut mended = Mended { last: self.last.filter(|_| is_at_end), ..Mended::default() };
        let open = self.machine.open().cloned();
        let anomalies = mended.add(rewriting.of(self.old, self.found, open));
        if done.is_none() {
            let row = anomalies.as_ref().and_then(|(_, row)| *row);
            if let (Some(machine), Some((open, _))) = (self.machine.open_mut(), anomalies) {
                *machine = open;
            }
            mended.live = Some((self.machine, row));
        }
        let found = self.states.finish(next, now);
        mended.run = found.run;
        mended.end = mended.last.zip(mended.live.as_ref()).map(|(last, (machine, _))| PastEnd {
            last,
            machine: machine.clone(),
            run: found.run,
        });
        mended.is_heard = found.silent_rows.iter().any(|row| row.episode.is_open());
        mended.add(rewriting.of(found.silent_rows, found.silent, None));
        let stuck =
            mended.add(rewriting.of(found.stuck_rows, found.stuck, found.stuck_now.clone().flatten()));
        mended.stuck = found.stuck_now.map(|_| stuck);
        mended
    }
}

impl Mended {
    /// Adds the rows of one kind. Returns the open one.
    fn add(&mut self, rewritten: Rewritten) -> Option<OpenEpisode> {
        self.changes.extend(rewritten.changes);
        self.messages.extend(rewritten.messages);
        self.disproved = self.disproved.take().or(rewritten.disproved);
        rewritten.open
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::time::Duration;

    use proptest::prelude::*;

    use super::*;
    use crate::episode::Told;

    fn point(minute: i64, anomaly: bool) -> Point {
        let ds = Datetime::from_micros(minute * 60_000_000);
        let score = if anomaly { 10.0 + (minute % 7) as f64 } else { 0.0 };
        Point { ds, y: score, yhat: 0.0, score, anomaly, cause: None }
    }

    fn afresh(points: &[Point], settings: &VariableSettings) -> Vec<Episode> {
        let (mut machine, mut found) = (Machine::default(), Vec::new());
        for point in points {
            found.extend(machine.step(&"T".into(), point, settings));
        }
        found.extend(machine.open().cloned());
        // The number of episodes before may change with a mended one.
        found.iter_mut().for_each(|episode| episode.priority = super::super::Priority::Low);
        found
    }

    fn stored(episodes: Vec<Episode>) -> Vec<StoredEpisode> {
        let row = |(n, episode): (usize, Episode)| StoredEpisode {
            id: n as i64,
            version: 1,
            created_at: episode.end,
            updated_at: episode.end,
            episode,
            worker: "a".into(),
            feedback: None,
            note: None,
            feedback_at: None,
        };
        episodes.into_iter().enumerate().map(row).collect()
    }

    fn changed(first: Datetime, last: Datetime, late: Vec<Point>) -> Changed {
        let run = RunStart { from: first, is_known: true };
        Changed {
            first,
            last,
            context: first,
            run,
            after: None,
            late,
            known_to: END,
            looked_at: [(START, END); 2],
            replaces: false,
        }
    }

    const START: Datetime = Datetime::from_micros(i64::MIN);
    const END: Datetime = Datetime::from_micros(i64::MAX);

    /// What happens to a reading, and whether it is an anomaly before and after.
    #[derive(Clone, Copy, Debug)]
    enum Fate {
        Stored(bool),
        /// It arrives after later ones.
        Late(bool),
        /// It is judged again.
        Again(bool, bool),
    }

    fn fates() -> impl Strategy<Value = Fate> {
        let anomaly = || prop::bool::weighted(0.4);
        prop_oneof![
            anomaly().prop_map(Fate::Stored),
            anomaly().prop_map(Fate::Late),
            (anomaly(), anomaly()).prop_map(|(before, after)| Fate::Again(before, after)),
        ]
    }

    proptest! {
        /// Whatever arrives late and whatever is judged again, the table is the same as if
        /// everything had arrived in order and been judged so at first.
        #[test]
        fn what_is_mended_is_what_all_verdicts_say(
            readings in prop::collection::vec(fates(), 1..60),
            (on_delay, off_delay, replaces) in (1..4u32, 1..4u32, any::<bool>()),
        ) {
            let settings = Arc::new(VariableSettings { on_delay, off_delay, ..VariableSettings::default() });
            let (mut before, mut late, mut after) = (Vec::new(), Vec::new(), Vec::new());
            for (at, fate) in readings.iter().enumerate() {
                let point = |anomaly| point(at as i64, anomaly);
                let (stored, new) = match *fate {
                    Fate::Stored(anomaly) => (Some(anomaly), None),
                    Fate::Late(anomaly) => (None, Some(anomaly)),
                    Fate::Again(before, after) => (Some(before), Some(after)),
                };
                before.extend(stored.map(point));
                late.extend(new.map(point));
                // Without a backfill that replaces, what is stored stays.
                let stands = if replaces { new.or(stored) } else { stored.or(new) };
                after.extend(stands.map(point));
            }
            let (Some(first), Some(end)) = (late.first(), before.last()) else { return Ok(()) };
            // What is later than the last one is not late.
            let (first, end) = (first.ds, end.ds);
            late.retain(|point| point.ds <= end);
            after.retain(|point| point.ds <= end);
            let Some(last) = late.last().map(|point| point.ds) else { return Ok(()) };
            let ahead = before.iter().map(|point| point.ds).filter(|ds| *ds < first);
            let context = ahead.rev().take(on_delay as usize - 1).last().unwrap_or(first);
            let changed = Changed { context, replaces, ..changed(first, last, late) };
            let old = stored(afresh(&before, &settings));
            let mut past = Past::new("T".into(), Arc::clone(&settings), StateLimits::default(), old.clone(), changed);
            before.iter().for_each(|point| past.take(point));
            let is_done = past.is_done();
            let mended = past.finish(None, end, &Notifier::of_the_past());

            let mut rows: Vec<Episode> = old.iter().map(|row| row.episode.clone()).collect();
            let mut touched = BTreeSet::new();
            for change in &mended.changes {
                if let Some((begin, version)) = change.before {
                    prop_assert!(touched.insert(begin), "a row is changed once");
                    prop_assert_eq!(version, 1);
                    rows.retain(|row| row.begin != begin);
                }
                if !change.gone {
                    rows.push(change.episode.clone());
                }
            }
            prop_assert_eq!(is_done, mended.live.is_none());
            if let Some((machine, row)) = mended.live {
                if let Some((begin, _)) = row {
                    rows.retain(|row| row.begin != begin);
                }
                rows.extend(machine.open().cloned());
            }
            rows.sort_by_key(|row| row.begin);
            for row in &mut rows {
                (row.told, row.priority) = (Told::Nothing, super::super::Priority::Low);
            }
            prop_assert_eq!(rows, afresh(&after, &settings));
            prop_assert_eq!(mended.messages, vec![]);
        }
    }

    #[test]
    fn of_the_past_only_the_end_of_what_was_told_is_told() {
        let settings = Arc::new(VariableSettings::default());
        let told = |episode: Episode, told| stored(vec![Episode { told, ..episode }]);
        let open = afresh(&[point(10, true), point(11, true)], &settings).remove(0);
        let closed = afresh(&[point(10, true), point(11, false), point(12, false)], &settings).remove(0);
        let normal = [point(11, false), point(12, false)];
        for (why, old, stored, kinds) in [
            ("a told one is gone", told(open.clone(), Told::Opened), vec![], vec!["closed"]),
            ("one that was not told is gone", told(open.clone(), Told::Nothing), vec![], vec![]),
            ("a told one is closed", told(open.clone(), Told::Opened), vec![point(10, true)], vec!["closed"]),
            ("one that was closed is gone", told(closed.clone(), Told::Closed), vec![], vec![]),
        ] {
            let changed = changed(point(10, true).ds, point(12, true).ds, vec![]);
            let mut past = Past::new("T".into(), Arc::clone(&settings), StateLimits::default(), old, changed);
            stored.iter().chain(&normal).chain(&[point(13, false)]).for_each(|point| past.take(point));
            let mended = past.finish(None, point(13, false).ds, &Notifier::default());
            let found: Vec<&str> = mended.messages.iter().map(|message| message.kind.word()).collect();
            assert_eq!((found, mended.changes.len()), (kinds, 1), "{why}");
        }
    }

    /// Two that become one: the open one goes on in the row of the first.
    #[test]
    fn what_is_open_goes_on_as_it_was_told() {
        let settings = Arc::new(VariableSettings::default());
        let readings = [point(10, true), point(11, false), point(12, false), point(15, true)];
        let mut rows = afresh(&readings, &settings);
        (rows[0].told, rows[1].told) = (Told::Closed, Told::StillOpen);
        let late = point(12, true);
        let late = Point { ds: late.ds.earlier(Duration::from_secs(30)), ..late };
        let changed = changed(late.ds, late.ds, vec![late]);
        let mut past = Past::new("T".into(), settings, StateLimits::default(), stored(rows), changed);
        readings.iter().for_each(|point| past.take(point));
        let mended = past.finish(None, point(15, true).ds, &Notifier::default());
        assert_eq!((mended.messages.len(), mended.changes.len()), (0, 1));
        assert_eq!((mended.changes[0].episode.begin, mended.changes[0].gone), (point(15, true).ds, true));
        let live = mended.live.and_then(|(machine, row)| Some((machine.open()?.clone(), row?)));
        let live = live.map(|(open, row)| (open.begin, open.told, open.flagged, row));
        assert_eq!(live, Some((point(10, true).ds, Told::StillOpen, 3, (point(10, true).ds, 1))));
    }
}
