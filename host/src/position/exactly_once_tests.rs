//! Each reading is judged once: random histories of a table, run with both kinds of position. Only
//! the state row survives a crash.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use std::collections::{BTreeMap, HashMap, HashSet};
use std::time::Duration;

use proptest::prelude::*;

use super::{KeyPosition, KeyScan, PageOutcome, Position, TimePosition, oldest_allowed};
use crate::counts::Counts;
use crate::datetime::Datetime;
use crate::new_readings::{Sifted, sift_all};
use crate::reading::{Malformed, Page, Reading, ReadingKey};
use crate::row_reason::Name;

const SETTLE: Duration = Duration::from_secs(20);
const LATENESS: Duration = Duration::from_secs(30);

fn at(seconds: i64) -> Datetime {
    Datetime::from_micros(seconds * 1_000_000)
}

/// A row as an insert makes it; a malformed one has no datetime that can be read.
#[derive(Clone, Debug)]
enum InsertedRow {
    Reading { seconds: i64, variable: u8, null: bool },
    Malformed,
}

#[derive(Clone, Debug)]
enum HistoryEvent {
    /// An insert takes the next id, or one further on.
    Open {
        skip: i64,
        row: InsertedRow,
    },
    Commit(prop::sample::Index),
    RollBack(prop::sample::Index),
    Wait(i64),
    /// A worker that dies after so many batches, with the last of them committed or not.
    Cycle {
        limit: usize,
        batches: usize,
        dies_before_commit: bool,
    },
}

fn event() -> impl Strategy<Value = HistoryEvent> {
    let row = prop_oneof![
        9 => (0..12i64, 0..5u8, prop::bool::weighted(0.1))
            .prop_map(|(seconds, variable, null)| InsertedRow::Reading { seconds, variable, null }),
        1 => Just(InsertedRow::Malformed),
    ];
    prop_oneof![
        6 => (prop_oneof![8 => Just(1), 1 => 2..5i64], row).prop_map(|(skip, row)| HistoryEvent::Open { skip, row }),
        5 => any::<prop::sample::Index>().prop_map(HistoryEvent::Commit),
        1 => any::<prop::sample::Index>().prop_map(HistoryEvent::RollBack),
        1 => (0..15i64).prop_map(HistoryEvent::Wait),
        3 => (1..9usize, 1..5usize, any::<bool>())
            .prop_map(|(limit, batches, dies_before_commit)| HistoryEvent::Cycle { limit, batches, dies_before_commit }),
    ]
}

/// The input table by id, and inserts in flight with the time they began.
#[derive(Default)]
struct InputTable {
    rows: BTreeMap<i64, InsertedRow>,
    in_flight: Vec<(i64, i64, InsertedRow)>,
}

impl InputTable {
    fn reading(id: i64, row: &InsertedRow) -> Result<Reading, Malformed> {
        match *row {
            InsertedRow::Reading { seconds, variable, null } => Ok(Reading {
                id: Some(id),
                datetime: at(seconds),
                variable: format!("T{variable}").into(),
                value: (!null).then_some(1.0),
                source_file: None,
            }),
            InsertedRow::Malformed => {
                Err(Malformed { id: Some(id), datetime: None, why: "no datetime".to_owned() })
            }
        }
    }

    fn page<'a>(rows: impl Iterator<Item = (&'a i64, &'a InsertedRow)>, limit: usize) -> Page {
        let mut page = Page::default();
        for (read, (&id, row)) in rows.enumerate() {
            if read == limit {
                break;
            }
            match Self::reading(id, row) {
                Ok(reading) => page.readings.push(reading),
                Err(malformed) => page.malformed.push(malformed),
            }
            page.full = read + 1 == limit;
        }
        page
    }

    fn read_keys(&self, spans: &[(i64, i64)], limit: usize) -> Page {
        assert!(spans.iter().all(|(first, last)| first <= last), "a span that is none: {spans:?}");
        assert!(
            spans.windows(2).all(|pair| pair[0].1 < pair[1].0),
            "spans not ascending and disjoint: {spans:?}"
        );
        Self::page(spans.iter().flat_map(|&(first, last)| self.rows.range(first..=last)), limit)
    }

    fn readings(&self) -> Vec<Reading> {
        self.rows.iter().filter_map(|(&id, row)| Self::reading(id, row).ok()).collect()
    }
}

/// What survives a crash: the state row's JSON, and the output.
struct Committed {
    state: String,
    judged: HashSet<ReadingKey>,
    times: HashMap<ReadingKey, u32>,
    counts: Counts,
    rows_taken: u64,
}

impl Committed {
    fn new(state: String) -> Self {
        Self {
            state,
            judged: HashSet::new(),
            times: HashMap::new(),
            counts: Counts::default(),
            rows_taken: 0,
        }
    }

    fn commit(&mut self, state: String, sifted: Sifted, malformed: usize, rows: usize) {
        for reading in sifted.new {
            *self.times.entry(reading.key()).or_default() += 1;
            self.judged.insert(reading.key());
        }
        self.counts += sifted.counts;
        self.counts.malformed += malformed as u64;
        self.rows_taken += rows as u64;
        self.state = state;
    }
}

