//! Reduces verdicts to what a screen can show: of each pixel the least and the greatest reading,
//! and its worst flagged one.

use crate::datetime::Datetime;
use crate::store::StoredVerdict;

/// A reading that is drawn, and its expectation.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct ChartPoint {
    pub at: Datetime,
    pub y: f64,
    pub expected: Option<f64>,
    pub lower: Option<f64>,
    pub upper: Option<f64>,
    pub is_anomaly: bool,
    pub score: f64,
}

impl ChartPoint {
    /// None for a verdict without a finite reading.
    pub fn of(verdict: &StoredVerdict) -> Option<Self> {
        let finite = |value: Option<f64>| value.filter(|value| value.is_finite());
        Some(Self {
            at: verdict.ds,
            y: finite(verdict.y)?,
            expected: finite(verdict.yhat),
            lower: finite(verdict.yhat_lower),
            upper: finite(verdict.yhat_upper),
            is_anomaly: verdict.is_anomaly.unwrap_or_default(),
            score: finite(verdict.anomaly_score).unwrap_or_default(),
        })
    }
}

/// Divides the time into equal parts, and keeps of each part the first point with the least
/// reading, the first with the greatest, and the worst one that is flagged. `points` are by time,
/// and so is the result.
pub fn decimate(points: &[ChartPoint], from: Datetime, to: Datetime, parts: usize) -> Vec<ChartPoint> {
    let (first, length) = (from.micros(), i128::from(to.micros()) - i128::from(from.micros()));
    if points.len() <= 2 * parts || length <= 0 || parts == 0 {
        return points.to_vec();
    }
    let part = |point: &ChartPoint| {
        let into = i128::from(point.at.micros()) - i128::from(first);
        into * i128::try_from(parts).unwrap_or(1) / length
    };
    points.chunk_by(|a, b| part(a) == part(b)).flat_map(extremes).collect()
}

fn extremes(points: &[ChartPoint]) -> Vec<ChartPoint> {
    let by = |better: fn(&ChartPoint, &ChartPoint) -> bool| {
        let first = points.first().map(|first| (0, first));
        first.map(|first| {
            points
                .iter()
                .enumerate()
                .fold(first, |best, next| if better(next.1, best.1) { next } else { best })
        })
    };
    let flagged = points
        .iter()
        .enumerate()
        .filter(|(_, point)| point.is_anomaly)
        .max_by(|a, b| a.1.score.total_cmp(&b.1.score));
    let mut kept: Vec<_> = by(|next, best| next.y < best.y)
        .into_iter()
        .chain(by(|next, best| next.y > best.y))
        .chain(flagged)
        .map(|(at, _)| at)
        .collect();
    kept.sort_unstable();
    kept.dedup();
    kept.into_iter().filter_map(|at| points.get(at).copied()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn point(at: i64, y: f64, score: f64) -> ChartPoint {
        let at = Datetime::from_micros(at);
        ChartPoint { at, y, expected: None, lower: None, upper: None, is_anomaly: score > 0.0, score }
    }

    #[test]
    fn of_each_pixel_the_extremes_and_the_worst_flag_are_left() {
        let all = [
            point(0, 5.0, 0.0),
            point(1, 7.0, 0.0),
            point(2, 1.0, 0.0),
            point(3, 4.0, 20.0),
            point(4, 4.0, 30.0),
            point(10, 2.0, 0.0),
            point(11, 2.0, 0.0),
            point(19, 9.0, 1.0),
        ];
        let (from, to) = (Datetime::from_micros(0), Datetime::from_micros(20));
        let kept = decimate(&all, from, to, 2);
        let at: Vec<i64> = kept.iter().map(|point| point.at.micros()).collect();
        assert_eq!(at, [1, 2, 4, 10, 19]);
        assert_eq!(decimate(&all, from, to, 100), all, "few enough are all left");
        assert_eq!(decimate(&[], from, to, 2), []);
        assert_eq!(decimate(&all, to, from, 2), all, "no time at all");
    }
}
