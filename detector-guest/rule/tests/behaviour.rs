//! What is said of faults: when, why, and for how long.

#![allow(clippy::unwrap_used, reason = "a test stops at the first surprise")]

mod families;

use std::f64::consts::TAU;

use families::{DAY, Random, STEP};
use rule::{Band, Basis, Cause, RuleSettings, Variable, Verdict};

const WARM_UP: u32 = families::WARM_UP as u32;

/// Where the faults begin.
const AT: usize = 12 * DAY;

fn wave(row: usize) -> f64 {
    50.0 + 3.0 * libm::sin(TAU * row as f64 / DAY as f64)
}

/// A daily wave with noise, and what a fault makes of the readings from its beginning on.
fn judged(
    seed: u64,
    rows: usize,
    fault: impl Fn(usize, f64, &mut Random) -> f64,
) -> (Variable, Vec<Verdict>) {
    let mut random = Random(seed);
    let mut variable = Variable::new(RuleSettings::new(WARM_UP));
    let mut noise = 0.0;
    let mut verdicts = Vec::new();
    for row in 0..AT + rows {
        noise = 0.8 * noise + 0.6 * random.normal();
        let y = wave(row) + noise;
        let y = if row >= AT { fault(row - AT, y, &mut random) } else { y };
        verdicts.push(variable.judge(row as i64 * STEP, y, None));
    }
    (variable, verdicts)
}

/// The first alarm's reading since the fault's beginning, and the cause five readings later or the
/// last before.
fn found(verdicts: &[Verdict]) -> Option<(usize, Option<Cause>)> {
    let since = &verdicts[AT..];
    let alarm = since.iter().position(|verdict| verdict.alarm)?;
    Some((alarm, since[alarm..].iter().take(6).rev().find_map(|verdict| verdict.cause)))
}

#[test]
fn faults_are_found_in_time_and_named() {
    type Fault = fn(usize, f64, &mut Random) -> f64;
    let faults: [(&str, usize, Cause, Fault); 5] = [
        ("spike", 0, Cause::Spike, |row, y, _| if row == 0 { y + 12.0 } else { y }),
        ("shift", 12, Cause::Shift, |_, y, _| y - 7.0),
        ("drift", 3 * DAY, Cause::Drift, |row, y, _| y + 1.5 * row as f64 / DAY as f64),
        ("stuck", 24, Cause::Stuck, |_, _, _| 51.0),
        ("noise", 36, Cause::Spike, |_, y, random| y + 4.0 * random.normal()),
    ];
    for (name, within, cause, fault) in faults {
        let of_five = (0..5).map(|seed| found(&judged(seed, 4 * DAY, fault).1)).collect::<Vec<_>>();
        let in_time = of_five.iter().flatten().filter(|(alarm, _)| *alarm <= within).count();
        assert!(in_time >= 4, "{name}: {of_five:?}");
        let named = of_five.iter().flatten().filter(|(_, found)| *found == Some(cause)).count();
        assert!(named >= 3, "{name}: {of_five:?}");
    }
}

#[test]
fn a_new_level_alarms_and_is_normal_after_the_stated_time() {
    let normal_after = RuleSettings::new(WARM_UP).normal_after as usize;
    for seed in 0..5 {
        let (mut variable, verdicts) = judged(seed, 3 * DAY, |_, y, _| y + 9.0);
        let (alarm, _) = found(&verdicts).unwrap();
        let since = &verdicts[AT + alarm..];
        let held = &since[..normal_after];
        assert_eq!(since[6].cause, Some(Cause::Shift), "seed {seed}");
        assert!(held.iter().all(|verdict| verdict.is_anomaly), "seed {seed}: it lasts");
        let accepted = &since[normal_after..][..24];
        assert!(!accepted.iter().any(|verdict| verdict.alarm), "seed {seed}: it is normal now");
        let later = &since[normal_after + DAY / 4..];
        let flagged = later.iter().filter(|verdict| verdict.is_anomaly).count();
        assert!(flagged < DAY / 4, "seed {seed}: {flagged} flagged of {}", later.len());
        let row = AT + 3 * DAY;
        let expected = variable.judge(row as i64 * STEP, wave(row) + 9.0, None).band.expected;
        assert!((expected - wave(row) - 9.0).abs() < 3.0, "seed {seed}: {expected}");
    }
}

/// Readings of every second: a budget of one a week is one in 600,000 of them, and the whole run is
/// twenty minutes.
#[test]
fn what_comes_every_second_is_flagged_within_minutes() {
    const SECOND: i64 = 1_000_000;
    for seed in 0..5 {
        let (mut random, mut noise) = (Random(seed), 0.0);
        let mut variable = Variable::new(RuleSettings::new(WARM_UP));
        let mut flagged = Vec::new();
        for row in 0..1200 {
            noise = 0.7 * noise + 0.7 * random.normal();
            let valve = if (800..980).contains(&row) { -12.0 } else { 0.0 };
            flagged.push(variable.judge(row * SECOND, 30.0 + noise + valve, None).is_anomaly);
        }
        let count = |rows: std::ops::Range<usize>| flagged[rows].iter().filter(|flagged| **flagged).count();
        assert!(count(0..800) <= 24, "seed {seed}: {} before", count(0..800));
        assert!(count(800..980) >= 170, "seed {seed}: {} of 180", count(800..980));
        assert!(count(1000..1200) <= 20, "seed {seed}: {} after", count(1000..1200));
    }
}

