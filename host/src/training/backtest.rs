//! Compares what a set would have flagged in the past with the stored verdicts. Nothing is written.
//!
//! The set judges the range as a worker does that starts at its beginning: the detector is given
//! its lookback first, and then the readings by datetime. The episodes of both are computed with
//! the settings of today. A batch that cannot be judged is counted, and the rest is judged; an
//! error of the store ends the backtest.

mod events;
mod tally;

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

pub use self::events::{EventDetection, EventsError, KnownEvent, read as read_events};
pub use self::tally::{Both, Tally};
use super::flagged;
use crate::batch::{Batch, Flags, Outcome, Verdicts};
use crate::datetime::Datetime;
use crate::detector::Detector;
use crate::episode::{Point, VariableRules};
use crate::pivot;
use crate::reading::{Reading, ReadingKey};
use crate::shard::Shard;
use crate::store::{Input, StoreError, VerdictReader};
use crate::worker::{CELLS_PER_ROW, RangeScan, lookback_span};

/// What is to be judged.
#[derive(Clone, Debug)]
pub struct BacktestPlan {
    pub from: Datetime,
    pub to: Datetime,
    /// Empty: all.
    pub variables: HashSet<Arc<str>>,
    pub shard: Option<Shard>,
    pub batch_rows: usize,
    /// The settings of episodes, by variable.
    pub rules: VariableRules,
}

/// The result of a backtest.
#[derive(Clone, Debug, Default)]
pub struct Backtested {
    pub variables: BTreeMap<Arc<str>, Both>,
    pub events: Vec<EventDetection>,
    /// Batches that could not be judged, with the first reason.
    pub failed: Option<(u64, String)>,
    /// The lookback: how much time before the range the detector was given first.
    pub shown: Duration,
}

/// Judges the range with a detector. `rows` is called with the number of rows read so far.
///
/// # Errors
/// The store fails.
pub async fn run(
    plan: &BacktestPlan,
    events: Vec<KnownEvent>,
    detector: &mut Detector,
    input: &mut dyn Input,
    mut output: Option<&mut dyn VerdictReader>,
    mut rows: impl FnMut(u64),
) -> Result<Backtested, StoreError> {
    let mut done =
        Backtested { events: events.into_iter().map(EventDetection::new).collect(), ..Backtested::default() };
    let lookback = detector.summary().lookback;
    if !lookback.is_zero() {
        done.shown = lookback_span(input, plan.from, plan.from, lookback).await?;
        let mut scan = RangeScan::new(plan.from.earlier(done.shown), plan.from, plan.batch_rows);
        loop {
            let page = scan.next(input).await?;
            for batch in plan.batches(page.readings) {
                done.judge(detector, &batch).await;
            }
            if !page.full {
                break;
            }
        }
    }
    let (mut scan, mut read) = (RangeScan::new(plan.from, plan.to, plan.batch_rows), 0);
    loop {
        let page = scan.next(input).await?;
        read += page.readings.len() as u64;
        for batch in plan.batches(page.readings) {
            let outcomes = done.judge(detector, &batch).await;
            let span = batch.datetimes.first().copied().zip(batch.datetimes.last().copied());
            let stored = match (&mut output, span) {
                (Some(output), Some(span)) => flagged::verdicts(*output, span, false).await?,
                _ => HashMap::new(),
            };
            done.compare(&batch, outcomes.as_deref(), &stored, &plan.rules);
        }
        rows(read);
        if !page.full {
            return Ok(done);
        }
    }
}

impl BacktestPlan {
    /// The readings of a page that are judged, as batches. Of several readings of one variable and
    /// datetime the first counts.
    fn batches(&self, readings: Vec<Reading>) -> Vec<Arc<Batch>> {
        let mut seen: HashSet<ReadingKey> = HashSet::new();
        let wanted = |reading: &Reading| {
            reading.value.is_some_and(f64::is_finite)
                && (self.variables.is_empty() || self.variables.contains(&reading.variable))
                && self.shard.is_none_or(|shard| shard.holds(&reading.variable))
        };
        let readings: Vec<_> =
            readings.into_iter().filter(|reading| wanted(reading) && seen.insert(reading.key())).collect();
        let parts = pivot::split(readings, self.batch_rows.saturating_mul(CELLS_PER_ROW)).into_iter();
        parts.map(|part| Arc::new(pivot::pivot(&part, &[]).batch)).collect()
    }
}

impl Backtested {
    async fn judge(&mut self, detector: &mut Detector, batch: &Arc<Batch>) -> Option<Vec<Outcome>> {
        match detector.judge(Arc::clone(batch)).await {
            Ok(judged) => {
                // If the instance fails at the next batch, a new one goes on from this checkpoint.
                detector.committed(judged.checkpoint);
                Some(judged.outcomes)
            }
            Err(why) => {
                self.failed.get_or_insert_with(|| (0, why.to_string())).0 += 1;
                None
            }
        }
    }

