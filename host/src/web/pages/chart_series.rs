//! The readings of a variable in a time range, as many as a chart needs.
//!
//! A time that has few of them is read whole. Of a longer one an index tells where the extremes of
//! each part are, which costs a small share of reading the rows; those are read, what is flagged,
//! and some that are spread evenly, by which the model is measured. A year is therefore drawn as
//! exactly as an hour.

use std::sync::Arc;
use std::time::Duration;

use crate::chart::{ChartData, ChartPoint, decimate};
use crate::datetime::Datetime;
use crate::store::{AnomalyQuery, Extent, FirstOf, PageReader, ReadFrom, StoreError, StoredVerdict, Stretch};

/// Parts of the range. A part is some pixels wide.
const PARTS: i64 = 200;

/// So many verdicts are read whole: four days of minutes.
const WHOLE: usize = 6_000;

/// So many verdicts of a part are looked through for its extremes: a year and a half of minutes in all. A
/// part that has more is divided into so many, and of each so many are.
const OF_A_PART: usize = 4_096;
const SMALLER: i64 = 8;
const OF_A_SMALLER: usize = OF_A_PART / SMALLER as usize;

/// Verdicts by which a model is measured, where not all are read.
const MEASURED: i64 = 4 * PARTS;

/// What is flagged, besides: the worst.
pub(super) const MOST_FLAGGED: usize = 500;

/// Readings by time.
pub(super) struct ChartSeries {
    /// What is drawn.
    points: Vec<ChartPoint>,
    /// What the model is measured by: all, or some that are evenly spread.
    pub(super) measured: Vec<ChartPoint>,
    /// Whether those are all that there are.
    pub(super) is_all: bool,
    /// Whether the extremes that are drawn are those of all readings.
    pub(super) is_exact: bool,
    /// The worst of those that are flagged come first.
    pub(super) flagged: Vec<StoredVerdict>,
}

impl ChartSeries {
    /// At most so many `flagged` ones.
    pub(super) async fn read(
        reader: &mut dyn PageReader,
        variable: &Arc<str>,
        (from, to): (Datetime, Datetime),
        flagged: usize,
    ) -> Result<Self, StoreError> {
        let all = Stretch { variable: Arc::clone(variable), from, to };
        let query = AnomalyQuery {
            variable: Some(Arc::clone(variable)),
            from,
            to,
            least_score: 0.0,
            first: FirstOf::Worst,
            limit: flagged,
        };
        let flagged = reader.anomalies(&query).await?;
        let count = reader.count(std::slice::from_ref(&all), WHOLE + 1).await?;
        if count.first().is_none_or(|count| *count <= WHOLE as u64) {
            let read = reader.stretches(&[all], WHOLE, ReadFrom::Start).await?.concat();
            let points = points(&read);
            return Ok(Self { measured: points.clone(), points, is_all: true, is_exact: true, flagged });
        }
        let (extents, is_exact) = extents(reader, variable, (from, to)).await?;
        let moments = extents.iter().flat_map(|extent| [extent.least, extent.greatest]).flatten();
        let moments: Vec<Stretch> = moments.map(|at| moment(variable, at)).collect();
        let extremes = reader.stretches(&moments, 1, ReadFrom::Start).await?.concat();
        let spread = divided(variable, from, to, MEASURED);
        let measured = points(&reader.stretches(&spread, 1, ReadFrom::Start).await?.concat());
        let mut drawn = points(&extremes);
        drawn.extend(flagged.iter().filter_map(ChartPoint::of));
        drawn.extend(measured.iter().copied());
        drawn.sort_by_key(|point| point.at);
        drawn.dedup_by_key(|point| point.at);
        Ok(Self { points: drawn, measured, is_all: false, is_exact, flagged })
    }

    /// The points that a screen can show.
    pub(super) fn drawn(&self, from: Datetime, to: Datetime) -> Vec<ChartPoint> {
        decimate(&self.points, from, to, usize::try_from(PARTS).unwrap_or(1))
    }
}

fn points(verdicts: &[StoredVerdict]) -> Vec<ChartPoint> {
    verdicts.iter().filter_map(ChartPoint::of).collect()
}

fn moment(variable: &Arc<str>, at: Datetime) -> Stretch {
    Stretch { variable: Arc::clone(variable), from: at, to: at.later(Duration::from_micros(1)) }
}

/// The extremes of each part, and whether they are those of all its readings.
async fn extents(
    reader: &mut dyn PageReader,
    variable: &Arc<str>,
    (from, to): (Datetime, Datetime),
) -> Result<(Vec<Extent>, bool), StoreError> {
    let parts = divided(variable, from, to, PARTS);
    let mut found = reader.extents(&parts, OF_A_PART + 1).await?;
    let is_full = |extent: &Extent, most: usize| extent.verdicts > most as u64;
    let full = parts.iter().zip(&found).filter(|(_, extent)| is_full(extent, OF_A_PART));
    let smaller: Vec<Stretch> =
        full.flat_map(|(part, _)| divided(variable, part.from, part.to, SMALLER)).collect();
    if smaller.is_empty() {
        return Ok((found, true));
    }
    let more = reader.extents(&smaller, OF_A_SMALLER + 1).await?;
    let is_exact = !more.iter().any(|extent| is_full(extent, OF_A_SMALLER));
    found.extend(more);
    Ok((found, is_exact))
}

/// The chart of a variable in some time, and whether its extremes are those of all readings.
///
/// # Errors
/// As the reader.
pub async fn chart_data(
    reader: &mut dyn PageReader,
    variable: &Arc<str>,
    from: Datetime,
    to: Datetime,
) -> Result<(ChartData, bool), StoreError> {
    let series = ChartSeries::read(reader, variable, (from, to), MOST_FLAGGED).await?;
    let points = series.drawn(from, to);
    let data = ChartData { variable: variable.to_string(), from, to, points, episodes: Vec::new() };
    Ok((data, series.is_exact))
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
