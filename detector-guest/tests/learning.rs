//! The rule that learns, in the detector: who is judged, what is said, and its state in parts.
#![allow(clippy::unwrap_used, reason = "a test")]

mod common;

use std::collections::BTreeMap;

use common::fixtures;
use detector_guest::{Column, ColumnOutcome, File, FlagBits, OpenError, ProphetDetector};
use proptest::prelude::*;

const STEP: i64 = 300_000_000;
const START: i64 = 1_736_553_900_000_000;
const NAMES: [&str; 4] = ["TEMP_03", "by time", "by readings", "seldom"];
const SETTINGS: &str =
    r#"{"warm_up": {"by readings": "64 readings", "*": "6h"}, "false_alarms": "1 per 300 readings"}"#;

/// The same with two variables in a group, and one of another that is alone in it.
fn grouped() -> String {
    SETTINGS.replacen('{', r#"{"groups": {"machine": ["by *"], "heat": "TEMP*"}, "#, 1)
}

/// The parts that a host would have stored.
type Stored = BTreeMap<String, Vec<u8>>;

fn open(stored: &Stored, settings: &str) -> Result<ProphetDetector, OpenError> {
    let path = "prophet_model_TEMP_03.json";
    let model = std::fs::read(fixtures().join("models").join(path)).unwrap();
    let parts = stored.iter().map(|(name, bytes)| (name.clone(), bytes.clone())).collect();
    ProphetDetector::open_without(&[File { path, bytes: &model }], &[], settings, parts)
}

fn store(detector: &mut ProphetDetector, stored: &mut Stored) {
    for part in detector.changes() {
        match part.bytes {
            Some(bytes) => drop(stored.insert(part.name, bytes)),
            None => drop(stored.remove(&part.name)),
        }
    }
}

type Row = (i64, [f64; 4]);

/// Noise about a level; late rows, gaps, and faults.
fn rows(seed: u64, count: usize) -> Vec<Row> {
    let mut state = seed | 1;
    let mut noise = move || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 40) as f64 / f64::from(1 << 24) - 0.5
    };
    let row = |n: usize| {
        let late = if n % 89 == 88 { 7 } else { 0 };
        let fault = if n % 211 > 200 { 9.0 } else { 0.0 };
        let mut values = [350.0 + noise(), 20.0 + noise() + fault, 5.0 + noise() - fault, noise()];
        if n % 17 == 3 {
            values[1] = f64::NAN;
        }
        if !n.is_multiple_of(12) {
            values[3] = f64::NAN;
        }
        (START + (n as i64 - late) * STEP, values)
    };
    (0..count).map(row).collect()
}

/// The verdicts on a batch, a text for each row and variable.
fn judge(detector: &mut ProphetDetector, batch: &[Row]) -> Vec<String> {
    let instants: Vec<i64> = batch.iter().map(|row| row.0).collect();
    let values: Vec<Vec<f64>> = (0..4).map(|at| batch.iter().map(|row| row.1[at]).collect()).collect();
    let columns: Vec<_> =
        NAMES.iter().zip(&values).map(|(variable, values)| Column { variable, values }).collect();
    let outcomes = detector.detect(&instants, &columns).unwrap();
    let judged = outcomes.iter().map(|outcome| match outcome {
        ColumnOutcome::Judged(verdicts) => verdicts,
        ColumnOutcome::NoModel => unreachable!("every variable is judged"),
    });
    let judged: Vec<_> = judged.collect();
    let text = |row: usize| {
        let one = judged.iter().map(|verdicts| {
            let numbers = [&verdicts.expected, &verdicts.lower, &verdicts.upper, &verdicts.score];
            format!("{:?} {:?}", numbers.map(|column| column[row]), verdicts.flags[row])
        });
        one.collect::<Vec<_>>().join("; ")
    };
    (0..batch.len()).map(text).collect()
}

/// The rows in batches that are cut at these places, and where an instant comes late.
fn batches<'a>(rows: &'a [Row], cuts: &[usize]) -> Vec<&'a [Row]> {
    let late = (1..rows.len()).filter(|at| rows[*at].0 <= rows[at - 1].0);
    let mut cuts: Vec<usize> = cuts.iter().copied().chain(late).chain([0, rows.len()]).collect();
    cuts.sort_unstable();
    cuts.windows(2).map(|cut| &rows[cut[0]..cut[1]]).filter(|batch| !batch.is_empty()).collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(12))]

    /// Kills come between a batch's verdicts and their commit, and after it.
    #[test]
    fn any_batches_and_kills_give_the_same_verdicts_to_the_last_bit(
        seed in any::<u64>(),
        cuts in prop::collection::vec(0_usize..500, 0..160),
        kills in prop::collection::vec(any::<(bool, bool)>(), 8),
        in_groups in any::<bool>(),
    ) {
        let rows = rows(seed, 500);
        let settings = if in_groups { grouped() } else { SETTINGS.to_owned() };
        let mut whole = open(&Stored::new(), &settings).unwrap();
        let expected: Vec<String> =
            batches(&rows, &[]).into_iter().flat_map(|batch| judge(&mut whole, batch)).collect();
        let mut stored = Stored::new();
        let mut detector = open(&stored, &settings).unwrap();
        let mut found = Vec::new();
        for (batch, (before, after)) in batches(&rows, &cuts).into_iter().zip(kills.into_iter().cycle()) {
            if before {
                judge(&mut detector, batch);
                detector.changes();
                detector = open(&stored, &settings).unwrap();
            }
            found.extend(judge(&mut detector, batch));
            store(&mut detector, &mut stored);
            if after {
                detector = open(&stored, &settings).unwrap();
            }
        }
        prop_assert_eq!(found, expected);
    }
}

