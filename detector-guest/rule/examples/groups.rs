//! False alarms of groups on stationary machines, beside what was asked for, and faults found:
//! `cargo run --release -p rule --example groups -- [MACHINES]`.

#![allow(clippy::print_stdout, reason = "that is what it is for")]

#[path = "../tests/families/mod.rs"]
mod families;
#[path = "../tests/machines/mod.rs"]
mod machines;

use std::error::Error;

use families::{BUDGETS, DAY, WARM_UP};
use machines::{KINDS, MEMBERS, Row, alone, loaded, of_what_was_asked_for, together};
use rule::RuleSettings;

/// A name, within how many readings it has to be found, and what becomes of rows from some on.
type Fault = (&'static str, usize, fn(&mut [Row]));

const FAULTS: [Fault; 3] = [
    ("each off by 2", 24, |rows| {
        for row in rows {
            (0..MEMBERS).for_each(|member| row[member] += [2.0, -2.0][member % 2]);
        }
    }),
    ("one off by 6", 24, |rows| rows.iter_mut().for_each(|row| row[2] += 6.0)),
    ("three drift by 1 a day", 4 * DAY, |rows| {
        for (at, row) in rows.iter_mut().enumerate() {
            (0..3).for_each(|member| row[member] += [1.0, -1.0][member % 2] * at as f64 / DAY as f64);
        }
    }),
];

/// Days before the fault.
const BEFORE: [usize; 3] = [8, 20, 40];

fn main() -> Result<(), Box<dyn Error>> {
    let count = std::env::args().nth(1).map_or(Ok(20), |count| count.parse())?;
    println!("false alarms of what was asked for: first two weeks, 60 days with their standard error");
    println!("{:28}{}", "", BUDGETS.map(|(text, _)| format!("{text:>21}")).concat());
    for kind in KINDS {
        let mut line = format!("{:28}", kind.name);
        for budget in BUDGETS {
            let found = of_what_was_asked_for(kind, budget, count)?;
            line += &format!("{:>7.2} {:6.2} ± {:4.2}", found.early, found.all, found.error);
        }
        println!("{line}");
    }
    println!("\none false alarm a week: found, median delay in readings, by the best member alone");
    println!("{:28}{}", "", BEFORE.map(|days| format!("{:>21}", format!("after {days} days"))).concat());
    let settings = RuleSettings { false_alarms: "1 per week".parse()?, ..RuleSettings::new(WARM_UP as u32) };
    for (name, within, fault) in FAULTS {
        let mut line = format!("{name:28}");
        for days in BEFORE {
            let (mut delays, mut by_member) = (Vec::new(), [0; MEMBERS]);
            for seed in 0..2 * count {
                let at = days * DAY + seed as usize * 53 % DAY;
                let mut rows = loaded(seed * 1_000_003 + 17, at + within);
                fault(&mut rows[at..]);
                let verdicts = together(&rows, settings);
                let alarms = |row: usize| verdicts[at + row].alarms();
                delays.push((0..within).find(|row| alarms(*row)));
                for (member, found) in by_member.iter_mut().enumerate() {
                    *found += usize::from(alone(&rows, member, settings)[at..].contains(&true));
                }
            }
            let share = |found: usize| 100.0 * found as f64 / (2 * count) as f64;
            let found = delays.iter().flatten().count();
            delays.sort_unstable_by_key(|delay| delay.unwrap_or(usize::MAX));
            let median = delays[delays.len() / 2].map_or("-".to_owned(), |delay| delay.to_string());
            let best = by_member.into_iter().max().unwrap_or_default();
            line += &format!("{:7.0}% {median:>5} {:5.0}%", share(found), share(best));
        }
        println!("{line}");
    }
    Ok(())
}
