//! A small plant by hand: three readings of two variables, five minutes apart.

use super::*;
use crate::demo::faults::FaultKind;
use crate::reading::Reading;

const FIVE: Duration = Duration::from_secs(300);

fn at(step: u32) -> Datetime {
    Datetime::from_micros(0).later(FIVE * step)
}

fn fault(kind: FaultKind, from: u32, to: u32) -> Fault {
    Fault { kind, variable: "A", from: at(from), to: at(to) }
}

fn arrival(variable: &str, step: u32, value: Option<f64>) -> Arrival {
    let (variable, datetime) = (Arc::from(variable), at(step));
    Arrival { at: datetime, reading: Reading { id: None, datetime, variable, value, source_file: None } }
}

fn verdict(variable: &str, step: u32, y: f64, anomaly: bool) -> JudgedReading {
    JudgedReading { variable: Arc::from(variable), ds: at(step), y, is_anomaly: anomaly }
}

fn normal() -> Vec<Arrival> {
    (0..3).flat_map(|step| [arrival("A", step, Some(1.0)), arrival("B", step, Some(1.0))]).collect()
}

const SHIFT: FaultKind = FaultKind::Shift { sigmas: 5.0 };
const LATE: FaultKind = FaultKind::Late { by: FIVE };

#[test]
fn what_came_of_a_fault() {
    use FaultOutcome::*;
    let (y, n) = (true, false);
    // Of variable A: the fault; the values that arrive at steps 0, 1, 2; the verdicts as (step, y,
    // anomaly).
    type Case = (
        FaultKind,
        [Option<f64>; 3],
        Vec<(u32, f64, bool)>,
        (usize, usize, usize, Option<Duration>, FaultOutcome),
    );
    let one = [Some(1.0); 3];
    let cases: Vec<Case> = vec![
        (SHIFT, one, vec![(0, 1.0, n), (1, 1.0, n), (2, 1.0, y)], (2, 2, 1, Some(FIVE), Found)),
        (SHIFT, one, vec![(0, 1.0, n), (2, 1.0, y), (1, 1.0, y)], (2, 2, 2, Some(Duration::ZERO), Found)),
        (SHIFT, one, vec![(0, 1.0, y), (1, 1.0, n), (2, 1.0, n)], (2, 2, 0, None, Missed)),
        (SHIFT, one, vec![(0, 1.0, y)], (2, 0, 0, None, Unjudged)),
        (LATE, one, vec![(0, 1.0, n), (1, 1.0, n), (2, 1.0, n)], (2, 2, 0, None, Harmless)),
        (LATE, one, vec![(0, 1.0, n), (1, 1.0, n)], (2, 1, 0, None, Harmful)),
        (LATE, one, vec![(1, 1.0, n), (1, 1.0, n), (2, 1.0, n)], (2, 2, 0, None, Harmful)),
        (LATE, one, vec![(1, 1.0, n), (2, 1.1, n)], (2, 2, 0, None, Harmful)),
        (FaultKind::Null, [Some(1.0), None, None], vec![(0, 1.0, n)], (0, 0, 0, None, Harmless)),
        (
            FaultKind::Null,
            [Some(1.0), None, None],
            vec![(0, 1.0, n), (1, 0.0, y)],
            (0, 0, 1, Some(Duration::ZERO), Harmful),
        ),
    ];
    for (kind, values, verdicts, (readings, judged, flagged, first_after, outcome)) in cases {
        let fault = fault(kind, 1, 3);
        let arrivals: Vec<Arrival> =
            (0..).zip(values).map(|(step, value)| arrival("A", step, value)).collect();
        let rows: Vec<JudgedReading> =
            verdicts.iter().map(|(step, y, flag)| verdict("A", *step, *y, *flag)).collect();
        let expected = FaultScore { fault, readings, judged, flagged, first_after, outcome };
        assert_eq!(score(&[fault], &arrivals, &rows).faults, [expected], "{kind:?} {verdicts:?}");
    }
}

#[test]
fn of_a_repeated_reading_the_first_counts() {
    let fault = fault(FaultKind::Repeated { by: FIVE }, 1, 2);
    let mut arrivals = normal();
    arrivals.push(arrival("A", 1, Some(9.0)));
    for (y, outcome) in [(1.0, FaultOutcome::Harmless), (9.0, FaultOutcome::Harmful)] {
        let scored = score(&[fault], &arrivals, &[verdict("A", 1, y, false)]);
        assert_eq!((scored.faults[0].readings, scored.faults[0].outcome), (1, outcome));
    }
}

/// A's only flagged reading outside its fault in values is at step 2; a late range is no excuse for
/// it. D's alarm begins in its fault and continues after it.
#[test]
fn alarms_outside_of_faults_are_false() {
    let faults = [fault(SHIFT, 0, 1), fault(LATE, 2, 3), Fault { variable: "D", ..fault(SHIFT, 0, 2) }];
    let verdicts = [
        verdict("A", 0, 1.0, true),
        verdict("A", 1, 1.0, false),
        verdict("A", 2, 1.0, true),
        verdict("C", 0, 1.0, true),
        verdict("C", 1, 1.0, true),
        verdict("C", 2, 1.0, false),
        verdict("C", 3, 1.0, true),
        verdict("D", 1, 1.0, true),
        verdict("D", 2, 1.0, true),
    ];
    let alarms = |variable: &str, judged, flagged, begun| Alarms {
        variable: variable.to_owned(),
        judged,
        flagged,
        begun,
    };
    assert_eq!(
        score(&faults, &normal(), &verdicts).alarms,
        [alarms("A", 2, 1, 1), alarms("B", 0, 0, 0), alarms("C", 4, 3, 2), alarms("D", 1, 1, 0)]
    );
}

#[test]
fn each_reading_is_counted_once() {
    let mut arrivals = normal();
    arrivals.extend([arrival("A", 3, None), arrival("A", 1, Some(9.0))]);
    let verdicts = [
        verdict("A", 0, 1.0, false),
        verdict("A", 0, 1.0, false),
        verdict("B", 1, 1.0, false),
        verdict("A", 3, 0.0, false),
    ];
    assert_eq!(
        score(&[], &arrivals, &verdicts).readings,
        Readings { arrived: 6, judged: 2, judged_twice: 1, judged_from_nothing: 1 }
    );
}
