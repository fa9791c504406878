//! The demo's result as text: plain ASCII within 80 columns, for any console.

use std::cmp::Reverse;
use std::time::Duration;

use comfy_table::{CellAlignment, LineStyle, Table, TableStyle};

use super::faults::{Fault, FaultKind};
use super::score::{DemoScore, FaultOutcome, FaultScore};

/// A line under the header and nothing else.
const STYLE: TableStyle = TableStyle::new().header_separator(LineStyle::none().fill('-'));

/// One line for each fault: what was injected, and its result. In brackets, of its readings: those
/// flagged of those judged; if the fault is in how rows arrive, those judged of those that arrived.
pub fn faults(score: &DemoScore) -> String {
    let mut table = plain(["fault", "variable", "from", "outcome"]);
    table.add_rows(score.faults.iter().map(fault_row));
    printed(table)
}

/// One line for each variable with false alarms, most first, and the sum.
pub fn false_alarms(score: &DemoScore) -> String {
    let mut table = plain(["variable", "judged", "flagged"]);
    let mut alarms: Vec<_> = score.alarms.iter().filter(|alarms| alarms.flagged > 0).collect();
    alarms.sort_by_key(|alarms| Reverse(alarms.flagged));
    table.add_rows(
        alarms.iter().map(|one| [one.variable.clone(), one.judged.to_string(), one.flagged.to_string()]),
    );
    let judged: usize = score.alarms.iter().map(|one| one.judged).sum();
    let flagged: usize = score.alarms.iter().map(|one| one.flagged).sum();
    table.add_row(["all variables".to_owned(), judged.to_string(), flagged.to_string()]);
    for column in table.column_iter_mut().skip(1) {
        column.set_cell_alignment(CellAlignment::Right);
    }
    printed(table)
}

/// Both rules on the same readings: faults in values that were found, alarms that began outside of
/// them, and readings that were flagged there.
pub fn side_by_side(by_rule: &[(&str, &DemoScore)]) -> String {
    let mut table = plain(["rule", "faults found", "false alarms", "flagged in faults", "outside"]);
    table.add_rows(by_rule.iter().map(|(rule, score)| {
        let in_values = || score.faults.iter().filter(|fault| fault.fault.kind.in_values());
        let found = in_values().filter(|fault| fault.outcome == FaultOutcome::Found).count();
        let flagged: usize = in_values().map(|fault| fault.flagged).sum();
        let begun: usize = score.alarms.iter().map(|alarms| alarms.begun).sum();
        let outside: usize = score.alarms.iter().map(|alarms| alarms.flagged).sum();
        [
            (*rule).to_owned(),
            format!("{found} of {}", in_values().count()),
            begun.to_string(),
            flagged.to_string(),
            outside.to_string(),
        ]
    }));
    for column in table.column_iter_mut().skip(1) {
        column.set_cell_alignment(CellAlignment::Right);
    }
    printed(table)
}

pub(crate) fn plain<const N: usize>(header: [&str; N]) -> Table {
    let mut table = Table::new();
    table.load_style(STYLE).set_header(header);
    table
}

/// Two spaces between columns, none at the ends.
pub(crate) fn printed(mut table: Table) -> String {
    let last = table.column_count().saturating_sub(1);
    for (number, column) in table.column_iter_mut().enumerate() {
        column.set_padding((0, if number == last { 0 } else { 2 }));
    }
    table.trim_fmt()
}

fn fault_row(score: &FaultScore) -> [String; 4] {
    let FaultScore { fault, readings, judged, flagged, first_after, outcome } = score;
    let came = match (outcome, first_after) {
        (FaultOutcome::Found, Some(Duration::ZERO)) => "found at once".to_owned(),
        (FaultOutcome::Found, Some(after)) => format!("found in {}", duration(*after)),
        (FaultOutcome::Found, None) => "found".to_owned(),
        (FaultOutcome::Missed, _) => "missed".to_owned(),
        (FaultOutcome::Unjudged, _) => "not judged".to_owned(),
        (FaultOutcome::Harmless, _) => "harmless".to_owned(),
        (FaultOutcome::Harmful, _) => "HARMFUL".to_owned(),
    };
    let of = match outcome {
        FaultOutcome::Found | FaultOutcome::Missed => format!("{flagged} of {judged}"),
        FaultOutcome::Unjudged | FaultOutcome::Harmless | FaultOutcome::Harmful => {
            format!("{judged} of {readings}")
        }
    };
    [
        what(fault),
        fault.variable.to_owned(),
        fault.from.to_string().chars().take("2025-03-07 09:20".len()).collect(),
        format!("{came} ({of})"),
    ]
}