/// One cycle over the key, from the committed state. Returns how many reads it took and whether it
/// was completed.
fn cycle(
    table: &InputTable,
    done: &mut Committed,
    now: i64,
    limit: usize,
    batches: usize,
    dies: bool,
) -> (usize, bool) {
    let Position::Key(mut position) = serde_json::from_str(&done.state).unwrap() else {
        unreachable!("a key")
    };
    let (mut pass, mut limit, mut taken, mut reads) = (KeyScan::default(), limit, 0, 0);
    loop {
        let page = table.read_keys(&position.spans(&pass), limit);
        reads += 1;
        let before = position.clone();
        match position.advance(&mut pass, page, at(now), SETTLE) {
            PageOutcome::Doubtful => unreachable!("no row goes"),
            PageOutcome::TooSmall => {
                assert_eq!(position, before, "a page that was not taken changes nothing");
                limit *= 2;
            }
            PageOutcome::Accepted { page, .. } => {
                taken += 1;
                let (full, rows) = (page.full, page.readings.len() + page.malformed.len());
                if taken == batches && dies {
                    return (reads, false);
                }
                let state = serde_json::to_string(&Position::Key(position.clone())).unwrap();
                let sifted = sift_all(page.readings, |_| Name::Own, &done.judged, at(0), |_| true);
                done.commit(state, sifted, page.malformed.len(), rows);
                if !full || taken == batches {
                    return (reads, !full);
                }
            }
        }
    }
}

fn start(first: Option<i64>) -> Committed {
    let position = KeyPosition::start(at(0), first, None, &Page::default(), at(0));
    Committed::new(serde_json::to_string(&Position::Key(position)).unwrap())
}

/// Every key with a value was judged once, and every row counted once.
fn assert_judged_once(table: &InputTable, done: &Committed) {
    let readings = table.readings();
    let keys: HashSet<ReadingKey> =
        readings.iter().filter(|reading| reading.value.is_some()).map(Reading::key).collect();
    let once: HashMap<ReadingKey, u32> = keys.iter().map(|key| (key.clone(), 1)).collect();
    assert_eq!(done.times, once);
    assert_eq!(done.rows_taken, table.rows.len() as u64, "each id is read once");
    let nulls = readings.iter().filter(|reading| reading.value.is_none()).count() as u64;
    let again = readings.len() as u64 - nulls - keys.len() as u64;
    assert_eq!(done.counts.nulls, nulls);
    assert_eq!(done.counts.duplicates + done.counts.already_judged, again);
    assert_eq!(done.counts.malformed, (table.rows.len() - readings.len()) as u64);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1_000))]

    #[test]
    fn by_key_each_row_is_new_once(events in prop::collection::vec(event(), 1..120)) {
        let (mut table, mut now, mut next) = (InputTable::default(), 0, 1);
        let mut done = start(None);
        for event in events {
            match event {
                HistoryEvent::Open { skip, row } => {
                    table.in_flight.push((next, now, row));
                    next += skip;
                }
                HistoryEvent::Commit(which) if !table.in_flight.is_empty() => {
                    let (id, _, row) = table.in_flight.swap_remove(which.index(table.in_flight.len()));
                    table.rows.insert(id, row);
                }
                HistoryEvent::RollBack(which) if !table.in_flight.is_empty() => {
                    table.in_flight.swap_remove(which.index(table.in_flight.len()));
                }
                HistoryEvent::Commit(_) | HistoryEvent::RollBack(_) => {}
                HistoryEvent::Wait(seconds) => {
                    now += seconds;
                    // No insert stays open for as long as the settle time: that is what the settle
                    // time means.
                    let late = |began: i64| began + SETTLE.as_secs().cast_signed() <= now;
                    let (ended, open) = std::mem::take(&mut table.in_flight).into_iter().partition(|row| late(row.1));
                    table.in_flight = open;
                    let ended: Vec<(i64, i64, InsertedRow)> = ended;
                    table.rows.extend(ended.into_iter().map(|(id, _, row)| (id, row)));
                }
                HistoryEvent::Cycle { limit, batches, dies_before_commit } => {
                    cycle(&table, &mut done, now, limit, batches, dies_before_commit);
                }
            }
        }
        let open = std::mem::take(&mut table.in_flight);
        table.rows.extend(open.into_iter().map(|(id, _, row)| (id, row)));
        let (_, ended) = cycle(&table, &mut done, now, 5, usize::MAX, false);
        prop_assert!(ended);
        assert_judged_once(&table, &done);

        cycle(&table, &mut done, now + 60, 5, usize::MAX, false);
        let Position::Key(settled) = serde_json::from_str(&done.state).unwrap() else { unreachable!("a key") };
        let scanned = table.rows.keys().last().copied().unwrap_or(i64::MIN);
        // What lies before the first row of an empty table may be another writer's range.
        let gaps: Vec<_> = settled.gaps.iter().filter(|gap| gap.last.abs_diff(gap.first) < 100_000).collect();
        prop_assert_eq!((settled.since, settled.scanned, gaps), (at(0), scanned, Vec::new()));
    }

    /// A worker without a key: rows come by datetime, up to the allowed lateness behind the newest
    /// and beyond.
    #[test]
    fn by_time_each_row_is_judged_once_or_said_to_be_late(
        events in prop::collection::vec(
            prop_oneof![
                6 => (-60..8i64, 0..4u8).prop_map(|(offset, variable)| (Some((offset, variable)), 0, 0, false)),
                3 => (1..9usize, 1..5usize, any::<bool>()).prop_map(|(limit, batches, dies)| (None, limit, batches, dies)),
            ],
            1..150,
        ),
    ) {
        let (mut rows, mut clock): (Vec<Reading>, i64) = (Vec::new(), 100);
        let mut done = Committed::new(serde_json::to_string(&Position::Time(TimePosition::start(at(0)))).unwrap());
        let mut watermark = None;
        let mut keys = HashSet::new();
        let ends = [(None, 4, usize::MAX, false), (None, 4, usize::MAX, false)];
        for (row, limit, batches, dies) in events.into_iter().chain(ends) {
            let Some((offset, variable)) = row else {
                cycle_by_time(&rows, &mut done, &mut watermark, limit, batches, dies);
                continue;
            };
            clock += 2;
            let variable = format!("T{variable}").into();
            let reading =
                Reading { id: None, datetime: at(clock + offset), variable, value: Some(1.0), source_file: None };
            if keys.insert(reading.key()) {
                rows.push(reading);
                rows.sort_by_key(|reading| reading.datetime);
            }
        }
        prop_assert!(done.times.values().all(|&times| times == 1), "judged twice: {:?}", done.times);
        prop_assert_eq!(done.times.len() as u64 + done.counts.too_late, rows.len() as u64);
    }
}

