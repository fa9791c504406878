//! Variables of one machine, judged together.

#![allow(clippy::unwrap_used, reason = "a test stops at the first surprise")]

mod families;
mod machines;

use families::DAY;
use machines::{KINDS, MEMBERS, Row, alone, loaded, together};
use rule::RuleSettings;

const ROWS: usize = 12 * DAY;
const MACHINES: u64 = 6;

/// When the fault begins, and within how many readings it has to be found.
const AT: usize = ROWS - DAY / 2;
const WITHIN: usize = 24;

/// Alarms for readings: some of them are seen in a short test.
const BUDGET: &str = "1 per 1000 readings";

/// From the fault on each sensor is off by 2, on a side of its own.
fn machine(seed: u64) -> Vec<Row> {
    let mut rows = loaded(seed, ROWS);
    for row in &mut rows[AT..] {
        (0..MEMBERS).for_each(|n| row[n] += [2.0, -2.0][n % 2]);
    }
    rows
}

fn settings() -> RuleSettings {
    RuleSettings { false_alarms: BUDGET.parse().unwrap(), ..RuleSettings::new(200) }
}

#[test]
fn a_group_finds_more_than_any_member_at_the_same_budget() {
    let found = |alarms: &[bool]| usize::from(alarms[AT..AT + WITHIN].contains(&true));
    let (mut by_group, mut by_member) = (0, [0; MEMBERS]);
    for seed in 0..MACHINES {
        let rows = machine(seed);
        let judged = together(&rows, settings());
        by_group += usize::from(judged[AT..AT + WITHIN].iter().any(machines::Judged::alarms));
        for (member, by_member) in by_member.iter_mut().enumerate() {
            *by_member += found(&alone(&rows, member, settings()));
        }
        for verdict in judged.iter().flat_map(|row| row.verdicts) {
            assert_eq!((verdict.alarm, verdict.cause.is_some()), (verdict.score >= 50.0, verdict.is_anomaly));
            assert!(verdict.is_anomaly || !verdict.alarm, "{verdict:?}");
        }
    }
    let all = MACHINES as usize;
    assert!(by_group + 1 >= all, "{by_group} of {all}");
    assert!(by_member.iter().all(|found| *found < by_group), "{by_group}, members {by_member:?}");
}

/// Readings of a young group, and how many machines of each kind.
const YOUNG: usize = 2000;
const EACH: u64 = 2;

#[test]
fn a_young_group_alarms_as_often_as_it_may() {
    let (mut alarms, mut readings) = (0, 0);
    for kind in KINDS {
        for seed in 0..EACH {
            let judged = together(&kind.rows(seed, 550 + YOUNG), settings());
            let by_group = || judged.iter().filter(|row| row.by_group);
            readings += by_group().count();
            alarms += by_group().filter(|row| row.alarms()).count();
        }
    }
    let share = alarms as f64 / (readings as f64 / 1000.0);
    assert!((0.5..1.5).contains(&share), "{alarms} false alarms in {readings} readings");
}
