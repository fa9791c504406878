//! Faults of stated sizes in simulated readings, by the rule and by a fixed threshold on the same
//! expectation: `cargo run --release -p rule --example faults -- [SERIES]`.
//!
//! 24 days of five-minute readings: a daily wave of 3 and noise of deviation 1 whose neighbours
//! correlate by 0.9; the fault at some time of the 20th day. The fixed threshold knows the true
//! wave and has been set to the rule's own number of false alarms.

#![allow(clippy::print_stdout, reason = "that is what it is for")]

#[path = "../tests/families/mod.rs"]
mod families;

use std::collections::BTreeMap;
use std::error::Error;
use std::f64::consts::TAU;

use families::{DAY, Random, WARM_UP};
use rule::{RuleSettings, Variable};

const DAYS: usize = 24;
const STEP: i64 = 300_000_000;

/// A name, how long it lasts and within how many readings it has to be found, and what becomes of
/// readings from `at` on.
type Fault = (&'static str, usize, usize, fn(&mut [f64], &mut Random));

const FAULTS: [Fault; 7] = [
    ("spike of 8", 1, 1, |y, _| y[0] += 8.0),
    ("shift of 3", DAY, 24, |y, _| y.iter_mut().for_each(|y| *y += 3.0)),
    ("shift of 5", DAY, 12, |y, _| y.iter_mut().for_each(|y| *y += 5.0)),
    ("drift of 2 a day", 4 * DAY, 4 * DAY, |y, _| {
        y.iter_mut().enumerate().for_each(|(row, y)| *y += 2.0 * row as f64 / DAY as f64);
    }),
    ("noise of 2 more", DAY, 36, |y, random| y.iter_mut().for_each(|y| *y += 2.0 * random.normal())),
    ("stuck", DAY, 24, |y, _| y.fill(y[0])),
    ("wave of 2 hours", DAY, DAY / 2, |y, _| {
        y.iter_mut().enumerate().for_each(|(row, y)| *y += 2.0 * libm::sin(TAU * row as f64 / 24.0));
    }),
];

fn main() -> Result<(), Box<dyn Error>> {
    let series: u64 = std::env::args().nth(1).map_or(Ok(100), |series| series.parse())?;
    // Onsets of a fixed threshold, by quarters of a unit.
    let (mut fixed_false, mut rule_false) = ([0_usize; 40], 0_usize);
    let mut found = Vec::new();
    for (_, lasts, within, fault) in FAULTS {
        let (mut hits, mut delays, mut causes, mut held) =
            (0, Vec::new(), BTreeMap::<String, usize>::new(), 0.0);
        let mut alarms = 0;
        let mut fixed = [0; 40];
        for seed in 0..series {
            let mut random = Random(seed * 1_000_003 + 17);
            let mut noise = 0.0;
            let mut expected = Vec::new();
            let mut y: Vec<f64> = (0..DAYS * DAY)
                .map(|row| {
                    noise = 0.9 * noise + 0.19_f64.sqrt() * random.normal();
                    expected.push(50.0 + 3.0 * libm::sin(TAU * row as f64 / DAY as f64));
                    expected[row] + noise
                })
                .collect();
            let at = 19 * DAY + (random.uniform() * DAY as f64) as usize;
            fault(&mut y[at..at + lasts], &mut random);
            let mut variable = Variable::new(RuleSettings::new(WARM_UP as u32));
            let verdicts: Vec<_> =
                y.iter().enumerate().map(|(row, y)| variable.judge(row as i64 * STEP, *y, None)).collect();
            rule_false += verdicts[..at].iter().filter(|verdict| verdict.alarm).count();
            if let Some(delay) = (0..within).find(|row| verdicts[at + row].alarm) {
                hits += 1;
                delays.push(delay);
                let cause =
                    verdicts[at + delay..at + lasts].iter().take(6).rev().find_map(|verdict| verdict.cause);
                *causes.entry(cause.map_or(String::new(), |cause| format!("{cause:?}"))).or_insert(0) += 1;
            }
            alarms += verdicts[at..].iter().filter(|verdict| verdict.alarm).count();
            held += verdicts[at..at + lasts].iter().filter(|verdict| verdict.is_anomaly).count() as f64
                / lasts as f64;
            for (quarters, (fixed, fixed_false)) in fixed.iter_mut().zip(&mut fixed_false).enumerate() {
                let out = |row: usize| (y[row] - expected[row]).abs() > quarters as f64 / 4.0;
                let mut quiet = 0;
                for row in WARM_UP..at {
                    *fixed_false += usize::from(out(row) && quiet >= 24);
                    quiet = if out(row) { 0 } else { quiet + 1 };
                }
                *fixed += usize::from((at..at + within).any(out));
            }
        }
        delays.sort_unstable();
        found.push((hits, delays, causes, held / series as f64, alarms as f64 / series as f64, fixed));
    }
    let same = fixed_false.iter().rposition(|fixed| *fixed > rule_false).map_or(0, |last| (last + 1).min(39));
    println!("fixed threshold: {:.2}", same as f64 / 4.0);
    println!(
        "false alarms a week: {:.2}",
        rule_false as f64 * 7.0 / 16.5 / (series as f64 * FAULTS.len() as f64)
    );
    println!("{:18} within   rule  fixed  median delay  flagged  alarms  causes", "fault");
    for ((name, _, within, _), (hits, delays, causes, held, alarms, fixed)) in FAULTS.iter().zip(found) {
        let share = |n: usize| 100.0 * n as f64 / series as f64;
        let delay = delays.get(delays.len() / 2).map_or("-".to_owned(), usize::to_string);
        println!(
            "{name:18} {within:6} {:5.0}% {:5.0}% {delay:>13} {:7.0}% {alarms:7.1}  {causes:?}",
            share(hits),
            share(fixed[same]),
            100.0 * held
        );
    }
    Ok(())
}
