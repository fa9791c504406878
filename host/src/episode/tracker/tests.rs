use proptest::prelude::*;

use super::*;
use crate::episode::{EpisodeChange, MessageKind, Notifier, OutboxMessage, Point, Priority, Told};

/// The table as a store keeps it.
#[derive(Debug, Default)]
struct Table {
    rows: Vec<StoredEpisode>,
    messages: Vec<OutboxMessage>,
    memory: Parts,
}

impl Table {
    /// As a transaction stores it.
    fn commit(&mut self, draft: &Draft) {
        for change in &draft.changes {
            let EpisodeChange { before, episode, gone } = change;
            let at = before.map(|(begin, version)| {
                let same = |row: &StoredEpisode| {
                    let of = &row.episode;
                    of.begin == begin && of.variable == episode.variable && of.kind == episode.kind
                };
                let at = self.rows.iter().position(same);
                assert!(at.is_some_and(|at| self.rows[at].version == version), "{change:?} {:?}", self.rows);
                at.unwrap_or_default()
            });
            match (at, gone) {
                (Some(at), true) => drop(self.rows.remove(at)),
                (Some(at), false) => {
                    self.rows[at].version += 1;
                    self.rows[at].episode.clone_from(episode);
                }
                (None, _) => self.rows.push(StoredEpisode {
                    id: self.rows.len() as i64,
                    version: 1,
                    episode: episode.clone(),
                    worker: "a".into(),
                    feedback: None,
                    note: None,
                    feedback_at: None,
                    created_at: episode.begin,
                    updated_at: episode.begin,
                }),
            }
        }
        self.messages.extend(draft.messages.iter().cloned());
        self.memory = draft.memory.clone();
    }

    fn tracker(&self, settings: &Arc<TrackerSettings>) -> EpisodeTracker {
        let open = self.rows.iter().filter(|row| row.episode.is_open()).cloned().collect();
        EpisodeTracker::load(Arc::clone(settings), "a", None, &self.memory, open)
    }

    fn episodes(&self) -> Vec<Episode> {
        let mut found: Vec<Episode> = self.rows.iter().map(|row| row.episode.clone()).collect();
        found.sort_by(|a, b| (&a.variable, a.kind, a.begin).cmp(&(&b.variable, b.kind, b.begin)));
        found
    }

    fn told(&self) -> Vec<(MessageKind, Option<Arc<str>>)> {
        let mut told: Vec<_> =
            self.messages.iter().map(|message| (message.kind, message.variable.clone())).collect();
        told.sort();
        told
    }
}

fn at(second: i64) -> Datetime {
    Datetime::from_micros(second * 1_000_000)
}

fn point(second: i64, y: f64, anomaly: bool) -> Point {
    let score = if anomaly { 20.0 + (second % 13) as f64 } else { 0.0 };
    Point { ds: at(second), y, yhat: 0.0, score, anomaly, cause: None }
}

fn settings(patterns: &[(&str, super::super::PatternSettings)]) -> Arc<TrackerSettings> {
    let rules = patterns.iter().map(|(pattern, said)| ((*pattern).to_owned(), said.clone()));
    Arc::new(TrackerSettings { rules: VariableRules::new(rules), least_silence: Duration::from_secs(60) })
}

fn take(tracker: &mut EpisodeTracker, table: &mut Table, batch: &[(Arc<str>, Point)], now: i64) {
    let verdicts = || batch.iter().map(|(name, point)| (name, *point));
    let heard = batch.iter().map(|(name, point)| (name, point.ds));
    let until = at(1_000_000);
    let draft = tracker.take(verdicts(), heard, BTreeMap::new(), (until, at(now)), &Notifier::default());
    table.commit(&draft);
    tracker.accept(draft);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// Episodes and their messages are the same in however many batches the verdicts came, and
    /// however often the worker started again from the table.
    #[test]
    fn any_split_and_any_kill_gives_the_same_episodes(
        readings in prop::collection::vec((0..3usize, 1..25i64, 0..4u8, prop::bool::weighted(0.3)), 1..120),
        cuts in prop::collection::vec((0..120usize, any::<bool>()), 0..20),
        (on_delay, off_delay) in (1..4u32, 1..4u32),
    ) {
        let names: [Arc<str>; 3] = ["A".into(), "B".into(), "C".into()];
        let said = super::super::PatternSettings {
            on_delay: Some(on_delay),
            off_delay: Some(off_delay),
            silent_after: Some(super::super::StateDelay::Set(Duration::from_secs(90))),
            stuck_after: Some(super::super::StateDelay::Set(Duration::from_secs(60))),
            ..super::super::PatternSettings::default()
        };
        let settings = settings(&[("*", said)]);
        let mut second = 0;
        let all: Vec<(Arc<str>, Point)> = readings
            .iter()
            .map(|(name, step, y, anomaly)| {
                second += step;
                (Arc::clone(&names[*name]), point(second, f64::from(*y), *anomaly))
            })
            .collect();
        let mut once = Table::default();
        take(&mut once.tracker(&settings), &mut once, &all, second);

        let mut table = Table::default();
        let mut tracker = table.tracker(&settings);
        let mut ends: BTreeMap<usize, bool> = cuts.into_iter().filter(|(at, _)| *at < all.len()).collect();
        ends.insert(all.len(), false);
        let mut begin = 0;
        for (end, killed) in ends {
            if killed {
                // What was drafted and not committed has no effect.
                let verdicts = all[begin..end].iter().map(|(name, point)| (name, *point));
                let heard = std::iter::empty();
                drop(tracker.take(verdicts, heard, BTreeMap::new(), (at(1_000_000), at(second)), &Notifier::default()));
                tracker = table.tracker(&settings);
            }
            take(&mut tracker, &mut table, &all[begin..end], second);
            begin = end;
        }
        prop_assert_eq!(table.episodes(), once.episodes());
        prop_assert_eq!(table.told(), once.told());
        let memory = |table: &Table| memory::read(&table.memory);
        prop_assert_eq!(memory(&table), memory(&once));
    }
}

