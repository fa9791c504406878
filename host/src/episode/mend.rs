//! Corrects past episodes after late or new verdicts: the verdicts around them are read again, from
//! a moment at which the variable was at rest to the next such moment.
//!
//! Pure. No message is made of past episodes, except the end of one whose begin was told.

use std::sync::Arc;
use std::time::Duration;

use super::machine::Machine;
use super::notifier::Notifier;
use super::point::Point;
use super::settings::VariableSettings;
use super::{Episode, EpisodeChange, EpisodeKind, OutboxMessage, StoredEpisode, Told};
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
    /// Readings that are not stored yet.
    pub late: Vec<Point>,
    /// Whether those take the place of what is stored; else what is stored stays.
    pub replaces: bool,
}

/// The past of one variable, evaluated again.
#[derive(Debug)]
pub struct Past {
    variable: Arc<str>,
    settings: Arc<VariableSettings>,
    /// After how long without a reading it was silent.
    silent_after: Option<Duration>,
    from: Datetime,
    /// Whether the first reading is the one after `from`.
    after_from: bool,
    /// Verdicts up to this datetime may have changed.
    changed_to: Datetime,
    /// Readings that are not stored yet, the latest first.
    late: Vec<Point>,
    replaces: bool,
    old: Vec<StoredEpisode>,
    machine: Machine,
    last: Option<Datetime>,
    found: Vec<Episode>,
    /// Where it came to rest, after which nothing differs.
    done: Option<Datetime>,
}

/// The result.
#[derive(Debug, Default)]
pub struct Mended {
    pub changes: Vec<EpisodeChange>,
    pub messages: Vec<OutboxMessage>,
    /// If it was evaluated up to the last reading: the state of the variable now, and the open row
    /// of the table, if any.
    pub live: Option<(Machine, Option<(Datetime, i32)>)>,
    /// The last reading that was evaluated.
    pub last: Option<Datetime>,
}

impl Past {
    /// Of a variable with these episodes.
    pub fn new(
        variable: Arc<str>,
        settings: Arc<VariableSettings>,
        silent_after: Option<Duration>,
        mut old: Vec<StoredEpisode>,
        changed: Changed,
    ) -> Self {
        let Changed { first, last, context, mut late, replaces } = changed;
        old.retain(|row| row.episode.kind == EpisodeKind::Anomaly);
        old.sort_by_key(|row| row.episode.begin);
        let holds = |row: &&StoredEpisode| {
            let Episode { begin, closed_at, .. } = row.episode;
            begin <= first && closed_at.is_none_or(|closed_at| first <= closed_at)
        };
        let before = old.iter().filter_map(|row| row.episode.closed_at).filter(|at| *at < first).max();
        let (from, after_from) = match (old.iter().find(holds), before) {
            (Some(row), _) => (row.episode.begin, false),
            (None, Some(closed_at)) if closed_at >= context => (closed_at, true),
            (None, _) => (context, false),
        };
        let begins = old.iter().map(|row| row.episode.begin).filter(|begin| *begin < from);
        let mut last_two = [None; 2];
        begins.for_each(|begin| last_two = [last_two[1], Some(begin)]);
        old.retain(|row| row.episode.begin >= from);
        // Of a datetime that is given twice the first counts; the last of the list is taken next.
        late.sort_by_key(|point| point.ds);
        late.dedup_by_key(|point| point.ds);
        late.reverse();
        Self {
            variable,
            settings,
            silent_after,
            from,
            after_from,
            changed_to: last,
            late,
            replaces,
            old,
            machine: Machine::resume(None, last_two),
            last: None,
            found: Vec::new(),
            done: None,
        }
    }

    /// The first datetime whose verdicts are needed.
    pub fn from(&self) -> Datetime {
        self.from
    }

    /// Whether no more of them are needed.
    pub fn is_done(&self) -> bool {
        self.done.is_some()
    }

    /// Takes the next verdict that is stored.
    pub fn take(&mut self, point: &Point) {
        let begins = if self.after_from { point.ds > self.from } else { point.ds >= self.from };
        if self.is_done() || !begins {
            return;
        }
        while let Some(late) = self.late.pop_if(|late| late.ds <= point.ds) {
            if late.ds < point.ds || self.replaces {
                self.step(&late);
            }
        }
        let gives_way = self.replaces && self.last == Some(point.ds);
        if !gives_way {
            self.step(point);
        }
        let is_within = |row: &StoredEpisode| {
            let Episode { begin, closed_at, .. } = row.episode;
            begin <= point.ds && closed_at.is_none_or(|closed_at| point.ds < closed_at)
        };
        let settled = point.ds > self.changed_to && self.machine.is_at_rest();
        if settled && !self.old.iter().any(is_within) {
            self.done = Some(point.ds);
        }
    }

    fn step(&mut self, point: &Point) {
        if let (Some(last), Some(limit)) = (self.last, self.silent_after)
            && point.ds.since(last) > limit
        {
            self.found.extend(self.machine.silence(last.later(limit)));
        }
        self.found.extend(self.machine.step(&self.variable, point, &self.settings));
        self.last = Some(point.ds);
    }

