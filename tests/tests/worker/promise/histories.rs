//! Histories: inserts, late commits, truncations, reseeds, rows dated ahead, values that come
//! later, clock errors, in any order, with and without a key, in an SQLite file and on the fake
//! server. At the end each reading within the allowed lateness has exactly one verdict or one
//! counted reason, and what `status` reads agrees.

use std::collections::{BTreeSet, HashMap};
use std::time::Duration;

use fake_tds::Server;
use host::counts::Counts;
use host::datetime::Datetime;
use host::reload::ReloadSlots;
use host::worker::{Slice, Worker};
use proptest::prelude::*;
use tests::fixture::{Fixture, Layout, datetime, echo};

use super::look;
use super::plant::{OnServer, Plant, settings};

#[derive(Clone, Debug)]
enum Event {
    /// Into one of two ranges of ids, some minutes old. A row that is held back is committed by
    /// `Commit`.
    Insert {
        high: bool,
        ago: i64,
        variable: u8,
        null: bool,
        held: bool,
    },
    Commit,
    /// All missing values are filled in.
    Fill,
    /// Those of one variable are filled in by an UPDATE.
    Arrive(u8),
    Truncate,
    /// Old rows are deleted and the identity starts again below the rows that stay.
    Reseed,
    DatedAhead,
    /// A cycle while the clock is wrong by this number of hours.
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
        1 => (0..3u8).prop_map(Event::Arrive),
        1 => Just(Event::Truncate),
        1 => Just(Event::Reseed),
        1 => Just(Event::DatedAhead),
        1 => prop_oneof![Just(-72), Just(-1), Just(72)].prop_map(Event::WrongClock),
        2 => (1..40i64).prop_map(Event::Wait),
        4 => Just(Event::Cycle),
        1 => Just(Event::Look),
    ]
}

fn history() -> impl Strategy<Value = Vec<Event>> {
    prop::collection::vec(event(), 1..40)
}

fn minutes(minutes: i64) -> Datetime {
    Datetime::from_micros(datetime("12:00").micros() + minutes * 60_000_000)
}

/// Which ids the table gives, where it has any.
struct Ids {
    layout: Layout,
    next: [i64; 2],
    used: BTreeSet<i64>,
}

impl Ids {
    const RANGES: [i64; 2] = [1, 1_000_000];

    fn new(layout: Layout) -> Self {
        Self { layout, next: Self::RANGES, used: BTreeSet::new() }
    }

    fn insert<P: Plant>(&mut self, high: bool, at: Datetime, variable: u8, value: &str) -> String {
        let values = format!("'{at}', 'T{variable}', {value}");
        if self.layout == Layout::Keyless {
            return format!("INSERT INTO {} (datetime, variable_name, value) VALUES ({values})", P::TABLE);
        }
        let next = &mut self.next[usize::from(high)];
        while !self.used.insert(*next) {
            *next += 1;
        }
        let id = *next;
        format!("INSERT INTO {} (id, datetime, variable_name, value) VALUES ({id}, {values})", P::TABLE)
    }
}

