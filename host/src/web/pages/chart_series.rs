//! The readings of a variable in a time range, as many as a chart needs.
//!
//! The range is divided into parts, and of each part a bounded number of verdicts is read by a
//! seek. If that is all of them, the chart is exact. A part that has more is divided again, and
//! some verdicts of each smaller part are read, so that the points are spread over the whole part.
//! Flagged readings are read besides. A year therefore costs about as much as a day.

use std::sync::Arc;

use crate::chart::{ChartData, ChartPoint, decimate};
use crate::datetime::Datetime;
use crate::store::{AnomalyQuery, FirstOf, PageReader, ReadFrom, StoreError, StoredVerdict, Stretch};

/// Parts of the range. A part is some pixels wide.
const PARTS: i64 = 240;

/// Verdicts of a part that are read at first: two weeks of readings a minute apart are exact.
const OF_A_PART: usize = 96;

/// The smaller parts of a part that has more, and the verdicts that are read of each.
const SMALLER: i64 = 8;
const OF_A_SMALLER: usize = 8;

/// The most flagged readings that are read besides.
const MOST_FLAGGED: usize = 1000;

/// Readings, by time.
pub(super) struct ChartSeries {
    /// Those that were read.
    pub(super) points: Vec<ChartPoint>,
    /// Whether these are all readings of the range.
    pub(super) is_whole: bool,
}

impl ChartSeries {
    pub(super) async fn read(
        reader: &mut dyn PageReader,
        variable: &Arc<str>,
        from: Datetime,
        to: Datetime,
    ) -> Result<Self, StoreError> {
        let parts = divided(variable, from, to, PARTS);
        let read = reader.stretches(&parts, OF_A_PART + 1, ReadFrom::Start).await?;
        let is_full = |verdicts: &Vec<StoredVerdict>| verdicts.len() > OF_A_PART;
        let is_whole = !read.iter().any(is_full);
        let mut points = Vec::new();
        let mut smaller = Vec::new();
        for (part, verdicts) in parts.iter().zip(&read) {
            if is_full(verdicts) {
                smaller.extend(divided(variable, part.from, part.to, SMALLER));
            }
            points.extend(verdicts.iter().filter_map(ChartPoint::of));
        }
        if !is_whole {
            for verdicts in reader.stretches(&smaller, OF_A_SMALLER, ReadFrom::Start).await? {
                points.extend(verdicts.iter().filter_map(ChartPoint::of));
            }
            let flagged = AnomalyQuery {
                variable: Some(Arc::clone(variable)),
                from,
                to,
                least_score: 0.0,
                first: FirstOf::Newest,
                limit: MOST_FLAGGED,
            };
            points.extend(reader.anomalies(&flagged).await?.iter().filter_map(ChartPoint::of));
            points.sort_by_key(|point| point.at);
            points.dedup_by_key(|point| point.at);
        }
        Ok(Self { points, is_whole })
    }

    /// The points that a screen can show.
    pub(super) fn drawn(&self, from: Datetime, to: Datetime) -> Vec<ChartPoint> {
        decimate(&self.points, from, to, usize::try_from(PARTS).unwrap_or(1))
    }
}

/// The data of a variable's chart, and whether it holds all verdicts of the range.
///
/// # Errors
/// As the reader.
pub async fn chart_data(
    reader: &mut dyn PageReader,
    variable: &Arc<str>,
    from: Datetime,
    to: Datetime,
) -> Result<(ChartData, bool), StoreError> {
    let series = ChartSeries::read(reader, variable, from, to).await?;
    let points = series.drawn(from, to);
    let data = ChartData { variable: variable.to_string(), from, to, points, episodes: Vec::new() };
    Ok((data, series.is_whole))
}

/// Equal parts of a range; fewer than asked for if they would be shorter than a microsecond.
fn divided(variable: &Arc<str>, from: Datetime, to: Datetime, parts: i64) -> Vec<Stretch> {
    let (first, length) = (i128::from(from.micros()), i128::from(to.micros()) - i128::from(from.micros()));
    let end = |nth: i64| {
        let at = first + length * i128::from(nth) / i128::from(parts);
        Datetime::from_micros(i64::try_from(at).unwrap_or(i64::MAX))
    };
    (0..parts)
        .map(|nth| Stretch { variable: Arc::clone(variable), from: end(nth), to: end(nth + 1) })
        .filter(|part| part.from < part.to)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_meet_and_end_where_the_whole_does() {
        for (from, to) in [(0, 1000), (-7, 3), (i64::MIN, i64::MAX), (5, 5)] {
            let (from, to) = (Datetime::from_micros(from), Datetime::from_micros(to));
            let parts = divided(&"T".into(), from, to, 240);
            let whole = parts.first().map(|part| part.from).zip(parts.last().map(|part| part.to));
            assert_eq!(whole, (from < to).then_some((from, to)));
            assert!(parts.windows(2).all(|pair| pair[0].to == pair[1].from));
        }
    }
}
