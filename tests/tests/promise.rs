//! Promise 1 where nothing of the database may be believed: rows dated ahead, ids that start again or come from several ranges, values
//! that are filled in later, clocks that are wrong. At the end each reading within the allowed lateness has one verdict or one reason.

#![allow(clippy::unwrap_used, reason = "a test stops at the first surprise")]

use std::collections::HashMap;
use std::time::Duration;

use host::counts::Counts;
use host::datetime::Datetime;
use host::reconciliation::{Causes, Look};
use host::worker::{Slice, Worker};
use proptest::prelude::*;
use tests::fixture::{Fixture, Layout, at, datetime, echo, verdicts};
use tests::logs::Lines;

fn row(bench: &Fixture, id: i64, short: &str, value: &str) {
    let ds = at(short);
    bench.execute(&format!(
        "INSERT INTO datos_proceso (id, datetime, variable_name, value) VALUES ({id}, '{ds}', 'T1', {value})"
    ));
}

/// A whole look, which is due.
async fn look(worker: &mut Worker) -> Look {
    assert!(worker.looks(), "no look is due");
    loop {
        match worker.look().await.unwrap() {
            Slice::More => {}
            Slice::Done(look) => return look,
            Slice::NoIndex => unreachable!("there is an index"),
        }
    }
}

fn warned(lines: &Lines, words: &str) -> usize {
    lines.take().iter().filter(|line| line.starts_with("WARN") && line.contains(words)).count()
}

#[tokio::test]
async fn a_verdict_dated_ahead_decides_nothing() {
    for layout in Layout::BOTH {
        let bench = Fixture::new(layout);
        bench.python_output(&[("14 16:00", "T1", 1.0)]);
        bench
            .output()
            .execute(
                "INSERT INTO anomalies_detector (ds, variable, y) VALUES ('2099-01-01 00:00:00', 'T1', 1)",
                [],
            )
            .unwrap();
        bench.insert(&[("11:50", "T1", 2.0), ("11:55", "T1", 3.0)]);
        let report = bench.worker(echo().await).cycle(|| false).await.unwrap();
        assert_eq!(report.counts, Counts { judged: 2, ..Counts::default() }, "{layout:?}");
        assert_eq!(bench.state().await.unwrap().watermark, Some(datetime("11:55")), "{layout:?}");
    }
}

#[tokio::test]
async fn a_reading_dated_ahead_is_judged_named_once_and_moves_no_watermark() {
    for layout in Layout::BOTH {
        let (lines, _guard) = Lines::listen();
        let bench = Fixture::new(layout);
        bench.insert(&[("11:00", "T1", 1.0)]);
        bench.execute("INSERT INTO datos_proceso (datetime, variable_name, value) VALUES ('2099-01-01 00:00:00', 'T1', 2)");
        bench.worker(echo().await).cycle(|| false).await.unwrap();
        bench.insert(&[("11:30", "T1", 3.0), ("11:31", "T1", f64::NAN)]);
        let report = bench.worker(echo().await).cycle(|| false).await.unwrap();
        assert_eq!(report.counts, Counts { judged: 1, nulls: 1, ..Counts::default() }, "{layout:?}");
        assert_eq!(bench.state().await.unwrap().watermark, Some(datetime("11:31")), "{layout:?}");
        assert_eq!(warned(&lines, "a reading of `T1` is dated ahead"), 1, "{layout:?}");
    }
}

#[tokio::test]
async fn ids_that_start_again_are_read_again() {
    for (why, after) in [("below what was read", 20), ("beyond what was read", 70)] {
        let (lines, _guard) = Lines::listen();
        let bench = Fixture::new(Layout::Keyed);
        (1..=50).for_each(|id| row(&bench, id, &format!("11:00:{id:02}"), "1"));
        bench.worker(echo().await).cycle(|| false).await.unwrap();
        bench.execute("DELETE FROM datos_proceso");
        bench.worker(echo().await).cycle(|| false).await.unwrap();
        (1..=after).for_each(|id| row(&bench, id, &format!("11:{:02}:{:02}", 30 + id / 60, id % 60), "2"));
        let mut worker = bench.worker(echo().await);
        let report = worker.cycle(|| false).await.unwrap();
        assert_eq!(report.counts.judged, after as u64, "{why}");
        assert_eq!(warned(&lines, "ids of the input table have started again"), 1, "{why}");
        assert_eq!(worker.cycle(|| false).await.unwrap().rows, 0, "{why}: once");
    }
}

