//! What a set would have said of the past, beside what is stored of it. Nothing is written.
//!
//! The set judges the range as a worker does that starts at its beginning: it is shown its lookback
//! first, and then the readings by datetime. Of a variable's anomalous readings those that follow
//! each other are one stretch; a reading that is none ends it.

mod events;

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

pub use self::events::{EventDetection, EventsError, KnownEvent, read as read_events};
use super::flagged;
use crate::batch::{Batch, Flags, Outcome};
use crate::datetime::Datetime;
use crate::detector::Detector;
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
}

/// One side's verdicts on a variable.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    pub judged: u64,
    pub flagged: u64,
    /// Stretches of flagged readings.
    pub stretches: u64,
    in_stretch: bool,
}

impl Tally {
    fn take(&mut self, anomaly: bool) {
        self.judged += 1;
        self.flagged += u64::from(anomaly);
        self.stretches += u64::from(anomaly && !self.in_stretch);
        self.in_stretch = anomaly;
    }

    /// Of both.
    #[must_use]
    pub fn and(self, other: Self) -> Self {
        Self {
            judged: self.judged + other.judged,
            flagged: self.flagged + other.flagged,
            stretches: self.stretches + other.stretches,
            in_stretch: false,
        }
    }
}

/// What both sides say of a variable.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Both {
    pub would: Tally,
    pub stored: Tally,
    /// Readings that one of them flags and the other, which has a verdict, does not.
    pub differ: u64,
    /// Readings on which the set has no verdict.
    pub unjudged: u64,
}

/// What came of it.
#[derive(Clone, Debug, Default)]
pub struct Backtested {
    pub variables: BTreeMap<Arc<str>, Both>,
    pub events: Vec<EventDetection>,
    /// Batches that could not be judged, with the first reason.
    pub failed: Option<(u64, String)>,
    /// How much of the past the set was shown before.
    pub shown: Duration,
}

/// Has a detector judge the range. `rows` hears how many rows were read.
///
/// # Errors
/// What the store says.
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
            done.compare(&batch, outcomes.as_deref(), &stored);
        }
        rows(read);
        if !page.full {
            return Ok(done);
        }
    }
}

impl BacktestPlan {
    /// The readings of a page that are judged: of those of one variable and datetime the first.
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
                // Should the instance not survive the next batch, the one after goes on from here.
                detector.committed(judged.checkpoint);
                Some(judged.outcomes)
            }
            Err(why) => {
                self.failed.get_or_insert_with(|| (0, why.to_string())).0 += 1;
                None
            }
        }
    }

    fn compare(&mut self, batch: &Batch, outcomes: Option<&[Outcome]>, stored: &HashMap<ReadingKey, bool>) {
        for (number, column) in batch.columns.iter().enumerate() {
            let both = self.variables.entry(Arc::clone(&column.variable)).or_default();
            let verdicts = match outcomes.and_then(|outcomes| outcomes.get(number)) {
                Some(Outcome::Judged(verdicts)) => Some(verdicts),
                Some(Outcome::NoModel | Outcome::Failed(_)) | None => None,
            };
            for (row, at) in batch.datetimes.iter().enumerate() {
                if !column.values.get(row).is_some_and(|value| value.is_finite()) {
                    continue;
                }
                let would = verdicts
                    .filter(|verdicts| {
                        verdicts.expected.get(row).is_some_and(|expected| expected.is_finite())
                    })
                    .and_then(|verdicts| verdicts.flags.get(row))
                    .map(|flags| Flags::from_bits(*flags).anomaly);
                let was = stored.get(&(Arc::clone(&column.variable), *at)).copied();
                match would {
                    Some(anomaly) => both.would.take(anomaly),
                    None => both.unjudged += 1,
                }
                if let Some(anomaly) = was {
                    both.stored.take(anomaly);
                }
                both.differ += u64::from(would.zip(was).is_some_and(|(would, was)| would != was));
                let hit = |said: Option<bool>| said == Some(true);
                if hit(would) || hit(was) {
                    let events = self.events.iter_mut();
                    for found in events.filter(|found| found.event.holds(&column.variable, *at)) {
                        found.take(*at, hit(would), hit(was));
                    }
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::batch::{Column, Verdicts};

    fn at(minute: i64) -> Datetime {
        Datetime::from_micros(60_000_000 * minute)
    }

    #[test]
    fn flags_stretches_differences_and_events_are_counted() {
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
        let stored: HashMap<ReadingKey, bool> = [(0, true), (1, true), (2, false), (5, false)]
            .map(|(row, was)| ((Arc::clone(&name), at(row)), was))
            .into();
        let event = |from, to| {
            EventDetection::new(KnownEvent { variable: Arc::clone(&name), from: at(from), to: at(to) })
        };
        let mut done = Backtested { events: vec![event(0, 3), event(5, 6)], ..Backtested::default() };
        done.compare(&batch, Some(&outcomes), &stored);
        let tally = |judged, flagged, stretches, in_stretch| Tally { judged, flagged, stretches, in_stretch };
        let both =
            Both { would: tally(5, 3, 1, false), stored: tally(4, 2, 1, false), differ: 2, unjudged: 1 };
        assert_eq!(done.variables[&name], both);
        assert_eq!(done.variables["T2"], Both { unjudged: 7, ..Both::default() });
        let minutes = |found: &EventDetection| {
            let minutes = |time: Option<Duration>| time.map(|time| time.as_secs() / 60);
            (minutes(found.would_after()), minutes(found.stored_after()))
        };
        assert_eq!(done.events.iter().map(minutes).collect::<Vec<_>>(), [(Some(1), Some(0)), (None, None)]);
    }
}