/// So many readings of each variable, ten seconds apart.
fn lively(names: &[&str], from: i64, count: i64) -> Vec<(Arc<str>, Point)> {
    let one = |name: &&str, n: i64| (Arc::from(*name), point(from + 10 * n, n as f64, false));
    (0..count).flat_map(|n| names.iter().map(move |name| one(name, n))).collect()
}

#[test]
fn a_variable_is_silent_by_the_clock_and_a_plant_that_is_silent_is_one_state() {
    let settings = settings(&[]);
    let (mut table, notifier) = (Table::default(), Notifier::default());
    let mut tracker = table.tracker(&settings);
    let listen = |tracker: &mut EpisodeTracker, table: &mut Table, now: i64| {
        let draft = tracker.listen(at(now), &notifier);
        let changed = draft.changes.len();
        table.commit(&draft);
        tracker.accept(draft);
        changed
    };
    take(&mut tracker, &mut table, &lively(&["A", "B"], 0, 40), 400);
    assert_eq!(listen(&mut tracker, &mut table, 450), 0);
    take(&mut tracker, &mut table, &lively(&["B"], 400, 20), 600);
    // A is silent since 390; each look after the first changes nothing until an hour has passed.
    assert_eq!([600, 610, 620].map(|now| listen(&mut tracker, &mut table, now)), [1, 0, 0]);
    // Then nothing has readings any more.
    assert_eq!([700, 710].map(|now| listen(&mut tracker, &mut table, now)), [1, 0]);
    // The worker starts again, and all is as it was.
    tracker = table.tracker(&settings);
    assert_eq!(listen(&mut tracker, &mut table, 720), 0);
    take(&mut tracker, &mut table, &lively(&["A", "B"], 750, 2), 760);
    assert_eq!(listen(&mut tracker, &mut table, 770), 1);

    let seen: Vec<_> = table
        .episodes()
        .iter()
        .map(|episode| {
            let second = |at: Datetime| at.micros() / 1_000_000;
            let Episode { variable, kind, begin, closed_at, told, .. } = episode;
            (variable.to_string(), *kind, second(*begin), closed_at.map(second), *told)
        })
        .collect();
    assert_eq!(
        seen,
        [
            ("A".to_owned(), EpisodeKind::Silent, 390, Some(750), Told::Closed),
            // A gap that no look has seen is past when it is found.
            ("B".to_owned(), EpisodeKind::Silent, 590, Some(750), Told::Never),
            ("a".to_owned(), EpisodeKind::Service, 590, Some(770), Told::Closed),
        ]
    );
    let told: Vec<_> = table.messages.iter().map(|message| message.kind).collect();
    assert_eq!(told, [MessageKind::Silent, MessageKind::Service, MessageKind::Back, MessageKind::Service]);
    assert_eq!(table.rows[0].episode.priority, Priority::Low);
}

/// Readings without a verdict are readings all the same.
#[test]
fn a_variable_that_is_not_judged_is_not_silent() {
    let settings = settings(&[]);
    let mut table = Table::default();
    let mut tracker = table.tracker(&settings);
    take(&mut tracker, &mut table, &lively(&["A", "B"], 0, 40), 400);
    take(&mut tracker, &mut table, &lively(&["B"], 400, 30), 700);
    let name = Arc::from("A");
    let heard = [(&name, at(690))].into_iter();
    let none = std::iter::empty();
    let draft = tracker.take(none, heard, BTreeMap::new(), (at(1_000_000), at(700)), &Notifier::default());
    table.commit(&draft);
    tracker.accept(draft);
    assert!(tracker.listen(at(700), &Notifier::default()).is_empty());
    tracker = table.tracker(&settings);
    assert!(tracker.listen(at(700), &Notifier::default()).is_empty());
}
