//! False alarms on stationary data, beside what was asked for: `cargo run --release -p rule
//! --example budget -- [SERIES]`.

#![allow(clippy::print_stdout, reason = "that is what it is for")]

#[path = "../tests/families/mod.rs"]
mod families;

use std::error::Error;

use families::{BUDGETS, FAMILIES, of_what_was_asked_for};

fn main() -> Result<(), Box<dyn Error>> {
    let series = std::env::args().nth(1).map_or(Ok(200), |series| series.parse())?;
    println!("{:18}{}", "", BUDGETS.map(|(text, _)| format!("{text:>14}")).concat());
    for (name, family) in FAMILIES {
        let mut line = format!("{name:18}");
        for budget in BUDGETS {
            let (found, flagged) = of_what_was_asked_for(family, budget, series)?;
            line += &format!("{found:>9.2} {:3.1}%", 100.0 * flagged);
        }
        println!("{line}");
    }
    Ok(())
}