/// A shift that is over after an hour is not flagged for the rest of the day.
#[test]
fn a_state_ends_when_the_variable_is_back() {
    for seed in 0..5 {
        let (_, verdicts) = judged(seed, DAY, |row, y, _| if row < 12 { y + 9.0 } else { y });
        let since = &verdicts[AT..];
        let flagged = since.iter().filter(|verdict| verdict.is_anomaly).count();
        assert!((10..=20).contains(&flagged), "seed {seed}: {flagged}");
    }
}

/// Of bursts in what is 0 else, a hundred thousand usual errors are more than a database holds.
#[test]
fn bounds_stay_near_what_was_read() {
    let (mut random, mut variable) = (Random(7), Variable::new(RuleSettings::new(WARM_UP)));
    for row in 0..10 * DAY {
        let burst = row % 211 > 208;
        let y = if burst { 1e9 * random.uniform() } else { (10.0 * random.uniform()).floor() };
        let Band { lower, upper, .. } = variable.judge(row as i64 * STEP, y, None).band;
        assert!(lower > -1e10 && upper < 1e10, "{row}: {lower} to {upper}");
    }
}

#[test]
fn a_model_that_fits_halves_the_warm_up() {
    for (fits, learning) in [(true, WARM_UP / 2), (false, WARM_UP)] {
        let mut random = Random(3);
        let mut variable = Variable::new(RuleSettings::new(WARM_UP));
        let learns = (0..DAY * 2).filter(|row| {
            let y = wave(*row);
            let expected = if fits { y } else { y + 40.0 };
            let model = Band { expected, lower: expected - 2.0, upper: expected + 2.0 };
            variable.judge(*row as i64 * STEP, y + random.normal(), Some(model)).learning
        });
        assert_eq!(learns.count(), learning as usize, "fits: {fits}");
    }
}

#[test]
fn a_fault_does_not_become_what_is_expected() {
    for seed in 0..5 {
        // A quarter of the time after which it would be normal.
        let lasts = RuleSettings::new(WARM_UP).normal_after as usize / 4;
        let (_, verdicts) = judged(seed, 2 * DAY, |row, y, _| if row < lasts { y + 40.0 } else { y });
        assert!(verdicts[AT..AT + lasts].iter().all(|verdict| verdict.is_anomaly));
        let after = verdicts[AT + lasts + 8];
        let width = |verdict: &Verdict| verdict.band.upper - verdict.band.lower;
        assert!((after.band.expected - wave(AT + lasts + 8)).abs() < 3.0, "{after:?}");
        assert!(width(&after) < 1.3 * width(&verdicts[AT - 1]), "{after:?}");
    }
}

#[test]
fn score_alarm_and_flag_agree() {
    let (_, verdicts) = judged(3, 4 * DAY, |_, y, random| y + 5.0 * random.normal());
    for (row, verdict) in verdicts.iter().enumerate() {
        assert_eq!(verdict.alarm, verdict.score >= 50.0, "{row}: {verdict:?}");
        assert!(verdict.is_anomaly || !verdict.alarm, "{row}: {verdict:?}");
        assert_eq!(verdict.cause.is_some(), verdict.is_anomaly, "{row}: {verdict:?}");
        assert_eq!(verdict.learning, row < WARM_UP as usize, "{row}: {verdict:?}");
        assert!(!verdict.learning || !verdict.alarm, "{row}: {verdict:?}");
        let Band { expected, lower, upper } = verdict.band;
        assert!(lower <= expected && expected <= upper, "{row}: {verdict:?}");
    }
}

#[test]
fn learning_has_an_end_that_is_said() {
    let mut variable = Variable::new(RuleSettings::new(100));
    assert_eq!(variable.learning_until(), None);
    for row in 0..100 {
        variable.judge(row * STEP, row as f64, None);
        // Of one reading it is not known how soon the next comes.
        let expected = if row == 0 { Some(0) } else { (row < 99).then_some(99 * STEP) };
        assert_eq!(variable.learning_until(), expected, "{row}");
    }
}

#[test]
fn a_model_is_used_while_it_fits() {
    let mut random = Random(11);
    let mut variable = Variable::new(RuleSettings::new(WARM_UP));
    let mut bases = Vec::new();
    for row in 0..20 * DAY {
        // After the tenth day the plant runs elsewhere; the model does not know.
        let elsewhere = if row < 10 * DAY { 0.0 } else { 15.0 };
        let expected = wave(row);
        let model = Band { expected, lower: expected - 2.0, upper: expected + 2.0 };
        let verdict = variable.judge(row as i64 * STEP, expected + elsewhere + random.normal(), Some(model));
        assert_eq!(verdict.basis == Basis::Model, verdict.band == model);
        bases.push((verdict.basis == Basis::Model, verdict.aged));
    }
    assert!(bases[DAY..10 * DAY].iter().all(|basis| *basis == (true, false)));
    assert!(bases[19 * DAY..].iter().all(|basis| *basis == (false, true)));
}

#[test]
fn an_offset_changes_nothing() {
    let (mut random, far) = (Random(5), 1_048_576.0);
    let [mut near_by, mut far_off] = [(); 2].map(|()| Variable::new(RuleSettings::new(200)));
    for row in 0..2000 {
        // In steps that both can hold exactly.
        let y = (64.0 * random.normal()).round() / 64.0 + if row > 1500 { 5.0 } else { 0.0 };
        let found = near_by.judge(row * STEP, y, None);
        let found_far = far_off.judge(row * STEP, y + far, None);
        let band = found_far.band;
        assert!((band.expected - far - found.band.expected).abs() < 1e-6, "{row}: {band:?}");
        assert_eq!(Verdict { band: found.band, ..found_far }, found, "{row}");
    }
}