#[test]
fn a_batch_writes_what_it_changed_and_old_parts_go() {
    let (mut stored, mut detector) = (Stored::new(), open(&Stored::new(), SETTINGS).unwrap());
    let (mut bases, mut deltas) = (0, 0);
    for batch in rows(7, 600).chunks(1) {
        judge(&mut detector, batch);
        bases += detector.changes().into_iter().fold(0, |bases, part| {
            let is_base = part.name.starts_with("base-") && part.bytes.is_some();
            match part.bytes {
                Some(bytes) => drop(stored.insert(part.name, bytes)),
                None => drop(stored.remove(&part.name)),
            }
            bases + usize::from(is_base)
        });
        deltas = deltas.max(stored.keys().filter(|name| name.starts_with("delta-")).count());
    }
    // 600 batches of up to 4 variables: each base once in 32 readings, or in a while.
    assert!((4 + 3 * 16..=4 + 4 * 20).contains(&bases), "{bases} bases were written");
    assert!((16..=64).contains(&deltas), "up to {deltas} deltas are kept");
    assert!(stored.keys().filter(|name| name.starts_with("base-")).count() == 4);
}

#[test]
fn every_variable_is_judged_from_its_first_reading_on() {
    let mut detector = open(&Stored::new(), "{}").unwrap();
    let rows = rows(3, 80);
    for batch in batches(&rows, &[1, 2]) {
        let instants: Vec<i64> = batch.iter().map(|row| row.0).collect();
        let values: Vec<f64> = batch.iter().map(|row| row.1[2]).collect();
        let columns = [Column { variable: "new", values: &values }];
        let outcomes = detector.detect(&instants, &columns).unwrap();
        let ColumnOutcome::Judged(verdicts) = &outcomes[0] else { unreachable!("{outcomes:?}") };
        for row in 0..batch.len() {
            let (expected, lower, upper) = (verdicts.expected[row], verdicts.lower[row], verdicts.upper[row]);
            assert!((upper - lower).is_finite() && lower <= expected && expected <= upper, "{row}");
            let flags = verdicts.flags[row];
            assert!(flags.contains(FlagBits::LEARNING) && !flags.contains(FlagBits::ANOMALY), "{row}");
        }
        if batch[0].0 == START {
            assert_eq!(verdicts.expected[0], values[0], "the first is what it is held against");
        }
    }
    let told: Vec<_> = detector.news().into_iter().map(|news| news.text).collect();
    // 375 readings every five minutes.
    let until = "learning until 2025-01-12 07:15:00: `new`; until then they are judged and not flagged";
    assert_eq!(told, [until]);
}

#[test]
fn an_anomaly_has_its_cause_and_under_the_interval_there_is_no_model() {
    let mut rows = rows(5, 400);
    rows.retain(|row| !row.1[1].is_nan());
    rows.sort_by_key(|row| row.0);
    rows.dedup_by_key(|row| row.0);
    rows.iter_mut().enumerate().for_each(|(n, row)| row.1[2] = 5.0 + (n % 7) as f64 * 0.1);
    let at = rows.len() - 20;
    rows[at].1[2] = 500.0;
    let instants: Vec<i64> = rows.iter().map(|row| row.0).collect();
    let values: Vec<f64> = rows.iter().map(|row| row.1[2]).collect();
    let columns = [Column { variable: "by readings", values: &values }];
    let outcomes = open(&Stored::new(), SETTINGS).unwrap().detect(&instants, &columns).unwrap();
    let ColumnOutcome::Judged(verdicts) = &outcomes[0] else { unreachable!("{outcomes:?}") };
    // Outside, high, an anomaly, a spike.
    assert_eq!((verdicts.flags[at].bits(), verdicts.score[at] >= 50.0), (7 | 1 << 3, true));
    let by_interval = common::by_interval(SETTINGS);
    let outcomes = open(&Stored::new(), &by_interval).unwrap().detect(&instants, &columns).unwrap();
    assert_eq!(outcomes, [ColumnOutcome::NoModel]);
}