fn what(fault: &Fault) -> String {
    let lasts = duration(fault.to.since(fault.from));
    match fault.kind {
        FaultKind::Spike { sigmas } => format!("{sigmas} sigma spike"),
        FaultKind::Drift { sigmas } => format!("{sigmas} sigma drift"),
        FaultKind::Shift { sigmas } => format!("{sigmas} sigma shift"),
        FaultKind::Stuck => format!("stuck for {lasts}"),
        FaultKind::Missing => format!("missing for {lasts}"),
        FaultKind::Null => format!("NULL for {lasts}"),
        FaultKind::Late { by } => format!("{} late", duration(by)),
        FaultKind::Repeated { by } => format!("twice, {} apart", duration(by)),
    }
}

fn duration(duration: Duration) -> String {
    humantime::format_duration(duration).to_string()
}

#[cfg(test)]
mod tests {
    use super::super::score::{Alarms, Readings};
    use super::super::variables::START;
    use super::*;

    fn scored(
        kind: FaultKind,
        counts: (usize, usize, usize),
        first_after: Option<u64>,
        outcome: FaultOutcome,
    ) -> FaultScore {
        let minutes = |n: u64| Duration::from_secs(60 * n);
        let fault = Fault {
            kind,
            variable: "NIVEL 4",
            from: START.later(minutes(560)),
            to: START.later(minutes(635)),
        };
        let (readings, judged, flagged) = counts;
        FaultScore { fault, readings, judged, flagged, first_after: first_after.map(minutes), outcome }
    }

    #[test]
    fn the_tables_say_what_came_of_each_fault() {
        let hour = Duration::from_secs(3600);
        let alarms = |variable: &str, judged, flagged| Alarms {
            variable: variable.to_owned(),
            judged,
            flagged,
            begun: 1,
        };
        let score = DemoScore {
            faults: vec![
                scored(FaultKind::Spike { sigmas: 12.0 }, (1, 1, 1), Some(0), FaultOutcome::Found),
                scored(FaultKind::Drift { sigmas: -8.0 }, (15, 14, 7), Some(40), FaultOutcome::Found),
                scored(FaultKind::Stuck, (15, 15, 0), None, FaultOutcome::Missed),
                scored(FaultKind::Shift { sigmas: 5.0 }, (15, 0, 0), None, FaultOutcome::Unjudged),
                // The flagged reading is a spike's, which has a line of its own.
                scored(FaultKind::Late { by: hour * 3 }, (15, 15, 1), Some(5), FaultOutcome::Harmless),
                scored(FaultKind::Repeated { by: hour }, (15, 15, 0), None, FaultOutcome::Harmful),
            ],
            alarms: vec![alarms("A", 10, 1), alarms("B", 20, 0), alarms("C", 30, 3)],
            readings: Readings::default(),
        };
        assert_eq!(
            faults(&score),
            "\
fault             variable  from              outcome
--------------------------------------------------------------------
12 sigma spike    NIVEL 4   2025-03-07 09:20  found at once (1 of 1)
-8 sigma drift    NIVEL 4   2025-03-07 09:20  found in 40m (7 of 14)
stuck for 1h 15m  NIVEL 4   2025-03-07 09:20  missed (0 of 15)
5 sigma shift     NIVEL 4   2025-03-07 09:20  not judged (0 of 15)
3h late           NIVEL 4   2025-03-07 09:20  harmless (15 of 15)
twice, 1h apart   NIVEL 4   2025-03-07 09:20  HARMFUL (15 of 15)"
        );
        assert_eq!(
            false_alarms(&score),
            "\
variable       judged  flagged
------------------------------
C                  30        3
A                  10        1
all variables      60        4"
        );
        assert_eq!(
            side_by_side(&[("interval", &score), ("adaptive", &score)]),
            "\
rule      faults found  false alarms  flagged in faults  outside
----------------------------------------------------------------
interval        2 of 4             3                  8        4
adaptive        2 of 4             3                  8        4"
        );
    }
}
