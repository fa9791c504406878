//! Episodes after readings that come late in any order, cycles, and backfills that judge again: in
//! the end the table has the episodes that follow from all verdicts. About the past only the ends
//! of episodes are told whose begin was told. `MEND_SEEDS` says how many plants are tried.

use std::sync::Arc;

use host::episode::{PatternSettings, StateDelay, TrackerSettings, VariableRules};
use host::worker::backfill::{Backfill, BackfillPlan};
use tests::fixture::{Fixture, Layout, WORKER, datetime};
use tests::intercept::{Action, Intercepted};
use tests::late_readings::{
    Arrival, Random, clock, flagging, pass_until, run_backfill, seeds, told, unfinished,
};

const VARIABLES: [&str; 3] = ["T1", "T2", "P 3"];

const MINUTES: u64 = 90;

/// Readings in a row that open an episode of a variable, and that close it.
fn delays(variable: &str) -> (u32, u32) {
    match variable {
        "T1" => (1, 2),
        "T2" => (3, 2),
        _ => (2, 3),
    }
}

fn rules() -> Arc<TrackerSettings> {
    let rule = |name: &str| {
        let (on_delay, off_delay) = delays(name);
        let never = Some(StateDelay::Never);
        let said = PatternSettings {
            on_delay: Some(on_delay),
            off_delay: Some(off_delay),
            silent_after: never,
            stuck_after: never,
            ..PatternSettings::default()
        };
        (name.to_owned(), said)
    };
    Arc::new(TrackerSettings { rules: VariableRules::new(VARIABLES.map(rule)), ..TrackerSettings::default() })
}

/// Variable, begin, end, closed at, readings, flagged, peak, its reading.
type Seen = (String, String, String, Option<String>, i64, i64, f64, String);

fn stored(bench: &Fixture) -> Vec<Seen> {
    let output = bench.output();
    let sql = "SELECT variable, begin_at, end_at, closed_at, readings, flagged, peak_score, worst_ds \
               FROM anomaly_worker_episodes WHERE kind = 'anomaly' ORDER BY variable, begin_at";
    let mut statement = output.prepare(sql).unwrap();
    let rows = statement.query_map([], |row| {
        let counts = (row.get(4)?, row.get(5)?, row.get(6)?, row.get(7)?);
        let (readings, flagged, peak, worst) = counts;
        Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?, readings, flagged, peak, worst))
    });
    rows.unwrap().collect::<Result<_, _>>().unwrap()
}

fn afresh(bench: &Fixture) -> Vec<Seen> {
    let output = bench.output();
    let sql = "SELECT ds, is_anomaly, anomaly_score FROM anomalies_detector WHERE variable = ?1 ORDER BY ds";
    let mut statement = output.prepare(sql).unwrap();
    let mut found = Vec::new();
    let mut variables = VARIABLES;
    variables.sort_unstable();
    for variable in variables {
        let (on_delay, off_delay) = delays(variable);
        // The episode that is open or may open, how many readings in a row were anomalous, and how
        // many normal.
        let (mut open, mut run, mut normal): (Option<Seen>, u32, u32) = (None, 0, 0);
        let rows = statement.query_map([variable], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)));
        for row in rows.unwrap() {
            let (ds, anomaly, score): (String, bool, f64) = row.unwrap();
            let seen = match (&mut open, anomaly) {
                (None, false) => continue,
                (None, true) => {
                    run = 1;
                    let seen = (variable.to_owned(), ds.clone(), ds.clone(), None, 1, 1, score, ds);
                    open = Some(seen);
                    continue;
                }
                (Some(seen), _) => seen,
            };
            if anomaly {
                run += 1;
                seen.2.clone_from(&ds);
                seen.4 += 1 + i64::from(std::mem::take(&mut normal));
                seen.5 += 1;
                if score > seen.6 {
                    (seen.6, seen.7) = (score, ds);
                }
            } else if run < on_delay {
                open = None;
            } else if normal + 1 < off_delay {
                normal += 1;
            } else {
                seen.3 = Some(ds);
                (run, normal) = (0, 0);
                found.extend(open.take());
            }
        }
        found.extend(open.filter(|_| run >= on_delay));
    }
    found
}

