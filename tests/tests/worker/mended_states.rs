//! Silences, stuck values and the episodes that a silence ends, after readings that come late in any
//! order, cycles, and backfills: what the table holds after a cycle is what it would hold if every
//! reading had come in time. Of the past nothing is told. `MEND_SEEDS` says how many plants are
//! tried.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use host::episode::{PatternSettings, StateDelay, TrackerSettings, VariableRules};
use host::worker::backfill::BackfillPlan;
use tests::fixture::{Fixture, Layout, WORKER, datetime};
use tests::late_readings::{
    Arrival, Random, clock, flagging, pass_until, run_backfill, seeds, told, unfinished,
};

const VARIABLES: [&str; 2] = ["T1", "T2"];

/// It always has readings: else the whole plant would be silent, which is one state.
const LIVELY: &str = "OK";

const MINUTES: u64 = 120;

/// Minutes without a reading, and with the same one.
const SILENT: u64 = 5;
const STUCK: u64 = 4;

fn rules() -> Arc<TrackerSettings> {
    let minutes = |minutes| Some(StateDelay::Set(Duration::from_secs(60 * minutes)));
    let said = |silent, stuck| PatternSettings {
        silent_after: minutes(silent),
        stuck_after: minutes(stuck),
        ..PatternSettings::default()
    };
    let rules = VARIABLES.map(|name| (name.to_owned(), said(SILENT, STUCK)));
    let rules = rules.into_iter().chain([(LIVELY.to_owned(), said(600, 600))]);
    Arc::new(TrackerSettings { rules: VariableRules::new(rules), ..TrackerSettings::default() })
}

/// Variable, kind, begin, end, closed at, readings. An open silence has no end yet.
type Seen = (String, String, u64, Option<u64>, Option<u64>, i64);

/// Begin, end and readings of what has not ended.
type Open = (u64, u64, i64);

/// The minutes since nine.
fn minute(ds: &str) -> u64 {
    let number = |range: std::ops::Range<usize>| ds[range].parse::<u64>().unwrap();
    60 * number(11..13) + number(14..16) - 9 * 60
}

fn stored(bench: &Fixture) -> Vec<Seen> {
    let output = bench.output();
    let sql = "SELECT variable, kind, begin_at, end_at, closed_at, readings FROM anomaly_worker_episodes \
               WHERE kind IN ('anomaly', 'silent', 'stuck') AND variable <> 'OK'";
    let mut statement = output.prepare(sql).unwrap();
    let rows = statement.query_map([], |row| {
        let (kind, closed): (String, Option<String>) = (row.get(1)?, row.get(4)?);
        let [begin, end] = [2, 3].map(|at| minute(&row.get::<_, String>(at).unwrap()));
        let closed = closed.map(|at| minute(&at));
        let end = (kind != "silent" || closed.is_some()).then_some(end);
        Ok((row.get(0)?, kind, begin, end, closed, row.get(5)?))
    });
    let mut rows: Vec<Seen> = rows.unwrap().collect::<Result<_, _>>().unwrap();
    rows.sort();
    rows
}

/// From the verdicts of a variable at this minute.
fn of_variable(bench: &Fixture, variable: &str, now: u64) -> Vec<Seen> {
    let output = bench.output();
    let sql = "SELECT ds, y, is_anomaly FROM anomalies_detector WHERE variable = ?1 ORDER BY ds";
    let mut statement = output.prepare(sql).unwrap();
    let rows = statement
        .query_map([variable], |row| Ok((minute(&row.get::<_, String>(0)?), row.get(1)?, row.get(2)?)));
    let verdicts: Vec<(u64, f64, bool)> = rows.unwrap().collect::<Result<_, _>>().unwrap();
    let mut found = Vec::new();
    let mut add = |kind: &str, (begin, end, readings): Open, closed: Option<u64>| {
        found.push((variable.to_owned(), kind.to_owned(), begin, Some(end), closed, readings));
    };
    // What is open: begin, end and readings; of an anomaly the normal readings in a row too.
    let (mut stuck, mut anomaly, mut normal): (Option<Open>, Option<Open>, i64) = (None, None, 0);
    let is_stuck = |run: &Open| run.1 - run.0 > STUCK;
    for (at, (ds, y, flag)) in verdicts.iter().enumerate() {
        let before = at.checked_sub(1).map(|at| verdicts[at]);
        if let Some((last, value, _)) = before {
            let is_silent = ds - last > SILENT;
            let at = if is_silent { last + SILENT } else { *ds };
            if is_silent {
                add("silent", (last, *ds, 0), Some(*ds));
                anomaly.take().into_iter().for_each(|open| add("anomaly", open, Some(at)));
            }
            if is_silent || value != *y {
                stuck.take().filter(is_stuck).into_iter().for_each(|run| add("stuck", run, Some(at)));
            }
        }
        let run = stuck.get_or_insert((*ds, *ds, 0));
        *run = (run.0, *ds, run.2 + 1);
        match (&mut anomaly, flag) {
            (None, true) => (anomaly, normal) = (Some((*ds, *ds, 1)), 0),
            (Some(open), true) => {
                *open = (open.0, *ds, open.2 + 1 + std::mem::take(&mut normal));
            }
            (Some(open), false) if normal == 1 => {
                add("anomaly", *open, Some(*ds));
                anomaly = None;
            }
            (Some(_), false) => normal += 1,
            (None, false) => {}
        }
    }
    let Some((last, ..)) = verdicts.last() else { return found };
    let silent = now - last > SILENT;
    let closed = silent.then_some(last + SILENT);
    anomaly.into_iter().for_each(|open| add("anomaly", open, closed));
    stuck.filter(is_stuck).into_iter().for_each(|run| add("stuck", run, closed));
    if silent {
        found.push((variable.to_owned(), "silent".to_owned(), *last, None, None, 0));
    }
    found
}