#[tokio::test]
async fn a_writer_in_a_lower_range_is_found_and_then_followed() {
    let bench = Fixture::new(Layout::Keyed);
    row(&bench, 1_000_000_000, "11:00", "1");
    let mut worker = bench.worker(echo().await);
    worker.cycle(|| false).await.unwrap();
    look(&mut worker).await;
    row(&bench, 7, "11:10", "2");
    worker.cycle(|| false).await.unwrap();
    assert!(!worker.looks(), "one was made just now");
    bench.now("13:00");
    row(&bench, 8, "12:10", "3");
    worker.cycle(|| false).await.unwrap();
    let found = look(&mut worker).await;
    assert_eq!((found.found, found.unjudged), (Causes { below: 2, ..Causes::default() }, 0));
    row(&bench, 9, "12:20", "4");
    assert_eq!(worker.cycle(|| false).await.unwrap().counts.judged, 1, "it is followed");
}

#[tokio::test]
async fn what_is_filled_in_or_committed_late_is_found() {
    for layout in Layout::BOTH {
        let bench = Fixture::new(layout);
        bench.insert(&[("11:30", "T1", f64::NAN), ("11:40", "T1", 1.0), ("11:50", "T1", 2.0)]);
        let mut worker = bench.worker(echo().await);
        worker.cycle(|| false).await.unwrap();
        let first = look(&mut worker).await;
        assert_eq!((first.found.total(), first.rows.judged, first.rows.nulls), (0, 2, 1), "{layout:?}");
        bench.execute("UPDATE datos_proceso SET value = 99 WHERE value IS NULL");
        let mut other = bench.worker(echo().await);
        drop(worker);
        other.begin_look().await.unwrap();
        let again = look_now(&mut other).await;
        assert_eq!((again.found.total(), again.unjudged, again.rows.judged), (1, 0, 3), "{layout:?}");
        let expected = [("11:30", "T1", 99.0), ("11:40", "T1", 1.0), ("11:50", "T1", 2.0)];
        assert_eq!(bench.verdicts(), verdicts(&expected), "{layout:?}");
        let state = bench.state().await.unwrap();
        assert_eq!(state.counts, Counts { judged: 3, nulls: 1, ..Counts::default() }, "{layout:?}");
    }
}

async fn look_now(worker: &mut Worker) -> Look {
    loop {
        match worker.look().await.unwrap() {
            Slice::More => {}
            Slice::Done(look) => return look,
            Slice::NoIndex => unreachable!("there is an index"),
        }
    }
}

#[tokio::test]
async fn a_worker_that_began_days_ahead_judges_once_the_clock_is_right() {
    for layout in Layout::BOTH {
        let bench = Fixture::new(layout);
        bench.now("18 12:00");
        bench.insert(&[("11:00", "T1", 1.0)]);
        bench.worker(echo().await).cycle(|| false).await.unwrap();
        bench.now("12:00");
        bench.insert(&[("11:30", "T1", 2.0)]);
        bench.worker(echo().await).cycle(|| false).await.unwrap();
        assert_eq!(bench.verdicts(), verdicts(&[("11:00", "T1", 1.0), ("11:30", "T1", 2.0)]), "{layout:?}");
    }
}

/// One share of three has lagged for days when their number becomes two.
#[tokio::test]
async fn a_share_that_lags_loses_nothing_when_the_number_of_shares_changes() {
    let mut bench = Fixture::new(Layout::Keyed);
    let variables: Vec<_> = (0..12).map(|number| format!("T{number}")).collect();
    let rows = |short: &'static str| -> Vec<_> {
        variables.iter().map(|variable| (short, variable.as_str(), 1.0)).collect()
    };
    let share = |bench: &mut Fixture, share: &str| {
        bench.settings.name = format!("default {share}");
        bench.settings.shard = Some(share.parse().unwrap());
    };
    bench.now("10 12:00");
    bench.insert(&rows("10 11:30"));
    for number in ["1/3", "2/3", "3/3"] {
        share(&mut bench, number);
        bench.worker(echo().await).cycle(|| false).await.unwrap();
    }
    bench.insert(&rows("11 11:30"));
    bench.insert(&rows("15 11:30"));
    bench.now("12:00");
    for number in ["1/3", "2/3", "1/2", "2/2"] {
        share(&mut bench, number);
        bench.worker(echo().await).cycle(|| false).await.unwrap();
    }
    let all: Vec<_> = [rows("10 11:30"), rows("11 11:30"), rows("15 11:30")].concat();
    assert_eq!(bench.verdicts(), verdicts(&all));
}

#[derive(Clone, Debug)]
enum Event {
    /// Into one of two ranges of ids, some minutes old. A row that is held is committed by `Commit`.
    Insert {
        high: bool,
        ago: i64,
        variable: u8,
        null: bool,
        held: bool,
    },
    Commit,
    Fill,
    Truncate,
    DatedAhead,
    /// A cycle while the clock is so many hours wrong.
    WrongClock(i64),
    Wait(i64),
    Cycle,
    Look,
}

