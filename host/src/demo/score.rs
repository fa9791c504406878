//! The results for the faults: found or missed, and the false alarms.
//!
//! Pure: compares what arrived with the verdicts that the output table holds afterwards. It does
//! not depend on how they were written, so it also finds readings that were judged twice, or never.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use super::arrivals::Arrival;
use super::faults::Fault;
use crate::datetime::Datetime;

/// The demo's result.
#[derive(Clone, Debug, PartialEq)]
pub struct DemoScore {
    /// One for each fault, in their order.
    pub faults: Vec<FaultScore>,
    /// One for each variable that arrived, by name.
    pub alarms: Vec<Alarms>,
    pub readings: Readings,
}

/// The result for one fault.
#[derive(Clone, Debug, PartialEq)]
pub struct FaultScore {
    pub fault: Fault,
    /// Readings in it that arrived with a value; a repeated one counts once.
    pub readings: usize,
    /// How many of these have a verdict.
    pub judged: usize,
    /// How many of these are flagged as anomalies.
    pub flagged: usize,
    /// From the fault's beginning to its first flagged reading, by the plant's clock.
    pub first_after: Option<Duration>,
    pub outcome: FaultOutcome,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FaultOutcome {
    /// A fault in the values, and at least one of its readings is flagged.
    Found,
    /// Judged, and nothing was flagged.
    Missed,
    /// None of its readings has a verdict.
    Unjudged,
    /// A fault in how rows arrive that had no effect: one verdict for each reading, on the value
    /// that came first.
    Harmless,
    /// A fault in how rows arrive that left its readings without a verdict, with two, or with one
    /// on another value.
    Harmful,
}

/// Verdicts of one variable outside of the faults in its values.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Alarms {
    pub variable: String,
    pub judged: usize,
    /// Anomalies among them.
    pub flagged: usize,
    /// False alarms: runs of flagged readings that do not begin in a fault.
    pub begun: usize,
}

/// Every reading has one verdict, or these numbers show how many have not.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Readings {
    /// With a value; a repeated one counts once.
    pub arrived: usize,
    pub judged: usize,
    /// Those with two verdicts or more.
    pub judged_twice: usize,
    /// Verdicts on what never arrived, or arrived without a value.
    pub judged_from_nothing: usize,
}

/// A reading that has a verdict, as the output holds it.
#[derive(Clone, Debug, PartialEq)]
pub struct JudgedReading {
    pub variable: Arc<str>,
    pub ds: Datetime,
    pub y: f64,
    pub is_anomaly: bool,
}

/// The columns store six decimals.
const SAME_VALUE: f64 = 1e-6;

type Key<'a> = (&'a str, Datetime);

/// Compares `arrivals`, in their order, with all `verdicts` on them, in any order.
pub fn score(faults: &[Fault], arrivals: &[Arrival], verdicts: &[JudgedReading]) -> DemoScore {
    let mut arrived: BTreeMap<Key<'_>, f64> = BTreeMap::new();
    for reading in arrivals.iter().map(|arrival| &arrival.reading) {
        if let Some(value) = reading.value {
            arrived.entry((&reading.variable, reading.datetime)).or_insert(value);
        }
    }
    let mut judged: BTreeMap<Key<'_>, Vec<&JudgedReading>> = BTreeMap::new();
    for verdict in verdicts {
        judged.entry((&verdict.variable, verdict.ds)).or_default().push(verdict);
    }

    DemoScore {
        faults: faults.iter().map(|fault| fault_score(fault, &arrived, &judged)).collect(),
        alarms: alarms(faults, &arrived, &judged),
        readings: Readings {
            arrived: arrived.len(),
            judged: arrived.keys().filter(|key| judged.contains_key(*key)).count(),
            judged_twice: judged.values().filter(|rows| rows.len() > 1).count(),
            judged_from_nothing: judged.keys().filter(|key| !arrived.contains_key(*key)).count(),
        },
    }
}

fn fault_score(
    fault: &Fault,
    arrived: &BTreeMap<Key<'_>, f64>,
    judged: &BTreeMap<Key<'_>, Vec<&JudgedReading>>,
) -> FaultScore {
    let window = (fault.variable, fault.from)..(fault.variable, fault.to);
    let readings: Vec<(&Key<'_>, &f64)> = arrived.range(window.clone()).collect();
    let verdicts: Vec<(&Key<'_>, &Vec<&JudgedReading>)> = judged.range(window).collect();
    let mut flagged = verdicts.iter().filter(|(_, rows)| anomaly(rows)).map(|((_, at), _)| *at).peekable();
    let first_after = flagged.peek().map(|at| at.since(fault.from));
    let flagged = flagged.count();

    let one_each = readings.len() == verdicts.len()
        && readings.iter().zip(&verdicts).all(|((key, value), (judged, rows))| {
            key == judged && matches!(rows.as_slice(), [row] if (row.y - **value).abs() <= SAME_VALUE)
        });
    let outcome = match (fault.kind.in_values(), flagged) {
        (true, 0) if verdicts.is_empty() => FaultOutcome::Unjudged,
        (true, 0) => FaultOutcome::Missed,
        (true, _) => FaultOutcome::Found,
        (false, _) if one_each => FaultOutcome::Harmless,
        (false, _) => FaultOutcome::Harmful,
    };
    let judged = readings.iter().filter(|(key, _)| judged.contains_key(*key)).count();
    FaultScore { fault: *fault, readings: readings.len(), judged, flagged, first_after, outcome }
}

fn alarms(
    faults: &[Fault],
    arrived: &BTreeMap<Key<'_>, f64>,
    judged: &BTreeMap<Key<'_>, Vec<&JudgedReading>>,
) -> Vec<Alarms> {
    let mut counts: BTreeMap<&str, Alarms> =
        arrived.keys().map(|(name, _)| (*name, Alarms::none(name))).collect();
    let mut before: Option<&str> = None;
    for ((variable, at), rows) in judged {
        let flagged = anomaly(rows);
        if !faults.iter().any(|fault| fault.kind.in_values() && fault.covers(variable, *at)) {
            let alarms = counts.entry(variable).or_insert_with(|| Alarms::none(variable));
            alarms.judged += 1;
            alarms.flagged += usize::from(flagged);
            alarms.begun += usize::from(flagged && before != Some(*variable));
        }
        before = flagged.then_some(*variable);
    }
    counts.into_values().collect()
}

impl Alarms {
    fn none(variable: &str) -> Self {
        Self { variable: variable.to_owned(), judged: 0, flagged: 0, begun: 0 }
    }
}

fn anomaly(rows: &[&JudgedReading]) -> bool {
    rows.iter().any(|row| row.is_anomaly)
}

#[cfg(test)]
mod tests;
