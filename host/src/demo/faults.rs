//! The faults of the demo and their times: a fixed script, as data.
//!
//! Some faults are in the values and should be found; some are in how rows arrive and should change
//! nothing. All lie within the first three days; a shorter demo has fewer.

use std::time::Duration;

use super::variables::START;
use crate::datetime::Datetime;

/// Sizes are in sigmas of the variable's noise ([`super::variables::DemoVariable::noise`]), upwards
/// or downwards.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum FaultKind {
    /// One or two readings far off.
    Spike { sigmas: f64 },
    /// Grows evenly from nothing to its size.
    Drift { sigmas: f64 },
    /// Off by the same from beginning to end.
    Shift { sigmas: f64 },
    /// The sensor repeats the last reading before the fault.
    Stuck,
    /// Readings never arrive.
    Missing,
    /// Rows arrive without a value.
    Null,
    /// A gateway holds the readings back and sends them together, `by` after the fault's end.
    Late { by: Duration },
    /// Each reading is stored a second time, `by` after the first, with another value. The first
    /// counts.
    Repeated { by: Duration },
}

impl FaultKind {
    /// Whether the value is wrong: a detector should find it.
    pub fn in_values(self) -> bool {
        matches!(self, Self::Spike { .. } | Self::Drift { .. } | Self::Shift { .. } | Self::Stuck)
    }
}

/// One fault of one variable. Its readings are those with `from` <= datetime < `to`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Fault {
    pub kind: FaultKind,
    pub variable: &'static str,
    pub from: Datetime,
    pub to: Datetime,
}

impl Fault {
    /// Whether a reading of that variable and datetime is in it.
    pub fn covers(&self, variable: &str, at: Datetime) -> bool {
        self.variable == variable && self.from <= at && at < self.to
    }
}

const fn minutes(count: u64) -> Duration {
    Duration::from_secs(60 * count)
}

const fn hours(count: u64) -> Duration {
    minutes(60 * count)
}

/// The whole script, by time. Times are the day of the demo (0 is the first) and the time of day.
#[rustfmt::skip]
pub fn script() -> Vec<Fault> {
    use FaultKind::*;
    [
        fault(Spike { sigmas: 12.0 },        "AGUA/FLOW 1",       0, ( 9, 20), minutes(5)),
        fault(Drift { sigmas: 8.0 },         "NIVEL 4",           0, (12,  0), hours(6)),
        fault(Late { by: hours(3) },         "POTENCIA/MW",       0, (14,  0), hours(3)),
        fault(Late { by: hours(3) },         "BOMBA-5 CORRIENTE", 0, (14,  0), hours(3)),
        fault(Late { by: hours(3) },         "CINTA 3/TON",       0, (14,  0), hours(3)),
        // Within the late range: found only if late readings are judged.
        fault(Spike { sigmas: -10.0 },       "POTENCIA/MW",       0, (15, 30), minutes(5)),
        fault(Missing,                       "VIBRACION",         0, (22,  0), hours(5)),
        fault(Spike { sigmas: -8.0 },        "TEMP-03",           1, ( 3, 45), minutes(10)),
        fault(Stuck,                         "VAPOR/CAUDAL",      1, ( 6,  0), hours(6)),
        fault(Repeated { by: minutes(1) },   "PH-EFLUENTE",       1, ( 8,  0), hours(1)),
        fault(Shift { sigmas: 5.0 },         "GAS_P-2",           1, (10,  0), hours(6)),
        // A value that stays within its own noise: it is near to the expectation, so that no such
        // detector can find it.
        fault(Stuck,                         "TURBINA RPM",       1, (15,  0), hours(2)),
        fault(Null,                          "HUMEDAD SECADOR",   1, (20,  0), minutes(45)),
        fault(Drift { sigmas: -8.0 },        "CONDUCTIVIDAD",     2, ( 2,  0), hours(6)),
        // On the variable whose model is added during the demo: before that it cannot be judged.
        fault(Spike { sigmas: 15.0 },        "CALDERA_P-2",       2, ( 4, 10), minutes(5)),
        fault(Repeated { by: hours(2) },     "AIRE COMP/P1",      2, (10,  0), minutes(30)),
        fault(Missing,                       "O2 HORNO",          2, (13,  0), minutes(40)),
        fault(Shift { sigmas: -6.0 },        "VALVULA FV-101",    2, (16,  0), hours(2)),
    ]
    .into()
}

/// The faults of a demo that ends at `end`: those that are over by then, with all the rows that
/// they delay.
pub fn until(end: Datetime) -> Vec<Fault> {
    script().into_iter().filter(|fault| over(fault) <= end).collect()
}

/// When the last row that the fault affects has arrived.
fn over(fault: &Fault) -> Datetime {
    match fault.kind {
        FaultKind::Late { by } | FaultKind::Repeated { by } => fault.to.later(by),
        _ => fault.to,
    }
}

fn fault(
    kind: FaultKind,
    variable: &'static str,
    day: u64,
    (hour, minute): (u64, u64),
    lasts: Duration,
) -> Fault {
    let from = START.later(hours(24 * day + hour) + minutes(minute));
    Fault { kind, variable, from, to: from.later(lasts) }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test stops where it fails")]

    use super::super::variables::VARIABLES;
    use super::*;

    #[test]
    fn every_fault_is_of_a_known_variable_and_in_the_demo() {
        let end = START.later(hours(72));
        for fault in script() {
            assert!(VARIABLES.iter().any(|variable| variable.name == fault.variable), "{fault:?}");
            assert!(START < fault.from && fault.from < fault.to && fault.to <= end, "{fault:?}");
        }
        assert_eq!(until(end), script());
        assert!(script().is_sorted_by_key(|fault| fault.from));
    }

    /// The score counts a reading for one fault in values; only a late range may overlap one.
    #[test]
    fn faults_of_a_variable_do_not_overlap_except_in_a_late_stretch() {
        let script = script();
        for (n, a) in script.iter().enumerate() {
            for b in &script[n + 1..] {
                let overlap = a.variable == b.variable && a.from < b.to && b.from < a.to;
                assert!(
                    !overlap || matches!(a.kind, FaultKind::Late { .. }) && b.kind.in_values(),
                    "{a:?} and {b:?}"
                );
            }
        }
    }

    #[test]
    fn a_shorter_demo_has_the_faults_that_are_over() {
        let noon = START.later(hours(12));
        assert_eq!(
            until(noon),
            [Fault {
                kind: FaultKind::Spike { sigmas: 12.0 },
                variable: "AGUA/FLOW 1",
                from: Datetime::parse("2025-03-07 09:20").unwrap(),
                to: Datetime::parse("2025-03-07 09:25").unwrap(),
            }]
        );
        // The late range of the first afternoon ends at 17:00 but arrives at 20:00.
        let late =
            |end| until(end).iter().filter(|fault| matches!(fault.kind, FaultKind::Late { .. })).count();
        assert_eq!((late(START.later(hours(19))), late(START.later(hours(20)))), (0, 3));
    }
}