fn event() -> impl Strategy<Value = Event> {
    let insert = (any::<bool>(), 0..70i64, 0..3u8, prop::bool::weighted(0.2), prop::bool::weighted(0.2));
    prop_oneof![
        8 => insert.prop_map(|(high, ago, variable, null, held)| Event::Insert { high, ago, variable, null, held }),
        2 => Just(Event::Commit),
        1 => Just(Event::Fill),
        1 => Just(Event::Truncate),
        1 => Just(Event::DatedAhead),
        1 => prop_oneof![Just(-72), Just(-1), Just(72)].prop_map(Event::WrongClock),
        2 => (1..40i64).prop_map(Event::Wait),
        4 => Just(Event::Cycle),
        1 => Just(Event::Look),
    ]
}

fn text(minutes: i64) -> String {
    Datetime::from_micros(datetime("12:00").micros() + minutes * 60_000_000).to_string()
}

/// What `Bench::now` takes.
fn short(minutes: i64) -> String {
    text(minutes)["2025-01-".len()..].to_owned()
}

async fn play(events: Vec<Event>) {
    let mut bench = Fixture::new(Layout::Keyed);
    bench.settings.batch_rows = 3;
    bench.settings.reconcile = Some(Duration::from_secs(1));
    let mut worker = bench.worker(echo().await);
    let (mut now, mut next, mut held) = (0_i64, [1_i64, 1_000_000], Vec::new());
    for event in events {
        match event {
            Event::Insert { high, ago, variable, null, held: waits } => {
                let id = &mut next[usize::from(high)];
                let value = if null { "NULL" } else { "1" };
                let sql = format!(
                    "INSERT INTO datos_proceso (id, datetime, variable_name, value) VALUES ({id}, '{}', 'T{variable}', {value})",
                    text(now - ago)
                );
                *id += 1;
                if waits { held.push(sql) } else { bench.execute(&sql) }
            }
            Event::Commit => held.drain(..).for_each(|sql| bench.execute(&sql)),
            Event::Fill => bench.execute("UPDATE datos_proceso SET value = 1 WHERE value IS NULL"),
            Event::Truncate => {
                held.clear();
                next = [1, 1_000_000];
                bench.execute("DELETE FROM datos_proceso");
            }
            Event::DatedAhead => {
                let id = &mut next[0];
                bench.execute(&format!(
                    "INSERT INTO datos_proceso (id, datetime, variable_name, value) VALUES ({id}, '2099-01-01 00:00:00', 'T1', 1)"
                ));
                *id += 1;
            }
            Event::WrongClock(hours) => {
                bench.now(&short(now + hours * 60));
                worker.cycle(|| false).await.unwrap();
                bench.now(&short(now));
            }
            Event::Wait(minutes) => {
                now += minutes;
                bench.now(&short(now));
            }
            Event::Cycle => drop(worker.cycle(|| false).await.unwrap()),
            Event::Look => while worker.looks() && worker.look().await.unwrap() == Slice::More {},
        }
    }
    held.drain(..).for_each(|sql| bench.execute(&sql));
    now += 1;
    bench.now(&short(now));
    worker.cycle(|| false).await.unwrap();
    look(&mut worker).await;
    // A range that the look has found is read by the cycle after it.
    now += 1;
    bench.now(&short(now));
    worker.cycle(|| false).await.unwrap();
    let last = look(&mut worker).await;
    assert_eq!((last.found.total(), last.unjudged, last.awaited), (0, 0, 0), "{last:?}");
    assert_eq!(bench.state().await.unwrap().reconciliation.last, Some(last.clone()), "what `status` shows");

    let mut times: HashMap<(String, String), u32> = HashMap::new();
    for (ds, variable, _) in bench.verdicts() {
        *times.entry((ds, variable)).or_default() += 1;
    }
    assert!(times.values().all(|times| *times == 1), "judged twice: {times:?}");
    let input = bench.input();
    let mut statement = input.prepare("SELECT datetime, variable_name, value FROM datos_proceso").unwrap();
    let rows: Vec<(String, String, Option<f64>)> = statement
        .query_map([], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))
        .unwrap()
        .collect::<Result<_, _>>()
        .unwrap();
    // A look reaches further back than the allowed lateness, for what no cycle has read.
    let edge = last.to.earlier(Duration::from_secs(3600)).to_string();
    let within = |ds: &str| (last.from.to_string().as_str()..last.to.to_string().as_str()).contains(&ds);
    let rows: Vec<_> = rows.into_iter().filter(|(ds, ..)| within(ds)).collect();
    for (ds, variable, value) in &rows {
        let judged = times.contains_key(&(ds.clone(), variable.clone()));
        assert!(
            judged || value.is_none() || *ds < edge,
            "`{variable}` at {ds} has neither a verdict nor a reason"
        );
    }
    let Counts { judged, nulls, duplicates, too_late, .. } = last.rows;
    assert_eq!(judged + nulls + duplicates + too_late, rows.len() as u64, "{last:?}");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn at_the_end_of_any_history_each_reading_has_one_verdict_or_one_reason(
        events in prop::collection::vec(event(), 1..40),
    ) {
        tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(play(events));
    }
}