/// Four sensors with noise of deviation 0.3; each is off by 0.75 in the end.
#[test]
fn what_a_group_finds_is_told_by_its_members() {
    const NAMES: [&str; 4] = ["P-1", "P-2", "P-3", "P-4"];
    const FAULT: usize = 700;
    let mut state = 7_u64;
    let mut noise = move || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 40) as f64 / f64::from(1 << 24) - 0.5
    };
    let instants: Vec<i64> = (0..730).map(|row| START + row * STEP).collect();
    let values = [(); 4].map(|()| -> Vec<f64> {
        (0..730).map(|row| 20.0 + noise() + if row < FAULT { 0.0 } else { 0.75 }).collect()
    });
    let columns: Vec<_> =
        NAMES.iter().zip(&values).map(|(variable, values)| Column { variable, values }).collect();
    let settings = r#"{"warm_up": "64 readings", "false_alarms": "1 per 2000 readings""#;
    let told = |settings: &str| {
        let outcomes = open(&Stored::new(), settings).unwrap().detect(&instants, &columns).unwrap();
        let judged = outcomes.iter().map(|outcome| match outcome {
            ColumnOutcome::Judged(verdicts) => verdicts,
            ColumnOutcome::NoModel => unreachable!("every variable is judged"),
        });
        let judged: Vec<_> = judged.collect();
        // One alarm of several has one score.
        let alarms = |row: usize| {
            let alarms = judged.iter().filter(|verdicts| verdicts.score[row] >= 50.0);
            assert!(alarms.clone().all(|verdicts| verdicts.flags[row].contains(FlagBits::ANOMALY)));
            alarms.map(|verdicts| verdicts.score[row]).collect::<Vec<_>>()
        };
        (FAULT..FAULT + 12)
            .map(alarms)
            .any(|scores| scores.len() > 1 && scores.iter().all(|score| *score == scores[0]))
    };
    assert!(told(&format!("{settings}, \"groups\": {{\"pump\": \"P-*\"}}}}")), "not together");
    assert!(!told(&format!("{settings}}}")), "together without a group");
}

#[test]
fn a_group_that_is_not_set_any_more_is_forgotten() {
    let rows = rows(4, 400);
    let (mut stored, mut detector) = (Stored::new(), open(&Stored::new(), &grouped()).unwrap());
    for batch in batches(&rows, &[]) {
        judge(&mut detector, batch);
        store(&mut detector, &mut stored);
    }
    let groups = |stored: &Stored| stored.keys().filter(|name| name.starts_with("group-")).count();
    assert_eq!(groups(&stored), 2);
    let one = SETTINGS.replacen('{', r#"{"groups": {"machine": ["by *"]}, "#, 1);
    let mut detector = open(&stored, &one).unwrap();
    assert!(detector.news().iter().all(|news| !news.is_warning));
    store(&mut detector, &mut stored);
    assert_eq!(groups(&stored), 1);
}

#[test]
fn an_aged_model_is_named_once() {
    let mut detector = open(&Stored::new(), SETTINGS).unwrap();
    let mut told = Vec::new();
    for batch in 0..40 {
        let instants: Vec<i64> = (0..10).map(|row| START + (batch * 10 + row) * STEP).collect();
        let values: Vec<f64> = instants.iter().map(|at| 100.0 + (at / STEP % 3) as f64).collect();
        detector.detect(&instants, &[Column { variable: "TEMP_03", values: &values }]).unwrap();
        told.extend(detector.news().into_iter().filter(|news| news.is_warning).map(|news| news.text));
    }
    let aged = "the model fits no more: what is learnt of the readings themselves errs less, and they are judged by that: \
                `TEMP_03`";
    assert_eq!(told, [aged]);
}

#[test]
fn what_cannot_be_gone_on_from_is_said() {
    let rows = rows(9, 300);
    let (mut stored, mut detector) = (Stored::new(), open(&Stored::new(), SETTINGS).unwrap());
    for batch in batches(&rows, &[]) {
        judge(&mut detector, batch);
        store(&mut detector, &mut stored);
    }
    let told = |stored: &Stored, settings: &str| {
        let news = open(stored, settings).map(|mut detector| detector.news());
        news.map(|news| {
            news.into_iter().filter(|news| news.is_warning).map(|news| news.text).collect::<Vec<_>>()
        })
    };
    assert_eq!(told(&stored, SETTINGS), Ok(vec![]));
    let budget = SETTINGS.replace("1 per 300", "1 per 500");
    assert_eq!(told(&stored, &budget), Ok(vec![]), "another budget goes on");
    let other = SETTINGS.replace("64 readings", "100 readings");
    let anew = "the state of the rule was learnt with a warm-up of 64 readings, not of 100; learnt anew: `by readings`";
    assert_eq!(told(&stored, &other), Ok(vec![anew.to_owned()]));
    let (name, bytes) = stored.iter_mut().next().unwrap();
    let (name, middle) = (name.clone(), bytes.len() / 2);
    bytes[middle] ^= 1;
    let many = stored.len();
    let damaged = format!(
        "1 of {many} parts of the state cannot be read, and what they hold is learnt anew: part `{name}` is damaged"
    );
    assert_eq!(told(&stored, SETTINGS), Ok(vec![damaged]));
    stored.values_mut().for_each(|bytes| bytes.truncate(3));
    let none = format!("none of the {many} parts of the state can be read: part `{name}` is damaged");
    assert_eq!(told(&stored, SETTINGS), Err(OpenError::State(none)));
}
