//! Stationary data of the kinds that plants have, made from a seed.

#![allow(dead_code, reason = "each test and example uses a part")]

use std::f64::consts::TAU;

use rule::{BudgetError, RuleSettings, Variable};

/// A day of readings every five minutes.
pub(crate) const DAY: usize = 288;

/// Days of a series.
pub(crate) const DAYS: usize = 60;

/// Readings of learning, as the detector has it for readings every five minutes.
pub(crate) const WARM_UP: usize = 375;

/// Microseconds between readings.
pub(crate) const STEP: i64 = 300_000_000;

/// Budgets, and how many alarms a day they are.
pub(crate) const BUDGETS: [(&str, f64); 3] =
    [("1 per day", 1.0), ("1 per week", 1.0 / 7.0), ("1 per month", 12.0 / 365.25)];

/// So many readings, of which a day has so many.
pub(crate) type Family = fn(&mut Random, usize, usize) -> Vec<f64>;

pub(crate) const FAMILIES: [(&str, Family); 9] = [
    ("gaussian", |random, rows, _| (0..rows).map(|_| 20.0 + random.normal()).collect()),
    ("heavy-tailed", |random, rows, _| (0..rows).map(|_| 20.0 + random.student(3)).collect()),
    ("autocorrelated", |random, rows, _| autoregressive(random, rows, 0.97)),
    ("seasonal", |random, rows, day| {
        let noise = autoregressive(random, rows, 0.7);
        noise.iter().enumerate().map(|(row, x)| x + 5.0 * libm::sin(TAU * row as f64 / day as f64)).collect()
    }),
    ("coarse steps", |random, rows, _| {
        autoregressive(random, rows, 0.9).iter().map(|x| (2.0 * x).round() / 2.0).collect()
    }),
    ("mostly constant", |random, rows, _| {
        (0..rows).map(|_| if random.uniform() < 0.02 { 7.0 + random.normal() } else { 7.0 }).collect()
    }),
    ("counts", |random, rows, _| (0..rows).map(|_| random.poisson(3.0)).collect()),
    ("of longer memory", |random, rows, _| autoregressive(random, rows, 0.99)),
    ("with weekends", |random, rows, day| {
        let noise = autoregressive(random, rows, 0.7);
        let works = |row: usize| row / day % 7 < 5;
        let wave = |row: usize| libm::sin(TAU * row as f64 / day as f64);
        let load = |row: usize| if works(row) { 5.0 * wave(row) } else { wave(row) - 4.0 };
        noise.iter().enumerate().map(|(row, x)| x + load(row)).collect()
    }),
];

/// How often readings come, and how many: in microseconds, with the detector's warm-up.
#[derive(Clone, Copy)]
pub(crate) struct Rhythm {
    pub(crate) name: &'static str,
    step: i64,
    warm_up: u32,
    rows: usize,
    pub(crate) budgets: [(&'static str, f64); 3],
}

pub(crate) const FIVE_MINUTES: Rhythm = Rhythm {
    name: "every five minutes, 60 days",
    step: STEP,
    warm_up: WARM_UP as u32,
    rows: DAYS * DAY,
    budgets: BUDGETS,
};

/// The other rhythms.
pub(crate) const RHYTHMS: [Rhythm; 2] = [
    Rhythm {
        name: "every hour, 60 days",
        step: 3_600_000_000,
        warm_up: 200,
        rows: DAYS * 24,
        budgets: BUDGETS,
    },
    Rhythm {
        name: "every second, a day",
        step: 1_000_000,
        warm_up: WARM_UP as u32,
        rows: 86_400,
        budgets: [("1 per hour", 24.0), ("4 per day", 4.0), ("1 per day", 1.0)],
    },
];

/// Alarms after the readings of learning, as a share of those that the budget allows.
pub(crate) struct Share {
    pub(crate) alarms: f64,
    /// The standard error.
    pub(crate) error: f64,
    /// Of the readings.
    pub(crate) flagged: f64,
}

pub(crate) fn of_what_was_asked_for(
    family: Family,
    rhythm: Rhythm,
    (budget, a_day): (&str, f64),
    series: u64,
) -> Result<Share, BudgetError> {
    let Rhythm { step, warm_up, rows, .. } = rhythm;
    let settings = RuleSettings { false_alarms: budget.parse()?, ..RuleSettings::new(warm_up) };
    let days = |rows: usize| rows as f64 * step as f64 / (DAY as f64 * STEP as f64);
    let allowed = a_day * days(rows - warm_up as usize);
    let (mut shares, mut flagged) = (Vec::new(), 0);
    for seed in 0..series {
        let mut variable = Variable::new(settings);
        let mut alarms = 0;
        let readings = family(&mut Random(seed * 77 + 5), rows, (DAY as i64 * STEP / step) as usize);
        for (y, row) in readings.iter().zip(0..) {
            let verdict = variable.judge(row * step, *y, None);
            alarms += usize::from(verdict.alarm);
            flagged += usize::from(verdict.is_anomaly);
        }
        shares.push(alarms as f64 / allowed);
    }
    let (alarms, error) = mean(&shares);
    Ok(Share { alarms, error, flagged: flagged as f64 / (rows as f64 * series as f64) })
}

/// Of several series, with the standard error.
pub(crate) fn mean(of: &[f64]) -> (f64, f64) {
    let n = of.len() as f64;
    let mean = of.iter().sum::<f64>() / n;
    let squares: f64 = of.iter().map(|x| (x - mean) * (x - mean)).sum();
    (mean, (squares / (n - 1.0) / n).sqrt())
}

/// With deviation 1.
fn autoregressive(random: &mut Random, rows: usize, keep: f64) -> Vec<f64> {
    let fresh = (1.0 - keep * keep).sqrt();
    let mut x = random.normal();
    let step = |_| {
        x = keep * x + fresh * random.normal();
        20.0 + x
    };
    (0..rows).map(step).collect()
}

/// SplitMix64: the same numbers on every machine.
pub(crate) struct Random(pub(crate) u64);

impl Random {
    pub(crate) fn uniform(&mut self) -> f64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((z ^ (z >> 31)) >> 11) as f64 / (1_u64 << 53) as f64
    }

    pub(crate) fn normal(&mut self) -> f64 {
        let radius = (-2.0 * libm::log(1.0 - self.uniform())).sqrt();
        radius * libm::cos(TAU * self.uniform())
    }

    fn student(&mut self, degrees: u32) -> f64 {
        let squares: f64 = (0..degrees).map(|_| self.normal()).map(|x| x * x).sum();
        self.normal() / (squares / f64::from(degrees)).sqrt()
    }

    fn poisson(&mut self, mean: f64) -> f64 {
        let (limit, mut product, mut count) = (libm::exp(-mean), self.uniform(), 0.0);
        while product > limit {
            product *= self.uniform();
            count += 1.0;
        }
        count
    }
}