fn cycle_by_time(
    rows: &[Reading],
    done: &mut Committed,
    watermark: &mut Option<Datetime>,
    limit: usize,
    batches: usize,
    dies: bool,
) {
    let Position::Time(mut position) = serde_json::from_str(&done.state).unwrap() else {
        unreachable!("a time")
    };
    let count = |from: Datetime, to: Datetime| {
        rows.iter().filter(|row| from <= row.datetime && row.datetime < to).count() as u64
    };
    let oldest_allowed = oldest_allowed(position.since, *watermark, at(1_000_000), LATENESS);
    let in_passed = position.passed.map_or(0, |passed| count(passed.from, passed.to));
    let (from, to) = TimePosition::stretch(oldest_allowed);
    let mut pass = position.pass(oldest_allowed, in_passed, count(from, to));

    let (mut limit, mut taken) = (limit, 0);
    loop {
        let rest = rows.iter().filter(|row| row.datetime >= pass.from());
        let readings: Vec<Reading> = rest.take(limit).cloned().collect();
        let full = readings.len() == limit;
        match position.advance(&mut pass, Page { readings, malformed: Vec::new(), full }) {
            PageOutcome::TooSmall | PageOutcome::Doubtful => limit *= 2,
            PageOutcome::Accepted { page, too_late } => {
                taken += 1;
                if taken == batches && dies {
                    return;
                }
                *watermark = (*watermark).max(page.readings.iter().map(|row| row.datetime).max());
                let (full, rows) = (page.full, page.readings.len());
                let mut sifted =
                    sift_all(page.readings, |_| Name::Own, &done.judged, pass.oldest(), |_| true);
                sifted.counts.too_late += too_late;
                done.commit(
                    serde_json::to_string(&Position::Time(position.clone())).unwrap(),
                    sifted,
                    0,
                    rows,
                );
                if !full || taken == batches {
                    return;
                }
            }
        }
    }
}

/// Keys that count in steps of two leave a gap at every row: gaps are merged, rows between them are
/// read again while they are young, and still each is new once, each cycle ends, and the state row
/// stays small.
#[test]
fn a_gap_at_every_row_neither_stops_the_cycle_nor_repeats_a_verdict() {
    let row = |id: i64| InsertedRow::Reading { seconds: id / 20, variable: (id / 2 % 10) as u8, null: false };
    let mut table =
        InputTable { rows: (0..2_000).map(|n| (2 * n, row(2 * n))).collect(), in_flight: Vec::new() };
    let mut done = start(Some(0));
    for (now, most_reads) in [(0, 90), (5, 180), (30, 180), (60, 1)] {
        let (reads, ended) = cycle(&table, &mut done, now, 50, usize::MAX, false);
        assert!(ended && reads <= most_reads, "{reads} reads at {now} s");
        if now == 5 {
            table.rows.insert(1_001, InsertedRow::Reading { seconds: 1, variable: 200, null: false });
        }
        let Position::Key(position) = serde_json::from_str(&done.state).unwrap() else {
            unreachable!("a key")
        };
        assert!(position.gaps.len() <= 64, "{} gaps", position.gaps.len());
    }
    assert_eq!(done.times.len(), 2_001);
    assert!(done.times.values().all(|&times| times == 1));
}
