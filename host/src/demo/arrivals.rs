//! The rows that the plant's historian stores, each with its time of arrival.
//!
//! Pure: the plant's values with the faults applied, in the order of arrival. The driver advances
//! simulated time, inserts what has arrived since the last step, and runs a cycle.

use std::sync::Arc;
use std::time::Duration;

use super::faults::{Fault, FaultKind};
use super::plant::{Plant, STEP, rounded, steps};
use super::variables::{DemoVariable, START, VARIABLES};
use crate::datetime::Datetime;
use crate::reading::Reading;

/// How far, in sigmas, the second row of a repeated reading is off: enough to be flagged if the
/// wrong one is judged.
const REPEATED_IS_OFF_BY: f64 = 10.0;

/// What the rows carry as their source.
const SOURCE: &str = "host demo";

/// One row and when it is stored, by the plant's clock. The database assigns its key then, so that
/// keys follow arrival, not time.
#[derive(Clone, Debug, PartialEq)]
pub struct Arrival {
    pub at: Datetime,
    pub reading: Reading,
}

/// All rows of a demo, in order of arrival.
#[derive(Clone, Debug)]
pub struct Arrivals(Vec<Arrival>);

impl Arrivals {
    /// The rows of all variables from the start of the demo to `end`, with `faults` in them.
    pub fn new(plant: Plant, faults: &[Fault], end: Datetime) -> Self {
        Self::over(plant, faults, START, end)
    }

    /// The rows of this time before the demo, without faults.
    pub fn before(plant: Plant, span: Duration) -> Self {
        Self::over(plant, &[], START.earlier(span), START)
    }

    fn over(plant: Plant, faults: &[Fault], begin: Datetime, end: Datetime) -> Self {
        let source: Arc<str> = SOURCE.into();
        let names = VARIABLES.map(|variable| Arc::<str>::from(variable.name));
        let mut rows = Vec::new();
        for at in steps(begin, end) {
            for (variable, name) in VARIABLES.iter().zip(&names) {
                let row = |value| Reading {
                    id: None,
                    datetime: at,
                    variable: Arc::clone(name),
                    value,
                    source_file: Some(Arc::clone(&source)),
                };
                let here: Vec<&Fault> =
                    faults.iter().filter(|fault| fault.covers(variable.name, at)).collect();
                let value = value(plant, variable, at, &here);
                rows.extend(
                    delivered(at, value, variable, &here)
                        .map(|(at, value)| Arrival { at, reading: row(value) }),
                );
            }
        }
        // A stable sort: rows that arrive together stay in the order of their time.
        rows.sort_by_key(|arrival| arrival.at);
        Self(rows)
    }

    /// Every row.
    pub fn all(&self) -> &[Arrival] {
        &self.0
    }

    /// The rows that arrive at `from` or later, and before `to`.
    pub fn between(&self, from: Datetime, to: Datetime) -> &[Arrival] {
        let position = |when| self.0.partition_point(|arrival| arrival.at < when);
        self.0.get(position(from)..position(to)).unwrap_or_default()
    }
}

/// What the sensor says, with the faults that cover the reading.
fn value(plant: Plant, variable: &DemoVariable, at: Datetime, faults: &[&Fault]) -> f64 {
    faults.iter().fold(plant.value(variable, at), |value, fault| match fault.kind {
        FaultKind::Spike { sigmas } | FaultKind::Shift { sigmas } => rounded(value + sigmas * variable.noise),
        FaultKind::Drift { sigmas } => {
            let gone = at.since(fault.from).as_secs_f64() / fault.to.since(fault.from).as_secs_f64();
            rounded(value + sigmas * gone * variable.noise)
        }
        FaultKind::Stuck => plant.value(variable, fault.from.earlier(STEP)),
        FaultKind::Missing | FaultKind::Null | FaultKind::Late { .. } | FaultKind::Repeated { .. } => value,
    })
}

