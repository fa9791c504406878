//! The held-out end of a series, on which a model is measured and not trained. Pure.

use std::time::Duration;

use super::collect::History;
use crate::batch::Verdicts;

/// The end is at most a fifth of the time of a series, so that enough history is left.
const MOST_SHARE: u32 = 5;

/// The score of a model on the held-out end.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct HoldoutScore {
    /// The root mean squared error, in the readings' units.
    pub error: f64,
    /// The fraction of readings within the interval.
    pub within: f64,
    pub readings: usize,
}

/// How many of the first rows are for training if `holdout` is held out.
pub fn split(history: &History, holdout: Duration) -> usize {
    let (Some(first), Some(last)) = (history.datetimes.first(), history.datetimes.last()) else { return 0 };
    let span = Duration::from_micros(last.micros().abs_diff(first.micros()));
    let cut = last.earlier(holdout.min(span / MOST_SHARE));
    history.datetimes.partition_point(|at| *at <= cut)
}

/// The score of these verdicts; None if there is no verdict.
pub fn score(values: &[f64], verdicts: &Verdicts) -> Option<HoldoutScore> {
    let (mut squares, mut within, mut readings) = (0.0, 0_usize, 0_usize);
    for (row, y) in values.iter().enumerate() {
        let (Some(expected), Some(lower), Some(upper)) =
            (verdicts.expected.get(row), verdicts.lower.get(row), verdicts.upper.get(row))
        else {
            break;
        };
        if expected.is_finite() {
            squares += (y - expected) * (y - expected);
            within += usize::from(lower <= y && y <= upper);
            readings += 1;
        }
    }
    let count = readings as f64;
    (readings > 0).then(|| HoldoutScore {
        error: (squares / count).sqrt(),
        within: within as f64 / count,
        readings,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::datetime::Datetime;

    #[test]
    fn the_end_is_never_more_than_a_fifth() {
        let history = History {
            datetimes: (0..101).map(|second| Datetime::from_micros(second * 1_000_000)).collect(),
            values: vec![0.0; 101],
            too_long: false,
        };
        let second = Duration::from_secs;
        for (holdout, trained) in [(second(10), 91), (second(20), 81), (second(1000), 81), (second(0), 101)] {
            assert_eq!(split(&history, holdout), trained, "{holdout:?}");
        }
        assert_eq!(split(&History::default(), second(1)), 0);
    }

    #[test]
    fn a_score_counts_what_was_judged() {
        let verdicts = Verdicts {
            expected: vec![1.0, 2.0, f64::NAN],
            lower: vec![0.0, 1.9, f64::NAN],
            upper: vec![2.0, 2.1, f64::NAN],
            score: vec![0.0; 3],
            flags: vec![0; 3],
            withheld: Vec::new(),
        };
        let expected = HoldoutScore { error: 5.0, within: 0.5, readings: 2 };
        assert_eq!(score(&[2.0, 9.0, 1.0], &verdicts), Some(expected));
        assert_eq!(score(&[2.0], &Verdicts { expected: vec![f64::NAN], ..verdicts }), None);
    }
}
