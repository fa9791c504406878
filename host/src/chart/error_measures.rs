//! The errors of a model on the readings of a time range.

use super::ChartPoint;

/// Measures over readings that have an expectation.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct ErrorMeasures {
    pub readings: usize,
    pub flagged: usize,
    /// The mean absolute error.
    pub mae: f64,
    /// The root mean squared error.
    pub rmse: f64,
    /// The coefficient of determination; None if the readings do not vary.
    pub r2: Option<f64>,
    /// The fraction of readings within their band; None without bands.
    pub coverage: Option<f64>,
}

impl ErrorMeasures {
    /// None if no reading has an expectation.
    pub fn over(points: &[ChartPoint]) -> Option<Self> {
        let judged: Vec<_> =
            points.iter().filter_map(|point| Some((point, point.y - point.expected?))).collect();
        if judged.is_empty() {
            return None;
        }
        let count = judged.len() as f64;
        let mean = judged.iter().map(|(point, _)| point.y).sum::<f64>() / count;
        let squares: f64 = judged.iter().map(|(_, error)| error * error).sum();
        let spread: f64 = judged.iter().map(|(point, _)| (point.y - mean).powi(2)).sum();
        let banded: Vec<_> = judged
            .iter()
            .filter_map(|(point, _)| Some((point.lower?..=point.upper?).contains(&point.y)))
            .collect();
        let within = banded.iter().filter(|within| **within).count();
        Some(Self {
            readings: judged.len(),
            flagged: judged.iter().filter(|(point, _)| point.is_anomaly).count(),
            mae: judged.iter().map(|(_, error)| error.abs()).sum::<f64>() / count,
            rmse: (squares / count).sqrt(),
            r2: (spread > 0.0).then(|| 1.0 - squares / spread),
            coverage: (!banded.is_empty()).then(|| within as f64 / banded.len() as f64),
        })
    }

    /// The fraction of readings that are flagged.
    pub fn share_flagged(&self) -> f64 {
        self.flagged as f64 / self.readings as f64
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::datetime::Datetime;

    #[test]
    fn measures_are_those_of_the_books() {
        let point = |y: f64, expected: Option<f64>, is_anomaly| ChartPoint {
            at: Datetime::from_micros(0),
            y,
            expected,
            lower: expected.map(|expected| expected - 1.0),
            upper: expected.map(|expected| expected + 1.0),
            is_anomaly,
            score: 0.0,
        };
        let points = [
            point(1.0, Some(1.0), false),
            point(2.0, Some(3.0), false),
            point(3.0, Some(5.0), true),
            point(4.0, Some(4.0), false),
            point(9.0, None, true),
        ];
        let expected = ErrorMeasures {
            readings: 4,
            flagged: 1,
            mae: 0.75,
            rmse: 1.25_f64.sqrt(),
            r2: Some(0.0),
            coverage: Some(0.75),
        };
        assert_eq!(ErrorMeasures::over(&points), Some(expected));
        assert_eq!(ErrorMeasures::over(&points[4..]), None);
        assert_eq!(ErrorMeasures::over(&points[..1]).and_then(|measures| measures.r2), None);
    }
}