    /// Ends after the last verdict. `is_silent`: the variable has fallen silent since.
    pub fn finish(mut self, is_silent: bool, now: Datetime, notifier: &Notifier) -> Mended {
        while let Some(late) = self.late.pop() {
            self.step(&late);
        }
        if let (true, None, Some(last), Some(limit)) = (is_silent, self.done, self.last, self.silent_after) {
            self.found.extend(self.machine.silence(last.later(limit)));
        }
        let done = self.done;
        let mut old: Vec<Option<StoredEpisode>> = std::mem::take(&mut self.old)
            .into_iter()
            .filter(|row| done.is_none_or(|done| row.episode.begin <= done))
            .map(Some)
            .collect();
        let mut mended = Mended { last: self.last, ..Mended::default() };
        let mut open = self.machine.open().cloned();
        // An episode takes the row of the old one with the same begin, else of one that it
        // overlaps.
        let all: Vec<Episode> = self.found.drain(..).chain(open.clone()).collect();
        let mut rows: Vec<Option<StoredEpisode>> =
            all.iter().map(|new| take_if(&mut old, |row| row.episode.begin == new.begin)).collect();
        for (new, row) in all.iter().zip(&mut rows).filter(|(_, row)| row.is_none()) {
            *row = take_if(&mut old, |row| overlaps(&row.episode, new));
        }
        // The messages of an open episode continue in the one that is open now, whatever its row.
        let mut told_open = None;
        for row in old.into_iter().flatten() {
            let before = Some((row.episode.begin, row.version));
            if row.episode.is_open() && open.is_some() {
                told_open = Some(row.episode.told);
                mended.changes.push(EpisodeChange { before, episode: row.episode, gone: true });
                continue;
            }
            let mut ended =
                Episode { closed_at: row.episode.closed_at.or(Some(row.episode.end)), ..row.episode };
            untold(&mut ended);
            mended.messages.extend(notifier.tell(&mut ended, Some(&self.settings), now));
            mended.changes.push(EpisodeChange { before, episode: ended, gone: true });
        }
        let mut open_row = None;
        for (mut new, row) in all.into_iter().zip(rows) {
            let before = row.as_ref().map(|row| (row.episode.begin, row.version));
            match &row {
                Some(row) => {
                    (new.told, new.shelved) = (row.episode.told, row.episode.shelved);
                    // What is stored says no cause.
                    let worst = |episode: &Episode| episode.worst.map(|worst| worst.ds);
                    let is_old = worst(&new) == worst(&row.episode) && !self.replaces;
                    if is_old || new.cause.is_none() {
                        new.cause.clone_from(&row.episode.cause);
                    }
                }
                None if !new.is_open() => new.told = Told::Never,
                None => {}
            }
            if new.is_open() {
                new.told = match told_open.unwrap_or(new.told) {
                    // It had an end and has none now.
                    Told::Closed | Told::Never => Told::Nothing,
                    told => told,
                };
                open_row = before;
                open = Some(new);
                continue;
            }
            if row.as_ref().is_some_and(|row| row.episode == new) {
                continue;
            }
            // A change of a closed episode is not told.
            if row.is_some_and(|row| row.episode.is_open()) {
                untold(&mut new);
                mended.messages.extend(notifier.tell(&mut new, Some(&self.settings), now));
            }
            mended.changes.push(EpisodeChange { before, episode: new, gone: false });
        }
        if done.is_none() {
            if let (Some(machine), Some(open)) = (self.machine.open_mut(), open) {
                *machine = open;
            }
            mended.live = Some((self.machine, open_row));
        }
        mended
    }
}

/// What was not told while it was open is not told any more.
fn untold(episode: &mut Episode) {
    if episode.told == Told::Nothing {
        episode.told = Told::Never;
    }
}

fn take_if(
    rows: &mut [Option<StoredEpisode>],
    is_it: impl Fn(&StoredEpisode) -> bool,
) -> Option<StoredEpisode> {
    rows.iter_mut().find(|row| row.as_ref().is_some_and(&is_it)).and_then(Option::take)
}

fn overlaps(one: &Episode, other: &Episode) -> bool {
    let ends = |episode: &Episode| episode.closed_at.unwrap_or(Datetime::from_micros(i64::MAX));
    one.begin < ends(other) && other.begin < ends(one)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;

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
        Changed { first, last, context: first, late, replaces: false }
    }

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
            let changed = Changed { first, last, context, late, replaces };
            let old = stored(afresh(&before, &settings));
            let mut past = Past::new("T".into(), Arc::clone(&settings), None, old.clone(), changed);
            before.iter().for_each(|point| past.take(point));
            let is_done = past.is_done();
            let mended = past.finish(false, end, &Notifier::of_the_past());

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
            let mut past = Past::new("T".into(), Arc::clone(&settings), None, old, changed);
            stored.iter().chain(&normal).chain(&[point(13, false)]).for_each(|point| past.take(point));
            let mended = past.finish(false, point(13, false).ds, &Notifier::default());
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
        let mut past = Past::new("T".into(), settings, None, stored(rows), changed);
        readings.iter().for_each(|point| past.take(point));
        let mended = past.finish(false, point(15, true).ds, &Notifier::default());
        assert_eq!((mended.messages.len(), mended.changes.len()), (0, 1));
        assert_eq!((mended.changes[0].episode.begin, mended.changes[0].gone), (point(15, true).ds, true));
        let live = mended.live.and_then(|(machine, row)| Some((machine.open()?.clone(), row?)));
        let live = live.map(|(open, row)| (open.begin, open.told, open.flagged, row));
        assert_eq!(live, Some((point(10, true).ds, Told::StillOpen, 3, (point(10, true).ds, 1))));
    }
}
