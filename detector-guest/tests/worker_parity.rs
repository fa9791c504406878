//! The Python worker's verdicts on the same batches: its scale, and either law of the trend that
//! its default call can be held against.
//!
//! Its bounds are the quantiles of 1,000 simulated draws. Where a reading lies within a few
//! standard errors of one of them, chance decided the worker's flag; those readings are left out of
//! the comparison of flags and scores, and counted. Nothing else is: scores and flags are also
//! worked out from the worker's own bounds, where chance has no part, and over all rows
//! bounds differ by their standard errors, no more and no less.
#![allow(clippy::print_stdout, reason = "a test; it says what it left out")]

mod common;

use std::collections::BTreeMap;

use common::{Row, Rows, expected, files, fixtures, input, judge, open};

/// Standard errors of a simulated bound that are still chance: one in 16,000 differs by more.
const CHANCE: f64 = 4.0;

/// The worker's.
const DRAWS: f64 = 1000.0;
const WIDTH: f64 = 0.95;

/// In standard errors, by how much an end lies further out than `numpy.quantile` of so many draws
/// puts it on average, and how far those scatter: it interpolates between the 25th and the 26th
/// draw, whose means are those of order statistics.
const OUTWARD: f64 = 0.109;
const SCATTER: f64 = 0.991;

/// What the comparison of a batch comes to.
#[derive(Default)]
struct Compared {
    readings: usize,
    /// Readings whose flags and score were left to chance.
    undecided: usize,
    /// Those of them that the worker flagged otherwise.
    otherwise: usize,
    /// `(lower, upper)`: ours - the worker's, in standard errors.
    differences: Vec<(f64, f64)>,
}

fn judged(batch: &str, trend: &str, width: f64) -> Rows {
    let settings = format!(
        r#"{{"residual_scale": "batch", "trend_uncertainty": "{trend}", "interval_width": {width}}}"#
    );
    let mut detector =
        open(&files(&fixtures().join("models")), &settings).unwrap_or_else(|error| unreachable!("{error}"));
    let (instants, columns) = input(&fixtures(), batch);
    judge(&mut detector, &instants, &columns)
}

fn check(batch: &str, trend: &str) -> Compared {
    let found = judged(batch, trend, WIDTH);
    // Slightly wider and narrower ends give the density that a quantile's standard error needs.
    let (wider, narrower) = (judged(batch, trend, WIDTH + 1e-3), judged(batch, trend, WIDTH - 1e-3));
    let expected = expected(&fixtures(), batch);
    assert_eq!(found.keys().collect::<Vec<_>>(), expected.keys().collect::<Vec<_>>());
    let scales = scales(&found);
    let mut compared = Compared { readings: found.len(), ..Compared::default() };
    for (at, worker) in &expected {
        let found = &found[at];
        let context = format!("{batch} {trend} {at:?}: {found:?}, not {worker:?}");
        assert_eq!(found.y, worker.y, "{context}");
        assert!((found.yhat - worker.yhat).abs() <= 1e-12 * worker.yhat.abs(), "{context}");
        assert_eq!(found.high, worker.high, "{context}");

        let scale = scales[at.0.as_str()];
        for row in [found, worker] {
            assert_eq!(row.outside, row.y < row.lower || row.y > row.upper, "{context}");
            assert_eq!(row.anomaly, row.outside || row.high, "{context}");
            assert!((row.score - score(row, scale)).abs() <= 1e-9, "{context}: {}", score(row, scale));
        }

        let tail: f64 = 0.5 * (1.0 - WIDTH);
        let slope = (wider[at].upper - narrower[at].upper) / 1e-3;
        let error = (tail * (1.0 - tail) / DRAWS).sqrt() * slope;
        let chance = CHANCE * error;
        let (lower, upper) = (found.lower - worker.lower, found.upper - worker.upper);
        assert!(lower.abs() <= chance && upper.abs() <= chance, "{context}: standard error {error}");
        compared.differences.push((lower / error, upper / error));

        if (worker.y - found.lower).abs().min((worker.y - found.upper).abs()) <= chance {
            compared.undecided += 1;
            compared.otherwise += usize::from(found.anomaly != worker.anomaly);
            continue;
        }
        assert_eq!((found.outside, found.anomaly), (worker.outside, worker.anomaly), "{context}");
        assert!((found.score - worker.score).abs() <= score_chance(found, chance), "{context}");
    }
    compared
}