fn in_time(bench: &Fixture, now: u64) -> Vec<Seen> {
    let mut found: Vec<Seen> = VARIABLES.iter().flat_map(|name| of_variable(bench, name, now)).collect();
    found.sort();
    found
}

/// How often people have to be told that a variable is silent, and that it is back, by what each
/// cycle finds.
#[derive(Debug, Default, PartialEq)]
struct Turns {
    silent: BTreeMap<String, u64>,
    begun: usize,
    ended: usize,
}

impl Turns {
    fn see(&mut self, rows: &[Seen]) {
        for variable in VARIABLES {
            let of = |row: &&Seen| row.0 == variable && row.1 == "silent";
            let now = rows.iter().filter(of).find(|row| row.4.is_none()).map(|row| row.2);
            let before = self.silent.remove(variable);
            // A silence that readings have moved to a later begin goes on.
            let ended = before
                .is_some_and(|begin| rows.iter().filter(of).any(|row| row.2 == begin && row.4.is_some()));
            let goes_on = before.is_some() && now.is_some() && !ended;
            self.begun += usize::from(now.is_some() && !goes_on);
            self.ended += usize::from(before.is_some() && !goes_on);
            self.silent.extend(now.map(|begin| (variable.to_owned(), begin)));
        }
    }
}

#[tokio::test]
async fn late_readings_and_backfills_leave_the_states_that_there_were() {
    for seed in seeds() {
        let mut random = Random::new(seed);
        let mut bench = Fixture::new(Layout::Keyed);
        bench.settings.episodes = rules();
        bench.settings.batch_rows = 50;
        // A variable has readings or none, for some minutes; its value stays, for some.
        let mut arrivals: Vec<Arrival> = Vec::new();
        let mut states = [(true, 0_u64); VARIABLES.len()];
        for minute in 0..MINUTES {
            arrivals.push((minute, (minute, LIVELY, 0.0)));
            for (variable, (speaks, value)) in VARIABLES.iter().zip(&mut states) {
                *speaks ^= random.below(6) == 0;
                if random.below(4) == 0 {
                    *value = random.below(12);
                }
                if *speaks {
                    let late = if random.below(5) == 0 { random.below(40) } else { 0 };
                    arrivals.push((minute + late, (minute, *variable, *value as f64)));
                }
            }
        }
        // A line that was cut: all of these come when it is mended.
        let cut = random.below(MINUTES - 30);
        for (at, (minute, variable, _)) in &mut arrivals {
            if *variable == VARIABLES[0] && (cut..cut + 20).contains(minute) {
                *at = cut + 20;
            }
        }
        arrivals.sort_by_key(|(at, _)| *at);
        let mut worker = bench.worker(flagging(0).await);
        let (mut backfills, mut turns, mut kinds) = (0, Turns::default(), BTreeMap::<String, usize>::new());
        for minute in (0..MINUTES + 42).step_by(6) {
            pass_until(minute, &bench, &mut arrivals);
            if random.below(4) == 0 && minute > 0 {
                let from = random.below(minute);
                let plan = BackfillPlan {
                    worker: WORKER.into(),
                    shard: None,
                    from: datetime(&clock(from)),
                    to: datetime(&clock(from + 1 + random.below(minute - from + 1))),
                    variables: None,
                    replace: random.below(2) == 0,
                    rules: rules(),
                    batch_rows: 40,
                };
                run_backfill(&plan, &bench.store, &mut flagging(1).await).await;
                backfills += 1;
            }
            if random.below(8) == 0 {
                worker = bench.worker(flagging(0).await);
            }
            worker.cycle(|| false).await.unwrap();
            let expected = in_time(&bench, minute);
            let found = stored(&bench);
            let but = |some: &[Seen], others: &[Seen]| -> Vec<Seen> {
                some.iter().filter(|row| !others.contains(row)).cloned().collect()
            };
            let differ = (but(&found, &expected), but(&expected, &found));
            assert_eq!(differ, (vec![], vec![]), "seed {seed}, minute {minute}");
            assert_eq!(found.len(), expected.len(), "seed {seed}, minute {minute}");
            turns.see(&expected);
            expected.iter().for_each(|row| *kinds.entry(row.1.clone()).or_default() += 1);
        }
        assert!(backfills > 1, "seed {seed}");
        assert!(kinds.len() == 3 && kinds.values().all(|count| *count > 20), "seed {seed}: {kinds:?}");
        let turns_told = (told(&bench, "silent"), told(&bench, "back"));
        assert_eq!(turns_told, (turns.begun, turns.ended), "seed {seed}");
        assert_eq!(unfinished(&bench), Vec::<String>::new(), "seed {seed}");
    }
}
