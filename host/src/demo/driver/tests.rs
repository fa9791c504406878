//! The demo from end to end: the real worker, detector and database, in a directory of its own.

#![allow(clippy::unwrap_used, reason = "a test stops where it fails")]

use super::*;
use crate::demo::faults::script;
use crate::demo::score::{Alarms, FaultOutcome::*, Readings};
use crate::demo::tables;
use crate::detector::Limits;

/// The expected events; the digest of a set changes with the module.
#[derive(Debug, PartialEq)]
enum Told {
    Cycle(u64),
    DroppedIn,
}

/// Two days: everything in them is known beforehand except how many readings of a slow fault are
/// flagged, and that is the same on every machine.
#[tokio::test]
async fn two_days_of_the_plant() {
    let dir = tempfile::tempdir().unwrap();
    let place = DemoDirectory::prepare(dir.path()).unwrap();
    let engine = Engine::new(Limits::default(), None).unwrap();
    let mut told = Vec::new();
    let tell = |event: DemoEvent<'_>| {
        told.push(match event {
            DemoEvent::DroppedIn { .. } => Told::DroppedIn,
            DemoEvent::Cycle(cycle) => Told::Cycle(cycle),
        });
    };
    let outcome = run(DemoPlan::new(2), &place, engine, tell).await.unwrap();

    // The model is added half-way.
    let mut expected: Vec<Told> = (1..=288).map(Told::Cycle).collect();
    expected.insert(143, Told::DroppedIn);
    assert_eq!(told, expected);

    // Five hours of one variable never arrived, 45 minutes of another without a value; the model
    // was added after 143 cycles.
    let (all, missing, nulls, before_model) = (25 * 2 * 288, 60, 9, 2 * 143);
    let (arrived, judged) = (all - missing - nulls, all - missing - nulls - before_model);
    assert_eq!(outcome.score.readings, Readings { arrived, judged, judged_twice: 0, judged_from_nothing: 0 });
    let first = START.later(INTERVAL * 143);
    assert_eq!(outcome.by_new_model, (576 - before_model, Some(first)));

    let minutes = |n: u64| Some(Duration::from_secs(60 * n));
    let came: Vec<_> = outcome
        .score
        .faults
        .iter()
        .map(|one| (one.fault, one.readings, one.judged, one.flagged, one.first_after, one.outcome))
        .collect();
    let script = script();
    let expected = [
        (1, 1, 1, minutes(0), Found),
        (72, 72, 37, minutes(125), Found),
        // A spike lies within this one.
        (36, 36, 1, minutes(90), Harmless),
        (36, 36, 0, None, Harmless),
        (36, 36, 0, None, Harmless),
        (1, 1, 1, minutes(0), Found),
        (0, 0, 0, None, Harmless),
        (2, 2, 2, minutes(0), Found),
        (72, 72, 57, minutes(75), Found),
        (12, 12, 0, None, Harmless),
        (72, 72, 64, minutes(0), Found),
        (24, 24, 0, None, Missed),
        (0, 0, 0, None, Harmless),
    ]
    .into_iter()
    .zip(&script)
    .map(|((readings, judged, flagged, after, came), fault)| {
        (*fault, readings, judged, flagged, after, came)
    });
    assert_eq!(came, expected.collect::<Vec<_>>());

    let flagged: usize =
        outcome.score.faults.iter().filter(|one| one.fault.kind.in_values()).map(|one| one.flagged).sum();
    let false_alarms: Vec<&Alarms> = outcome.score.alarms.iter().filter(|one| one.flagged > 0).collect();
    assert_eq!(false_alarms, Vec::<&Alarms>::new());
    assert_eq!(
        outcome.counts,
        Counts {
            judged: judged as u64,
            anomalies: flagged as u64,
            nulls: nulls as u64,
            duplicates: 12,
            no_model: before_model as u64,
            ..Counts::default()
        }
    );
    assert_eq!(outcome.broken_promises(), Vec::<String>::new());

    // Under the rule that learns every reading is judged, with a model or without one.
    let learning = &outcome.learning;
    assert_eq!(
        learning.readings,
        Readings { arrived, judged: arrived, judged_twice: 0, judged_from_nothing: 0 }
    );
    let found = learning.faults.iter().filter(|one| one.outcome == Found).count();
    let in_faults: usize =
        learning.faults.iter().filter(|one| one.fault.kind.in_values()).map(|one| one.flagged).sum();
    let false_alarms: usize = learning.alarms.iter().map(|one| one.begun).sum();
    let outside: usize = learning.alarms.iter().map(|one| one.flagged).sum();
    assert_eq!((found, in_faults, false_alarms, outside), (7, 207, 7, 95));

    // Narrow enough for a small terminal.
    let widest = tables::faults(&outcome.score).lines().map(str::len).max();
    assert!(widest <= Some(80), "{widest:?}");
}

#[test]
fn a_broken_promise_is_told() {
    let readings = |judged, judged_twice, judged_from_nothing| Readings {
        arrived: 10,
        judged,
        judged_twice,
        judged_from_nothing,
    };
    let harmful = score::FaultScore {
        fault: script()[2],
        readings: 36,
        judged: 35,
        flagged: 0,
        first_after: None,
        outcome: Harmful,
    };
    for (readings, faults, by_new_model, expected) in [
        (readings(8, 0, 0), vec![], 1, vec![]),
        (readings(7, 0, 0), vec![], 1, vec!["1 readings without a verdict although there is a model"]),
        (readings(9, 0, 0), vec![], 1, vec!["1 readings with a verdict although they were counted out"]),
        (readings(8, 3, 0), vec![], 1, vec!["3 readings judged twice"]),
        (readings(8, 0, 2), vec![], 1, vec!["2 verdicts on readings that never arrived"]),
        (readings(8, 0, 0), vec![harmful], 1, vec!["1 faults in how rows arrive that did harm"]),
        (readings(8, 0, 0), vec![], 0, vec!["no verdict by the model that was dropped in"]),
    ] {
        let outcome = DemoResult {
            score: DemoScore { faults, alarms: vec![], readings },
            counts: Counts { no_model: 2, ..Counts::default() },
            by_new_model: (by_new_model, None),
            learning: DemoScore { faults: vec![], alarms: vec![], readings: Readings::default() },
        };
        assert_eq!(outcome.broken_promises(), expected);
    }
}

#[test]
fn the_model_comes_at_noon_of_the_second_day_or_at_half_time() {
    for (days, cycles, drop_before) in [(1, 144, 72), (2, 288, 144), (3, 432, 216), (30, 4320, 216)] {
        let plan = DemoPlan::new(days);
        assert_eq!((plan.cycles(), plan.drop_before()), (cycles, drop_before));
        assert_eq!(plan.time_of(plan.cycles()), plan.end());
    }
}
