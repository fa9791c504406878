//! The demo's result as a person reads it: plain ASCII, under 110 columns, whatever the console.

use std::cmp::Reverse;
use std::time::Duration;

use comfy_table::presets::ASCII_BORDERS_ONLY_CONDENSED;
use comfy_table::{CellAlignment, Table};

use super::faults::{Fault, Kind};
use super::score::{FaultScore, Outcome, Score};

/// One line for each fault: what was injected, and what came of it.
pub fn faults(score: &Score) -> Table {
    let mut table = plain(["fault", "variable", "from", "lasts", "readings", "after", "outcome"]);
    table.add_rows(score.faults.iter().map(fault_row));
    table
}

/// One line for each variable with false alarms, most first, and the sum.
pub fn false_alarms(score: &Score) -> Table {
    let mut table = plain(["flagged for nothing", "judged", "flagged"]);
    let mut alarms: Vec<_> = score.alarms.iter().filter(|alarms| alarms.flagged > 0).collect();
    alarms.sort_by_key(|alarms| Reverse(alarms.flagged));
    table.add_rows(
        alarms.iter().map(|one| [one.variable.clone(), one.judged.to_string(), one.flagged.to_string()]),
    );
    let judged: usize = score.alarms.iter().map(|one| one.judged).sum();
    let flagged: usize = score.alarms.iter().map(|one| one.flagged).sum();
    table.add_row(["all variables".to_owned(), judged.to_string(), flagged.to_string()]);
    for number in [1, 2] {
        if let Some(column) = table.column_mut(number) {
            column.set_cell_alignment(CellAlignment::Right);
        }
    }
    table
}

fn plain<const N: usize>(header: [&str; N]) -> Table {
    let mut table = Table::new();
    table.load_style(ASCII_BORDERS_ONLY_CONDENSED).set_header(header);
    table
}

fn fault_row(score: &FaultScore) -> [String; 7] {
    let FaultScore { fault, readings, judged, flagged, first_after, outcome } = score;
    [
        what(fault),
        fault.variable.to_owned(),
        fault.from.to_string().chars().take("2025-03-07 09:20".len()).collect(),
        duration(fault.to.since(fault.from)),
        match outcome {
            Outcome::Found | Outcome::Missed => format!("{flagged} of {judged} flagged"),
            Outcome::Unjudged | Outcome::Harmless | Outcome::Harmful => {
                format!("{judged} of {readings} judged")
            }
        },
        match (outcome, first_after) {
            (Outcome::Found, Some(Duration::ZERO)) => "at once".to_owned(),
            (Outcome::Found, Some(after)) => duration(*after),
            _ => String::new(),
        },
        match outcome {
            Outcome::Found => "found",
            Outcome::Missed => "missed",
            Outcome::Unjudged => "not judged",
            Outcome::Harmless => "harmless",
            Outcome::Harmful => "HARMFUL",
        }
        .to_owned(),
    ]
}

fn what(fault: &Fault) -> String {
    match fault.kind {
        Kind::Spike { sigmas } => format!("spike of {sigmas} sigma"),
        Kind::Drift { sigmas } => format!("drift to {sigmas} sigma"),
        Kind::Shift { sigmas } => format!("level off by {sigmas} sigma"),
        Kind::Stuck => "stuck sensor".to_owned(),
        Kind::Missing => "readings missing".to_owned(),
        Kind::Null => "rows without a value".to_owned(),
        Kind::Late { by } => format!("held back, {} late", duration(by)),
        Kind::Repeated { by } => format!("stored again after {}", duration(by)),
    }
}

fn duration(duration: Duration) -> String {
    humantime::format_duration(duration).to_string()
}

#[cfg(test)]
mod tests {
    use super::super::plant::START;
    use super::super::score::{Alarms, Readings};
    use super::*;

    fn scored(
        kind: Kind,
        counts: (usize, usize, usize),
        first_after: Option<u64>,
        outcome: Outcome,
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
        let alarms =
            |variable: &str, judged, flagged| Alarms { variable: variable.to_owned(), judged, flagged };
        let score = Score {
            faults: vec![
                scored(Kind::Spike { sigmas: 12.0 }, (1, 1, 1), Some(0), Outcome::Found),
                scored(Kind::Drift { sigmas: -8.0 }, (15, 14, 7), Some(40), Outcome::Found),
                scored(Kind::Stuck, (15, 15, 0), None, Outcome::Missed),
                scored(Kind::Shift { sigmas: 5.0 }, (15, 0, 0), None, Outcome::Unjudged),
                // The flagged reading is a spike's, which has a line of its own.
                scored(Kind::Late { by: hour * 3 }, (15, 15, 1), Some(5), Outcome::Harmless),
                scored(Kind::Repeated { by: hour }, (15, 15, 0), None, Outcome::Harmful),
            ],
            alarms: vec![alarms("A", 10, 1), alarms("B", 20, 0), alarms("C", 30, 3)],
            readings: Readings::default(),
        };
        assert_eq!(
            faults(&score).to_string(),
            "\
+-------------------------------------------------------------------------------------------------------+
| fault                   variable   from               lasts    readings          after     outcome    |
+=======================================================================================================+
| spike of 12 sigma       NIVEL 4    2025-03-07 09:20   1h 15m   1 of 1 flagged    at once   found      |
| drift to -8 sigma       NIVEL 4    2025-03-07 09:20   1h 15m   7 of 14 flagged   40m       found      |
| stuck sensor            NIVEL 4    2025-03-07 09:20   1h 15m   0 of 15 flagged             missed     |
| level off by 5 sigma    NIVEL 4    2025-03-07 09:20   1h 15m   0 of 15 judged              not judged |
| held back, 3h late      NIVEL 4    2025-03-07 09:20   1h 15m   15 of 15 judged             harmless   |
| stored again after 1h   NIVEL 4    2025-03-07 09:20   1h 15m   15 of 15 judged             HARMFUL    |
+-------------------------------------------------------------------------------------------------------+"
        );
        assert_eq!(
            false_alarms(&score).to_string(),
            "\
+----------------------------------------+
| flagged for nothing   judged   flagged |
+========================================+
| C                         30         3 |
| A                         10         1 |
| all variables             60         4 |
+----------------------------------------+"
        );
    }
}