/// The sample deviation of each variable's residuals.
fn scales(rows: &Rows) -> BTreeMap<&str, f64> {
    let mut residuals: BTreeMap<&str, Vec<f64>> = BTreeMap::new();
    for ((variable, _), row) in rows {
        residuals.entry(variable).or_default().push(row.y - row.yhat);
    }
    let deviation = |residuals: Vec<f64>| {
        let count = residuals.len() as f64;
        let mean = residuals.iter().sum::<f64>() / count;
        (residuals.iter().map(|residual| (residual - mean).powi(2)).sum::<f64>() / (count - 1.0)).sqrt()
    };
    residuals.into_iter().map(|(variable, residuals)| (variable, deviation(residuals))).collect()
}

/// The design's formula, from the row's own bounds.
fn score(row: &Row, scale: f64) -> f64 {
    let (excess, half_width) = match (row.lower - row.y, row.y - row.upper) {
        (below, _) if below > 0.0 => (below, row.yhat - row.lower),
        (_, above) if above > 0.0 => (above, row.upper - row.yhat),
        _ => (0.0, 1.0),
    };
    let beyond = (50.0 * excess / half_width).min(100.0);
    let far = 20.0 * (row.y - row.yhat).abs() / scale;
    // A batch of one reading has no deviation.
    if far.is_nan() { 0.0 } else { beyond.max(far.min(100.0)) }
}

/// By how much the score may differ: rounding inside the interval; outside, what the bound's chance
/// is worth, since `50 · (y - bound) / (bound - yhat)` changes by `50 · (y - yhat) / (bound -
/// yhat)²` with the bound.
fn score_chance(found: &Row, chance: f64) -> f64 {
    if !found.outside {
        return 1e-9;
    }
    let half_width = found.upper - found.yhat - chance;
    50.0 * (found.y - found.yhat).abs() / (half_width * half_width) * chance
}

/// Batches with their readings, how many of those chance decided, and how many of these the worker
/// flagged otherwise.
const BATCHES: [(&str, usize, usize, usize); 7] = [
    ("one_datetime", 6, 0, 0),
    ("two_datetimes", 12, 1, 0),
    ("five_datetimes", 30, 4, 0),
    ("offset", 30, 6, 2),
    ("gaps", 308, 24, 2),
    ("one_day", 1728, 131, 12),
    ("a_month_later", 72, 5, 0),
];

#[test]
fn verdicts_are_the_python_workers() {
    for trend in ["none", "batch"] {
        let compared = BATCHES.map(|(batch, ..)| (batch, check(batch, trend)));
        let counts = compared
            .each_ref()
            .map(|(batch, compared)| (*batch, compared.readings, compared.undecided, compared.otherwise));
        println!("`{trend}`: batch, readings, left out, of these flagged otherwise: {counts:?}");

        // The draws of `offset` are those of `five_datetimes`.
        let of_own_draws = compared.iter().filter(|(batch, _)| *batch != "offset");
        let differences: Vec<_> =
            of_own_draws.flat_map(|(_, compared)| &compared.differences).copied().collect();
        let ends = 2.0 * differences.len() as f64;
        let sum = |of: fn(f64, f64) -> f64| {
            differences.iter().map(|(lower, upper)| of(*lower, *upper)).sum::<f64>()
        };
        let outward = sum(|lower, upper| upper - lower) / ends;
        let shift = sum(|lower, upper| upper + lower) / ends;
        let square = sum(|lower, upper| (lower + OUTWARD).powi(2) + (upper - OUTWARD).powi(2));
        let scatter = (square / ends).sqrt();
        println!(
            "`{trend}`: {ends} ends in standard errors: outward {outward:.3}, shift {shift:.3}, scatter {scatter:.3}"
        );
        let error = 1.0 / ends.sqrt();
        assert!((outward - OUTWARD).abs() < 3.0 * error, "{outward}");
        assert!(shift.abs() < 3.0 * error, "{shift}");
        assert!((scatter - SCATTER).abs() < 3.0 * error, "{scatter}");
        assert_eq!(counts, BATCHES);
    }
}