/// The rows for one value, each with its time of arrival: normally one, at once.
fn delivered(
    at: Datetime,
    value: f64,
    variable: &DemoVariable,
    faults: &[&Fault],
) -> impl Iterator<Item = (Datetime, Option<f64>)> {
    let mut first = Some((at, Some(value)));
    let mut second = None;
    for fault in faults {
        match fault.kind {
            FaultKind::Missing => first = None,
            FaultKind::Null => first = Some((at, None)),
            FaultKind::Late { by } => first = Some((fault.to.later(by), Some(value))),
            FaultKind::Repeated { by } => {
                second = Some((at.later(by), Some(rounded(value + REPEATED_IS_OFF_BY * variable.noise))));
            }
            FaultKind::Spike { .. }
            | FaultKind::Drift { .. }
            | FaultKind::Shift { .. }
            | FaultKind::Stuck => {}
        }
    }
    first.into_iter().chain(second)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test stops where it fails")]

    use std::collections::BTreeMap;

    use super::super::faults::{script, until};
    use super::super::plant::SEED;
    use super::*;

    const THREE_DAYS: Duration = Duration::from_secs(3 * 24 * 3600);
    const PLANT: Plant = Plant::new(SEED);

    fn demo() -> (Vec<Fault>, Arrivals) {
        let end = START.later(THREE_DAYS);
        (until(end), Arrivals::new(PLANT, &until(end), end))
    }

    /// What one fault of that kind leaves of three readings at 00:05, 00:10 and 00:15 on the first
    /// variable, as (minute of arrival, minute of the reading, sigmas off the plant's own
    /// value).
    fn with(kind: FaultKind) -> Vec<(u64, u64, Option<f64>)> {
        let variable = VARIABLES[0];
        let minute = |n: u64| START.later(Duration::from_secs(60 * n));
        let fault = Fault { kind, variable: variable.name, from: minute(5), to: minute(20) };
        let minutes_of = |at: Datetime| at.since(START).as_secs() / 60;
        Arrivals::new(PLANT, &[fault], minute(20))
            .all()
            .iter()
            .filter(|row| &*row.reading.variable == variable.name && row.reading.datetime >= fault.from)
            .map(|row| {
                let off = |value| (value - PLANT.value(&variable, row.reading.datetime)) / variable.noise;
                let off = row.reading.value.map(|value| (off(value) * 1e3).round() / 1e3);
                (minutes_of(row.at), minutes_of(row.reading.datetime), off)
            })
            .collect()
    }

    #[test]
    fn each_kind_does_what_it_says() {
        let (some, hour) = (Some, Duration::from_secs(3600));
        for (kind, expected) in [
            (
                FaultKind::Spike { sigmas: 12.0 },
                vec![(5, 5, some(12.0)), (10, 10, some(12.0)), (15, 15, some(12.0))],
            ),
            (
                FaultKind::Drift { sigmas: -6.0 },
                vec![(5, 5, some(0.0)), (10, 10, some(-2.0)), (15, 15, some(-4.0))],
            ),
            (
                FaultKind::Shift { sigmas: 5.0 },
                vec![(5, 5, some(5.0)), (10, 10, some(5.0)), (15, 15, some(5.0))],
            ),
            (FaultKind::Missing, vec![]),
            (FaultKind::Null, vec![(5, 5, None), (10, 10, None), (15, 15, None)]),
            (
                FaultKind::Late { by: hour },
                vec![(80, 5, some(0.0)), (80, 10, some(0.0)), (80, 15, some(0.0))],
            ),
            (
                FaultKind::Repeated { by: Duration::from_secs(60) },
                vec![
                    (5, 5, some(0.0)),
                    (6, 5, some(10.0)),
                    (10, 10, some(0.0)),
                    (11, 10, some(10.0)),
                    (15, 15, some(0.0)),
                    (16, 15, some(10.0)),
                ],
            ),
        ] {
            assert_eq!(with(kind), expected, "{kind:?}");
        }
    }

    #[test]
    fn a_stuck_sensor_repeats_its_last_reading() {
        let (faults, arrivals) = demo();
        for fault in faults.iter().filter(|fault| fault.kind == FaultKind::Stuck) {
            let variable = VARIABLES.iter().find(|variable| variable.name == fault.variable).unwrap();
            let held = PLANT.value(variable, fault.from.earlier(STEP));
            let values: Vec<Option<f64>> = arrivals
                .all()
                .iter()
                .map(|arrival| &arrival.reading)
                .filter(|row| fault.covers(&row.variable, row.datetime))
                .map(|row| row.value)
                .collect();
            assert_eq!(values, vec![Some(held); steps(fault.from, fault.to).count()], "{fault:?}");
        }
    }

    /// Of every variable and step there is exactly one row, but none in a gap and two where the
    /// script repeats it.
    #[test]
    fn every_reading_arrives_once_and_no_other_does() {
        let (faults, arrivals) = demo();
        let mut found: BTreeMap<(&str, Datetime), usize> = BTreeMap::new();
        for arrival in arrivals.all() {
            *found.entry((&arrival.reading.variable, arrival.reading.datetime)).or_default() += 1;
        }
        let mut expected = BTreeMap::new();
        for at in steps(START, START.later(THREE_DAYS)) {
            for variable in &VARIABLES {
                let is = |wanted: fn(FaultKind) -> bool| {
                    faults.iter().any(|fault| wanted(fault.kind) && fault.covers(variable.name, at))
                };
                match (
                    is(|kind| kind == FaultKind::Missing),
                    is(|kind| matches!(kind, FaultKind::Repeated { .. })),
                ) {
                    (true, _) => None,
                    (_, true) => expected.insert((variable.name, at), 2),
                    _ => expected.insert((variable.name, at), 1),
                };
            }
        }
        assert_eq!(found, expected);
        assert_eq!(arrivals.all().len(), 25 * 3 * 288 - (60 + 8) + (12 + 6));
    }

    /// Outside of its faults the demo equals the plant, to the last digit.
    #[test]
    fn what_no_fault_covers_is_the_plants_own_value() {
        let (faults, arrivals) = demo();
        for Arrival { at, reading } in arrivals.all() {
            if faults.iter().any(|fault| fault.covers(&reading.variable, reading.datetime)) {
                continue;
            }
            let variable = VARIABLES.iter().find(|variable| variable.name == &*reading.variable).unwrap();
            assert_eq!(reading.value, Some(PLANT.value(variable, reading.datetime)), "{reading:?}");
            assert_eq!(*at, reading.datetime);
        }
    }

    /// Cut into steps of ten minutes, the arrivals are the arrivals: in order, nothing twice,
    /// nothing left.
    #[test]
    fn steps_of_simulated_time_bring_everything_once() {
        let (_, arrivals) = demo();
        let ten_minutes = Duration::from_secs(600);
        let (mut now, mut brought) = (START, Vec::new());
        while now < START.later(THREE_DAYS) {
            let next = now.later(ten_minutes);
            let rows = arrivals.between(now, next);
            assert!(rows.iter().all(|row| now <= row.at && row.at < next && row.reading.datetime <= row.at));
            brought.extend_from_slice(rows);
            now = next;
        }
        assert_eq!(brought, arrivals.all());
        assert_eq!(arrivals.between(now, START), [], "an empty stretch");
        assert!(script().iter().any(|fault| matches!(fault.kind, FaultKind::Late { .. })));
    }
}