    fn compare(
        &mut self,
        batch: &Batch,
        outcomes: Option<&[Outcome]>,
        stored: &HashMap<ReadingKey, Point>,
        rules: &VariableRules,
    ) {
        for (number, column) in batch.columns.iter().enumerate() {
            let variable = &column.variable;
            let settings = rules.of(variable);
            let both = self.variables.entry(Arc::clone(variable)).or_default();
            let verdicts = match outcomes.and_then(|outcomes| outcomes.get(number)) {
                Some(Outcome::Judged(verdicts)) => Some(verdicts),
                Some(Outcome::NoModel | Outcome::Failed(_)) | None => None,
            };
            let readings = batch.datetimes.iter().copied().zip(column.values.iter().copied()).enumerate();
            for (row, (at, value)) in readings.filter(|(_, (_, value))| value.is_finite()) {
                let would = verdicts.and_then(|verdicts| point(verdicts, row, at, value));
                let was = stored.get(&(Arc::clone(variable), at));
                match &would {
                    Some(point) => both.would.take(variable, point, &settings),
                    None => both.unjudged += 1,
                }
                if let Some(point) = was {
                    both.stored.take(variable, point, &settings);
                }
                let flag = |point: Option<&Point>| point.map(|point| point.anomaly);
                let (would, was) = (flag(would.as_ref()), flag(was));
                both.differ += u64::from(would.zip(was).is_some_and(|(would, was)| would != was));
                let hit = |said: Option<bool>| said == Some(true);
                if hit(would) || hit(was) {
                    let events = self.events.iter_mut();
                    for found in events.filter(|found| found.event.holds(variable, at)) {
                        found.take(at, hit(would), hit(was));
                    }
                }
            }
        }
    }
}

/// A verdict in the form that episodes take; None if there is no verdict.
fn point(verdicts: &Verdicts, row: usize, ds: Datetime, y: f64) -> Option<Point> {
    let yhat = verdicts.expected.get(row).copied().filter(|expected| expected.is_finite())?;
    let flags = Flags::from_bits(*verdicts.flags.get(row)?);
    let score = verdicts.score.get(row).copied().unwrap_or_default();
    Some(Point { ds, y, yhat, score, anomaly: flags.anomaly, cause: flags.cause })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::batch::Column;
    use crate::episode::PatternSettings;

    fn at(minute: i64) -> Datetime {
        Datetime::from_micros(60_000_000 * minute)
    }

    #[test]
    fn flags_episodes_differences_and_events_are_counted() {
        let name: Arc<str> = "T1".into();
        let values = vec![1.0, 1.0, 1.0, f64::NAN, 1.0, 1.0, 1.0];
        let rows = values.len();
        let column = Column { variable: Arc::clone(&name), values };
        let unknown = Column { variable: "T2".into(), values: vec![1.0; rows] };
        let batch = Batch { datetimes: (0..7).map(at).collect(), columns: vec![column, unknown] };
        let mut expected = vec![1.0; rows];
        expected[6] = f64::NAN;
        let verdicts = Verdicts {
            lower: expected.clone(),
            upper: expected.clone(),
            expected,
            score: vec![0.0; rows],
            flags: vec![0, 4, 4, 0, 4, 0, 0],
            withheld: Vec::new(),
        };
        let outcomes = [Outcome::Judged(verdicts), Outcome::NoModel];
        let was = |row, anomaly| Point { ds: at(row), y: 1.0, yhat: 1.0, score: 0.0, anomaly, cause: None };
        let stored: HashMap<ReadingKey, Point> = [(0, true), (1, true), (2, false), (5, false)]
            .map(|(row, anomaly)| ((Arc::clone(&name), at(row)), was(row, anomaly)))
            .into();
        let event = |from, to| {
            EventDetection::new(KnownEvent { variable: Arc::clone(&name), from: at(from), to: at(to) })
        };
        let mut done = Backtested { events: vec![event(0, 3), event(5, 6)], ..Backtested::default() };
        let rules = |on_delay, off_delay| {
            let said = PatternSettings {
                on_delay: Some(on_delay),
                off_delay: Some(off_delay),
                ..PatternSettings::default()
            };
            VariableRules::new([("T*".to_owned(), said)])
        };
        done.compare(&batch, Some(&outcomes), &stored, &rules(1, 1));
        let tally = |tally: &Tally| (tally.judged, tally.flagged, tally.episodes);
        let both = &done.variables[&name];
        // A row without a reading ends no episode; a reading without a verdict is skipped.
        assert_eq!((tally(&both.would), tally(&both.stored)), ((5, 3, 1), (4, 2, 1)));
        assert_eq!((both.differ, both.unjudged), (2, 1));
        assert_eq!(done.variables["T2"], Both { unjudged: 7, ..Both::default() });
        // As many readings open and close an episode as the settings say.
        for (on_delay, off_delay, would, was) in [(2, 1, 1, 1), (3, 1, 1, 0), (4, 1, 0, 0), (1, 9, 1, 1)] {
            let mut done = Backtested::default();
            done.compare(&batch, Some(&outcomes), &stored, &rules(on_delay, off_delay));
            let both = &done.variables[&name];
            assert_eq!((both.would.episodes, both.stored.episodes), (would, was), "{on_delay} {off_delay}");
        }
        let minutes = |found: &EventDetection| {
            let minutes = |time: Option<Duration>| time.map(|time| time.as_secs() / 60);
            (minutes(found.would_after()), minutes(found.stored_after()))
        };
        assert_eq!(done.events.iter().map(minutes).collect::<Vec<_>>(), [(Some(1), Some(0)), (None, None)]);
    }
}
