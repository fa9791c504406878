//! Faults of stated sizes in simulated readings, by the rule, by a model's interval and by a fixed
//! threshold on the true wave: `cargo run --release -p rule --example faults -- [SERIES]`.
//!
//! 24 days of five-minute readings: a daily wave of 3 and noise of deviation 1 whose neighbours
//! correlate by 0.9; the fault at some time of the 20th day. The interval is that of a Prophet
//! model of the first two weeks; the fixed threshold knows the true wave. Both are as wide as makes
//! their false alarms (begins of runs of flagged readings, two hours apart) as frequent as the
//! rule's.

#![allow(clippy::print_stdout, reason = "that is what it is for")]

#[path = "../tests/families/mod.rs"]
mod families;

use std::collections::BTreeMap;
use std::error::Error;
use std::f64::consts::TAU;

use families::{DAY, Random, WARM_UP};
use prophet::fit::{FitSettings, Series, fit};
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

/// Days that the model is fitted to.
const FITTED: usize = 14;

/// Widths that are tried, in twentieths of a deviation.
const WIDTHS: usize = 300;

/// A threshold on a distance, at all widths.
struct Threshold {
    false_alarms: [usize; WIDTHS],
    readings: usize,
    /// Those found of the fault at hand.
    found: [usize; WIDTHS],
}

impl Threshold {
    fn new() -> Self {
        Self { false_alarms: [0; WIDTHS], readings: 0, found: [0; WIDTHS] }
    }

    /// `distances` in deviations; the fault begins at `at`, false alarms count `from` some reading.
    fn judge(&mut self, distances: &[f64], from: usize, at: usize, within: usize) {
        self.readings += at - from;
        for width in 0..WIDTHS {
            let out = |row: usize| distances[row] > width as f64 / 20.0;
            let mut quiet = 0;
            for row in from..at {
                self.false_alarms[width] += usize::from(out(row) && quiet >= 24);
                quiet = if out(row) { 0 } else { quiet + 1 };
            }
            self.found[width] += usize::from((at..at + within).any(out));
        }
    }

    /// The least width with no more false alarms than so many a reading.
    fn width(&self, rate: f64) -> usize {
        let most = rate * self.readings as f64;
        let wider = self.false_alarms.iter().rposition(|found| *found as f64 > most);
        wider.map_or(0, |wider| (wider + 1).min(WIDTHS - 1))
    }
}

/// How far readings are from a model of the first of them, in its own deviations.
fn beside_model(y: &[f64]) -> Result<Vec<f64>, Box<dyn Error>> {
    let instants: Vec<i64> = (0..y.len() as i64).map(|row| row * STEP).collect();
    let (first, settings) = (FITTED * DAY, FitSettings::from_json(b"{}")?);
    let series = Series::new(&instants[..first], &y[..first]);
    let fitted = fit(&series, &settings, None)?;
    let (forecast, noise) = (fitted.model()?.predict(&instants), fitted.report().noise);
    Ok(y.iter().zip(forecast.yhat()).map(|(y, yhat)| (y - yhat).abs() / noise).collect())
}

/// What the rule made of a fault.
#[derive(Default)]
struct Found {
    delays: Vec<usize>,
    causes: BTreeMap<String, usize>,
    held: f64,
    alarms: usize,
    by_interval: Vec<usize>,
    by_fixed: Vec<usize>,
}

fn main() -> Result<(), Box<dyn Error>> {
    let series: u64 = std::env::args().nth(1).map_or(Ok(100), |series| series.parse())?;
    let (mut interval, mut fixed) = (Threshold::new(), Threshold::new());
    let (mut false_alarms, mut readings) = (0_usize, 0_usize);
    let mut faults = Vec::new();
    for (_, lasts, within, fault) in FAULTS {
        let mut of = Found::default();
        for seed in 0..series {
            let mut random = Random(seed * 1_000_003 + 17);
            let mut noise = 0.0;
            let expected = |row: usize| 50.0 + 3.0 * libm::sin(TAU * row as f64 / DAY as f64);
            let reading = |row: usize| {
                noise = 0.9 * noise + 0.19_f64.sqrt() * random.normal();
                expected(row) + noise
            };
            let mut y: Vec<f64> = (0..DAYS * DAY).map(reading).collect();
            let at = 19 * DAY + (random.uniform() * DAY as f64) as usize;
            fault(&mut y[at..at + lasts], &mut random);
            let mut variable = Variable::new(RuleSettings::new(WARM_UP as u32));
            let verdicts: Vec<_> =
                (0..).zip(&y).map(|(row, y)| variable.judge(row * STEP, *y, None)).collect();
            let alarms = |rows: std::ops::Range<usize>| rows.filter(|row| verdicts[*row].alarm).count();
            false_alarms += alarms(WARM_UP..at);
            readings += at - WARM_UP;
            if let Some(delay) = (0..within).find(|row| verdicts[at + row].alarm) {
                of.delays.push(delay);
                let cause =
                    verdicts[at + delay..at + lasts].iter().take(6).rev().find_map(|verdict| verdict.cause);
                *of.causes.entry(cause.map_or(String::new(), |cause| format!("{cause:?}"))).or_insert(0) += 1;
            }
            of.alarms += alarms(at..y.len());
            let held = verdicts[at..at + lasts].iter().filter(|verdict| verdict.is_anomaly).count();
            of.held += held as f64 / lasts as f64;
            interval.judge(&beside_model(&y)?, FITTED * DAY, at, within);
            let from_wave: Vec<f64> = (0..).zip(&y).map(|(row, y)| (y - expected(row)).abs()).collect();
            fixed.judge(&from_wave, WARM_UP, at, within);
        }
        of.by_interval = std::mem::replace(&mut interval.found, [0; WIDTHS]).to_vec();
        of.by_fixed = std::mem::replace(&mut fixed.found, [0; WIDTHS]).to_vec();
        faults.push(of);
    }
    let rate = false_alarms as f64 / readings as f64;
    let (of_interval, of_fixed) = (interval.width(rate), fixed.width(rate));
    println!("false alarms a week: {:.2}", rate * 7.0 * DAY as f64);
    println!("the interval: yhat ± {:.2} deviations", of_interval as f64 / 20.0);
    println!("the fixed threshold: {:.2}", of_fixed as f64 / 20.0);
    println!("{:18} within   rule  interval  fixed  median delay  flagged  alarms  causes", "fault");
    for ((name, _, within, _), mut of) in FAULTS.iter().zip(faults) {
        let share = |n: usize| 100.0 * n as f64 / series as f64;
        of.delays.sort_unstable();
        let delay = of.delays.get(of.delays.len() / 2).map_or("-".to_owned(), usize::to_string);
        println!(
            "{name:18} {within:6} {:5.0}% {:8.0}% {:5.0}% {delay:>13} {:7.0}% {:7.1}  {:?}",
            share(of.delays.len()),
            share(of.by_interval[of_interval]),
            share(of.by_fixed[of_fixed]),
            100.0 * of.held / series as f64,
            of.alarms as f64 / series as f64,
            of.causes
        );
    }
    Ok(())
}
