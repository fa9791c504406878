//! The rule on a checkout of simulated faults of the Tennessee Eastman process (of Braatz's group;
//! `camaramm/tennessee-eastman-profBraatz` on GitHub): `cargo run --release -p rule --example tep
//! -- DIR`; with `each` behind it, fault by fault.
//!
//! 52 variables of a chemical plant with its controllers, a reading every three minutes. 21 runs
//! with a fault from the 161st row on, and two without one, which are what was learnt before. What
//! the detector has where nothing is set, as a group; and each variable alone on a run without a
//! fault.

#![allow(clippy::print_stdout, reason = "that is what it is for")]

#[path = "../tests/families/mod.rs"]
mod families;
#[path = "../tests/machines/mod.rs"]
mod machines;
mod tables;

use std::error::Error;
use std::path::{Path, PathBuf};

use machines::{Judged, Machine};
use rule::Variable;
use tables::{BUDGET, settings};

const VARIABLES: usize = 52;
const STEP: i64 = 180_000_000;
const FAULTS: usize = 21;

/// The first row of a fault.
const AT: usize = 160;

const WEEK: f64 = 7.0 * 24.0 * 20.0;

type Row = [f64; VARIABLES];

fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args().skip(1);
    let dir = PathBuf::from(arguments.next().ok_or("the directory of the files is missing")?);
    let each = arguments.next().is_some_and(|argument| argument == "each");
    let (first, second) = (read(&dir.join("d00.dat"))?, read(&dir.join("d00_te.dat"))?);
    let times: Vec<i64> = (0..first.len() as i64).map(|row| row * STEP).collect();
    let settings = settings(&times, BUDGET)?;

    let mut delays = Vec::new();
    let (mut false_alarms, mut held) = (0, 0.0);
    for fault in 1..=FAULTS {
        let rows = read(&dir.join(format!("d{fault:02}_te.dat")))?;
        let mut machine = Machine::new(settings);
        let all = first.iter().chain(&second).chain(&rows);
        let judged: Vec<_> = (0..).zip(all).map(|(row, values)| machine.judge(row * STEP, values)).collect();
        let (before, since) = judged[first.len() + second.len()..].split_at(AT);
        let delay = since.iter().position(Judged::alarms);
        let alarms = |rows: &[Judged<VARIABLES>]| rows.iter().filter(|row| row.alarms()).count();
        let flagged = since.iter().filter(|row| row.verdicts.iter().any(|verdict| verdict.is_anomaly));
        let share = flagged.count() as f64 / since.len() as f64;
        if each {
            let delay = delay.map_or("-".to_owned(), |delay| delay.to_string());
            println!(
                "fault {fault:2}: after {delay:>3} rows, {} alarms, flagged {:.0} %; {} false alarms before",
                alarms(since),
                100.0 * share,
                alarms(before)
            );
        }
        delays.extend(delay);
        false_alarms += alarms(before);
        held += share / FAULTS as f64;
    }
    delays.sort_unstable();
    println!(
        "a group: {} of {FAULTS} found, after {:?} rows on the median, {:.0} % of the rows flagged; {false_alarms} \
         false alarms in {} rows before",
        delays.len(),
        delays.get(delays.len() / 2),
        100.0 * held,
        FAULTS * AT
    );

    let mut alarms = 0;
    for variable in 0..VARIABLES {
        let mut alone = Variable::new(settings);
        let all = first.iter().chain(&second);
        let verdicts: Vec<_> =
            (0..).zip(all).map(|(row, values)| alone.judge(row * STEP, values[variable], None)).collect();
        alarms += verdicts[first.len()..].iter().filter(|verdict| verdict.alarm).count();
    }
    let readings = VARIABLES * second.len();
    println!(
        "alone: {alarms} false alarms in {readings} readings, {:.2} a week",
        alarms as f64 * WEEK / readings as f64
    );
    Ok(())
}

/// Rows of variables; in one of the files they lie on their side.
fn read(path: &Path) -> Result<Vec<Row>, Box<dyn Error>> {
    let text = std::fs::read_to_string(path)?;
    let parse = |line: &str| line.split_whitespace().map(str::parse).collect::<Result<Vec<f64>, _>>();
    let lines: Vec<Vec<f64>> = text.lines().map(parse).collect::<Result<_, _>>()?;
    let lies = lines.len() == VARIABLES;
    let rows = if lies { lines[0].len() } else { lines.len() };
    let at = |row: usize, variable: usize| {
        let cell = if lies { lines[variable].get(row) } else { lines[row].get(variable) };
        cell.copied().unwrap_or(f64::NAN)
    };
    Ok((0..rows).map(|row| std::array::from_fn(|variable| at(row, variable))).collect())
}