async fn play<P: Plant>(mut plant: P, layout: Layout, events: Vec<Event>) {
    let mut worker = Worker::new(plant.settings(), plant.connector(), echo().await, ReloadSlots::default());
    let (mut now, mut ids, mut held) = (0_i64, Ids::new(layout), Vec::new());
    plant.now(minutes(now));
    let table = P::TABLE;
    for event in events {
        match event {
            Event::Insert { high, ago, variable, null, held: waits } => {
                let value = if null { "NULL" } else { "1" };
                let sql = ids.insert::<P>(high, minutes(now - ago), variable, value);
                if waits { held.push(sql) } else { plant.run(&sql).await }
            }
            Event::Commit => {
                for sql in held.drain(..) {
                    plant.run(&sql).await;
                }
            }
            Event::Fill => plant.run(&format!("UPDATE {table} SET value = 1 WHERE value IS NULL")).await,
            Event::Arrive(variable) => {
                let of = format!("value IS NULL AND variable_name = 'T{variable}'");
                plant.run(&format!("UPDATE {table} SET value = 2 WHERE {of}")).await;
            }
            Event::Truncate => {
                held.clear();
                ids = Ids::new(layout);
                plant.run(&format!("DELETE FROM {table}")).await;
            }
            Event::Reseed => {
                if layout == Layout::Keyed {
                    let low = |id: &&i64| **id < Ids::RANGES[1];
                    let last = ids.used.iter().filter(low).max().copied().unwrap_or_default() / 2;
                    plant.run(&format!("DELETE FROM {table} WHERE id <= {last}")).await;
                    // What is not committed yet keeps its id.
                    let kept = |sql: &String| sql.contains("VALUES (");
                    let waiting: BTreeSet<i64> = held
                        .iter()
                        .filter(|sql| kept(sql))
                        .filter_map(|sql| sql.split("VALUES (").nth(1)?.split(',').next()?.parse().ok())
                        .collect();
                    ids.used.retain(|id| *id > last || waiting.contains(id));
                    ids.next[0] = 1;
                }
            }
            Event::DatedAhead => {
                let sql = ids.insert::<P>(false, Datetime::parse("2099-01-01").unwrap(), 1, "1");
                plant.run(&sql).await;
            }
            Event::WrongClock(hours) => {
                plant.now(minutes(now + hours * 60));
                worker.cycle(|| false).await.unwrap();
                plant.now(minutes(now));
            }
            Event::Wait(time) => {
                now += time;
                plant.now(minutes(now));
            }
            Event::Cycle => drop(worker.cycle(|| false).await.unwrap()),
            Event::Look => while worker.looks() && worker.look().await.unwrap() == Slice::More {},
        }
    }
    for sql in held.drain(..) {
        plant.run(&sql).await;
    }
    now += 1;
    plant.now(minutes(now));
    worker.cycle(|| false).await.unwrap();
    look(&mut worker).await;
    // A range that the look has found is read by the cycle after it.
    now += 1;
    plant.now(minutes(now));
    worker.cycle(|| false).await.unwrap();
    let last = look(&mut worker).await;
    assert_eq!((last.found.total(), last.unjudged, last.awaited), (0, 0, 0), "{last:?}");

    let mut times: HashMap<(Datetime, String), u32> = HashMap::new();
    for key in plant.verdicts().await {
        *times.entry(key).or_default() += 1;
    }
    assert!(times.values().all(|times| *times == 1), "judged twice: {times:?}");
    let state = plant.state().await;
    assert_eq!(state.reconciliation.last, Some(last.clone()), "what `status` shows");
    assert_eq!(state.reconciliation.unjudged(), Some(0));
    assert_eq!(state.counts.judged, times.len() as u64, "{state:?}");
    // For rows that no cycle has read, a look goes further back than the allowed lateness.
    let edge = last.to.earlier(Duration::from_secs(3600));
    let mut rows = plant.rows().await;
    rows.retain(|(at, ..)| (last.from..last.to).contains(at));
    for (at, variable, has_value) in &rows {
        let judged = times.contains_key(&(*at, variable.clone()));
        assert!(
            judged || !has_value || *at < edge,
            "`{variable}` at {at} has neither a verdict nor a reason"
        );
    }
    let Counts { judged, nulls, duplicates, too_late, .. } = last.rows;
    assert_eq!(judged + nulls + duplicates + too_late, rows.len() as u64, "{last:?}");
}

fn in_a_file(layout: Layout, events: Vec<Event>) {
    let mut bench = Fixture::new(layout);
    bench.settings = settings(layout);
    run(play(bench, layout, events));
}

fn on_a_server(server: &Server, layout: Layout, events: Vec<Event>) {
    run(async { play(OnServer::new(server, layout, settings(layout)).await, layout, events).await });
}

fn run(work: impl Future<Output = ()>) {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(work);
}

/// As many histories, or as `PROPTEST_CASES` says.
fn runner(cases: u32) -> proptest::test_runner::TestRunner {
    let config = ProptestConfig::with_cases(cases);
    let asked = std::env::var("PROPTEST_CASES").ok().and_then(|cases| cases.parse().ok());
    proptest::test_runner::TestRunner::new(ProptestConfig {
        cases: asked.unwrap_or(cases),
        source_file: Some(file!()),
        ..config
    })
}

macro_rules! at_the_end_of_any_history {
    ($($name:ident: $cases:literal, $layout:expr, $server:literal;)*) => {$(
        #[test]
        fn $name() {
            let server = $server.then(|| Server::start().unwrap());
            runner($cases)
                .run(&history(), |events| {
                    match &server {
                        Some(server) => on_a_server(server, $layout, events),
                        None => in_a_file($layout, events),
                    }
                    Ok(())
                })
                .unwrap();
        }
    )*};
}

at_the_end_of_any_history! {
    each_reading_has_one_verdict_or_one_reason_with_a_key_in_a_file: 40, Layout::Keyed, false;
    each_reading_has_one_verdict_or_one_reason_without_a_key_in_a_file: 24, Layout::Keyless, false;
    each_reading_has_one_verdict_or_one_reason_with_a_key_on_a_server: 8, Layout::Keyed, true;
    each_reading_has_one_verdict_or_one_reason_without_a_key_on_a_server: 6, Layout::Keyless, true;
}