#[tokio::test]
async fn late_readings_and_backfills_leave_the_episodes_that_the_verdicts_say() {
    for seed in seeds() {
        let mut random = Random::new(seed);
        let mut bench = Fixture::new(Layout::Keyed);
        bench.settings.episodes = rules();
        bench.settings.batch_rows = 50;
        // Flags come in groups. Bit 0 is for the worker's detector, bit 1 for that of the backfill.
        let mut bits = [[false; 2]; VARIABLES.len()];
        let mut readings = Vec::new();
        for minute in 0..MINUTES {
            for (variable, bits) in VARIABLES.iter().zip(&mut bits) {
                for bit in bits.iter_mut() {
                    *bit ^= random.below(3) == 0;
                }
                let value = u64::from(bits[0]) + 2 * u64::from(bits[1]) + 4 * random.below(8);
                readings.push((minute, *variable, value as f64));
            }
        }
        // Each reading comes at its minute, or any time after it.
        let mut arrivals: Vec<Arrival> = readings
            .into_iter()
            .map(|reading| (reading.0 + if random.below(6) == 0 { random.below(60) } else { 0 }, reading))
            .collect();
        arrivals.sort_by_key(|(at, _)| *at);
        let mut worker = bench.worker(flagging(0).await);
        let mut backfills = 0;
        let end = MINUTES + 60;
        for minute in (0..end).step_by(6) {
            pass_until(minute, &bench, &mut arrivals);
            if random.below(4) == 0 && minute > 0 {
                let from = random.below(minute);
                let to =
                    if random.below(2) == 0 { minute + 1 } else { from + 1 + random.below(minute - from) };
                let some = (random.below(3) == 0).then(|| [VARIABLES[0].into()].into());
                let plan = BackfillPlan {
                    worker: WORKER.into(),
                    shard: None,
                    from: datetime(&clock(from)),
                    to: datetime(&clock(to)),
                    variables: some,
                    replace: random.below(3) > 0,
                    rules: rules(),
                    batch_rows: 40,
                };
                let mut detector = flagging(1).await;
                let mut backfill = Backfill::begin(&plan, &bench.store, &mut detector).await.unwrap();
                loop {
                    let more = backfill.step(&mut detector).await.unwrap();
                    assert_eq!(stored(&bench), afresh(&bench), "seed {seed}, minute {minute}, a batch");
                    if !more {
                        break;
                    }
                }
                backfill.finish().await.unwrap();
                backfills += 1;
            }
            if random.below(8) == 0 {
                worker = bench.worker(flagging(0).await);
            }
            worker.cycle(|| false).await.unwrap();
            assert_eq!(stored(&bench), afresh(&bench), "seed {seed}, minute {minute}");
        }
        assert!(backfills > 1, "seed {seed}");
        let expected = afresh(&bench);
        assert!(expected.len() > 10, "seed {seed}: {} episodes prove nothing", expected.len());
        // Each begin that was told has an end that was told.
        assert_eq!(unfinished(&bench), Vec::<String>::new(), "seed {seed}");
        assert!(told(&bench, "opened") > 0 && told(&bench, "closed") > 0, "seed {seed}");
    }
}

/// The worker first reads T2 after a backfill has judged all of it. A reading that comes later and
/// has an earlier time makes three flagged readings in a row.
#[tokio::test]
async fn a_variable_whose_first_readings_a_backfill_judged_is_known() {
    const FLAGGED: f64 = 3.0;
    const NORMAL: f64 = 0.0;
    // The detector says it for each reading that it flags.
    const SCORE: f64 = FLAGGED + 10.0;
    let mut bench = Fixture::new(Layout::Keyed);
    bench.settings.episodes = rules();
    let mut worker = bench.worker(flagging(0).await);
    worker.cycle(|| false).await.unwrap();
    bench.insert(&[("09:02", "T2", FLAGGED), ("09:03", "T2", FLAGGED), ("09:05", "T2", NORMAL)]);
    bench.now("09:06");
    let plan = BackfillPlan {
        worker: WORKER.into(),
        shard: None,
        from: datetime("09:00"),
        to: datetime("09:06"),
        variables: None,
        replace: false,
        rules: rules(),
        batch_rows: 40,
    };
    run_backfill(&plan, &bench.store, &mut flagging(1).await).await;
    worker.cycle(|| false).await.unwrap();
    assert_eq!(stored(&bench), Vec::<Seen>::new());

    bench.insert(&[("09:00", "T2", FLAGGED), ("09:07", "T2", NORMAL), ("09:08", "T2", NORMAL)]);
    bench.now("09:08");
    worker.cycle(|| false).await.unwrap();
    let time = |minute: &str| format!("2025-01-15 09:0{minute}:00");
    let episode = ("T2".into(), time("0"), time("3"), Some(time("7")), 3, 3, SCORE, time("0"));
    assert_eq!(stored(&bench), [episode]);
    assert_eq!(stored(&bench), afresh(&bench));
}

/// An episode that lasts for the whole of a backfill is not read anew from its begin by each batch,
/// which would take days for a year of readings.
#[tokio::test]
async fn a_long_episode_is_read_once_by_a_backfill() {
    const READINGS: usize = 600;
    const BATCH: usize = 40;
    let bench = Fixture::new(Layout::Keyed);
    let times: Vec<String> =
        (0..READINGS).map(|minute| format!("{:02}:{:02}", minute / 60, minute % 60)).collect();
    bench.insert(&times.iter().map(|at| (at.as_str(), "T1", 3.0)).collect::<Vec<_>>());
    // What is not of the last day is not changed by a worker meanwhile.
    bench.now("17 12:00");
    let store = Intercepted::new(&bench.store, |_| Action::Go);
    let plan = BackfillPlan {
        worker: WORKER.into(),
        shard: None,
        from: datetime("00:00"),
        to: datetime("11:00"),
        variables: None,
        replace: false,
        rules: Arc::default(),
        batch_rows: BATCH,
    };
    run_backfill(&plan, &store, &mut flagging(1).await).await;
    let found = bench.texts("SELECT begin_at || ' to ' || end_at FROM anomaly_worker_episodes");
    assert_eq!(found, ["2025-01-15 00:00:00 to 2025-01-15 09:59:00"]);
    // The last one of the batch before, each time.
    assert_eq!(store.verdicts_around(), READINGS / BATCH);
}
