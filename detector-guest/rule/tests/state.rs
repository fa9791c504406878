//! The state of a variable: the same verdicts however it is cut, bounded, and refused when it is
//! damaged.

#![allow(clippy::unwrap_used, reason = "a test stops at the first surprise")]

mod families;

use families::{DAY, FAMILIES, Random, STEP};
use proptest::prelude::*;
use rule::{Band, CheckpointError, RuleSettings, Variable, Verdict};

fn settings() -> RuleSettings {
    RuleSettings { false_alarms: "3 per day".parse().unwrap(), ..RuleSettings::new(200) }
}

/// Readings with faults, a model's prediction for some, and late ones.
fn readings(family: usize, seed: u64) -> Vec<(i64, f64, Option<Band>)> {
    let mut random = Random(seed);
    let mut y = FAMILIES[family].1(&mut random, 1200, DAY);
    y[600] += 50.0;
    y[700..800].iter_mut().for_each(|y| *y += 5.0);
    y[900..950].fill(3.0);
    y[1000] = f64::NAN;
    let model = |y: f64| Band { expected: 20.0, lower: 18.0, upper: 22.0 + y * 0.0 };
    (0..)
        .zip(y)
        .map(|(row, y)| {
            let late = if row % 97 == 96 { 5 } else { 0 };
            ((row - late) * STEP, y, (row / 300 % 2 == 1).then(|| model(1.0)))
        })
        .collect()
}

fn judge(variable: &mut Variable, readings: &[(i64, f64, Option<Band>)]) -> Vec<Verdict> {
    readings.iter().map(|(time, y, model)| variable.judge(*time, *y, *model)).collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn any_split_gives_the_same_verdicts_to_the_last_bit(
        family in 0..FAMILIES.len(),
        seed in any::<u64>(),
        mut cuts in prop::collection::vec(0_usize..1200, 0..12),
    ) {
        let readings = readings(family, seed);
        let mut whole = Variable::new(settings());
        let expected = judge(&mut whole, &readings);
        cuts.extend([0, readings.len()]);
        cuts.sort_unstable();
        let mut bytes = Variable::new(settings()).to_bytes();
        let mut found = Vec::new();
        for cut in cuts.windows(2) {
            let mut variable = Variable::from_bytes(&bytes, settings()).unwrap();
            found.extend(judge(&mut variable, &readings[cut[0]..cut[1]]));
            bytes = variable.to_bytes();
        }
        // Their texts tell numbers apart to the last bit, and find NaN equal.
        prop_assert_eq!(format!("{found:?}"), format!("{expected:?}"));
        prop_assert_eq!(bytes, whole.to_bytes());
    }

    #[test]
    fn late_readings_are_judged_and_change_nothing(seed in any::<u64>(), back in 0_i64..400, y in -1e3..1e3) {
        let mut variable = Variable::new(settings());
        judge(&mut variable, &readings(0, seed)[..500]);
        let before = variable.to_bytes();
        let verdict = variable.judge((499 - back) * STEP, y, None);
        prop_assert!(verdict.late);
        prop_assert_eq!(variable.to_bytes(), before);
    }

    #[test]
    fn a_damaged_state_is_an_error(at in any::<prop::sample::Index>(), with in 1_u8.., cut in any::<prop::sample::Index>()) {
        let mut variable = Variable::new(settings());
        judge(&mut variable, &readings(2, 7)[..400]);
        let whole = variable.to_bytes();
        let mut changed = whole.clone();
        changed[at.index(whole.len())] ^= with;
        prop_assert_eq!(Variable::from_bytes(&changed, settings()), Err(CheckpointError::Damaged));
        let short = &whole[..cut.index(whole.len())];
        prop_assert_eq!(Variable::from_bytes(short, settings()), Err(CheckpointError::Damaged));
    }

    /// A state that was damaged before its CRC was taken may be refused or judge nonsense; it must
    /// not panic.
    #[test]
    fn a_forged_state_does_not_panic(changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..8)) {
        let mut variable = Variable::new(settings());
        let readings = readings(1, 3);
        judge(&mut variable, &readings[..400]);
        let whole = variable.to_bytes();
        let mut state = whole[..whole.len() - 4].to_vec();
        for (at, with) in changes {
            let at = 1 + at.index(state.len() - 1);
            state[at] = with;
        }
        let crc = crc32fast::hash(&state);
        state.extend(crc.to_le_bytes());
        if let Ok(mut variable) = Variable::from_bytes(&state, settings()) {
            judge(&mut variable, &readings[400..600]);
        }
    }
}

#[test]
fn a_state_of_another_version_or_warm_up_is_said() {
    let variable = Variable::new(settings());
    let mut bytes = variable.to_bytes();
    bytes[0] = 9;
    let end = bytes.len() - 4;
    let crc = crc32fast::hash(&bytes[..end]);
    bytes[end..].copy_from_slice(&crc.to_le_bytes());
    assert_eq!(Variable::from_bytes(&bytes, settings()), Err(CheckpointError::Version(9)));
    let other = Variable::from_bytes(&variable.to_bytes(), RuleSettings::new(300));
    assert_eq!(other, Err(CheckpointError::WarmUp { found: 200, wanted: 300 }));
    let error = other.map(|_| ()).unwrap_err().to_string();
    assert_eq!(error, "the state of the rule was learnt with a warm-up of 200 readings, not of 300");
}

#[test]
fn another_budget_goes_on_from_what_was_learnt() {
    let mut variable = Variable::new(settings());
    judge(&mut variable, &readings(0, 1));
    let other = RuleSettings { false_alarms: "1 per week".parse().unwrap(), ..settings() };
    let mut variable = Variable::from_bytes(&variable.to_bytes(), other).unwrap();
    assert_eq!((variable.settings(), variable.learning_until()), (&other, None));
    assert!((18.0..22.0).contains(&variable.judge(1300 * STEP, 20.0, None).band.expected));
}

#[test]
fn a_state_stays_small() {
    for (name, family) in FAMILIES {
        let mut variable = Variable::new(RuleSettings::new(3 * DAY as u32));
        let mut most = 0;
        for (row, y) in (0..).zip(family(&mut Random(1), 60 * DAY, DAY)) {
            variable.judge(row * STEP, y, None);
            if row % 500 == 0 {
                most = most.max(variable.to_bytes().len());
            }
        }
        assert!(most < 10_000, "{name}: {most} bytes");
    }
}

#[test]
fn extreme_values_do_no_harm() {
    let mut variable = Variable::new(settings());
    for (row, y) in [0.0, 1e308, -1e308, f64::MIN_POSITIVE, f64::INFINITY, f64::NAN]
        .into_iter()
        .cycle()
        .take(2000)
        .enumerate()
    {
        let time = (row as i64).wrapping_mul(i64::MAX / 1000).wrapping_add(i64::MIN);
        let verdict = variable.judge(time, y, Some(Band { expected: y, lower: y, upper: y }));
        assert!((0.0..=100.0).contains(&verdict.score), "{verdict:?}");
    }
    assert!(Variable::from_bytes(&variable.to_bytes(), settings()).is_ok());
}
